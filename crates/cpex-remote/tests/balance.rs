//! One plugin on several servers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/probe_server/probe.rs"]
mod probe;
#[allow(dead_code, reason = "no call here fails")]
mod words;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cpex_remote::balance::{BalanceError, Balanced, BreakerConfig, State};
use cpex_remote::unix::{ClientConfig, Server, ServerConfig};
use cpex_remote::{Delivery, End, RemoteConfig};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use words::{call, result, value};
use world::Witness;

struct Replica {
    backend: Arc<Witness>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

fn serve(path: &Path) -> Replica {
    let server = Server::bind(ServerConfig::new(path)).unwrap();
    let backend = Arc::new(Witness::default());
    let (stop, stopped) = oneshot::channel();
    let served = backend.clone();
    let serving =
        tokio::spawn(async move { server.serve(served, async { stopped.await.unwrap_or(()) }).await });
    Replica { backend, stop, serving }
}

fn balanced(paths: &[&Path], wait: Duration) -> Balanced {
    let endpoint =
        |path: &&Path| RemoteConfig::Unix(ClientConfig { reconnect_attempts: 0, ..ClientConfig::new(*path) });
    let breaker = BreakerConfig { failures: 1, wait, longest_wait: wait, successes: 1 };
    Balanced::new(words::NAME, paths.iter().map(endpoint).collect(), breaker)
}

#[tokio::test]
async fn calls_are_spread_and_go_round_a_server_that_is_down_until_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1"), directory.path().join("2"));
    let (first, second) = (serve(&one), serve(&two));
    let client = balanced(&[&one, &two], Duration::from_millis(1));
    assert_eq!(value(&client.plugin_config().await.unwrap().unwrap())["name"], words::NAME);
    for n in 0..6 {
        let reply = client.invoke(&call("echo", json!({"n": n}))).await.unwrap();
        assert_eq!(result(&reply)["modified_payload"]["args"]["n"], n);
    }
    assert_eq!((first.backend.seen().ends.len(), second.backend.seen().ends.len()), (3, 3));

    first.stop.send(()).unwrap();
    first.serving.await.unwrap();
    for _ in 0..10 {
        client.invoke(&call("allow", json!({}))).await.unwrap();
    }
    assert_eq!(second.backend.seen().ends, [End::Result; 13], "each call ran once");

    let back = serve(&one);
    while back.backend.seen().ends.is_empty() {
        client.invoke(&call("allow", json!({}))).await.unwrap();
    }
    assert!(client.status().iter().all(|replica| replica.outstanding == 0));
}

#[tokio::test]
async fn a_call_that_may_have_run_is_not_sent_to_another() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1"), directory.path().join("2"));
    let (first, second) = (serve(&one), serve(&two));
    let client = balanced(&[&one, &two], Duration::from_secs(3600));
    let slow = call("sleep", json!({"seconds": 600}));
    let killed = async {
        first.backend.wait_for(|seen| seen.running == 1).await;
        first.serving.abort();
    };
    let (ended, ()) = tokio::join!(client.invoke(&slow), killed);
    let error = ended.unwrap_err();
    assert_eq!(error.delivery(), Delivery::Unknown, "{error}");
    assert_eq!(second.backend.seen().ends, []);
    assert!(matches!(client.status()[0].state, State::Open { .. }));

    second.stop.send(()).unwrap();
    second.serving.await.unwrap();
    client.invoke(&call("allow", json!({}))).await.unwrap_err();
    let left_alone = client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert!(matches!(left_alone, BalanceError::Open(2)), "{left_alone}");
    assert_eq!(left_alone.delivery(), Delivery::NotDelivered);
}
