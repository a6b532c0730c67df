//! What rules decide, what they may cost, and what is wrong with them.

#![cfg(feature = "policy")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cpex_builtin::Denial;
use cpex_builtin::policy::{Facts, Policy, PolicyConfig};
use serde_json::{Value, json};

fn read(config: Value) -> Result<Policy, cpex_builtin::ConfigError> {
    Policy::new(serde_json::from_value::<PolicyConfig>(config).unwrap())
}

fn deny_when(when: &str) -> Value {
    json!({"rules": [{"name": "x", "when": when, "effect": "deny"}]})
}

fn decide(policy: &Policy, payload: &Value, user: &Value) -> Result<(), Denial> {
    policy.decide(&Facts { payload, user, request: &Value::Null, hook: "tool_pre_invoke" })
}

#[test]
fn the_first_rule_that_holds_decides_and_a_failing_one_denies() {
    let rules = read(json!({"rules": [
        {"name": "admins", "when": "user != null && 'admin' in user.roles", "effect": "allow"},
        {"name": "deletes", "when": "payload.name.startsWith('delete_')", "effect": "deny", "reason": "no"},
    ]}))
    .unwrap();
    let decide = |payload: Value, user: Value| decide(&rules, &payload, &user).map_err(|denial| denial.code);
    assert_eq!(decide(json!({"name": "delete_all"}), json!({"roles": ["admin"]})), Ok(()));
    assert_eq!(decide(json!({"name": "delete_all"}), Value::Null), Err("POLICY_DENIED"));
    assert_eq!(decide(json!({"name": "list"}), Value::Null), Ok(()));
    assert_eq!(decide(json!({}), Value::Null), Err("POLICY_FAILED"));
}

#[test]
fn what_is_wrong_names_the_rule_and_the_field() {
    for (config, field, problem) in [
        (json!({"rules": []}), "rules", "expected at least one rule"),
        (deny_when("payload."), "rules[0].when", "in the rule \"x\", line 1, column"),
        (deny_when("secret == 1"), "rules[0].when", "\"secret\" does not exist; there are payload"),
        (deny_when("payload.name.lower() == 'a'"), "rules[0].when", "lower() does not exist; there are bool"),
        (deny_when("payload.name.matches('(')"), "rules[0].when", "matches() has no valid pattern"),
        (deny_when("payload.name.matches(payload.pattern)"), "rules[0].when", "must be written in the rule"),
        (
            json!({"rules": [
                {"name": "a", "when": "true", "effect": "deny"},
                {"name": "a", "when": "true", "effect": "deny"},
            ]}),
            "rules[1].name",
            "the name of another rule",
        ),
    ] {
        let error = read(config).map(|_| ()).unwrap_err();
        assert!(error.field == field && error.problem.contains(problem), "{error}");
    }
}

#[test]
fn a_rule_that_fails_says_why_and_tells_nothing_of_the_payload() {
    let payload = json!({"name": "hunter2", "list": ["hunter2"], "key": "hunter2"});
    for (when, problem) in [
        ("payload.missing == 1", "\"missing\" is not there; ask has(…) first"),
        ("payload[payload.key] == 1", "a key is not there"),
        ("payload.list[7] == 'x'", "an item is not there"),
        ("payload.name > 3", "no matching overload"),
        ("payload.name", "the condition is neither true nor false"),
        ("int(payload.name) == 1", "the condition cannot be evaluated"),
    ] {
        let denial = decide(&read(deny_when(when)).unwrap(), &payload, &Value::Null).unwrap_err();
        assert_eq!((denial.code, &denial.details["rule"]), ("POLICY_FAILED", &json!("x")));
        assert!(denial.reason.to_lowercase().contains(problem), "{when}: {}", denial.reason);
        assert!(!format!("{denial:?}").contains("hunter2"), "{denial:?}");
    }
}

/// The functions that rules may call are those that exist.
#[test]
fn every_function_that_is_offered_can_be_called() {
    for when in [
        "bool('true')",
        "bytes('a') == b'a'",
        "'ab'.contains('a')",
        "double('1') == 1.0",
        "dyn(true)",
        "'ab'.endsWith('b')",
        "int('1') == 1",
        "'ab'.matches('^a')",
        "size('ab') == 2",
        "'ab'.startsWith('a')",
        "string(1) == '1'",
        "uint('1') == 1u",
        "[1, 2].all(x, x > 0) && [1].exists(x, x == 1) && [1].exists_one(x, x == 1)",
        "[1, 2].map(x, x * 2) == [2, 4] && [1, 2].filter(x, x > 1) == [2] && {'a': 1}.all(key, key == 'a')",
    ] {
        let denial = decide(&read(deny_when(when)).unwrap(), &Value::Null, &Value::Null).unwrap_err();
        assert_eq!(denial.code, "POLICY_DENIED", "{when}: {}", denial.reason);
    }
}

/// Loops in loops over a list from the payload are refused before they take their time.
#[test]
fn a_decision_costs_no_more_than_it_may() {
    let list = |length: usize| json!({"list": vec![1; length]});
    let cubic = "payload.list.exists(a, payload.list.exists(b, payload.list.exists(c, a + b + c == 0)))";
    let caught = "payload.list.all(a, payload.list.all(b, payload.list.all(c, a + b + c == 0))) || true";
    let scans = "payload.list.exists(a, !(a in payload.list))";
    for (when, length, code) in [
        (cubic, 10, None),
        (cubic, 100_000, Some("POLICY_FAILED")),
        (caught, 100_000, Some("POLICY_FAILED")),
        (scans, 1_000, None),
        (scans, 100_000, Some("POLICY_FAILED")),
        ("payload.list.exists(a, a == 0)", 100_000, None),
        ("size(payload.list.map(a, a * 2).filter(a, a + 1 > 5)) == 1", 10_000, None),
    ] {
        let policy = read(deny_when(when)).unwrap();
        let decision = decide(&policy, &list(length), &Value::Null).map_err(|denial| denial.code);
        assert_eq!(decision.err(), code, "{when} over {length}");
    }
    let mut strict = deny_when("payload.list.exists(a, a == 0)");
    strict["max_cost"] = json!(10);
    let denial = decide(&read(strict).unwrap(), &list(2), &Value::Null).unwrap_err();
    assert!(denial.reason.ends_with("it costs more than max_cost"), "{}", denial.reason);
}
