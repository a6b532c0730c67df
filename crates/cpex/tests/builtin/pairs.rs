//! Calls whose hooks belong together: before and after.

use cpex::Context;
use serde_json::json;

use super::{after, before, of_one, request, search, violation};

const AROUND: &str = "[tool_pre_invoke, tool_post_invoke]";

#[tokio::test]
async fn a_budget_is_settled_by_the_result() {
    let config = "{limits: [{hard: 10, within: 1h, key: [user]}], cost: {fixed: 6}, \
        actual: {terms: [{field: /usage/tokens, price: 1}]}}";
    let manager = of_one("cost_budget", AROUND, config).await;
    let (first, second) = (request(), request());
    assert!(before(&manager, &search("a"), &first).await.is_allowed());
    let refused = violation(before(&manager, &search("a"), &second).await);
    assert_eq!((&*refused.code, refused.http_status_code), ("BUDGET_EXCEEDED", Some(429)));
    let settled = after(&manager, json!({"usage": {"tokens": 2}}), &first).await;
    assert_eq!(settled.metadata["it"]["cost"], 2.0);
    assert!(before(&manager, &search("a"), &second).await.is_allowed());
}

#[tokio::test]
async fn a_breaker_opens_by_the_results() {
    let manager = of_one("circuit_breaker", AROUND, "{consecutive: 2, open_for: 1h}").await;
    for _ in 0..2 {
        let call = request();
        assert!(before(&manager, &search("a"), &call).await.is_allowed());
        assert!(after(&manager, json!({"isError": true}), &call).await.is_allowed());
    }
    let refused = violation(before(&manager, &search("a"), &request()).await);
    assert_eq!((&*refused.code, refused.http_status_code), ("CIRCUIT_OPEN", Some(503)));
}

/// Another plugin refuses the call after the breaker has let its probe pass: the hook after never comes. Once the
/// request is over, the next probe may pass.
#[tokio::test]
async fn a_probe_that_another_plugin_refuses_is_given_back() {
    let yaml = "plugins:\n  \
        - {name: breaker, kind: builtin.circuit_breaker, config: {consecutive: 1, open_for: 1us}}\n  \
        - {name: words, kind: builtin.deny_list, hooks: [tool_pre_invoke], config: {words: [forbidden]}}\n";
    let manager = super::start(yaml).await.unwrap();
    let call = request();
    assert!(before(&manager, &search("a"), &call).await.is_allowed());
    assert!(after(&manager, json!({"isError": true}), &call).await.is_allowed());
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    for _ in 0..3 {
        let refused = violation(before(&manager, &search("forbidden"), &request()).await);
        assert_eq!(&*refused.plugin, "words");
    }
    let call = request();
    assert!(before(&manager, &search("a"), &call).await.is_allowed());
    assert!(after(&manager, json!("fine"), &call).await.is_allowed());
    assert!(before(&manager, &search("a"), &request()).await.is_allowed());
}

/// Two requests at once do not settle each other's calls.
#[tokio::test]
async fn requests_are_kept_apart() {
    let config = "{limits: [{hard: 100, within: 1h}], cost: {fixed: 1}}";
    let manager = of_one("cost_budget", AROUND, config).await;
    let (one, other) = (Context::new("1"), Context::new("2"));
    assert!(before(&manager, &search("a"), &one).await.is_allowed());
    let unknown = after(&manager, json!({"isError": true}), &other).await;
    assert!(unknown.metadata.is_empty(), "{:?}", unknown.metadata);
    let settled = after(&manager, json!({"isError": true}), &one).await;
    assert_eq!(settled.metadata["it"]["cost"], 0.0);
}
