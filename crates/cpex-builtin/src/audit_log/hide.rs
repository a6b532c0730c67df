//! What stands below a name that tells a secret is not written, whatever it looks like.

use std::borrow::Cow;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::{Captures, Regex};
use serde_json::{Map, Value};

use crate::secrets::is_secret_name;

const HIDDEN: &str = "[HIDDEN]";

/// Last words of names whose values are secrets in a log, besides the names that `secrets_detector` knows: there they
/// would be mostly false alarms.
const NAMES: [&str; 5] = ["auth", "authorization", "cookie", "credentials", "sessionid"];

/// The value without its secrets by name, of fields and of `name=value` in texts; `None` if there are none.
pub(super) fn hidden(value: &Value, names: &[String]) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let mut copy: Option<Map<String, Value>> = None;
            for (name, below) in fields {
                let new = match is_hidden(name, names) && !below.is_null() {
                    true => Some(HIDDEN.into()),
                    false => hidden(below, names),
                };
                if let Some(new) = new {
                    copy.get_or_insert_with(|| fields.clone()).insert(name.clone(), new);
                }
            }
            copy.map(Value::Object)
        }
        Value::Array(items) => {
            let mut copy: Option<Vec<Value>> = None;
            for (index, item) in items.iter().enumerate() {
                if let Some(new) = hidden(item, names) {
                    copy.get_or_insert_with(|| items.clone())[index] = new;
                }
            }
            copy.map(Value::Array)
        }
        Value::String(text) => match PAIR.replace_all(text, |pair: &Captures<'_>| unpaired(pair, names)) {
            Cow::Owned(new) if new != *text => Some(Value::String(new)),
            Cow::Owned(_) | Cow::Borrowed(_) => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A name and its value in the query of a URL, a form or a command line.
static PAIR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"([\w.%\[\]-]+)=([^\s&;#"'<>]+)"#).expect("a regular expression"));

fn unpaired(pair: &Captures<'_>, names: &[String]) -> String {
    let name = &pair[1];
    match is_hidden(&percent_decode_str(name).decode_utf8_lossy(), names) {
        true => format!("{name}={HIDDEN}"),
        false => pair[0].to_owned(),
    }
}

fn is_hidden(name: &str, more: &[String]) -> bool {
    let plain: String =
        name.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    is_secret_name(name)
        || NAMES.iter().any(|end| plain.ends_with(end))
        || more.iter().any(|other| other.eq_ignore_ascii_case(name))
}
