//! A server that is down, slow, or gone in the middle of a call: never an allow. W82.

use std::time::Duration;

use cpex::config::{OnError, PluginConfig};
use cpex::external::Unanswered;
use cpex::hooks::TOOL_PRE_INVOKE;
use cpex::lifecycle::LoadPhase;
use cpex::{Failure, Manager, config::Config};
use cpex_remote::End;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tokio::time::timeout;

use crate::world::{
    NAME, PATIENCE, Place, Transport, ask, context, documented, failure, host, merged, names, tool,
};

/// What is wrong, for programs.
fn code(failure: &Failure) -> &'static str {
    match failure {
        Failure::Error(error) => error.downcast_ref::<Unanswered>().unwrap().code(),
        failure => panic!("{failure}"),
    }
}

#[tokio::test]
async fn a_server_that_is_down_keeps_its_plugin_from_being_loaded() {
    let place = Place::new(Transport::Unix);
    let error = place.host(json!({})).await.unwrap_err().to_string();
    assert!(
        error.contains("connection failed") && error.contains(place.socket().to_str().unwrap()),
        "{error}"
    );

    let entry =
        merged(place.section(), json!({"name": NAME, "kind": "external", "hooks": ["tool_pre_invoke"]}));
    let denying = merged(entry.clone(), json!({"on_missing": "deny"}));
    for (entry, allowed) in [(entry, true), (denying, false)] {
        let config = Config::parse(&json!({"plugins": [entry]}).to_string(), "plugins.yaml").unwrap();
        let manager = Manager::builder().config(config).start().await.unwrap();
        assert_eq!(manager.load_failures().await[0].phase, LoadPhase::Initialize);
        assert_eq!(ask(&manager, "allow", json!({})).await.unwrap().is_allowed(), allowed);

        let server = place.serve().await;
        assert_eq!(manager.retry_failed().await.unwrap(), []);
        assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());
        assert!(ask(&manager, "allow", json!({})).await.unwrap().is_allowed());
        manager.shutdown().await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_server_without_the_plugin_is_no_server_of_it() {
    for transport in [Transport::GrpcTcp, Transport::McpTcp] {
        let place = Place::new(transport);
        let _server = place.serve().await;
        let error = place.host(json!({"name": "Stranger"})).await.unwrap_err().to_string();
        assert!(error.contains("its server has no plugin of this name"), "{error}");
    }
    // W34: over a Unix socket it is enough that the entry says which hooks there are.
    let place = Place::new(Transport::Unix);
    let _server = place.serve().await;
    let error = place.host(json!({"name": "Stranger"})).await.unwrap_err().to_string();
    assert!(error.contains("neither its entry nor its server names a hook"), "{error}");
    place.host(json!({"name": "Stranger", "hooks": ["tool_pre_invoke"]})).await.unwrap();
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for() {
    for transport in Transport::ALL {
        let place = Place::new(transport);
        let _server = place.serve().await;
        // The plugin's own limit, and that of the transport.
        let manager = place.host(json!({"timeout_ms": 200})).await.unwrap();
        let ended = ask(&manager, "sleep", json!({"seconds": 120})).await;
        assert!(matches!(failure(ended), Failure::TimedOut(limit) if limit == Duration::from_millis(200)));
        assert!(
            !ask(&manager, "deny", json!({})).await.unwrap().is_allowed(),
            "its own answer, not a late one"
        );

        let section = place.section();
        let (name, _) = section.as_object().unwrap().iter().next().unwrap();
        let manager = place.host(json!({ (name): {"timeout": 0.2} })).await.unwrap();
        let failed = failure(ask(&manager, "sleep", json!({"seconds": 120})).await);
        let told = failed.to_string();
        assert!(told.ends_with(": request timed out after 0.2s"), "{transport:?}: {told}");
        assert_eq!(code(&failed), "TIMED_OUT", "{transport:?}");
        assert!(
            !ask(&manager, "deny", json!({})).await.unwrap().is_allowed(),
            "its own answer, not a late one"
        );
    }
}

#[tokio::test]
async fn a_failure_is_judged_by_on_error() {
    let place = Place::new(Transport::GrpcUnix);
    let _server = place.serve().await;
    let manager = place.host(json!({"on_error": "ignore", "timeout_ms": 200})).await.unwrap();
    assert!(ask(&manager, "raise", json!({})).await.unwrap().is_allowed());
    assert!(ask(&manager, "sleep", json!({"seconds": 120})).await.unwrap().is_allowed());
    assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed(), "a denial is no failure");

    manager.update(NAME, |entry: PluginConfig| entry.on_error(OnError::Disable)).await.unwrap();
    assert!(ask(&manager, "raise", json!({})).await.unwrap().is_allowed());
    assert!(ask(&manager, "deny", json!({})).await.unwrap().is_allowed(), "it is out of service");
}

#[tokio::test]
async fn a_server_that_dies_under_a_call_leaves_a_failure_and_one_that_is_back_answers() {
    for transport in Transport::ALL {
        let place = Place::new(transport);
        let server = place.serve().await;
        let manager = place.host(json!({})).await.unwrap();
        let slow = tool("sleep", json!({"seconds": 120}));
        let context = context();
        let witness = server.witness.clone();
        let dies = async {
            witness.wait_for(|seen| seen.running == 1).await;
            drop(server);
        };
        let calling = manager.invoke(&TOOL_PRE_INVOKE, &slow, &context);
        let (ended, ()) = timeout(PATIENCE, async { tokio::join!(calling, dies) }).await.unwrap();
        assert!(matches!(failure(ended), Failure::Error(_)), "{transport:?}");

        let server = place.serve().await;
        assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed(), "{transport:?}");
        server.stop().await;
        let _server = place.serve().await;
        assert!(ask(&manager, "allow", json!({})).await.unwrap().is_allowed(), "{transport:?}");
    }
}

#[tokio::test]
async fn a_dead_replica_is_gone_around() {
    let (dead, alive) = (Place::new(Transport::Unix), Place::new(Transport::Unix));
    let _server = alive.serve().await;
    let endpoints = json!([dead.socket(), alive.socket()]);
    let manager =
        host(json!({"unix_socket": {"endpoints": endpoints, "reconnect_attempts": 0}})).await.unwrap();
    for _ in 0..12 {
        assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());
    }
    let both = [Place::new(Transport::GrpcTcp), Place::new(Transport::GrpcTcp)];
    let target = |place: &Place| place.section()["grpc"]["target"].clone();
    let first = both[0].serve().await;
    let endpoints = both.each_ref().map(target);
    let manager = host(json!({"grpc": {"endpoints": endpoints, "reconnect_attempts": 0}})).await.unwrap();
    assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());
    let _second = both[1].serve().await;
    first.stop().await;
    for _ in 0..12 {
        assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());
    }
}

#[tokio::test]
async fn a_breaker_leaves_a_dead_server_alone() {
    let place = Place::new(Transport::Unix);
    let server = place.serve().await;
    let section = json!({"unix_socket": {
        "reconnect_attempts": 0,
        "breaker": {"failures": 2, "wait": 600, "longest_wait": 600},
    }});
    let manager = place.host(section).await.unwrap();
    server.stop().await;
    for _ in 0..2 {
        let unreached = failure(ask(&manager, "allow", json!({})).await);
        assert_eq!(code(&unreached), "NOT_CONNECTED", "{unreached}");
    }
    let left_alone = failure(ask(&manager, "allow", json!({})).await);
    assert_eq!(code(&left_alone), "BREAKER_OPEN");
    assert!(left_alone.to_string().contains(place.socket().to_str().unwrap()), "{left_alone}");
}

#[tokio::test]
async fn a_server_that_hangs_is_left_alone_though_only_the_plugin_has_a_limit() {
    for transport in Transport::ALL {
        let place = Place::new(transport);
        let _server = place.serve().await;
        let section = place.section();
        let (name, _) = section.as_object().unwrap().iter().next().unwrap();
        let breaker = json!({"failures": 2, "wait": 600, "longest_wait": 600});
        let manager = place.host(json!({"timeout_ms": 500, (name): {"breaker": breaker}})).await.unwrap();
        let hangs = async || failure(ask(&manager, "sleep", json!({"seconds": 120})).await);
        for _ in 0..2 {
            assert!(matches!(hangs().await, Failure::TimedOut(_)), "{transport:?}");
        }
        assert_eq!(code(&hangs().await), "BREAKER_OPEN", "{transport:?}");
    }
}

/// Of the samples of a metric; `*` stands for other labels.
fn sum(text: &str, sample: &str) -> f64 {
    let (begins, ends) = sample.split_once('*').unwrap();
    let values = text.lines().filter_map(|line| line.rsplit_once(' '));
    let named = values.filter(|(name, _)| name.starts_with(begins) && name.ends_with(ends));
    named.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

#[tokio::test]
async fn a_breaker_is_seen_in_records_and_metrics() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // Whatever runs on this thread is counted, and all of this test does.
    let _counting = metrics::set_default_local_recorder(&recorder);
    let (place, other) = (Place::new(Transport::Unix), Place::new(Transport::Unix));
    let (server, spare) = (place.serve().await, other.serve().await);
    let section = json!({"on_error": "ignore", "unix_socket": {
        "endpoints": [other.socket()],
        "reconnect_attempts": 0,
        "breaker": {"failures": 1, "wait": 600, "longest_wait": 600},
        "health_check": {"interval": 600},
        "repeat": {"retries": 1, "wait": 0.01, "hedge_after": 600},
    }});
    let manager = place.host(section).await.unwrap();
    let breakers =
        |state: &str| sum(&handle.render(), &format!("cpex_external_breakers{{*state=\"{state}\"}}"));
    let in_flight = async |calls: f64| {
        while sum(&handle.render(), "cpex_external_calls_in_flight{*}") != calls {
            tokio::task::yield_now().await;
        }
    };
    assert_eq!([breakers("closed"), breakers("open")], [2.0, 0.0]);
    tokio::select! {
        ended = ask(&manager, "sleep", json!({"seconds": 600})) => panic!("{}", ended.is_ok()),
        () = in_flight(1.0) => {}
    }
    timeout(PATIENCE, in_flight(0.0)).await.expect("the call was given up");
    drop(server);
    for _ in 0..2 {
        assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());
    }
    drop(spare);
    let mut details = Vec::new();
    while !details.iter().any(|detail: &String| detail.contains("left alone")) {
        let outcome = ask(&manager, "allow", json!({})).await.unwrap();
        details.extend(outcome.report.lines().filter_map(|line| line.detail.map(Into::into)));
    }
    let counted = handle.render();
    for server in [&place, &other] {
        let server = server.socket();
        let opened = format!(
            "cpex_external_breaker_changes_total{{plugin=\"ProbePlugin\",server=\"{}\",to=\"open\"}} 1",
            server.display()
        );
        assert!(counted.contains(&opened), "{opened}: {counted}");
    }
    let guide = documented("external.md", "cpex_external_");
    assert!(names(&counted, "cpex_external_").is_subset(&guide), "{counted}");
    assert_eq!([breakers("closed"), breakers("open")], [0.0, 2.0], "{counted}");
    manager.shutdown().await;
    drop(manager);
    assert_eq!([breakers("closed"), breakers("open")], [0.0, 0.0]);
}

#[tokio::test]
async fn a_call_of_an_idempotent_plugin_is_sent_again() {
    for (repeat, is_answered) in [(json!({}), false), (json!({"repeat": {"retries": 1}}), true)] {
        let places = [Place::new(Transport::Unix), Place::new(Transport::Unix)];
        let [mut first, mut second] = [Some(places[0].serve().await), Some(places[1].serve().await)];
        let section = merged(json!({"endpoints": [places[1].socket()]}), repeat);
        let manager = places[0].host(json!({"unix_socket": section})).await.unwrap();
        let slow = tool("sleep", json!({"seconds": 0.5}));
        let context = context();
        let [one, two] = [&first, &second].map(|server| server.as_ref().unwrap().witness.clone());
        let dies = async {
            // Whichever has it.
            tokio::select! {
                () = one.wait_for(|seen| seen.running == 1) => drop(first.take()),
                () = two.wait_for(|seen| seen.running == 1) => drop(second.take()),
            }
        };
        let (ended, ()) = tokio::join!(manager.invoke(&TOOL_PRE_INVOKE, &slow, &context), dies);
        assert_eq!(ended.is_ok(), is_answered);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_given_up_on_the_server() {
    // W86
    for transport in Transport::ALL {
        let place = Place::new(transport);
        let server = place.serve().await;
        let manager = place.host(json!({})).await.unwrap();
        let (slow, context) = (tool("sleep", json!({"seconds": 120})), context());
        {
            let calling = manager.invoke(&TOOL_PRE_INVOKE, &slow, &context);
            tokio::select! {
                _ = calling => panic!("it sleeps"),
                () = server.witness.wait_for(|seen| seen.running == 1) => {}
            }
        }
        server.witness.wait_for(|seen| seen.ends.contains(&End::Abandoned)).await;
        assert!(ask(&manager, "allow", json!({})).await.unwrap().is_allowed(), "{transport:?}");
    }
}

#[tokio::test]
async fn another_address_is_another_server_and_another_priority_is_not() {
    let (first, second) = (Place::new(Transport::Unix), Place::new(Transport::GrpcUnix));
    let (server, _other) = (first.serve().await, second.serve().await);
    let manager = first.host(json!({})).await.unwrap();
    let config = |place: &Place, more| {
        let entry = merged(json!({"name": NAME, "kind": "external"}), merged(place.section(), more));
        Config::parse(&json!({"plugins": [entry]}).to_string(), "plugins.yaml").unwrap()
    };
    let connections = server.witness.seen().open;
    manager.replace(config(&first, json!({"priority": 1}))).await.unwrap();
    assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());
    assert_eq!(server.witness.seen().open, connections);

    manager.replace(config(&second, json!({}))).await.unwrap();
    server.stop().await;
    assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());
}
