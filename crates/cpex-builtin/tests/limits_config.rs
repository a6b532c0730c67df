//! What a configuration must say, and how it is told what is wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cpex_builtin::limits::store::Secret;
use cpex_builtin::limits::{CircuitBreaker, CostBudget, RateLimiter};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The path of the wrong field, and what is wrong, as a host shows them.
fn wrong<C: DeserializeOwned, G>(
    config: &Value,
    make: impl FnOnce(C) -> Result<G, cpex_builtin::ConfigError>,
) -> String {
    match serde_path_to_error::deserialize(config) {
        Err(error) => format!("{}: {}", error.path(), error.inner()),
        Ok(config) => make(config).err().map_or_else(|| "fine".to_owned(), |error| error.to_string()),
    }
}

fn check(config: Value, make: impl FnOnce(&Value) -> String, expected: &str) {
    let found = make(&config);
    assert!(found.starts_with(expected), "{config}\n  says  {found}\n  not   {expected}");
}

fn limiter(config: &Value) -> String {
    wrong(config, |config| RateLimiter::new("guard", config))
}

fn budget(config: &Value) -> String {
    wrong(config, |config| CostBudget::new("guard", config))
}

fn breaker(config: &Value) -> String {
    wrong(config, CircuitBreaker::new)
}

#[test]
fn the_rate_limiter_names_the_field_and_what_would_be_right() {
    for (config, expected) in [
        (json!({"limits": [{"rate": "100/min"}]}), "fine"),
        (json!({"limits": [{"rate": "20 / 30s", "burst": 5, "key": ["user", "header:X-Team"]}]}), "fine"),
        (json!({"limits": [{"rate": "1/s", "key": []}], "store": {"memory": {"max_keys": 5}}}), "fine"),
        (json!({}), ".: missing field `limits`"),
        (json!({"limits": []}), "limits: expected at least one limit"),
        (
            json!({"limits": [{"rate": "100"}]}),
            "limits[0].rate: expected a count above zero, a slash and a time",
        ),
        (json!({"limits": [{"rate": "0/min"}]}), "limits[0].rate: expected a count above zero"),
        (
            json!({"limits": [{"rate": "5/0s"}]}),
            "limits[0].rate: expected a count above zero, a slash and a time",
        ),
        (json!({"limits": [{"rate": "5/fortnight"}]}), "limits[0].rate: expected a count above zero"),
        (json!({"limits": [{"rate": 5}]}), "limits[0].rate: invalid type: integer `5`, expected a string"),
        (json!({"limits": [{"rate": "5/s", "burst": 0}]}), "limits[0].burst: invalid value: integer `0`"),
        (
            json!({"limits": [{"rate": "4294967291/365d"}]}),
            "limits[0].rate: 4294967291/365d with a burst of 4294967291 cannot be counted exactly",
        ),
        (
            json!({"limits": [{"rate": "5/s", "keys": []}]}),
            "limits[0].keys: unknown field `keys`, expected one of",
        ),
        (json!({"limits": [{"rate": "5/s", "key": ["usr"]}]}), "limits[0].key[0]: expected user, tenant"),
        (
            json!({"limits": [{"rate": "5/s", "key": ["user", "user"]}]}),
            "limits[0].key[1]: user is there twice",
        ),
        (
            json!({"limits": [{"rate": "5/s"}, {"rate": "5/s", "burst": 9}]}),
            "limits[1]: limits[0] has the same time",
        ),
        (json!({"limits": [{"rate": "5/s"}, {"rate": "5/s", "key": ["user"]}]}), "fine"),
        (json!({"limits": [{"rate": "5/s"}], "costs": {"a": -1}}), "costs.a: invalid value: integer `-1`"),
        (
            json!({"limits": [{"rate": "5/s"}], "store": {"file": {}}}),
            "store: unknown variant `file`, expected",
        ),
    ] {
        check(config, limiter, expected);
    }
}

#[cfg(feature = "redis")]
#[test]
fn the_store_names_the_field_and_keeps_its_secret() {
    let with = |redis: Value| json!({"limits": [{"rate": "5/s"}], "store": {"redis": redis}});
    for (config, expected) in [
        (with(json!({"url": "redis://user:hunter2@cache:6379/1", "timeout": "20ms"})), "fine"),
        (with(json!({"url": "redis://cache", "when_away": "fail_open"})), "fine"),
        (with(json!({"url": "redis://cache", "when_away": {"local": {"hosts": 5}}})), "fine"),
        (with(json!({})), "store.redis: missing field `url`"),
        (
            with(json!({"url": "http://:hunter2@cache"})),
            "store.redis.url: expected redis://[user:password@]host",
        ),
        (
            with(json!({"url": "redis://cache", "timeout": "20"})),
            "store.redis.timeout: expected a time above zero",
        ),
        (
            with(json!({"url": "redis://cache", "timeout": 20})),
            "store.redis.timeout: invalid type: integer `20`",
        ),
        (
            with(json!({"url": "redis://cache", "when_away": "shrug"})),
            "store.redis.when_away: unknown variant `shrug`",
        ),
        (
            with(json!({"url": "redis://cache", "when_away": {"local": {}}})),
            "store.redis.when_away.local: missing field `hosts`",
        ),
        (
            with(json!({"url": "redis://cache", "when_away": {"local": {"hosts": 6}}})),
            "store.redis.when_away.local.hosts: limits[0] has a burst of 5 to divide",
        ),
    ] {
        assert!(!limiter(&config).contains("hunter2"), "{}", limiter(&config));
        check(config, limiter, expected);
    }
    assert_eq!(format!("{:?}", Secret::new("redis://:hunter2@cache")), "<hidden>");
}

#[cfg(all(feature = "redis", not(feature = "redis-tls")))]
#[test]
fn tls_without_its_feature_says_which_it_is() {
    let config = json!({"limits": [{"rate": "5/s"}], "store": {"redis": {"url": "rediss://:hunter2@cache"}}});
    check(config, limiter, "store.redis.url: TLS needs a build with the feature redis-tls");
}

#[test]
fn the_cost_budget_names_the_field_and_what_would_be_right() {
    let with = |limit: Value| json!({"limits": [limit], "cost": {"fixed": 1}});
    for (config, expected) in [
        (with(json!({"hard": 10, "soft": 8.5, "per": "month", "zone": "Europe/Berlin"})), "fine"),
        (with(json!({"soft": 8, "within": "1h"})), "fine"),
        (json!({"limits": [], "cost": {}}), "limits: expected at least one limit"),
        (with(json!({"per": "day"})), "limits[0]: expected hard, soft or both"),
        (with(json!({"hard": 1})), "limits[0]: expected either per"),
        (with(json!({"hard": 1, "per": "day", "within": "1h"})), "limits[0]: expected either per"),
        (
            with(json!({"hard": 1, "per": "fortnight"})),
            "limits[0].per: unknown variant `fortnight`, expected one of",
        ),
        (with(json!({"hard": 1, "per": "day", "zone": "Mars/Base"})), "limits[0].zone: no such time zone"),
        (
            with(json!({"hard": 1, "within": "1h", "zone": "UTC"})),
            "limits[0].zone: a time zone goes with per",
        ),
        (with(json!({"hard": 1, "soft": 2, "per": "day"})), "limits[0].soft: expected no more than hard"),
        (with(json!({"hard": -1, "per": "day"})), "limits[0].hard: expected an amount from 0"),
        (
            json!({"limits": [{"hard": 1, "per": "day"}], "cost": {"terms": [{"field": "usage", "price": 1}]}}),
            "cost.terms[0].field: expected a JSON pointer",
        ),
        (
            json!({"limits": [{"hard": 1, "per": "day"}], "cost": {"terms": [{"field": "/a", "price": 1, "per": 0}]}}),
            "cost.terms[0].per: invalid value: integer `0`",
        ),
    ] {
        check(config, budget, expected);
    }
}

#[test]
fn the_circuit_breaker_names_the_field_and_what_would_be_right() {
    for (config, expected) in [
        (json!({}), "fine"),
        (json!({"consecutive": null, "failure_rate": {"share": 0.5, "window": "1m", "minimum": 5}}), "fine"),
        (json!({"consecutive": null}), "consecutive: expected this or failure_rate"),
        (
            json!({"failure_rate": {"share": 50, "window": "1m", "minimum": 5}}),
            "failure_rate.share: expected a share",
        ),
        (json!({"open_for": "30"}), "open_for: expected a time above zero with its unit"),
        (
            json!({"failure": [{"field": "isError", "equals": true}]}),
            "failure[0].field: expected a JSON pointer",
        ),
        (json!({"probe": 1}), "probe: unknown field `probe`, expected one of"),
    ] {
        check(config, breaker, expected);
    }
}

#[test]
fn what_would_never_count_is_an_error() {
    let limits = json!([{"hard": 1, "per": "day"}]);
    let term = json!({"field": "/a", "price": 0});
    for cost in [json!({}), json!({"fixed": 0}), json!({"terms": [term]})] {
        check(json!({"limits": limits, "cost": cost}), budget, "cost: expected fixed or terms with a price");
    }
    let actual = json!({"terms": [{"field": "/a", "price": 1, "missing": -1}]});
    let error = "actual.terms[0].missing: expected a number that is not negative";
    check(json!({"limits": limits, "cost": {}, "actual": actual}), budget, error);
    let headers = json!({"limits": [{"rate": "5/s", "key": ["header:x key"]}]});
    check(headers, limiter, "limits[0].key[0]: expected user, tenant");
}
