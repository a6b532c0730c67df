//! One plugin on several servers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/probe_server/probe.rs"]
mod probe;
#[allow(dead_code, reason = "no call here fails")]
mod words;
mod world;

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cpex_remote::balance::{
    BalanceConfig, BalanceError, BalanceEvent, Balanced, BreakerConfig, HealthCheck, Observer, Repeat, State,
};
use cpex_remote::mcp::{self, Http};
use cpex_remote::unix::{ClientConfig, Server, ServerConfig};
use cpex_remote::{Backend, Call, Delivery, End, Failure, Json, RemoteConfig, RemoteError, Reply};
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use probe::Probe;
use serde_json::json;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot, watch};
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
    let paths = [&one, &two].map(|path| path.display().to_string());
    assert!(matches!(&left_alone, BalanceError::Open(all) if *all == paths), "{left_alone}");
    assert_eq!(left_alone.code(), "BREAKER_OPEN");
    assert_eq!(left_alone.delivery(), Delivery::NotDelivered);
}

/// Knows the plugin, and never answers a call.
#[derive(Default)]
struct Stuck {
    running: watch::Sender<usize>,
}

struct Running<'s>(&'s Stuck);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

impl Backend for Stuck {
    async fn configs(&self) -> Result<Vec<Json>, Failure> {
        Probe.configs().await
    }

    async fn config(&self, name: &str) -> Result<Option<Json>, Failure> {
        Probe.config(name).await
    }

    async fn invoke(&self, _: Call) -> Result<Reply, Failure> {
        self.running.send_modify(|running| *running += 1);
        let _running = Running(self);
        pending().await
    }
}

fn serve_stuck(path: &Path) -> Arc<Stuck> {
    let (server, backend) = (Server::bind(ServerConfig::new(path)).unwrap(), Arc::new(Stuck::default()));
    tokio::spawn(server.serve(backend.clone(), pending()));
    backend
}

/// A client that is told about, in words.
fn observed(paths: &[&Path], config: BalanceConfig) -> (Balanced, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let observer = Observer::new(move |event| {
        let (what, target) = match event {
            BalanceEvent::Breaker { target, to: State::Open { .. }, .. } => ("opened", target),
            BalanceEvent::Breaker { target, to: State::HalfOpen, .. } => ("tried", target),
            BalanceEvent::Breaker { target, to: State::Closed, .. } => ("closed", target),
            BalanceEvent::Ejected { target } => ("ejected", target),
            BalanceEvent::Readmitted { target } => ("readmitted", target),
            BalanceEvent::Retried { target } => ("retried", target),
            BalanceEvent::Hedged { target } => ("hedged", target),
            BalanceEvent::Known { .. }
            | BalanceEvent::Forgotten { .. }
            | BalanceEvent::Asked { .. }
            | BalanceEvent::Over { .. } => return,
            other => panic!("{other:?}"),
        };
        let name = Path::new(target).file_name().unwrap().to_str().unwrap();
        // The test may be over.
        let _ = tell.send(format!("{what} {name}"));
    });
    let endpoint =
        |path: &&Path| RemoteConfig::Unix(ClientConfig { reconnect_attempts: 0, ..ClientConfig::new(*path) });
    let endpoints = paths.iter().map(endpoint).collect();
    let balanced =
        Balanced::with(words::NAME, endpoints, BalanceConfig { observer: Some(observer), ..config });
    (balanced, told)
}

fn breaker() -> BreakerConfig {
    let wait = Duration::from_secs(3600);
    BreakerConfig { failures: 1, wait, longest_wait: wait, successes: 1 }
}

#[tokio::test]
async fn a_silent_server_is_ejected_and_readmitted_while_nobody_calls_it() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1"), directory.path().join("2"));
    let first = serve(&one);
    // It takes connections and says nothing.
    let silent = UnixListener::bind(&two).unwrap();
    let (interval, timeout) = (Duration::from_millis(10), Duration::from_millis(500));
    let health = Some(HealthCheck { interval, timeout, misses: 2 });
    let config = BalanceConfig { breaker: breaker(), health, ..BalanceConfig::default() };
    let (client, mut told) = observed(&[&one, &two], config);
    client.plugin_config().await.unwrap();
    assert_eq!(told.recv().await.unwrap(), "ejected 2");
    let silence: Vec<_> = client.status().iter().map(|replica| replica.silent).collect();
    assert_eq!(silence, [false, true]);
    for _ in 0..4 {
        client.invoke(&call("allow", json!({}))).await.unwrap();
    }
    assert_eq!(first.backend.seen().ends, [End::Result; 4]);

    drop(silent);
    std::fs::remove_file(&two).unwrap();
    let second = serve(&two);
    assert_eq!(told.recv().await.unwrap(), "readmitted 2");
    while second.backend.seen().ends.is_empty() {
        client.invoke(&call("allow", json!({}))).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_was_down_is_tried_as_soon_as_it_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1");
    let interval = Duration::from_millis(10);
    let health = Some(HealthCheck { interval, timeout: Duration::from_secs(60), misses: 1 });
    let config = BalanceConfig { breaker: breaker(), health, ..BalanceConfig::default() };
    let (client, mut told) = observed(&[&path], config);
    client.invoke(&call("allow", json!({}))).await.unwrap_err();
    let mut first = [told.recv().await.unwrap(), told.recv().await.unwrap()];
    first.sort();
    assert_eq!(first, ["ejected 1", "opened 1"]);
    let left_alone = client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert!(
        matches!(&left_alone, BalanceError::Open(all) if all.len() == 1),
        "for an hour, says the breaker: {left_alone}"
    );
    let _back = serve(&path);
    assert_eq!(told.recv().await.unwrap(), "readmitted 1");
    client.invoke(&call("allow", json!({}))).await.unwrap();
    assert_eq!(
        (told.recv().await.unwrap(), told.recv().await.unwrap()),
        ("tried 1".into(), "closed 1".into())
    );
}

#[tokio::test]
async fn a_call_of_an_idempotent_plugin_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1"), directory.path().join("2"));
    let (first, second) = (serve(&one), serve(&two));
    let repeat = Some(Repeat { retries: 1, wait: Duration::from_millis(1), hedge_after: None });
    let (client, mut told) =
        observed(&[&one, &two], BalanceConfig { breaker: breaker(), repeat, ..BalanceConfig::default() });
    let slow = call("sleep", json!({"seconds": 0.2}));
    let killed = async {
        first.backend.wait_for(|seen| seen.running == 1).await;
        first.serving.abort();
    };
    let (ended, ()) = tokio::join!(client.invoke(&slow), killed);
    ended.unwrap();
    assert_eq!(
        (told.recv().await.unwrap(), told.recv().await.unwrap()),
        ("opened 1".into(), "retried 2".into())
    );
    assert_eq!(second.backend.seen().ends, [End::Result]);
}

#[tokio::test]
async fn a_slow_call_of_an_idempotent_plugin_is_hedged_and_the_slower_one_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1"), directory.path().join("2"));
    let (stuck, second) = (serve_stuck(&one), serve(&two));
    let hedge_after = Some(Duration::from_millis(20));
    let repeat = Some(Repeat { retries: 0, hedge_after, ..Repeat::default() });
    let (client, mut told) =
        observed(&[&one, &two], BalanceConfig { breaker: breaker(), repeat, ..BalanceConfig::default() });
    client.invoke(&call("allow", json!({}))).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), "hedged 2");
    assert_eq!(second.backend.seen().ends, [End::Result]);
    stuck.running.subscribe().wait_for(|running| *running == 0).await.unwrap();
    assert!(client.status().iter().all(|known| (known.state, known.outstanding) == (State::Closed, 0)));
}

#[tokio::test]
async fn the_deadline_holds_for_all_tries_and_counts_against_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1"), directory.path().join("2"));
    let (stuck, spare) = (serve_stuck(&one), serve(&two));
    let deadline = Some(Duration::from_millis(300));
    let repeat = Some(Repeat { retries: 5, ..Repeat::default() });
    let (client, _told) =
        observed(&[&one], BalanceConfig { breaker: breaker(), repeat, deadline, ..BalanceConfig::default() });
    let late = client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert!(matches!(late, BalanceError::Remote { error: RemoteError::TimedOut(_), .. }), "{late}");
    assert_eq!(
        (late.to_string(), late.delivery()),
        (format!("{}: request timed out after 0.3s", one.display()), Delivery::Unknown)
    );
    assert!(matches!(client.status()[0].state, State::Open { .. }));
    stuck.running.subscribe().wait_for(|running| *running == 0).await.unwrap();

    // Nothing is repeated that is not said to be idempotent, however many servers there are.
    let (client, mut told) =
        observed(&[&one, &two], BalanceConfig { breaker: breaker(), deadline, ..BalanceConfig::default() });
    client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert_eq!((told.recv().await.unwrap(), told.try_recv().ok()), ("opened 1".into(), None));
    assert_eq!(spare.backend.seen().ends, []);
}

#[tokio::test]
async fn a_server_that_hangs_is_left_alone_once_callers_have_lost_patience() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1");
    let stuck = serve_stuck(&path);
    let (client, mut told) =
        observed(&[&path], BalanceConfig { breaker: breaker(), ..BalanceConfig::default() });
    let give_up = async |patience| {
        let call = Call { patience, ..call("allow", json!({})) };
        let running = stuck.running.subscribe();
        let asked = tokio::time::timeout(Duration::from_millis(100), client.invoke(&call)).await;
        assert!(asked.is_err(), "nobody answers");
        let mut running = running;
        running.wait_for(|running| *running == 0).await.unwrap();
    };
    // Somebody went away, early or at a time of their own.
    give_up(Some(Duration::from_secs(60))).await;
    give_up(None).await;
    assert_eq!(client.status()[0].state, State::Closed);
    give_up(Some(Duration::from_millis(100))).await;
    assert_eq!((told.recv().await.unwrap(), told.try_recv().ok()), ("opened 1".into(), None));
}

/// Rejects every call, and counts them.
async fn serve_rejection(path: &Path) -> Arc<watch::Sender<usize>> {
    let (listener, served) = (UnixListener::bind(path).unwrap(), Arc::new(watch::Sender::new(0)));
    let counted = served.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counted = counted.clone();
            let answer = service_fn(move |_| {
                counted.send_modify(|served| *served += 1);
                let refused = Response::builder().status(413).body(String::new());
                async { refused }
            });
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(serving);
        }
    });
    served
}

/// Else who may send calls could have a guard left alone, for everybody.
#[tokio::test]
async fn calls_that_a_server_rejects_say_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1");
    let served = serve_rejection(&path).await;
    let http = Http { socket: Some(path), ..Http::new("http://localhost/mcp") };
    let endpoint = RemoteConfig::Mcp(mcp::ClientConfig::new(mcp::Endpoint::Http(http)));
    let client = Balanced::new(words::NAME, vec![endpoint], breaker());
    for n in 1..4 {
        let rejected = client.invoke(&call("allow", json!({}))).await.unwrap_err();
        assert!(
            matches!(rejected, BalanceError::Remote { error: RemoteError::Rejected { .. }, .. }),
            "{rejected}"
        );
        assert_eq!((rejected.code(), client.status()[0].state), ("REFUSED", State::Closed));
        assert_eq!(*served.borrow(), n);
    }
}

/// With the settings that nobody changes: a server that is not there is waited for only if no other is.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_costs_no_wait_if_another_is() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1"), directory.path().join("2"));
    let endpoint = |path: &Path| RemoteConfig::Unix(ClientConfig::new(path));
    let _second = serve(&two);
    let client = Balanced::new(words::NAME, vec![endpoint(&one), endpoint(&two)], BreakerConfig::default());
    let began = tokio::time::Instant::now();
    for _ in 0..6 {
        client.invoke(&call("allow", json!({}))).await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "of a clock that moves only while all wait for it");

    let alone = Balanced::new(words::NAME, vec![endpoint(&one)], BreakerConfig::default());
    for _ in 0..3 {
        let began = tokio::time::Instant::now();
        let error = alone.invoke(&call("allow", json!({}))).await.unwrap_err();
        assert!(
            matches!(&error, BalanceError::Remote { error: RemoteError::Reconnect { attempts: 4, .. }, .. }),
            "{error}"
        );
        assert!(began.elapsed() > Duration::ZERO);
        // Each is one failure, however often it was tried.
        assert_eq!(alone.status()[0].state, State::Closed);
    }
    let _back = serve(&one);
    alone.invoke(&call("allow", json!({}))).await.unwrap();
}

/// A listener whose queue is full answers nothing to who wants to connect.
#[tokio::test]
async fn calls_do_not_wait_one_after_the_other_for_a_server_that_takes_no_connection() {
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let deaf = deaf.listen(0).unwrap();
    let _in_the_queue = tokio::net::TcpStream::connect(deaf.local_addr().unwrap()).await.unwrap();
    let target = mcp::Target::Tcp("127.0.0.1:0".to_owned());
    let server = mcp::Server::bind(mcp::ServerConfig::new(target)).await.unwrap();
    let addresses = [deaf.local_addr().unwrap(), server.local_addr().unwrap()];
    tokio::spawn(server.serve(Arc::new(Probe), pending()));
    let endpoint = |address| {
        let mut http = Http::new(format!("http://{address}/mcp"));
        http.connections.connect = Duration::from_secs(1);
        let timeout = Duration::from_secs(8);
        let config = mcp::ClientConfig::new(mcp::Endpoint::Http(http));
        RemoteConfig::Mcp(mcp::ClientConfig { timeout, ..config })
    };
    // Only how long the calls wait is of interest, not that the server is left alone at last.
    let breaker = BreakerConfig { failures: 100, ..BreakerConfig::default() };
    let client = Balanced::new(words::NAME, addresses.map(endpoint).to_vec(), breaker);
    let calls: Vec<_> = (0..40).map(|_| call("allow", json!({}))).collect();
    for ended in futures_util::future::join_all(calls.iter().map(|call| client.invoke(call))).await {
        ended.unwrap();
    }
}
