//! Keys that something reads, and what a reader of an unknown key probably meant.

use std::collections::BTreeMap;

use crate::document::{Document, Node, Value};
use crate::problem::{Problem, ProblemKind};

/// How alike two keys must be for one to be suggested for the other.
const LIKENESS: f64 = 0.75;

/// How many letters a slip changes.
const SLIP: usize = 2;

/// The keys that are known below a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Anything goes: a subtree that belongs to a plugin, or no mapping at all.
    Free,
    /// A mapping with these keys.
    Known(BTreeMap<String, Keys>),
    /// A sequence, or a mapping with keys of the user's choice, of such nodes.
    Each(Box<Keys>),
}

impl Document {
    /// The keys of the document that `known` does not name, in reading order.
    #[must_use]
    pub fn unknown_keys(&self, known: &Keys) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(root) = &self.root {
            known.check(root, "", &mut problems);
        }
        problems.sort_by_key(|problem| problem.position);
        problems.dedup();
        problems
    }
}

impl Keys {
    fn check(&self, node: &Node, path: &str, problems: &mut Vec<Problem>) {
        match (self, node.value()) {
            (Self::Known(known), Value::Map(pairs)) => {
                for (key, value) in pairs {
                    let below =
                        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                    match key.value() {
                        Value::Str(name) if known.contains_key(name) => {
                            known[name].check(value, &below(name), problems);
                        }
                        _ => problems.push(unknown(key, path, known)),
                    }
                }
            }
            (Self::Each(each), Value::Seq(items)) => {
                for (index, item) in items.iter().enumerate() {
                    each.check(item, &format!("{path}[{index}]"), problems);
                }
            }
            (Self::Each(each), Value::Map(pairs)) => {
                for (key, value) in pairs {
                    each.check(value, &format!("{path}.{}", key.label()), problems);
                }
            }
            _ => {}
        }
    }
}

fn unknown(key: &Node, parent: &str, known: &BTreeMap<String, Keys>) -> Problem {
    let label = key.label();
    let nearest = if key.opaque { None } else { nearest(&label, known.keys().map(String::as_str)) };
    let kind = ProblemKind::UnknownKey {
        key: label,
        parent: parent.to_owned(),
        nearest: nearest.map(str::to_owned),
    };
    Problem { position: key.position(), kind }
}

/// The candidate most like `word`, if any is like it at all.
///
/// ```
/// assert_eq!(cpex_config::nearest("prioritty", ["mode", "priority"].into_iter()), Some("priority"));
/// ```
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = normal(word);
    candidates
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&word, &normal(candidate)), candidate))
        .filter(|&(likeness, _)| likeness >= LIKENESS)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// The candidate that `word` is most likely meant to be: one that it differs from in two letters at most. A name that is
/// only similar may well be another one, and one that adds whole words to a candidate is.
///
/// ```
/// let known = || ["tool_pre_invoke", "tool_post_invoke"].into_iter();
/// assert_eq!(cpex_config::slip_of("tool_pre_invok", known()), Some("tool_pre_invoke"));
/// assert_eq!(cpex_config::slip_of("model_pre_invoke", known()), None);
/// assert_eq!(cpex_config::slip_of("tool_pre_invoke_v2", known()), None);
/// ```
pub fn slip_of<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |candidate: &str| strsim::damerau_levenshtein(&normal(word), &normal(candidate));
    let close: Vec<_> = candidates.filter(|candidate| letters(candidate) <= SLIP).collect();
    let is_another = close.iter().any(|candidate| adds_words(word, candidate));
    nearest(word, close.into_iter()).filter(|_| !is_another)
}

/// Is it `name` with whole words before or behind it?
fn adds_words(word: &str, name: &str) -> bool {
    let separates = |c: char| !c.is_alphanumeric();
    word.match_indices(name).any(|(start, _)| {
        let (before, behind) = (&word[..start], &word[start + name.len()..]);
        (before.is_empty() || before.ends_with(separates))
            && (behind.is_empty() || behind.starts_with(separates))
            && [before, behind].iter().any(|more| more.contains(char::is_alphanumeric))
    })
}

/// Case and separators are what people mistake most.
fn normal(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}
