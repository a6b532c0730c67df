//! What a finished collection means under its tag, as PyYAML's `safe_load` builds it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::document::{Node, Value};
use crate::position::Position;
use crate::problem::{Problem, ProblemKind};
use crate::timestamp::{Date, DateTime};

/// The collection tags of YAML 1.1 that `safe_load` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectionTag {
    Seq,
    Map,
    Set,
    Omap,
    Pairs,
}

/// A node of the wrong shape: where, what it is, what it should be.
pub(crate) struct Misfit {
    pub(crate) position: Position,
    pub(crate) found: String,
    pub(crate) expected: &'static str,
}

/// A pair as read: `key` is `None` for a merge key.
pub(crate) type Pair = (Option<Arc<Node>>, Arc<Node>);

impl CollectionTag {
    /// The tag that the `!!` shorthand names.
    pub(crate) fn from_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "seq" => Self::Seq,
            "map" => Self::Map,
            "set" => Self::Set,
            "omap" => Self::Omap,
            "pairs" => Self::Pairs,
            _ => return None,
        })
    }

    /// What a node under this tag must be, in words.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Seq => "a sequence",
            Self::Map | Self::Set => "a mapping",
            Self::Omap | Self::Pairs => "a sequence of mappings with one key each",
        }
    }
}

/// The value of a sequence.
pub(crate) fn sequence(tag: CollectionTag, items: Vec<Arc<Node>>, at: Position) -> Result<Value, Misfit> {
    match tag {
        CollectionTag::Seq => Ok(Value::Seq(items)),
        CollectionTag::Omap | CollectionTag::Pairs => {
            items.iter().map(only_pair).collect::<Result<_, _>>().map(Value::Pairs)
        }
        CollectionTag::Map | CollectionTag::Set => Err(misfit(at, "a sequence", tag.expected())),
    }
}

/// The value of a mapping: merge keys are unfolded, duplicate keys reported.
pub(crate) fn mapping(
    tag: CollectionTag,
    pairs: Vec<Pair>,
    at: Position,
    problems: &mut Vec<Problem>,
) -> Result<Value, Misfit> {
    if !matches!(tag, CollectionTag::Map | CollectionTag::Set) {
        return Err(misfit(at, "a mapping", tag.expected()));
    }
    let mut merged = Vec::new();
    let mut own = Vec::new();
    let mut seen = HashMap::new();
    for (key, value) in pairs {
        let Some(key) = key else {
            merge(&value, &mut merged)?;
            continue;
        };
        let Some(identity) = Identity::of(key.value()) else {
            return Err(misfit(
                key.position(),
                &format!("{} as a key", key.value().kind()),
                "a scalar as a key",
            ));
        };
        if let Some(first) = seen.insert(identity, key.position()) {
            let kind = ProblemKind::DuplicateKey { key: key.label(), first };
            problems.push(Problem { position: key.position(), kind });
        }
        own.push((key, value));
    }
    merged.append(&mut own);
    Ok(match tag {
        CollectionTag::Set => Value::Set(merged.into_iter().map(|(key, _)| key).collect()),
        _ => Value::Map(merged),
    })
}

/// In a list of mappings the earlier one wins, so it comes last.
fn merge(value: &Arc<Node>, merged: &mut Vec<(Arc<Node>, Arc<Node>)>) -> Result<(), Misfit> {
    match value.value() {
        Value::Map(pairs) => merged.extend(pairs.iter().cloned()),
        Value::Seq(items) => {
            for item in items.iter().rev() {
                let Value::Map(pairs) = item.value() else {
                    return Err(misfit(item.position(), item.value().kind(), "a mapping to merge"));
                };
                merged.extend(pairs.iter().cloned());
            }
        }
        other => {
            return Err(misfit(value.position(), other.kind(), "a mapping or a list of mappings to merge"));
        }
    }
    Ok(())
}

fn only_pair(item: &Arc<Node>) -> Result<(Arc<Node>, Arc<Node>), Misfit> {
    match item.value() {
        Value::Map(pairs) if pairs.len() == 1 => Ok(pairs[0].clone()),
        Value::Map(pairs) => {
            Err(misfit(item.position(), &format!("a mapping with {} keys", pairs.len()), "one key"))
        }
        other => Err(misfit(item.position(), other.kind(), "a mapping with one key")),
    }
}

fn misfit(position: Position, found: &str, expected: &'static str) -> Misfit {
    Misfit { position, found: found.to_owned(), expected }
}

/// Keys that Python's `dict` takes for one key are equal: `1`, `1.0` and `true` are.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Null,
    Number(i128),
    BigInt(String),
    Float(u64),
    Str(String),
    Bytes(Vec<u8>),
    Date(Date),
    DateTime(DateTime),
}

impl Identity {
    fn of(key: &Value) -> Option<Self> {
        Some(match key {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Number(i128::from(*value)),
            Value::Int(number) => Self::Number(*number),
            Value::BigInt(number) => Self::BigInt(format!("{}:{}", number.radix, number.digits)),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e30 => {
                Self::Number(*number as i128)
            }
            Value::Float(number) => Self::Float(number.to_bits()),
            Value::Str(text) => Self::Str(text.clone()),
            Value::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Value::Date(date) => Self::Date(*date),
            Value::DateTime(datetime) => Self::DateTime(*datetime),
            Value::Seq(_) | Value::Map(_) | Value::Set(_) | Value::Pairs(_) => return None,
        })
    }
}
