//! Calls a second at 64 at a time, and the round trip of one at a time, over every transport and over bare HTTP.
//!
//! Both ends run in this process. The backend allows; what is measured is the way there and back.
//! `cargo bench -p cpex-remote --all-features --profile fast` is quick to build.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "../tests/words/mod.rs"]
#[allow(dead_code, reason = "no call here fails")]
mod words;

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cpex_remote::{Backend, Call, Failure, Json, Outcome, Remote, Reply, grpc, mcp, unix};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

const WARM_UP: usize = 500;
const ALONE: usize = 2000;
const TOGETHER: usize = 20_000;
const AT_A_TIME: usize = 64;

/// Allows at once.
struct Allow(Json);

impl Backend for Allow {
    async fn configs(&self) -> Result<Vec<Json>, Failure> {
        Ok(Vec::new())
    }

    async fn config(&self, _: &str) -> Result<Option<Json>, Failure> {
        Ok(None)
    }

    async fn invoke(&self, call: Call) -> Result<Reply, Failure> {
        let outcome = Outcome::Result(self.0.clone());
        Ok(Reply { plugin: call.plugin, outcome, context: Some(call.context) })
    }
}

async fn measure<F: Future<Output = ()> + Send + 'static>(
    name: &str,
    once: impl Fn() -> F + Clone + Send + Sync + 'static,
) {
    for _ in 0..WARM_UP {
        once().await;
    }
    let mut took = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let began = Instant::now();
        once().await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let left = Arc::new(AtomicUsize::new(TOGETHER));
    let began = Instant::now();
    let workers: Vec<_> = (0..AT_A_TIME)
        .map(|_| {
            let (left, once) = (left.clone(), once.clone());
            tokio::spawn(async move {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    once().await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let rate = TOGETHER as f64 / began.elapsed().as_secs_f64();
    let (median, late) = (took[ALONE / 2], took[ALONE * 99 / 100]);
    println!("{name:<24} {rate:>9.0}/s   p50 {:>7.1} µs   p99 {:>7.1} µs", micros(median), micros(late));
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

async fn measure_remote(name: &str, remote: Remote) {
    let remote = Arc::new(remote);
    let call = Arc::new(words::call("allow", json!({"text": "hi", "n": 3})));
    measure(name, move || {
        let (remote, call) = (remote.clone(), call.clone());
        async move {
            remote.invoke(&call).await.unwrap();
        }
    })
    .await;
}

/// Bare HTTP/1.1: what comes in goes out.
async fn measure_echo() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let echo = service_fn(|request: Request<Incoming>| async {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(Response::new(Full::new(body)))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), echo),
            );
        }
    });
    let idle = Arc::new(std::sync::Mutex::new(Vec::new()));
    let call = words::call("allow", json!({"text": "hi", "n": 3}));
    let body = Bytes::from(format!("{}{}", call.payload.as_str(), call.context.as_str()));
    measure("bare HTTP/1.1 echo", move || {
        let (idle, body) = (idle.clone(), body.clone());
        async move {
            let kept = idle.lock().unwrap().pop();
            let mut sender = match kept {
                Some(sender) => sender,
                None => {
                    let stream = TcpStream::connect(address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let (sender, connection) =
                        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
                    tokio::spawn(connection);
                    sender
                }
            };
            sender.ready().await.unwrap();
            let request = Request::post("/").body(Full::new(body)).unwrap();
            sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
            idle.lock().unwrap().push(sender);
        }
    })
    .await;
}

async fn run() {
    let allowed = json!({
        "continue_processing": true, "modified_payload": null, "modified_extensions": null, "violation": null,
        "metadata": {}, "denial_metadata": null, "http_headers": null, "retry_delay_ms": 0, "executions": [],
    });
    let backend = Arc::new(Allow(Json::new(allowed.to_string()).unwrap()));
    let directory = tempfile::tempdir().unwrap();
    let socket = |name: &str| directory.path().join(name);

    measure_echo().await;

    let server = unix::Server::bind(unix::ServerConfig::new(socket("unix"))).unwrap();
    tokio::spawn(server.serve(backend.clone(), pending()));
    let config = unix::ClientConfig { connections: AT_A_TIME, ..unix::ClientConfig::new(socket("unix")) };
    measure_remote("Unix socket", Remote::Unix(unix::Client::connect(words::NAME, config).await.unwrap()))
        .await;

    let target = grpc::Target::Tcp("127.0.0.1:0".to_owned());
    let server = grpc::Server::bind(grpc::ServerConfig::new(target)).await.unwrap();
    let target = grpc::Target::Tcp(server.local_addr().unwrap().to_string());
    tokio::spawn(server.serve(backend.clone(), pending()));
    let client = grpc::Client::connect(words::NAME, grpc::ClientConfig::new(target)).await.unwrap();
    measure_remote("gRPC", Remote::Grpc(Box::new(client))).await;

    let server =
        mcp::Server::bind(mcp::ServerConfig::new(mcp::Target::Tcp("127.0.0.1:0".to_owned()))).await.unwrap();
    let http = mcp::Http::new(format!("http://{}/mcp", server.local_addr().unwrap()));
    tokio::spawn(server.serve(backend.clone(), pending()));
    measure_mcp("MCP over HTTP", http).await;

    let server = mcp::Server::bind(mcp::ServerConfig::new(mcp::Target::Unix(socket("mcp")))).await.unwrap();
    let http = mcp::Http { socket: Some(socket("mcp")), ..mcp::Http::new("http://localhost/mcp") };
    tokio::spawn(server.serve(backend, pending()));
    measure_mcp("MCP over a Unix socket", http).await;
}

async fn measure_mcp(name: &str, http: mcp::Http) {
    let config = mcp::ClientConfig::new(mcp::Endpoint::Http(http));
    let client = mcp::Client::connect(words::NAME, config).await.unwrap();
    measure_remote(name, Remote::Mcp(Box::new(client))).await;
}

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(run());
}
