//! What a denial says for records that leave the process: flags and numbers under plain names, as in the Python host. R9

use serde_json::{Map, Value};

/// With more than so many entries, none is taken.
const MOST: usize = 16;
/// Characters of a name.
const LONGEST: usize = 64;

/// What may leave the process.
pub(crate) fn sanitized(metadata: Map<String, Value>) -> Map<String, Value> {
    if metadata.len() > MOST {
        return Map::new();
    }
    metadata.into_iter().filter(|(name, value)| is_plain(name) && is_metric(value)).collect()
}

fn is_plain(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_known)
}

fn is_metric(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::Number(number) => number.is_i64() || number.is_f64(),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::sanitized;

    fn kept(metadata: Value) -> Value {
        let Value::Object(metadata) = metadata else { panic!("{metadata}") };
        Value::Object(sanitized(metadata))
    }

    #[test]
    fn flags_and_numbers_under_plain_names_are_kept() {
        let fine = json!({"a.B_c-9": true, "n": i64::MIN, "m": i64::MAX, "f": 0.5});
        assert_eq!(kept(fine.clone()), fine);
        let odd =
            json!({"text": "x", "none": null, "list": [], "u": u64::MAX, "": 1, "ünï": 1, "a b": 1, "n": 1});
        assert_eq!(kept(odd), json!({"n": 1}));
        let names = ["x".repeat(64), "x".repeat(65)].map(|name| (name, 1.into()));
        assert_eq!(sanitized(names.into_iter().collect()).len(), 1);
    }

    #[test]
    fn of_too_many_none_is_kept() {
        let many = |count: usize| sanitized((0..count).map(|n| (n.to_string(), n.into())).collect());
        assert_eq!((many(16).len(), many(17).len()), (16, 0));
    }
}
