//! How detectors see all text of a payload without converting it.
//!
//! A [`TextTree`] is walked once; every text in it is shown to an [`Editor`] with the [`Place`] where it stands.
//! What the editor changes is copied, what it leaves is not touched: a tree without a change costs no allocation.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

/// The deepest nesting that is walked. The same as that of `serde_json`'s parser.
pub const MAX_DEPTH: usize = 128;

/// JSON integers of fewer digits are no text; from here on they may be card, phone or account numbers.
pub const SHORTEST_NUMBER: u64 = 1_000_000;

/// A value with texts in it.
pub trait TextTree: Sized {
    /// Why a walk ends early.
    type Error: From<TooDeep>;

    /// Shows every text to `editor` and returns the tree with its changes, or `None` if there were none.
    ///
    /// # Errors
    /// The tree is nested deeper than [`MAX_DEPTH`], or cannot be read.
    fn edit(&self, editor: &mut dyn Editor, place: &Place<'_>) -> Result<Option<Self>, Self::Error>;
}

/// What looks at texts.
pub trait Editor {
    /// Looks at a text; returns what to put in its place, `None` to leave it.
    fn text(&mut self, text: &str, place: &Place<'_>) -> Option<String>;
}

/// A payload that is nested too deeply to be looked at; it must not go on unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload is nested deeper than {MAX_DEPTH} levels")]
pub struct TooDeep;

/// Where a text stands. Displayed as a JSON pointer, `/args/users/0/email`.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    above: Option<&'a Self>,
    step: Step<'a>,
    depth: usize,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
    KeyItself,
}

impl Place<'static> {
    /// The tree itself.
    pub const ROOT: Self = Self { above: None, step: Step::Root, depth: 0 };
}

impl<'a> Place<'a> {
    /// The place of a value below a key.
    ///
    /// # Errors
    /// [`TooDeep`] below [`MAX_DEPTH`] levels.
    pub fn key(&'a self, key: &'a str) -> Result<Self, TooDeep> {
        self.below(Step::Key(key))
    }

    /// The place of an item of a list.
    ///
    /// # Errors
    /// [`TooDeep`] below [`MAX_DEPTH`] levels.
    pub fn index(&'a self, index: usize) -> Result<Self, TooDeep> {
        self.below(Step::Index(index))
    }

    /// The innermost key above the text: what the text is called.
    #[must_use]
    pub fn name(&self) -> Option<&'a str> {
        match self.step {
            Step::Key(key) => Some(key),
            Step::Index(_) | Step::KeyItself => self.above.and_then(Self::name),
            Step::Root => None,
        }
    }

    /// Whether it is the place of the tree itself.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        matches!(self.step, Step::Root)
    }

    /// Whether the text is a key of the object at this place, not a value.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        matches!(self.step, Step::KeyItself)
    }

    /// The place of the keys of an object. It is displayed as that of the object: what is in a key is not told.
    #[must_use]
    pub const fn of_keys(&'a self) -> Self {
        Self { above: Some(self), step: Step::KeyItself, depth: self.depth }
    }

    fn below(&'a self, step: Step<'a>) -> Result<Self, TooDeep> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH { Err(TooDeep) } else { Ok(Self { above: Some(self), step, depth }) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Root | Step::KeyItself => Ok(()),
            Step::Key(key) => write!(f, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => write!(f, "/{index}"),
        }
    }
}

impl TextTree for String {
    type Error = TooDeep;

    fn edit(&self, editor: &mut dyn Editor, place: &Place<'_>) -> Result<Option<Self>, TooDeep> {
        Ok(editor.text(self, place))
    }
}

impl<T: TextTree + Clone> TextTree for Option<T> {
    type Error = T::Error;

    fn edit(&self, editor: &mut dyn Editor, place: &Place<'_>) -> Result<Option<Self>, T::Error> {
        self.as_ref().map_or(Ok(None), |value| Ok(value.edit(editor, place)?.map(Some)))
    }
}

impl<T: TextTree + Clone> TextTree for Vec<T> {
    type Error = T::Error;

    fn edit(&self, editor: &mut dyn Editor, place: &Place<'_>) -> Result<Option<Self>, T::Error> {
        let mut copy: Option<Self> = None;
        for (index, item) in self.iter().enumerate() {
            let edited = item.edit(editor, &place.index(index)?)?;
            match (&mut copy, edited) {
                (None, None) => {}
                (None, Some(edited)) => {
                    let mut items = Self::with_capacity(self.len());
                    items.extend_from_slice(&self[..index]);
                    items.push(edited);
                    copy = Some(items);
                }
                (Some(items), edited) => items.push(edited.unwrap_or_else(|| item.clone())),
            }
        }
        Ok(copy)
    }
}

/// Keys are texts too. A changed key that meets another of its name gets a number: nothing is lost. What is
/// below a changed key is placed below its new name, so that no place tells what was hidden.
impl TextTree for Map<String, Value> {
    type Error = TooDeep;

    fn edit(&self, editor: &mut dyn Editor, place: &Place<'_>) -> Result<Option<Self>, TooDeep> {
        let mut copy: Option<Self> = None;
        for (index, (key, value)) in self.iter().enumerate() {
            let new_key = editor.text(key, &place.of_keys());
            let shown_key = new_key.as_deref().unwrap_or(key);
            let new_value = value.edit(editor, &place.key(shown_key)?)?;
            if copy.is_none() && new_key.is_none() && new_value.is_none() {
                continue;
            }
            let fields = copy.get_or_insert_with(|| {
                self.iter().take(index).map(|(key, value)| (key.clone(), value.clone())).collect()
            });
            let key = new_key.map_or_else(
                || key.clone(),
                |new| free_key(new, |key| self.contains_key(key) || fields.contains_key(key)),
            );
            fields.insert(key, new_value.unwrap_or_else(|| value.clone()));
        }
        Ok(copy)
    }
}

impl TextTree for Value {
    type Error = TooDeep;

    fn edit(&self, editor: &mut dyn Editor, place: &Place<'_>) -> Result<Option<Self>, TooDeep> {
        Ok(match self {
            Self::String(text) => text.edit(editor, place)?.map(Self::String),
            Self::Array(items) => items.edit(editor, place)?.map(Self::Array),
            Self::Object(fields) => fields.edit(editor, place)?.map(Self::Object),
            Self::Number(number) if number.as_u64().is_some_and(|number| number >= SHORTEST_NUMBER) => {
                editor.text(&number.to_string(), place).map(Self::String)
            }
            Self::Number(_) | Self::Bool(_) | Self::Null => None,
        })
    }
}

/// An object of the fields of another: old key, new key if it was changed, value. Nothing is lost where keys meet.
#[must_use]
pub fn rename(fields: Vec<(String, Option<String>, Value)>) -> Map<String, Value> {
    let is_renamed = fields.iter().any(|(_, new, _)| new.is_some());
    let before: BTreeSet<String> =
        fields.iter().filter(|_| is_renamed).map(|(key, _, _)| key.clone()).collect();
    let mut after = Map::with_capacity(fields.len());
    for (key, new, value) in fields {
        let key = match new {
            Some(new) => free_key(new, |key| before.contains(key) || after.contains_key(key)),
            None => key,
        };
        after.insert(key, value);
    }
    after
}

fn free_key(wanted: String, taken: impl Fn(&str) -> bool) -> String {
    if !taken(&wanted) {
        return wanted;
    }
    (2..).map(|number| format!("{wanted} ({number})")).find(|key| !taken(key)).unwrap_or(wanted)
}
