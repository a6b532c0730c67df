//! Extensions go to peers that understand them, and to no other.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/probe_server/probe.rs"]
mod probe;
#[allow(dead_code, reason = "no call here fails")]
mod words;

use std::env;
use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use cpex_remote::mcp::{Endpoint, Http, Launch, Program};
use cpex_remote::{Call, Json, Remote, RemoteConfig, grpc, mcp, unix};
use probe::Probe;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use words::{call, result};

fn with_extensions(extensions: &Value) -> Call {
    let extensions = Some(Json::new(format!("{extensions:#}")).unwrap());
    Call { extensions, ..call("extensions", json!({})) }
}

/// A server of each kind, and how to reach it.
async fn servers(directory: &Path) -> Vec<RemoteConfig> {
    let loopback = || grpc::Target::Tcp("127.0.0.1:0".to_owned());
    let socket = unix::Server::bind(unix::ServerConfig::new(directory.join("s"))).unwrap();
    let grpc = grpc::Server::bind(grpc::ServerConfig::new(loopback())).await.unwrap();
    let mcp = mcp::Server::bind(mcp::ServerConfig::new(loopback())).await.unwrap();
    let (grpc_at, mcp_at) = (grpc.local_addr().unwrap(), mcp.local_addr().unwrap());
    tokio::spawn(socket.serve(Arc::new(Probe), pending()));
    tokio::spawn(grpc.serve(Arc::new(Probe), pending()));
    tokio::spawn(mcp.serve(Arc::new(Probe), pending()));
    let binary = env::current_exe().unwrap().parent().unwrap().join("../examples/probe_server");
    let child = Program::new(Launch::Command(vec![binary.display().to_string(), "stdio".to_owned()]));
    vec![
        RemoteConfig::Unix(unix::ClientConfig::new(directory.join("s"))),
        RemoteConfig::Grpc(grpc::ClientConfig::new(grpc::Target::Tcp(grpc_at.to_string()))),
        RemoteConfig::Mcp(mcp::ClientConfig::new(Endpoint::Http(Http::new(format!("http://{mcp_at}/mcp"))))),
        RemoteConfig::Mcp(mcp::ClientConfig::new(Endpoint::Stdio(child))),
    ]
}

#[tokio::test]
async fn they_go_there_and_back_over_every_transport() {
    let directory = tempfile::tempdir().unwrap();
    for config in servers(directory.path()).await {
        let target = config.target();
        let client = Remote::connect(words::NAME, config).await.unwrap();
        let sent = json!({"security": {"labels": ["pii"]}, "custom": {"n": u64::MAX, "f": 5.0, "ü": "a\nb"}});
        let reply = client.invoke(&with_extensions(&sent)).await.unwrap();
        assert_eq!(result(&reply)["modified_extensions"], sent, "{target}");
        let none = client.invoke(&call("extensions", json!({}))).await.unwrap();
        assert_eq!(result(&none)["modified_extensions"], Value::Null, "{target}");
        let list = client.invoke(&with_extensions(&json!([]))).await.unwrap_err();
        assert!(list.to_string().starts_with("cannot send the call: "), "{target}: {list}");
        client.close().await;
    }
}

/// A request as it came, and its body.
async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return body.to_owned();
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
    }
}

/// A server with these capabilities, whoever asks: the bodies of the first four requests that came.
async fn recorded(capabilities: &'static str) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let initialized = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"protocolVersion":"2025-11-25","capabilities":{capabilities}}}}}"#
    );
    let pong = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#.to_owned();
    let allowed = r#"{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"{\"plugin_name\":\"P\",\"result\":{}}"}]}}"#;
    let answers = [initialized, String::new(), pong, allowed.to_owned()];
    let serving = tokio::spawn(async move {
        let mut bodies = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            bodies.push(request(&mut stream).await);
            let status = if answer.is_empty() { "202 Accepted" } else { "200 OK" };
            let head = "connection: close\r\ncontent-type: application/json\r\ncontent-length";
            let length = answer.len();
            let answer = format!("HTTP/1.1 {status}\r\n{head}: {length}\r\n\r\n{answer}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        bodies
    });
    (address, serving)
}

#[tokio::test]
async fn an_older_server_is_sent_the_older_messages_over_mcp() {
    // W5, W8: what a published server is sent, byte for byte.
    let older = r#"{"tools":{"listChanged":false},"experimental":{}}"#;
    let stranger = r#"{"experimental":{"cpex":["extensions"],"other":{"features":["extensions"]}}}"#;
    let ours = r#"{"experimental":{"cpex":{"features":["later","extensions"]}}}"#;
    for (capabilities, extra) in
        [(older, ""), (stranger, ""), ("null", ""), (ours, r#","extensions":{"security":1}"#)]
    {
        let (address, serving) = recorded(capabilities).await;
        let config = mcp::ClientConfig::new(Endpoint::Http(Http::new(format!("http://{address}/mcp"))));
        let client = mcp::Client::connect("P", config).await.unwrap();
        let json = |text: &str| Json::new(text).unwrap();
        let call = Call::new("tool_pre_invoke", "P", json(r#"{"name":"t"}"#), json(r#"{"state":{}}"#));
        client.invoke(&Call { extensions: Some(json(r#"{"security":1}"#)), ..call }).await.unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let sent = [
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"cpex","version":"{version}"}}}}}}"#
            ),
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
            r#"{"jsonrpc":"2.0","id":2,"method":"ping","params":{}}"#.to_owned(),
            format!(
                r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"invoke_hook","arguments":{{"hook_type":"tool_pre_invoke","plugin_name":"P","payload":{{"name":"t"}},"context":{{"state":{{}}}}{extra}}}}}}}"#
            ),
        ];
        assert_eq!(serving.await.unwrap(), sent, "{capabilities}");
    }
}
