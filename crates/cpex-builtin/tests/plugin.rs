//! Built-in plugins through the interface of the hosts: configurations, hooks, calls that belong together.

use std::collections::BTreeSet;

use cpex_builtin::Denial;
use cpex_builtin::plugin::{Answer, Builtin, Call, Decision, KINDS, Nobody, Power, Reply, Site};
use cpex_builtin::text::TooDeep;
use serde_json::{Value, json};

fn builtin(kind: &str, config: Value) -> Builtin {
    Builtin::new(kind, "it", config).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

fn attached(kind: &str, config: Value, hooks: &[&str]) -> (Builtin, Vec<Site>) {
    let mut builtin = builtin(kind, config);
    let sites: Vec<Site> = hooks.iter().map(|hook| Site::of(hook)).collect();
    builtin.attach(&sites.iter().collect::<Vec<_>>(), Power::Full).unwrap_or_else(|error| panic!("{error}"));
    (builtin, sites)
}

fn call(builtin: &Builtin, site: &Site, payload: &Value, request: &Nobody<TooDeep>) -> Reply<Value> {
    match builtin.call(&Call { site, payload, request }) {
        Ok(Answer::Now(reply)) => reply,
        Ok(Answer::Later(_)) => panic!("memory is not waited for"),
        Err(failure) => panic!("{failure}"),
    }
}

fn denial(reply: Reply<Value>) -> Denial {
    match reply.decision {
        Decision::Deny(denial) => *denial,
        other => panic!("{other:?}"),
    }
}

fn misplaced(kind: &str, config: Value, hooks: &[&str], power: Power) -> String {
    let sites: Vec<Site> = hooks.iter().map(|hook| Site::of(hook)).collect();
    let attached = builtin(kind, config).attach(&sites.iter().collect::<Vec<_>>(), power);
    attached.expect_err("it must be said").to_string()
}

fn problem(kind: &str, config: Value) -> String {
    Builtin::new(kind, "it", config)
        .err()
        .map_or_else(|| panic!("{kind} takes it"), |error| error.to_string())
}

/// Issue 4 names the kinds.
#[test]
fn every_kind_of_the_issue_is_in_the_table() {
    let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let issue = "deny_list regex_rewrite pii_redactor secrets_detector prompt_injection json_schema output_length \
        rate_limiter cost_budget circuit_breaker url_filter audit_log policy header_injector";
    assert_eq!(names, issue.split_whitespace().collect());
}

/// Unknown or ill-typed configuration is an error with the path of the field, what would be right, and no value.
#[test]
fn mistakes_name_the_field_and_what_would_be_right() {
    let cases = [
        ("deny_list", json!({"wrods": ["a"]}), "wrods: unknown key: did you mean \"words\"? (known: words, "),
        ("deny_list", json!({"words": "hunter2"}), "words: expected a list"),
        (
            "pii_redactor",
            json!({"entities": ["emial"]}),
            "entities[0]: unknown value: did you mean \"email\"?",
        ),
        ("pii_redactor", json!({"redact": {"strategy": "hash", "key": "short"}}), "redact.key: too short"),
        ("rate_limiter", json!({}), "limits: missing"),
        ("rate_limiter", json!({"limits": [{"rate": "fast"}]}), "limits[0].rate: expected a count"),
        (
            "rate_limiter",
            json!({"limits": [{"rate": "1/s"}], "store": {"redis": {"url": 5}}}),
            "store.redis.url: expected a string",
        ),
        ("output_length", json!({"limit": -5}), "limit: expected an integer that is not negative"),
        (
            "policy",
            json!({"rules": [{"name": "a", "when": "usr == 1", "effect": "deny"}]}),
            "rules[0].when: in the rule \"a\", \"usr\"",
        ),
        ("header_injector", json!({"headers": {"x": {"valu": "1"}}}), "headers.x.valu: unknown key"),
    ];
    for (kind, config, expected) in cases {
        let found = problem(kind, config);
        assert!(found.starts_with(expected), "{kind}: {found}");
        assert!(!found.contains("hunter2") && !found.contains("short\""), "{found}");
    }
}

#[test]
fn an_unknown_kind_lists_the_known() {
    let found = problem("builtin.deny_lst", json!({}));
    assert!(
        found.contains("did you mean \"builtin.deny_list\"?") && found.contains("circuit_breaker"),
        "{found}"
    );
}

/// A guard that silently does nothing is the worst outcome.
#[test]
fn a_kind_that_could_do_nothing_is_refused() {
    let limits = || json!({"limits": [{"rate": "1/day"}]});
    let budget = || json!({"limits": [{"hard": 1, "per": "day"}], "cost": {"fixed": 1}});
    let schema = || json!({"arguments": {"*": {}}});
    let cases = [
        (
            "rate_limiter",
            limits(),
            &["tool_post_invoke"][..],
            Power::Full,
            "what it would refuse has happened",
        ),
        (
            "rate_limiter",
            json!({"limits": [{"rate": "1/s", "key": ["header:x-api-key"]}]}),
            &["resource_pre_fetch"],
            Power::Full,
            "read_headers",
        ),
        ("circuit_breaker", json!({}), &["mail_pre_send", "mail_post_send"], Power::Full, "its key has tool"),
        ("circuit_breaker", json!({}), &["tool_pre_invoke"], Power::Full, "is alone"),
        ("circuit_breaker", json!({}), &["tool_pre_invoke", "agent_post_invoke"], Power::Full, "is alone"),
        ("cost_budget", budget(), &["tool_post_invoke"], Power::Full, "never reserved"),
        (
            "json_schema",
            schema(),
            &["tool_pre_invoke", "tool_post_invoke"],
            Power::Full,
            "no schema for results",
        ),
        ("json_schema", schema(), &["http_pre_request"], Power::Full, "no arguments are known"),
        (
            "header_injector",
            json!({"remove": ["x-a"]}),
            &["tool_post_invoke"],
            Power::Full,
            "carries no headers",
        ),
        ("pii_redactor", json!({}), &["http_pre_request"], Power::Full, "cannot be changed"),
        ("pii_redactor", json!({}), &["tool_pre_invoke"], Power::Block, "a concurrent plugin cannot"),
    ];
    for (kind, config, hooks, power, expected) in cases {
        let found = misplaced(kind, config, hooks, power);
        assert!(found.contains(expected), "{kind} at {hooks:?}: {found}");
    }
}

/// What a user who names no hooks gets must be what the kind accepts.
#[test]
fn default_hooks_are_fit_to_attach_to() {
    let configs = [
        ("json_schema", json!({"results": {"*": {}}})),
        ("deny_list", json!({"words": ["a"]})),
        ("rate_limiter", json!({"limits": [{"rate": "1/s"}]})),
        ("cost_budget", json!({"limits": [{"hard": 1, "per": "day"}], "cost": {"fixed": 1}})),
        ("circuit_breaker", json!({})),
        ("output_length", json!({"limit": 5})),
        ("pii_redactor", json!({})),
        ("secrets_detector", json!({})),
        ("prompt_injection", json!({})),
        ("url_filter", json!({})),
        ("header_injector", json!({"remove": ["x-a"]})),
    ];
    for (kind, config) in configs {
        let hooks = builtin(kind, config.clone()).hooks();
        assert!(!hooks.is_empty(), "{kind}");
        attached(kind, config, &hooks);
    }
    assert_eq!(builtin("json_schema", json!({"results": {"*": {}}})).hooks(), ["tool_post_invoke"]);
}

/// The breaker opens by what the hook after the call tells, and a call whose hook never comes says nothing.
#[test]
fn a_breaker_learns_after_the_call() {
    let config = json!({"consecutive": 2, "open_for": "1h"});
    let (breaker, sites) = attached("circuit_breaker", config, &["tool_pre_invoke", "tool_post_invoke"]);
    let call_before = json!({"name": "search", "args": {}});
    let failed = json!({"name": "search", "result": {"isError": true}});
    for _ in 0..5 {
        let abandoned = Nobody::default();
        assert_eq!(call(&breaker, &sites[0], &call_before, &abandoned).decision, Decision::Allow);
    }
    for _ in 0..2 {
        let request = Nobody::default();
        assert_eq!(call(&breaker, &sites[0], &call_before, &request).decision, Decision::Allow);
        call(&breaker, &sites[1], &failed, &request);
    }
    let refused = denial(call(&breaker, &sites[0], &call_before, &Nobody::default()));
    assert_eq!((refused.code, refused.http_status), ("CIRCUIT_OPEN", Some(503)));
    let other = json!({"name": "fetch", "args": {}});
    assert_eq!(call(&breaker, &sites[0], &other, &Nobody::default()).decision, Decision::Allow);
}

/// A probe whose request ends before the hook after it must not keep the breaker half open.
#[test]
fn a_probe_that_is_given_up_frees_its_place() {
    let config = json!({"consecutive": 1, "open_for": "1us"});
    let (breaker, sites) = attached("circuit_breaker", config, &["tool_pre_invoke", "tool_post_invoke"]);
    let (payload, request) = (json!({"name": "search"}), Nobody::default());
    call(&breaker, &sites[0], &payload, &request);
    call(&breaker, &sites[1], &json!({"name": "search", "result": {"isError": true}}), &request);
    std::thread::sleep(std::time::Duration::from_millis(1));
    let probing = Nobody::default();
    assert_eq!(call(&breaker, &sites[0], &payload, &probing).decision, Decision::Allow);
    drop(probing);
    let request = Nobody::default();
    assert_eq!(call(&breaker, &sites[0], &payload, &request).decision, Decision::Allow);
    call(&breaker, &sites[1], &json!({"name": "search", "result": "fine"}), &request);
    for _ in 0..3 {
        assert_eq!(call(&breaker, &sites[0], &payload, &request).decision, Decision::Allow);
    }
}

/// The budget reserves before and settles after: what a call has cost replaces what was reserved.
#[test]
fn a_budget_settles_what_it_has_reserved() {
    let config = json!({
        "limits": [{"hard": 10, "within": "1h"}],
        "cost": {"fixed": 6},
        "actual": {"terms": [{"field": "/usage/tokens", "price": 1}]},
    });
    let (budget, sites) = attached("cost_budget", config, &["tool_pre_invoke", "tool_post_invoke"]);
    let payload = json!({"name": "search", "args": {}});
    let first = Nobody::default();
    assert_eq!(call(&budget, &sites[0], &payload, &first).decision, Decision::Allow);
    let refused = denial(call(&budget, &sites[0], &payload, &Nobody::default()));
    assert_eq!((refused.code, refused.http_status), ("BUDGET_EXCEEDED", Some(429)));
    assert!(refused.retry_after.is_some());
    let settled =
        call(&budget, &sites[1], &json!({"name": "search", "result": {"usage": {"tokens": 1}}}), &first);
    assert_eq!(settled.metadata.expect("it says what it cost")["cost"], 1.0);
    assert_eq!(call(&budget, &sites[0], &payload, &Nobody::default()).decision, Decision::Allow);
}

/// What cannot be priced must not pass.
#[test]
fn a_call_without_a_price_is_denied() {
    let config = json!({
        "limits": [{"hard": 10, "within": "1h"}],
        "cost": {"terms": [{"field": "/args/tokens", "price": 1}]},
    });
    let (budget, sites) = attached("cost_budget", config, &["tool_pre_invoke"]);
    let refused =
        denial(call(&budget, &sites[0], &json!({"name": "search", "args": {}}), &Nobody::default()));
    assert_eq!(refused.code, "COST_UNKNOWN");
}

/// Two calls of one tool in one request: each hook after settles one of them.
#[test]
fn calls_of_one_request_are_kept_apart() {
    let config = json!({"limits": [{"hard": 10, "within": "1h"}], "cost": {"fixed": 5}});
    let (budget, sites) = attached("cost_budget", config, &["tool_pre_invoke", "tool_post_invoke"]);
    let (payload, request) = (json!({"name": "search", "args": {}}), Nobody::default());
    call(&budget, &sites[0], &payload, &request);
    call(&budget, &sites[0], &payload, &request);
    let failed = json!({"name": "search", "result": {"isError": true}});
    for refunded in [true, true, false] {
        let reply = call(&budget, &sites[1], &failed, &request);
        assert_eq!(reply.metadata.is_some(), refunded, "{reply:?}");
    }
}

/// A payload that cannot be read is a failure, never a pass.
#[test]
fn a_payload_that_is_too_deep_is_a_failure() {
    let (scanner, sites) = attached("deny_list", json!({"words": ["a"]}), &["tool_pre_invoke"]);
    let deep = (0..200).fold(json!("a"), |inner, _| json!([inner]));
    let payload = json!({"name": "search", "args": deep});
    let failed = scanner.call(&Call { site: &sites[0], payload: &payload, request: &Nobody::default() });
    assert!(failed.is_err());
}
