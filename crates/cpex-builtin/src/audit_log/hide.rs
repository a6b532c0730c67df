//! What stands below a name that tells a secret is not written, whatever it looks like.

use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::Regex;
use serde_json::Value;

use crate::secrets::is_secret_name;

const HIDDEN: &str = "[HIDDEN]";

/// Last words of names whose values are secrets in a log, besides the names that `secrets_detector` knows: there they
/// would be mostly false alarms.
const NAMES: [&str; 5] = ["auth", "authorization", "cookie", "credentials", "sessionid"];

/// Hides what names tell to be secret: values of fields, and those of `name=value` in texts.
pub(super) fn hide(value: &mut Value, names: &[String]) {
    match value {
        Value::Object(fields) => {
            for (name, below) in fields {
                match is_hidden(name, names) && !below.is_null() {
                    true => *below = HIDDEN.into(),
                    false => hide(below, names),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, names)),
        Value::String(text) => {
            if let Some(new) = without_values(text, names) {
                *text = new;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A name in the query of a URL, a form or a command line, up to its value; either may be percent-encoded.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"([\w.%\[\]-]+)(?:=|%3[Dd])").expect("the pattern is valid"));

/// Such a value, in quotes or not.
static VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^(?:"[^"]*"?|'[^']*'?|[^\s&;#"'<>]+)"#).expect("the pattern is valid"));

fn without_values(text: &str, names: &[String]) -> Option<String> {
    let (mut copy, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = NAME.captures_at(text, at) {
        at = found.get_match().end();
        let name = percent_decode_str(&found[1]).decode_utf8_lossy();
        let name = name.trim_end_matches(']').rsplit(['?', '&', '#', '=', '/', ';', ':', '[']).next();
        let Some(value) = VALUE.find(&text[at..]) else { continue };
        if name.is_some_and(|name| is_hidden(name, names)) {
            copy.push_str(&text[copied..at]);
            copy.push_str(HIDDEN);
            at += value.end();
            copied = at;
        }
    }
    (copied > 0).then(|| copy + &text[copied..])
}

fn is_hidden(name: &str, more: &[String]) -> bool {
    let plain: String =
        name.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    is_secret_name(name)
        || NAMES.iter().any(|end| plain.ends_with(end))
        || more.iter().any(|other| other.eq_ignore_ascii_case(name))
}
