//! Connections that are kept for the next call, and what becomes of all when one of them turns out to be dead.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/probe_server/probe.rs"]
mod probe;
#[allow(dead_code, reason = "nobody looks at answers here")]
mod words;

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cpex_remote::mcp::{Client, ClientConfig, Endpoint, Http, Server, ServerConfig, Target};
use futures_util::future::join_all;
use probe::Probe;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use words::{NAME, call};

/// Connections that are kept when they die.
const KEPT: usize = 40;

/// What becomes of a connection that is dead.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// Nothing comes back any more.
    Silence,
    /// It is closed by the next request.
    Reset,
}

/// What lies between a client and a server, as a load balancer does that forgets connections.
#[derive(Debug)]
struct Between {
    address: SocketAddr,
    made: AtomicUsize,
    /// So many of those that were made first are dead.
    dead: AtomicUsize,
    death: Death,
}

impl Between {
    async fn start(server: SocketAddr, death: Death) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let between = Arc::new(Self { address, made: AtomicUsize::new(0), dead: AtomicUsize::new(0), death });
        let here = between.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let number = here.made.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(here.clone().carry(number, client, TcpStream::connect(server).await.unwrap()));
            }
        });
        between
    }

    async fn carry(self: Arc<Self>, number: usize, mut client: TcpStream, mut server: TcpStream) {
        let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let Ok(size @ 1..) = read else { return };
                    match self.death {
                        _ if number >= self.dead.load(Ordering::SeqCst) => server.write_all(&asked[..size]).await.unwrap(),
                        Death::Silence => pending().await,
                        Death::Reset => return,
                    }
                }
                read = server.read(&mut answered) => {
                    let Ok(size @ 1..) = read else { return };
                    client.write_all(&answered[..size]).await.unwrap();
                }
            }
        }
    }

    /// All connections that there are die.
    fn kill(&self) {
        self.dead.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// A client that keeps so many connections, through that to a server.
async fn connected(death: Death, timeout: Duration) -> (Client, Arc<Between>) {
    let server = Server::bind(ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned()))).await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(server.serve(Arc::new(Probe), pending()));
    let between = Between::start(address, death).await;
    let http = Http::new(format!("http://{}/mcp", between.address));
    let config = ClientConfig { timeout, ..ClientConfig::new(Endpoint::Http(http)) };
    let client = Client::connect(NAME, config).await.unwrap();
    while between.made.load(Ordering::SeqCst) < KEPT {
        let slow = call("sleep", json!({"seconds": 0.05}));
        join_all((0..KEPT).map(|_| client.invoke(&slow))).await;
    }
    (client, between)
}

/// Calls until one has a reply: how many had none.
async fn lost(client: &Client) -> usize {
    let mut lost = 0;
    while client.invoke(&call("allow", json!({}))).await.is_err() {
        lost += 1;
        assert!(lost <= KEPT, "no connection is made anew");
    }
    lost
}

#[tokio::test]
async fn connections_that_went_silent_cost_a_few_calls_and_not_one_each() {
    let (client, between) = connected(Death::Silence, Duration::from_millis(300)).await;
    between.kill();
    let lost = lost(&client).await;
    assert!((1..KEPT / 4).contains(&lost), "{lost} calls were lost");
}

#[tokio::test]
async fn connections_that_are_reset_cost_one_call_in_all() {
    let (client, between) = connected(Death::Reset, Duration::from_secs(30)).await;
    between.kill();
    assert_eq!(lost(&client).await, 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_costs_its_own_connection() {
    let (client, between) = connected(Death::Silence, Duration::from_secs(30)).await;
    let kept = between.made.load(Ordering::SeqCst);
    let slow = call("sleep", json!({"seconds": 60}));
    assert!(tokio::time::timeout(Duration::from_millis(100), client.invoke(&slow)).await.is_err());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let slow = call("sleep", json!({"seconds": 0.05}));
    join_all((0..kept).map(|_| client.invoke(&slow))).await;
    let anew = between.made.load(Ordering::SeqCst) - kept;
    assert!(anew < KEPT / 4, "{anew} connections were made again");
}
