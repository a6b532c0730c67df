//! Reading a configuration: every error names the field, says what would be right, and never shows a value.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ConfigError;

/// How alike two names must be for one to be suggested for the other.
const LIKENESS: f64 = 0.75;

pub(super) fn read<T: DeserializeOwned>(config: Value) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        let text = error.inner().to_string();
        let names: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match &names[..] {
            [unknown, known @ ..] if text.starts_with("unknown field") => {
                ConfigError::new(path, unknown_name("key", known, nearest(unknown, known)))
            }
            [unknown, known @ ..] if text.starts_with("unknown variant") => {
                ConfigError::new(path, unknown_name("value", known, nearest(unknown, known)))
            }
            [missing] if text.starts_with("missing field") => ConfigError::new(below(missing), "missing"),
            _ => ConfigError::new(path, expectation(&text)),
        }
    })
}

/// The name among `known` that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let alike = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known));
    let best = alike.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(likeness, _)| *likeness >= LIKENESS).map(|(_, known)| known)
}

fn unknown_name(what: &str, known: &[&str], nearest: Option<&str>) -> String {
    let hint = nearest.map(|nearest| format!(": did you mean {nearest:?}?")).unwrap_or_default();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("unknown {what}{hint} (known: {known})")
}

/// Serde's text shows the value that it found; what it expected comes after it.
fn expectation(text: &str) -> String {
    let expected = text.strip_prefix("invalid ").and_then(|text| text.rsplit_once(", expected "));
    let Some((_, expected)) = expected else { return text.to_owned() };
    let plain = match expected {
        "a sequence" => "a list",
        "a map" => "a mapping",
        expected if expected.starts_with("struct ") => "a mapping",
        "u8" | "u16" | "u32" | "u64" | "usize" => "an integer that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        expected if expected.starts_with("a nonzero ") => "an integer above 0",
        expected => expected,
    };
    format!("expected {plain}")
}
