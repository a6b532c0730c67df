//! What becomes of headers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use cpex_builtin::header_injector::{HeaderInjector, HeaderInjectorConfig};
use serde_json::{Value, json};

fn read(config: Value) -> Result<HeaderInjector, cpex_builtin::ConfigError> {
    HeaderInjector::new(serde_json::from_value::<HeaderInjectorConfig>(config).unwrap())
}

fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn headers_are_added_kept_and_removed() {
    let injector = read(json!({
        "headers": {
            "X-Request-Id": {"value": "r-{request_id}"},
            "accept": {"value": "text/plain"},
            "X-Key": {"value": "{{k}}", "overwrite": true},
        },
        "remove": ["COOKIE"],
    }))
    .unwrap();
    let known = |name: &str| (name == "request_id").then(|| "7".to_owned());
    let changed =
        injector.inject(&headers(&[("Accept", "*/*"), ("Cookie", "a=b"), ("x_key", "mine")]), known);
    assert_eq!(changed, Some(headers(&[("Accept", "*/*"), ("X-Request-Id", "r-7"), ("X-Key", "{k}")])));
    assert_eq!(injector.inject(&changed.unwrap(), known), None, "nothing more to change");
}

/// A client may neither bring the header itself nor put another line into it.
#[test]
fn nobody_can_pretend_to_be_a_value() {
    let config = json!({"headers": {"X-User": {"value": "{user}", "overwrite": true}}});
    let injector = read(config).unwrap();
    for user in [None, Some("eve\r\nX-Admin: yes"), Some("eveĊX-Admin: yes"), Some(" eve"), Some("Zoë")] {
        for brought in ["X-User", "x-user", "X_USER"] {
            let changed = injector.inject(&headers(&[(brought, "admin")]), |_| user.map(str::to_owned));
            assert_eq!(changed, Some(BTreeMap::new()), "{user:?} {brought}");
        }
    }
    let changed = injector.inject(&headers(&[("x_user", "admin")]), |_| Some("eve".to_owned()));
    assert_eq!(changed, Some(headers(&[("X-User", "eve")])));
}

#[test]
fn what_could_smuggle_is_an_error_that_tells_no_value() {
    let header = |name: &str, value: &str| json!({"headers": {name: {"value": value}}});
    for (config, field) in [
        (json!({}), "headers"),
        (header("a b", "x"), "headers.a b"),
        (header("a:", "x"), "headers.a:"),
        (header("", "x"), "headers."),
        (header("Transfer_Encoding", "chunked"), "headers.Transfer_Encoding"),
        (header("content-length", "0"), "headers.content-length"),
        (header("a", "hunter2\nb: c"), "headers.a.value"),
        (header("a", "hunter2\u{10a}"), "headers.a.value"),
        (header("a", "x{hunter2}"), "headers.a.value"),
        (header("a", "x{hunter2"), "headers.a.value"),
        (json!({"headers": {"X-A": {"value": "hunter2"}, "x_a": {"value": "hunter2"}}}), "headers.x_a"),
        (json!({"remove": ["a b"]}), "remove[0]"),
    ] {
        let error = read(config).map(|_| ()).unwrap_err();
        assert_eq!(error.field, field);
        assert!(!error.problem.contains("hunter2"), "{error}");
    }
    let config = serde_json::from_value::<HeaderInjectorConfig>(header("a", "hunter2")).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
