//! What a scalar means: the implicit tag of a plain one, and the value under a tag.

use crate::binary;
use crate::document::Value;
use crate::number::{self, Integer};
use crate::timestamp::{self, Timestamp};

/// The scalar tags of YAML 1.1 that PyYAML's `safe_load` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarTag {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Binary,
    Merge,
    Equals,
    Str,
}

impl ScalarTag {
    /// The tag that the `!!` shorthand names.
    pub(crate) fn from_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "timestamp" => Self::Timestamp,
            "binary" => Self::Binary,
            "merge" => Self::Merge,
            "value" => Self::Equals,
            "str" => Self::Str,
            _ => return None,
        })
    }

    /// The tag of a plain scalar without one.
    pub(crate) fn of_plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "<<" => Self::Merge,
            "=" => Self::Equals,
            _ if boolean(text).is_some() && is_one_case(text) => Self::Bool,
            _ if number::is_int(text) => Self::Int,
            _ if number::is_float(text) => Self::Float,
            _ if timestamp::is_timestamp(text) => Self::Timestamp,
            _ => Self::Str,
        }
    }

    /// What a scalar under this tag must be, in words.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean (true or false)",
            Self::Int => "an integer",
            Self::Float => "a float",
            Self::Timestamp => "a date or time that exists (2001-12-14 or 2001-12-14 21:59:43 +02:00)",
            Self::Binary => "base64 data",
            Self::Merge => "usable here; a merge key `<<` belongs into a mapping: quote it to mean the text",
            Self::Equals => "usable here; quote it to mean the text",
            Self::Str => "a string",
        }
    }

    /// The value of `text` under this tag, or `None` if it has none.
    pub(crate) fn construct(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool => Value::Bool(boolean(&text.to_lowercase())?),
            Self::Int => match number::parse_int(text)? {
                Integer::Small(number) => Value::Int(number),
                Integer::Big(number) => Value::BigInt(number),
            },
            Self::Float => Value::Float(number::parse_float(text)?),
            Self::Timestamp => match timestamp::parse_timestamp(text)? {
                Timestamp::Date(date) => Value::Date(date),
                Timestamp::DateTime(datetime) => Value::DateTime(datetime),
            },
            Self::Binary => Value::Bytes(binary::decode(text)?),
            Self::Str => Value::Str(text.to_owned()),
            Self::Merge | Self::Equals => return None,
        })
    }
}

fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("yes") || is("true") || is("on") {
        Some(true)
    } else if is("no") || is("false") || is("off") {
        Some(false)
    } else {
        None
    }
}

/// `yes`, `Yes` or `YES`, but not `yEs`.
fn is_one_case(word: &str) -> bool {
    let tail = &word[1..];
    let lower = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase());
    let upper = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase());
    lower(tail) || upper(word)
}
