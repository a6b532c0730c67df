//! A name that stands for several addresses is several servers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/probe_server/probe.rs"]
mod probe;
#[allow(dead_code, reason = "no call here fails")]
mod words;
#[allow(dead_code, reason = "nobody looks at connections here")]
mod world;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cpex_remote::balance::{BalanceConfig, BalanceEvent, Balanced, Lookup, Observer, Resolver, State};
use cpex_remote::mcp::{Access, Endpoint, Http, Target};
use cpex_remote::{End, RemoteConfig, grpc, mcp};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use words::{call, value};
use world::Witness;

const NAME: &str = "guards.internal";
const HOUR: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Grpc,
    Mcp,
}

struct Server {
    witness: Arc<Witness>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    port: u16,
}

impl Server {
    async fn start(kind: Kind, at: IpAddr, port: u16) -> Self {
        let (witness, target) =
            (Arc::new(Witness::default()), Target::Tcp(SocketAddr::new(at, port).to_string()));
        let (stop, stopped) = oneshot::channel::<()>();
        let (backend, stopped) = (witness.clone(), async { stopped.await.unwrap_or(()) });
        let (address, serving) = match kind {
            Kind::Grpc => {
                let server = grpc::Server::bind(grpc::ServerConfig::new(target)).await.unwrap();
                (server.local_addr(), tokio::spawn(server.serve(backend, stopped)))
            }
            Kind::Mcp => {
                let access = Access { hosts: vec![NAME.to_owned()], ..Access::default() };
                let config = mcp::ServerConfig { access, ..mcp::ServerConfig::new(target) };
                let server = mcp::Server::bind(config).await.unwrap();
                (server.local_addr(), tokio::spawn(server.serve(backend, stopped)))
            }
        };
        Self { witness, stop, serving, port: address.unwrap().port() }
    }

    fn calls(&self) -> usize {
        self.witness.seen().ends.len()
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
    }
}

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Servers at these addresses of this machine, all at one port.
async fn start<const N: usize>(kind: Kind, at: [u8; N]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for last in at {
        let port = servers.first().map_or(0, |first| first.port);
        servers.push(Server::start(kind, loopback(last), port).await);
    }
    servers
}

/// What the name stands for; an error if that is empty.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<IpAddr>>>);

impl Answers {
    fn new(addresses: &[IpAddr]) -> Self {
        Self(Arc::new(Mutex::new(addresses.to_vec())))
    }

    fn are(&self, addresses: &[IpAddr]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }

    fn resolver(&self) -> Resolver {
        let answers = self.clone();
        Resolver::new(move |name| {
            let (host, port) = name.rsplit_once(':').unwrap();
            let (port, addresses) = (port.parse().unwrap(), answers.0.lock().unwrap().clone());
            assert_eq!(host, NAME);
            async move {
                match addresses.is_empty() {
                    true => Err(io::Error::other("there is no such name")),
                    false => {
                        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
                    }
                }
            }
        })
    }
}

fn endpoint(kind: Kind, name: &str, port: u16) -> RemoteConfig {
    match kind {
        Kind::Grpc => {
            let target = Target::Tcp(format!("{name}:{port}"));
            RemoteConfig::Grpc(grpc::ClientConfig {
                reconnect_attempts: 0,
                ..grpc::ClientConfig::new(target)
            })
        }
        Kind::Mcp => {
            let endpoint = Endpoint::Http(Http::new(format!("http://{name}:{port}/mcp")));
            RemoteConfig::Mcp(mcp::ClientConfig { reconnect_attempts: 0, ..mcp::ClientConfig::new(endpoint) })
        }
    }
}

/// A client of the name, and what it tells.
fn client(
    kind: Kind,
    port: u16,
    answers: &Answers,
    interval: Duration,
) -> (Balanced, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let observer = Observer::new(move |event| {
        let (what, target) = match event {
            BalanceEvent::Joined { target } => ("joined", target),
            BalanceEvent::Left { target } => ("left", target),
            _ => return,
        };
        let (_, address) = target.split_once('(').unwrap();
        // The test may be over.
        let _ = tell.send(format!("{what} {}", address.trim_end_matches(')')));
    });
    let lookup = Lookup { resolver: answers.resolver(), interval };
    let config = BalanceConfig { lookup, observer: Some(observer), ..BalanceConfig::default() };
    (Balanced::with(words::NAME, vec![endpoint(kind, NAME, port)], config), told)
}

async fn call_times(client: &Balanced, times: usize) {
    for _ in 0..times {
        client.invoke(&call("allow", json!({}))).await.unwrap();
    }
}

#[tokio::test]
async fn every_address_is_a_server_that_joins_and_leaves() {
    for kind in [Kind::Grpc, Kind::Mcp] {
        let mut servers = start(kind, [1, 2, 3]).await;
        let answers = Answers::new(&[loopback(1), loopback(2)]);
        let (client, mut told) = client(kind, servers[0].port, &answers, SOON);
        let config = client.plugin_config().await.unwrap().unwrap();
        assert_eq!(value(&config)["name"], words::NAME);
        call_times(&client, 6).await;
        assert_eq!([0, 1, 2].map(|n| servers[n].calls()), [3, 3, 0], "{kind:?}");
        assert_eq!(told.recv().await.unwrap(), "joined 127.0.0.1");
        assert_eq!(told.recv().await.unwrap(), "joined 127.0.0.2");

        answers.are(&[loopback(2), loopback(3)]);
        assert_eq!(told.recv().await.unwrap(), "joined 127.0.0.3");
        assert_eq!(told.recv().await.unwrap(), "left 127.0.0.1");
        call_times(&client, 6).await;
        assert_eq!([0, 1, 2].map(|n| servers[n].calls()), [3, 6, 3], "{kind:?}");

        // One of them is down: the others have its calls, and each is judged by itself.
        servers.remove(1).end().await;
        call_times(&client, 12).await;
        assert_eq!([0, 1].map(|n| servers[n].calls()), [3, 15], "{kind:?}");
        let closed: Vec<_> = client.status().iter().map(|server| server.state == State::Closed).collect();
        assert_eq!(closed, [false, true], "{kind:?}");

        // Whatever is wrong with the resolver, what is known stays known.
        answers.are(&[]);
        tokio::time::sleep(10 * SOON).await;
        call_times(&client, 1).await;
        assert_eq!(told.try_recv().ok(), None);
    }
}

#[tokio::test]
async fn a_call_of_a_server_that_leaves_ends_as_it_would_have() {
    let servers = start(Kind::Grpc, [1, 2]).await;
    let answers = Answers::new(&[loopback(1)]);
    let (client, mut told) = client(Kind::Grpc, servers[0].port, &answers, SOON);
    let slow = call("sleep", json!({"seconds": 0.5}));
    let moves = async {
        servers[0].witness.wait_for(|seen| seen.running == 1).await;
        answers.are(&[loopback(2)]);
        while told.recv().await.unwrap() != "left 127.0.0.1" {}
    };
    let (ended, ()) = tokio::join!(client.invoke(&slow), moves);
    ended.unwrap();
    assert_eq!(servers[0].witness.seen().ends, [End::Result]);
    assert_eq!(client.status().len(), 1);
}

#[tokio::test]
async fn a_call_that_reaches_nobody_looks_where_the_servers_are_now() {
    for kind in [Kind::Grpc, Kind::Mcp] {
        let mut servers = start(kind, [1, 2]).await;
        let answers = Answers::new(&[loopback(1)]);
        let (client, _told) = client(kind, servers[0].port, &answers, HOUR);
        call_times(&client, 1).await;
        answers.are(&[loopback(2)]);
        call_times(&client, 1).await;
        assert_eq!([0, 1].map(|n| servers[n].calls()), [2, 0], "{kind:?}: for an hour nobody looks");
        servers.remove(0).end().await;
        call_times(&client, 1).await;
        assert_eq!(servers[0].calls(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn addresses_of_two_families_are_the_same_servers() {
    let servers = start(Kind::Grpc, [1]).await;
    let answers = Answers::new(&[Ipv6Addr::LOCALHOST.into(), loopback(1)]);
    let (client, _told) = client(Kind::Grpc, servers[0].port, &answers, HOUR);
    call_times(&client, 2).await;
    let targets: Vec<_> = client.status().into_iter().map(|server| server.target).collect();
    assert_eq!(targets, [format!("{NAME}:{} (127.0.0.1)", servers[0].port)], "nobody is at the other");
}

#[tokio::test]
async fn a_name_that_is_not_found_is_told_and_looked_up_again() {
    let servers = start(Kind::Grpc, [1]).await;
    let answers = Answers::default();
    let (client, _told) = client(Kind::Grpc, servers[0].port, &answers, HOUR);
    let error = client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert!(error.to_string().contains(NAME), "{error}");
    assert_eq!(error.code(), "NOT_CONNECTED");
    answers.are(&[loopback(1)]);
    call_times(&client, 1).await;
}

#[tokio::test]
async fn the_system_knows_names_as_well() {
    for kind in [Kind::Grpc, Kind::Mcp] {
        let server = Server::start(kind, loopback(1), 0).await;
        let endpoint = endpoint(kind, "localhost", server.port);
        let client = Balanced::with(words::NAME, vec![endpoint], BalanceConfig::default());
        call_times(&client, 2).await;
        assert!(client.status()[0].target.ends_with(" (127.0.0.1)"), "{:?}", client.status());
    }
}
