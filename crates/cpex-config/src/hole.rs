//! Holes: what template expressions print, kept out of the text until the YAML is parsed.
//!
//! A hole stands in the text as a token of characters that mean nothing to YAML. The text it stands for is
//! put in once the scalar around it is complete, so it can neither end that scalar nor begin another.

use crate::document::Value;
use crate::scalar::ScalarTag;

/// Fences the tokens: a private-use character that the text does not contain, raw or escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fence(char);

impl Fence {
    /// A fence for these texts, or `None` if they use up all 6400 private-use characters.
    pub(crate) fn absent_from<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Option<Self> {
        let is_free = |fence: &char| {
            let escape = format!("{:x}", *fence as u32);
            texts.clone().all(|text| !text.contains(*fence) && !contains_ignore_case(text, &escape))
        };
        ('\u{e000}'..='\u{f8ff}').find(is_free).map(Self)
    }

    /// A token with this body.
    pub(crate) fn wrap(self, body: &str) -> String {
        format!("{0}{body}{0}", self.0)
    }

    /// The body of the token, if the text is one token and nothing else.
    pub(crate) fn only(self, text: &str) -> Option<&str> {
        let body = text.strip_prefix(self.0)?.strip_suffix(self.0)?;
        (!body.contains(self.0)).then_some(body)
    }

    /// The text with each token replaced. A token that stands for nothing stays.
    pub(crate) fn replace(self, text: &str, with: impl Fn(&str) -> Option<String>) -> String {
        let mut replaced = String::with_capacity(text.len());
        for (index, piece) in text.split(self.0).enumerate() {
            match (index % 2 == 1).then(|| with(piece)).flatten() {
                Some(value) => replaced.push_str(&value),
                None => replaced.push_str(piece),
            }
        }
        replaced
    }
}

/// How the text of a hole becomes a value when the hole is a whole plain scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typing {
    /// By the YAML rules, as if it had been written there.
    Plain,
    /// It is a string, whatever it looks like.
    Text,
}

struct Hole {
    typing: Typing,
    /// The value, if the hole is a whole plain scalar.
    whole: String,
    /// What the hole adds to a longer scalar.
    part: String,
}

/// The holes of one rendered text.
pub(crate) struct Holes {
    /// `None` where templates are off: such a text has no holes.
    fence: Option<Fence>,
    holes: Vec<Hole>,
}

/// A plain scalar with its holes filled.
pub(crate) struct Filled {
    pub(crate) value: Option<Value>,
    pub(crate) opaque: bool,
}

impl Holes {
    pub(crate) fn new(fence: Option<Fence>) -> Self {
        Self { fence, holes: Vec::new() }
    }

    /// Adds a hole and returns the token that stands for it.
    pub(crate) fn dig(&mut self, typing: Typing, whole: &str, part: &str) -> String {
        let Some(fence) = self.fence else { return part.to_owned() };
        self.holes.push(Hole { typing, whole: whole.to_owned(), part: part.to_owned() });
        fence.wrap(&(self.holes.len() - 1).to_string())
    }

    /// Do printed values become holes?
    pub(crate) fn are_in_use(&self) -> bool {
        self.fence.is_some()
    }

    /// Is there a hole in this scalar?
    pub(crate) fn touch(&self, text: &str) -> bool {
        self.fence.is_some_and(|fence| text.contains(fence.0))
    }

    /// Does any hole stand for text of several lines that looks like a block of YAML?
    pub(crate) fn have_lines(&self) -> bool {
        self.holes.iter().any(|hole| {
            let mut lines = hole.whole.lines().map(str::trim_start).filter(|line| !line.is_empty());
            lines.any(|line| line.starts_with("- ") || line.contains(": ") || line.ends_with(':'))
                && hole.whole.trim().contains('\n')
        })
    }

    /// The text of a quoted, block or tagged scalar.
    pub(crate) fn fill(&self, text: &str) -> String {
        self.replace(text, |hole| hole.part.clone())
    }

    /// The value of a plain scalar without a tag.
    pub(crate) fn resolve(&self, text: &str) -> Filled {
        if !self.touch(text) {
            return Filled { value: ScalarTag::of_plain(text).construct(text), opaque: false };
        }
        let value = match self.whole(text) {
            Some(Hole { typing: Typing::Text, whole, .. }) => Value::Str(whole.clone()),
            Some(Hole { typing: Typing::Plain, whole, .. }) => typed(whole),
            None => typed(&self.fill(text)),
        };
        Filled { value: Some(value), opaque: true }
    }

    /// The text as written, for messages.
    pub(crate) fn conceal(&self, text: &str) -> String {
        self.replace(text, |_| "{{ … }}".to_owned())
    }

    fn whole(&self, text: &str) -> Option<&Hole> {
        self.hole(self.fence?.only(text)?)
    }

    fn hole(&self, body: &str) -> Option<&Hole> {
        self.holes.get(body.parse::<usize>().ok()?)
    }

    fn replace(&self, text: &str, with: impl Fn(&Hole) -> String) -> String {
        let Some(fence) = self.fence else { return text.to_owned() };
        fence.replace(text, |body| self.hole(body).map(&with))
    }
}

/// A printed text read as the plain scalar it would have been; anything but one keeps its bytes.
fn typed(text: &str) -> Value {
    let raw = || Value::Str(text.to_owned());
    if text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        return raw();
    }
    let trimmed = text.trim_matches([' ', '\t']);
    match ScalarTag::of_plain(trimmed) {
        ScalarTag::Str => raw(),
        tag => tag.construct(trimmed).unwrap_or_else(raw),
    }
}

fn contains_ignore_case(text: &str, lower: &str) -> bool {
    text.as_bytes().windows(lower.len()).any(|window| window.eq_ignore_ascii_case(lower.as_bytes()))
}
