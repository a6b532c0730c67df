//! Any configuration of a built-in plugin: no panic, and an error says what is wrong, where.
//!
//! Examples are changed at random places, since random JSON would not come far. The audit log is left out: it opens
//! the file that it is told to.

#![no_main]

use arbitrary::{Result, Unstructured};
use cpex_builtin::plugin::Builtin;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fn example(choice: u8) -> (&'static str, Value) {
    let limits = json!([{"rate": "5/s", "burst": 2, "key": ["user", "header:x-key"]}]);
    let redis =
        json!({"redis": {"url": "redis://a:b@c:1/2", "timeout": "1s", "when_away": {"local": {"hosts": 2}}}});
    match choice % 13 {
        0 => {
            ("deny_list", json!({"words": ["a"], "redact": {"strategy": "hash", "key": "0123456789abcdef"}}))
        }
        1 => ("regex_rewrite", json!({"rules": [{"name": "a", "pattern": "(a)", "replacement": "$1"}]})),
        2 => ("pii_redactor", json!({"custom": {"a": "a"}, "redact_kinds": {"card": {"keep_last": 4}}})),
        3 => ("secrets_detector", json!({"ignore": ["jwt"], "allow": ["a"], "min_confidence": "high"})),
        4 => ("prompt_injection", json!({"threshold": 0.5, "patterns": {"a": 0.5}})),
        5 => (
            "json_schema",
            json!({"arguments": {"a": {"type": "object", "properties": {"a": {"$ref": "#"}}}}}),
        ),
        6 => ("output_length", json!({"limit": 5, "unit": "tokens", "ellipsis": "…"})),
        7 => ("rate_limiter", json!({"limits": limits, "costs": {"a": 2}, "store": redis})),
        8 => (
            "cost_budget",
            json!({
                "limits": [{"hard": 2, "soft": 1.5, "per": "month", "zone": "UTC"}, {"hard": 1, "within": "1h"}],
                "cost": {"fixed": 0.1, "terms": [{"field": "/a", "price": 1, "per": 10, "missing": 0}]},
            }),
        ),
        9 => ("circuit_breaker", json!({"failure_rate": {"share": 0.5, "window": "1m", "minimum": 2}})),
        10 => ("url_filter", json!({"schemes": ["https"], "allow_hosts": ["*.a.b", "::1"], "ports": [443]})),
        11 => (
            "policy",
            json!({"rules": [{"name": "a", "when": "payload.a.exists(x, x in [1, user])", "effect": "deny"}]}),
        ),
        _ => ("header_injector", json!({"headers": {"a": {"value": "{user} {{"}}, "remove": ["b"]})),
    }
}

fn value(bytes: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match bytes.int_in_range(0..=8)? {
        0 => Value::Null,
        1 => bytes.arbitrary::<bool>()?.into(),
        2 => bytes.arbitrary::<i64>()?.into(),
        3 => bytes.arbitrary::<u64>()?.into(),
        4 => bytes.arbitrary::<f64>()?.into(),
        5 => Value::Array(vec![bytes.arbitrary::<&str>()?.into()]),
        6 => Value::Object(Map::from_iter([(
            format!("k{}", bytes.arbitrary::<&str>()?),
            bytes.arbitrary::<&str>()?.into(),
        )])),
        _ => bytes.arbitrary::<&str>()?.into(),
    })
}

/// Puts something else at a random place.
fn change(config: &mut Value, bytes: &mut Unstructured<'_>) -> Result<()> {
    match config {
        Value::Object(fields) if !fields.is_empty() && bytes.ratio(3, 4)? => {
            let index = bytes.choose_index(fields.len())?;
            change(fields.values_mut().nth(index).expect("it is there"), bytes)
        }
        Value::Array(items) if !items.is_empty() && bytes.ratio(3, 4)? => {
            let index = bytes.choose_index(items.len())?;
            change(&mut items[index], bytes)
        }
        Value::Object(fields) if bytes.arbitrary()? => {
            // An error cannot name a key without a name.
            fields.insert(format!("k{}", bytes.arbitrary::<&str>()?), value(bytes)?);
            Ok(())
        }
        Value::Array(items) if bytes.arbitrary()? => {
            items.push(value(bytes)?);
            Ok(())
        }
        other => {
            *other = value(bytes)?;
            Ok(())
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Unstructured::new(data);
    let Ok(choice) = bytes.arbitrary() else { return };
    let (kind, mut config) = example(choice);
    assert!(Builtin::new(kind, "fuzz", config.clone()).is_ok(), "{kind}");
    while !bytes.is_empty() && change(&mut config, &mut bytes).is_ok() {}
    let whole = !config.is_object() && !config.is_null();
    if let Err(error) = Builtin::new(kind, "fuzz", config) {
        assert!(!error.problem.is_empty() && (whole || !error.field.is_empty()), "{kind}: {error}");
    }
});
