//! Whatever a plugin can answer arrives, over every transport. W81.

use cpex::config::Mode;
use cpex::extensions::{Extensions, Http};
use cpex::external::RemoteFailure;
use cpex::hooks::TOOL_PRE_INVOKE;
use cpex::{Context, Failure, Manager};
use serde_json::{Value, json};

use crate::world::{NAME, Place, Transport, ask, context, failure, tool};

fn remote(failure: Failure) -> RemoteFailure {
    match failure {
        Failure::Error(error) => *error.downcast::<RemoteFailure>().unwrap(),
        failure => panic!("{failure}"),
    }
}

/// Goes through the script; `details` are those that an error comes with, `largest` a number that is not rounded.
pub(crate) async fn answers(manager: &Manager, details: Value, largest: i64) {
    let ask = async |name: &str, args: Value| ask(manager, name, args).await;

    let allowed = ask("allow", json!({})).await.unwrap();
    assert!(allowed.is_allowed() && allowed.payload.is_none());

    let changed = ask("modify", json!({"text": "hi", "n": 3, "none": null})).await.unwrap();
    let payload = changed.payload.unwrap();
    let args = json!({"text": "hi", "n": 3, "none": null, "added": 1, "f": 2.5, "ünï": "✓"});
    assert_eq!((&*payload.name, Value::from(payload.args.clone().unwrap())), ("modified", args));
    assert_eq!(changed.metadata["modified"], true);

    let big = json!({"text": "ä".repeat(400_000), "list": (0..1000).collect::<Vec<_>>(), "max": largest});
    let echoed = ask("echo", big.clone()).await.unwrap();
    let unchanged = echoed.payload.is_none_or(|payload| payload.args.clone().map(Value::from) == Some(big));
    assert!(unchanged, "between our peers no number is rounded (W29)");

    let denied = ask("deny", json!({})).await.unwrap();
    let violation = denied.violation.unwrap();
    assert_eq!((&*violation.code, &*violation.reason), ("PROBE", "no"));
    assert_eq!(violation.description, "blocked by probe");
    assert_eq!(Value::Object(*violation.details), json!({"n": 1, "l": ["a", null, 1.5]}));
    assert_eq!((violation.mcp_error_code, violation.http_status_code), (Some(-32001), Some(403)));
    assert_eq!(violation.http_headers.unwrap()["X-P"], "1");
    assert_eq!(&*violation.plugin, NAME);

    let raised = remote(failure(ask("raise", json!({})).await));
    assert_eq!(raised.message, "RuntimeError('kaboom')");
    let coded = remote(failure(ask("error", json!({})).await));
    assert_eq!((&*coded.code, coded.mcp_error_code), ("PERR", -32603));
    assert_eq!(Value::Object(coded.details), details);
}

#[tokio::test]
async fn what_a_denial_says_for_records_arrives_and_so_do_headers() {
    // R9, W14
    for transport in Transport::ALL {
        let place = Place::new(transport);
        let _server = place.serve().await;
        let manager = place.host(json!({})).await.unwrap();
        let denied = ask(&manager, "measure", json!({})).await.unwrap();
        assert!(!denied.is_allowed());
        let kept = Value::Object(denied.report.denial_metadata().clone());
        assert_eq!(kept, json!({"score": 0.5, "blocked": true, "matches": -3}), "{transport:?}");
        let allowed = ask(&manager, "state", json!({})).await.unwrap();
        assert_eq!(allowed.http_headers["X-A"], "b", "{transport:?}");
        assert!(allowed.report.denial_metadata().is_empty());
    }
}

#[tokio::test]
async fn every_answer_arrives_over_every_transport() {
    for transport in Transport::ALL {
        let place = Place::new(transport);
        let _server = place.serve().await;
        let manager = place.host(json!({})).await.unwrap_or_else(|error| panic!("{transport:?}: {error}"));
        answers(&manager, json!({"k": 1}), i64::MAX).await;
        manager.shutdown().await;
    }
}

#[tokio::test]
async fn what_a_plugin_keeps_is_there_at_the_next_hook() {
    // W3
    for transport in Transport::ALL {
        let place = Place::new(transport);
        let _server = place.serve().await;
        let manager = place.host(json!({})).await.unwrap();
        let context = context();
        let kept = manager.invoke(&TOOL_PRE_INVOKE, &tool("state", json!({})), &context).await.unwrap();
        assert_eq!(kept.metadata["seen"], true);
        assert_eq!(kept.retry_after.as_millis(), 7);
        assert_eq!(Value::Object((*context.shared()).clone()), json!({"sk": true, "g": [1, 2]}));

        let seen = manager.invoke(&TOOL_PRE_INVOKE, &tool("context", json!({})), &context).await.unwrap();
        let seen = &seen.metadata["context"];
        assert_eq!(seen["state"], json!({"k": {"v": 1}}), "{transport:?}");
        assert_eq!(seen["metadata"], json!({"m": "md"}), "{transport:?}");
        let global = &seen["global_context"];
        assert_eq!((&global["user"], &global["tenant_id"]), (&json!("alice"), &json!("ten")));
        assert_eq!((&global["request_id"], &global["metadata"]), (&json!("req-1"), &json!({"mk": 1})));
        assert_eq!(global["state"], json!({"sk": true, "g": [1, 2]}));
    }
}

#[tokio::test]
async fn a_hook_without_types_goes_as_json() {
    let place = Place::new(Transport::Unix);
    let _server = place.serve().await;
    let manager = place.host(json!({"hooks": ["my_hook", "tool_pre_invoke"]})).await.unwrap();
    let missing = manager.invoke_json("my_hook", json!({"a": 1}), &Context::new("1")).await;
    let missing =
        failure(missing.map(|outcome| cpex::Outcome { payload: None::<std::sync::Arc<Value>>, ..outcome }));
    assert!(missing.to_string().starts_with("Unable to find my_hook for plugin ProbePlugin"), "{missing}");
    let changed = manager.invoke_json("tool_pre_invoke", json!({"name": "modify"}), &Context::new("1")).await;
    assert_eq!(changed.unwrap().payload.unwrap()["name"], "modified");
}

#[tokio::test]
async fn the_server_says_what_the_entry_does_not() {
    // W2: its server says sequential, priority 42 and one hook.
    let place = Place::new(Transport::GrpcTcp);
    let _server = place.serve().await;
    let eligible = async |more: Value| {
        let manager = place.host(more).await.unwrap();
        let eligible = manager.eligible(&TOOL_PRE_INVOKE, &tool("allow", json!({})), &context());
        (manager, eligible)
    };
    let (_, of_server) = eligible(json!({})).await;
    assert_eq!(of_server[0].mode, Mode::Sequential);

    let (manager, of_entry) = eligible(json!({"mode": "audit"})).await;
    assert_eq!(of_entry[0].mode, Mode::Audit);
    assert!(ask(&manager, "deny", json!({})).await.unwrap().is_allowed(), "audit cannot block");

    // A change at run time counts as said by the host, and needs no new connection.
    manager.update(NAME, |entry| entry.mode(Mode::Sequential)).await.unwrap();
    assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());

    let (_, none) = eligible(json!({"hooks": ["tool_post_invoke"]})).await;
    assert!(none.is_empty(), "the entry names its hooks");
}

#[tokio::test]
async fn a_plugin_is_shown_the_extensions_that_its_entry_grants_and_may_write_some() {
    for transport in Transport::ALL {
        let place = Place::new(transport);
        let _server = place.serve().await;
        let http = Http { headers: [("x-secret".to_owned(), "1".to_owned())].into() };
        let custom = Some([("n".to_owned(), json!(u64::MAX))].into());
        let extensions =
            || Extensions { http: Some(http.clone()), custom: custom.clone(), ..Extensions::default() };
        for (capabilities, headers) in [(json!([]), false), (json!(["read_headers"]), true)] {
            let manager = place.host(json!({"capabilities": capabilities})).await.unwrap();
            let context = context().extensions(extensions());
            let outcome =
                manager.invoke(&TOOL_PRE_INVOKE, &tool("shown", json!({})), &context).await.unwrap();
            let shown = &outcome.metadata["extensions"];
            assert_eq!(shown["custom"], json!({"n": u64::MAX}), "{transport:?}");
            assert_eq!(shown["http"].is_object(), headers, "{transport:?}: {shown}");
        }
    }
}
