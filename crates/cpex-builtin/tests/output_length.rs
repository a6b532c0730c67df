//! Where texts are cut, and that nothing is lost without a word.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cpex_builtin::output_length::{OutputLength, OutputLengthConfig};
use cpex_builtin::{Inspection, inspect};
use serde_json::{Value, json};

fn cut(config: Value, payload: &Value) -> Inspection<Value> {
    let config = serde_json::from_value::<OutputLengthConfig>(config).unwrap();
    inspect(payload, &[&OutputLength::new(config).unwrap()]).unwrap()
}

#[test]
fn a_sign_is_never_cut_in_two() {
    let family = "👩‍👩‍👧";
    let accented = "e\u{301}\u{302}";
    for (unit, limit, text, expected) in [
        ("characters", 4, "abcdef", "abc…".to_owned()),
        ("characters", 4, "abcd", "abcd".to_owned()),
        ("characters", 5, &format!("ab{family}c"), "ab…".to_owned()),
        ("characters", 4, &format!("ab{accented}cd"), "ab…".to_owned()),
        ("bytes", 6, "abcdefg", "abc…".to_owned()),
        ("bytes", 6, "abäöü", "ab…".to_owned()),
        ("bytes", 7, "abäöü", "abä…".to_owned()),
        ("bytes", 9, &format!("{family}{family}"), "…".to_owned()),
        ("tokens", 2, "abcd efgh ijkl", "abcd…".to_owned()),
        ("characters", 4, "ab\r\ncd", "ab…".to_owned()),
    ] {
        let changed = cut(json!({"limit": limit, "unit": unit}), &Value::from(text)).changed;
        assert_eq!(changed.unwrap_or_else(|| text.into()), Value::from(expected), "{unit} {limit} {text:?}");
    }
}

#[test]
fn the_metadata_says_how_long_it_was() {
    let payload = json!(["abcdef", "ghi", {"j": "klm"}]);
    let inspection = cut(json!({"limit": 4}), &payload);
    assert_eq!(inspection.changed, Some(json!(["abc…", "", {"j": ""}])));
    let report = &inspection.reports[0];
    assert_eq!(report.notes["truncated"], json!({"length": 12, "limit": 4, "unit": "characters"}));
    assert_eq!(report.counts()["too_long"], 3);
    assert!(cut(json!({"limit": 12}), &payload).reports[0].notes.is_empty());
    let denied = cut(json!({"limit": 4, "action": "deny"}), &payload);
    let denial = denied.denied().unwrap().denial.as_ref().unwrap();
    assert_eq!((&denial.details["length"], &denial.details["limit"]), (&json!(12), &json!(4)));
    assert_eq!(denied.changed, None);
}

/// One sign of a megabyte is no reason to take quadratic time.
#[test]
fn a_sign_without_an_end_is_cut_off() {
    let text = format!("e{}", "\u{301}".repeat(1 << 20));
    let changed = cut(json!({"limit": 1000}), &Value::from(text)).changed;
    assert_eq!(changed, Some(Value::from("…")));
}
