//! `secrets_detector`: keys of well-known formats, private keys, passwords in URLs, and values that are called a secret.
//!
//! Two automata look for prefixes and for names, each in one pass; patterns are tried only where one was found,
//! anchored there, so time is linear in the text.

mod assigned;
mod formats;
mod plausible;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;
use serde::Deserialize;

use crate::action::Action;
use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report, without_overlaps};
use crate::inspect::Detector;
use crate::redact::{RedactConfig, Redactor};
use crate::text::Place;

/// The configuration of `secrets_detector`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SecretsConfig {
    /// Kinds that are not looked for. The reference lists them all.
    pub ignore: BTreeSet<String>,
    /// Texts that are no secrets, such as a key of the tests. Compared as a whole.
    pub allow: BTreeSet<String>,
    /// The least sure findings that count: `high` leaves the values that only their names make secrets.
    pub min_confidence: Confidence,
    /// What happens to a payload with a secret.
    pub action: Action,
    /// What takes the place of a secret.
    pub redact: RedactConfig,
}

impl Default for SecretsConfig {
    fn default() -> Self {
        Self {
            ignore: BTreeSet::new(),
            allow: BTreeSet::new(),
            min_confidence: Confidence::Medium,
            action: Action::Deny,
            redact: RedactConfig::default(),
        }
    }
}

/// Finds secrets.
pub struct Secrets {
    ignore: BTreeSet<String>,
    allow: BTreeSet<String>,
    min_confidence: Confidence,
    action: Action,
    redactor: Redactor,
}

impl Secrets {
    /// Checks the configuration.
    ///
    /// # Errors
    /// An ignored kind does not exist, or a strategy lacks its key.
    pub fn new(config: SecretsConfig) -> Result<Self, ConfigError> {
        let known: BTreeSet<&str> = kinds().collect();
        if let Some(kind) = config.ignore.iter().find(|kind| !known.contains(kind.as_str())) {
            return Err(ConfigError::new("ignore", format!("there is no kind {kind:?}")));
        }
        Ok(Self {
            ignore: config.ignore,
            allow: config.allow,
            min_confidence: config.min_confidence,
            action: config.action,
            redactor: Redactor::new(config.redact, "redact")?,
        })
    }

    /// What there is in a text called `name`, in order and without overlaps.
    #[must_use]
    pub fn find(&self, text: &str, name: Option<&str>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut note = |kind: &str, span: Range<usize>, confidence: Confidence| {
            let counts = confidence >= self.min_confidence
                && !self.ignore.contains(kind)
                && !self.allow.contains(&text[span.clone()]);
            if counts {
                findings.push(Finding { kind: kind.into(), span, confidence });
            }
        };
        FOUND_BY_PREFIX.read(text, &mut note);
        assigned::read(text, name, &mut note);
        if self.min_confidence == Confidence::Low {
            plausible::random_words(text).for_each(|span| note("high_entropy", span, Confidence::Low));
        }
        without_overlaps(&mut findings);
        findings
    }
}

impl Detector for Secrets {
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        let name = if place.is_key() { None } else { place.name() };
        self.action.carry_out(text, self.find(text, name), &self.redactor, place, report)
    }

    fn conclude(&self, report: &mut Report) {
        self.action.conclude(report, "SECRET_DETECTED", "the payload has secrets");
    }

    fn rewrites(&self) -> bool {
        self.action == Action::Redact
    }
}

/// All kinds that can be found.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    let formats = formats::FORMATS.iter().map(|format| format.kind);
    formats.chain(["private_key", "password_in_url", "high_entropy"]).chain(assigned::KINDS)
}

static FOUND_BY_PREFIX: LazyLock<Prefixes> = LazyLock::new(Prefixes::compile);

/// Everything that begins with a fixed text.
struct Prefixes {
    automaton: AhoCorasick,
    /// The rule of each prefix of the automaton.
    rules: Vec<Arc<Rule>>,
}

struct Rule {
    kind: &'static str,
    /// Anchored at the prefix; the group 1 is the secret, the whole match if there is none.
    regex: Regex,
}

impl Rule {
    /// The span of the secret whose prefix stands at `start`.
    fn at(&self, text: &str, start: usize) -> Option<Range<usize>> {
        let rest = &text[start..];
        let found = self.regex.find(rest)?;
        match self.regex.captures_len() {
            1 => Some(start..start + found.end()).filter(|span| ends(text, span.end)),
            _ => self.regex.captures(rest)?.get(1).map(|group| start + group.start()..start + group.end()),
        }
    }
}

impl Prefixes {
    fn compile() -> Self {
        let (mut prefixes, mut rules) = (Vec::new(), Vec::new());
        let mut add = |kind, starts: &[&'static str], pattern: &str| {
            let regex = Regex::new(pattern).expect("the formats are valid patterns");
            let rule = Arc::new(Rule { kind, regex });
            for start in starts {
                prefixes.push(*start);
                rules.push(rule.clone());
            }
        };
        for format in &formats::FORMATS {
            let starts: Vec<String> = format.prefixes.iter().map(|prefix| regex::escape(prefix)).collect();
            add(format.kind, format.prefixes, &format!("^(?:{})(?:{})", starts.join("|"), format.rest));
        }
        // The whole block; of one that was cut off, the lines that there are.
        let header = "-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----";
        let whole = "(?:[^-]|-[^-])*-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----";
        let lines = r"(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{40,})*";
        add("private_key", &["-----BEGIN "], &format!("^{header}(?:{whole}|{lines})"));
        add(
            "password_in_url",
            &["://"],
            r#"^://[^\s/?#:@"'<>]{0,128}:([^\s/?#@"'<>]{3,256})@[A-Za-z0-9.\[-]"#,
        );
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&prefixes)
            .expect("the prefixes are few and short");
        Self { automaton, rules }
    }

    fn read(&self, text: &str, note: &mut impl FnMut(&str, Range<usize>, Confidence)) {
        let mut free = 0;
        for prefix in self.automaton.find_iter(text) {
            let rule = &self.rules[prefix.pattern().as_usize()];
            if prefix.start() < free || !begins(text, prefix.start()) {
                continue;
            }
            let Some(span) = rule.at(text, prefix.start()) else { continue };
            free = span.end;
            let sure = rule.kind == "private_key" || !plausible::is_placeholder(&text[span.clone()]);
            note(rule.kind, span, if sure { Confidence::High } else { Confidence::Low });
        }
    }
}

/// Whether a key may begin here: not inside of a word.
fn begins(text: &str, start: usize) -> bool {
    let signs = text.as_bytes();
    !signs[start].is_ascii_alphanumeric()
        || !signs[..start]
            .last()
            .is_some_and(|before| before.is_ascii_alphanumeric() || matches!(before, b'_' | b'-'))
        || text[..start].ends_with("\\n")
}

/// Whether a key may end here: not inside of a word.
fn ends(text: &str, end: usize) -> bool {
    !text.as_bytes().get(end).is_some_and(|after| after.is_ascii_alphanumeric() || *after == b'_')
}
