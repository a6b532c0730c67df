//! Typed values out of a document: every error says where, and what would be right, and never shows a value.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::sync::Arc;

use cpex_config::{Document, Node, Step, Value};
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde_path_to_error::{Path, Segment};

use super::error::ConfigError;

/// Reads a node that stands at this path of its document.
pub(crate) fn read<T: DeserializeOwned>(
    node: &Node,
    document: &Document,
    base: &[Step<'_>],
) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(Reader(node)).map_err(|error| {
        let keys: Vec<_> = error.path().iter().map(ToString::to_string).collect();
        let below = error.path().iter().zip(&keys).filter_map(|(segment, key)| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { .. } | Segment::Enum { .. } => Some(Step::Key(key)),
            Segment::Unknown => None,
        });
        let path: Vec<_> = base.iter().cloned().chain(below).collect();
        ConfigError::new(document, document.locate(&path), dotted(&path), error.inner().0.clone())
    })
}

/// The same for settings written in Rust.
pub(crate) fn read_json<T: DeserializeOwned>(json: serde_json::Value, base: &str) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = join(base, error.path());
        ConfigError { place: None, path, message: expected(error.inner()) }
    })
}

/// What would be right. Serde's text shows the value that it found; what it expected comes after it.
pub(crate) fn expected(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.strip_prefix("invalid ").and_then(|text| text.rsplit_once(", expected ")) {
        Some((_, expected)) => format!("expected {expected}"),
        None => match text.strip_prefix("missing field `").and_then(|text| text.strip_suffix('`')) {
            Some(field) => format!("{field:?} is missing"),
            None => text,
        },
    }
}

fn join(base: &str, path: &Path) -> String {
    match path.to_string().as_str() {
        "." => base.to_owned(),
        below if below.starts_with('[') => format!("{base}{below}"),
        below => format!("{base}.{below}"),
    }
}

pub(super) fn dotted(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// A node, for serde.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a Node);

impl<'de> IntoDeserializer<'de, ReadError> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.value() {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_i64(number),
                (_, Ok(number)) => visitor.visit_u64(number),
                _ => visitor.visit_i128(*number),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Str(text) => visitor.visit_borrowed_str(text),
            Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Value::Seq(items) | Value::Set(items) => visitor.visit_seq(SeqDeserializer::new(readers(items))),
            Value::Map(pairs) => visitor.visit_map(MapDeserializer::new(last_of_each(pairs).into_iter())),
            other @ (Value::BigInt(_) | Value::Date(_) | Value::DateTime(_) | Value::Pairs(_)) => {
                Err(de::Error::invalid_type(Unexpected::Other(other.kind()), &visitor))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.value() {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0.value() {
            Value::Str(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Value::Map(pairs) => visitor.visit_enum(de::value::MapAccessDeserializer::new(
                MapDeserializer::new(last_of_each(pairs).into_iter()),
            )),
            other => Err(de::Error::invalid_type(Unexpected::Other(other.kind()), &"a string")),
        }
    }

    /// A struct is written by its names: a list of its values is a mistake.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0.value() {
            Value::Seq(_) | Value::Set(_) => Err(de::Error::invalid_type(Unexpected::Seq, &"a mapping")),
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

fn readers(items: &[Arc<Node>]) -> impl Iterator<Item = Reader<'_>> {
    items.iter().map(|item| Reader(item))
}

/// A key that stands there twice counts where it stands last.
fn last_of_each(pairs: &[(Arc<Node>, Arc<Node>)]) -> Vec<(Reader<'_>, Reader<'_>)> {
    let mut places = HashMap::new();
    let mut kept: Vec<(Reader<'_>, Reader<'_>)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let pair = (Reader(key), Reader(value));
        match key.value() {
            Value::Str(name) => match places.get(name) {
                Some(&place) => kept[place] = pair,
                None => {
                    places.insert(name, kept.len());
                    kept.push(pair);
                }
            },
            _ => kept.push(pair),
        }
    }
    kept
}

/// What is wrong with a value, without the value.
#[derive(Debug)]
pub(crate) struct ReadError(String);

impl Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("expected {}, found {}", plain(expected), kind(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("expected {}, found another value ({})", plain(expected), kind(&found)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self(format!("expected {}, found {length} items", plain(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let known = expected.join(", ");
        Self(match cpex_config::nearest(variant, expected.iter().copied()) {
            Some(nearest) => format!("did you mean {nearest:?}? expected one of: {known}"),
            None => format!("expected one of: {known}"),
        })
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let known = if expected.is_empty() { "none".to_owned() } else { expected.join(", ") };
        Self(match cpex_config::nearest(field, expected.iter().copied()) {
            Some(nearest) => format!("unknown key {field:?}; did you mean {nearest:?}?"),
            None => format!("unknown key {field:?}; known keys: {known}"),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("{field:?} is missing"))
    }
}

/// Serde's words in those of YAML.
fn plain(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        text if text.starts_with("struct ") => "a mapping".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" | "u128" => "an integer that is not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "an integer".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        text if text.starts_with("a nonzero ") => "an integer above 0".to_owned(),
        _ => text,
    }
}

fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a float",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "binary data",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a mapping",
        _ => "something else",
    }
}
