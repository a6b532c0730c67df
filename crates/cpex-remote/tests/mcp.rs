//! A client and a server of ours over MCP.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod certificates;
#[path = "../examples/probe_server/probe.rs"]
mod probe;
mod side_by_side;
mod words;
mod world;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use certificates::Authority;
use cpex_remote::mcp::{
    Access, Client, ClientConfig, Endpoint, Http, Launch, MAX_MESSAGE, Program, Server, ServerConfig,
    Sessions, StartError, Target,
};
use cpex_remote::tls::{ClientAuth, ClientTls, ServerTls};
use cpex_remote::{Call, Delivery, End, Json, Outcome, Refusal, Remote, RemoteError, Secret};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use words::{call, error, result, value};
use world::Witness;

struct World {
    address: Option<SocketAddr>,
    backend: Arc<Witness>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned()));
        change(&mut config);
        Self::serve(config).await
    }

    async fn serve(config: ServerConfig) -> Self {
        let server = Server::bind(config).await.unwrap();
        let address = server.local_addr();
        let backend = Arc::new(Witness::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = backend.clone();
        let serving =
            tokio::spawn(async move { server.serve(served, async { stopped.await.unwrap_or(()) }).await });
        Self { address, backend, stop: Some(stop), serving }
    }

    fn address(&self) -> SocketAddr {
        self.address.unwrap()
    }

    fn http(&self) -> Http {
        Http::new(format!("http://{}/mcp", self.address()))
    }

    fn config(&self) -> ClientConfig {
        quick(self.http())
    }

    async fn client(&self) -> Client {
        Client::connect(words::NAME, self.config()).await.unwrap()
    }

    /// The server has stopped.
    async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.serving).await.unwrap();
    }

    /// Sends these bytes; what comes back until the server closes the connection.
    async fn converse(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        // A server may answer and close before it has read all.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Posts a message; status and body.
    async fn post(&self, headers: &str, body: &str) -> (u16, String) {
        let length = body.len();
        self.ask(&format!(
            "POST /mcp HTTP/1.1\r\n{HOST}{USUAL}{headers}content-length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    async fn ask(&self, request: &str) -> (u16, String) {
        let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
        let answer = self.converse(request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (status.parse().unwrap(), body.to_owned())
    }

    /// Begins a session; its name.
    async fn session(&self) -> String {
        let body =
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
        let length = body.len();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nconnection: close\r\n{HOST}{USUAL}content-length: {length}\r\n\r\n{body}"
        );
        let answer = self.converse(request.as_bytes()).await;
        assert!(answer.contains(r#""protocolVersion":"2025-06-18""#), "W4: {answer}");
        let (_, rest) = answer.split_once("mcp-session-id: ").unwrap();
        rest.split_once("\r\n").unwrap().0.to_owned()
    }
}

const HOST: &str = "host: localhost\r\n";
const USUAL: &str = "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";

fn quick(http: Http) -> ClientConfig {
    let config = ClientConfig::new(Endpoint::Http(http));
    ClientConfig { reconnect_delay: Duration::from_millis(1), ..config }
}

/// The result in an event.
fn event(body: &str) -> Value {
    let data = body.strip_prefix("event: message\ndata: ").unwrap_or_else(|| panic!("W6: {body}"));
    serde_json::from_str(data.trim_end()).unwrap()
}

#[tokio::test]
async fn a_call_brings_a_reply() {
    let world = World::start().await;
    let client = world.client().await;
    assert_eq!(value(&client.plugin_config().await.unwrap().unwrap())["name"], words::NAME);
    // 2^64 + 1, and a float that is whole: as they were written.
    let payload = r#"{"name":"echo","args":{"n":18446744073709551617,
        "f":5.0,"ünï":"✓\r\n"}}"#;
    let exact = Call { payload: Json::new(payload).unwrap(), ..call("echo", json!({})) };
    client.invoke(&exact).await.unwrap();
    let args = json!({"n": u64::MAX, "f": 5.0, "text": "line\nline"});
    let reply = client.invoke(&call("echo", args.clone())).await.unwrap();
    assert_eq!(result(&reply)["modified_payload"]["args"], args);
    assert_eq!(value(reply.context.as_ref().unwrap())["global_context"]["content_type"], "ct");
    let denied = client.invoke(&call("deny", json!({}))).await.unwrap();
    assert_eq!(result(&denied)["continue_processing"], false);
    let failed = client.invoke(&call("error", json!({}))).await.unwrap();
    assert_eq!((&*error(&failed).code, value(&error(&failed).details)), ("PERR", json!({"k": 1})));
    let refused = client.invoke(&call("refuse", json!({}))).await.unwrap();
    assert_eq!((&*error(&refused).message, &*error(&refused).code), ("not now", "INTERNAL_ERROR"));
    let stranger = Client::connect("Nobody", world.config()).await.unwrap();
    assert!(stranger.plugin_config().await.unwrap().is_none(), "W7");
    client.close().await;
}

#[tokio::test]
async fn a_socket_is_its_owners_alone() {
    // W16
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut world = World::serve(ServerConfig::new(Target::Unix(path.clone()))).await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let http = Http { socket: Some(path.clone()), ..Http::new("http://localhost/mcp") };
    let client = Client::connect(words::NAME, quick(http)).await.unwrap();
    client.invoke(&call("allow", json!({}))).await.unwrap();
    let foreign = Http { socket: Some(path.clone()), ..Http::new("http://example.org/mcp") };
    let refused = Client::connect(words::NAME, quick(foreign)).await.unwrap_err().to_string();
    assert!(refused.contains("421") && refused.contains("Invalid Host header"), "W17: {refused}");
    world.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn calls_run_side_by_side() {
    let world = World::start().await;
    side_by_side::check(&Arc::new(Remote::Mcp(Box::new(world.client().await))), 500).await;
}

#[tokio::test]
async fn a_message_that_does_not_fit_is_an_error_on_either_side() {
    let world = World::start().await;
    let client = world.client().await;
    let refused = client.invoke(&call("echo", json!({"text": "x".repeat(MAX_MESSAGE)}))).await.unwrap_err();
    assert!(matches!(refused, RemoteError::TooLarge { limit: MAX_MESSAGE, .. }), "{refused}");
    assert_eq!(refused.delivery(), Delivery::NotDelivered);
    let most = json!({"text": "\"\\".repeat(MAX_MESSAGE / 32)});
    let echoed = client.invoke(&call("echo", most.clone())).await.unwrap();
    assert_eq!(result(&echoed)["modified_payload"]["args"], most);
    let grown =
        client.invoke(&call("triple", json!({"text": "x".repeat(MAX_MESSAGE * 2 / 5)}))).await.unwrap();
    assert!(error(&grown).message.ends_with("exceeds the limit of 16777216"), "{}", error(&grown).message);

    let world = World::start_with(|config| config.limits.message = 1024).await;
    let refused =
        world.client().await.invoke(&call("echo", json!({"text": "x".repeat(2000)}))).await.unwrap_err();
    assert!(refused.to_string().contains("a request of more than 1024 bytes is not taken"), "{refused}");
    assert_eq!(
        (world.backend.seen().refusals, refused.delivery()),
        (vec![Refusal::Size], Delivery::Answered)
    );
    let chunked = format!(
        "POST /mcp HTTP/1.1\r\n{HOST}{USUAL}transfer-encoding: chunked\r\n\r\n800\r\n{}",
        "x".repeat(0x800)
    );
    assert_eq!(world.ask(&chunked).await.0, 413);
}

#[tokio::test]
async fn a_call_given_up_is_given_up_on_the_server() {
    // W86
    let world = World::start().await;
    let client = world.client().await;
    let slow = call("sleep", json!({"seconds": 60}));
    tokio::select! {
        biased;
        ended = client.invoke(&slow) => panic!("{ended:?}"),
        () = world.backend.wait_for(|seen| seen.running == 1) => {}
    }
    world.backend.wait_for(|seen| seen.running == 0 && seen.ends == [End::Abandoned]).await;
    let hasty = ClientConfig { timeout: Duration::from_millis(300), ..world.config() };
    let late = Client::connect(words::NAME, hasty).await.unwrap().invoke(&slow).await.unwrap_err();
    assert_eq!(
        (late.to_string(), late.delivery()),
        ("request timed out after 0.3s".to_owned(), Delivery::Unknown)
    );
    world.backend.wait_for(|seen| seen.running == 0 && seen.ends.len() == 2).await;
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

/// A call as it is posted.
fn posted(id: &str, call: &Call) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "invoke_hook", "arguments": {
        "hook_type": call.hook, "plugin_name": call.plugin, "payload": value(&call.payload), "context": {},
    }}})
    .to_string()
}

#[tokio::test]
async fn a_notice_gives_a_call_up_and_nobody_elses() {
    // W86
    let world = World::start().await;
    let (mine, theirs) = (world.session().await, world.session().await);
    let slow = call("sleep", json!({"seconds": 60}));
    let body = posted("a", &slow);
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#;
    let (my_header, their_header) =
        (format!("mcp-session-id: {mine}\r\n"), format!("mcp-session-id: {theirs}\r\n"));
    let cancelling = async {
        world.backend.wait_for(|seen| seen.running == 1).await;
        assert_eq!(world.post(&their_header, notice).await.0, 202);
        let (_, again) = world.post(&my_header, &body).await;
        assert_eq!(event(&again)["error"]["code"], -32600, "an identifier is used once");
        assert_eq!((world.backend.seen().running, world.backend.seen().ends.len()), (1, 0));
        assert_eq!(world.post(&my_header, notice).await.0, 202);
    };
    let ((status, answer), ()) = tokio::join!(world.post(&my_header, &body), cancelling);
    assert_eq!((status, &event(&answer)["error"]["message"]), (200, &json!("Request cancelled")));
    assert_eq!(world.backend.seen().ends, [End::Abandoned]);
}

#[tokio::test]
async fn a_restarted_server_is_found_again_and_no_call_runs_twice() {
    let mut world = World::start().await;
    let client = Arc::new(world.client().await);
    let running = tokio::spawn({
        let client = client.clone();
        async move { client.invoke(&call("sleep", json!({"seconds": 0.3}))).await }
    });
    world.backend.wait_for(|seen| seen.running == 1).await;
    world.stop().await;
    assert!(matches!(running.await.unwrap().unwrap().outcome, Outcome::Result(_)), "it was let finish");
    let missing = client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert!(missing.to_string().contains(" after 4 attempts: "), "{missing}");
    assert_eq!(missing.delivery(), Delivery::NotDelivered);
    let address = Target::Tcp(world.address().to_string());
    let successor = World::serve(ServerConfig::new(address)).await;
    client.invoke(&call("allow", json!({}))).await.unwrap();
    assert_eq!(successor.backend.seen().ends, [End::Result]);
}

#[tokio::test]
async fn a_forgotten_session_is_begun_again() {
    let world = World::start_with(|config| {
        config.sessions = Sessions::Kept { most: 1, idle: Duration::from_secs(60) };
    })
    .await;
    let (one, other) = (world.client().await, world.client().await);
    for client in [&one, &other, &one, &other] {
        client.invoke(&call("allow", json!({}))).await.unwrap();
    }
    assert_eq!(world.backend.seen().ends, [End::Result; 4]);

    let stateless = World::start_with(|config| config.sessions = Sessions::None).await;
    stateless.client().await.invoke(&call("allow", json!({}))).await.unwrap();
    let (_, listed) = stateless.post("", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await;
    assert_eq!(event(&listed)["result"]["tools"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_session_with_a_call_under_way_is_not_forgotten() {
    let world = World::start_with(|config| {
        config.sessions = Sessions::Kept { most: 2, idle: Duration::from_secs(60) };
    })
    .await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let slow = call("sleep", json!({"seconds": 60}));
    let header = |session: &str| format!("mcp-session-id: {session}\r\n");
    let busy = header(&world.session().await);
    let idle = header(&world.session().await);
    let body = posted("7", &slow);
    let calling = world.post(&busy, &body);
    let others = async {
        world.backend.wait_for(|seen| seen.running == 1).await;
        assert_eq!(world.post(&idle, ping).await.0, 200, "it is the one that was used last");
        let second = header(&world.session().await);
        assert_eq!(world.post(&idle, ping).await.0, 404, "but it is idle");
        let body = posted("8", &slow);
        let calling = world.post(&second, &body);
        let last = async {
            world.backend.wait_for(|seen| seen.running == 2).await;
            let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
            let length = initialize.len();
            let head = format!("{HOST}{USUAL}connection: close\r\ncontent-length: {length}");
            let request = format!("POST /mcp HTTP/1.1\r\n{head}\r\n\r\n{initialize}");
            let refused = world.converse(request.as_bytes()).await;
            assert!(
                refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 1\r\n"),
                "{refused}"
            );
            assert_eq!(world.backend.seen().refusals, [Refusal::Sessions]);
            for (header, id) in [(&busy, "7"), (&second, "8")] {
                let notice = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
                assert_eq!(world.post(header, &notice.to_string()).await.0, 202);
            }
        };
        tokio::join!(calling, last).0.0
    };
    let ((status, _), second) = tokio::join!(calling, others);
    assert_eq!((status, second), (200, 200));
    world.session().await;
}

#[tokio::test]
async fn requests_that_are_not_right_are_told_so() {
    // W18
    let world = World::start().await;
    let session = format!("mcp-session-id: {}\r\n", world.session().await);
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let length = list.len();
    for (request, status, text) in [
        (
            format!(
                "POST /mcp HTTP/1.1\r\n{HOST}content-type: application/json\r\naccept: application/json\r\ncontent-length: {length}\r\n\r\n{list}"
            ),
            406,
            "Not Acceptable: Client must accept both",
        ),
        (
            format!("POST /mcp HTTP/1.1\r\n{HOST}accept: */*\r\ncontent-length: {length}\r\n\r\n{list}"),
            400,
            "Invalid Content-Type header",
        ),
        (format!("PUT /mcp HTTP/1.1\r\n{HOST}\r\n"), 405, "Method Not Allowed"),
        (format!("GET /mcp HTTP/1.1\r\n{HOST}accept: text/event-stream\r\n\r\n"), 405, "Method Not Allowed"),
        (format!("POST /mcp/ HTTP/1.1\r\n{HOST}\r\n"), 307, ""),
        (format!("GET /elsewhere HTTP/1.1\r\n{HOST}\r\n"), 404, "Not Found"),
        (format!("DELETE /mcp HTTP/1.1\r\n{HOST}mcp-session-id: 00\r\n\r\n"), 404, "Session not found"),
        ("GET /health HTTP/1.1\r\nhost: example.org\r\n\r\n".to_owned(), 421, "Invalid Host header"),
        (
            "GET /health HTTP/1.1\r\nhost: localhost\r\nhost: example.org\r\n\r\n".to_owned(),
            421,
            "Invalid Host header",
        ),
        (
            format!("GET /health HTTP/1.1\r\n{HOST}origin: https://example.org\r\n\r\n"),
            403,
            "Invalid Origin header",
        ),
        (format!("GET /health HTTP/1.1\r\n{HOST}origin: null\r\n\r\n"), 403, "Invalid Origin header"),
        (
            format!("GET /health HTTP/1.1\r\n{HOST}origin: http://localhost:3000\r\n\r\n"),
            200,
            r#"{"status":"healthy"}"#,
        ),
        (format!("GET /ready HTTP/1.1\r\n{HOST}\r\n"), 200, r#"{"status":"ready"}"#),
        (format!("GET /metrics/prometheus HTTP/1.1\r\n{HOST}\r\n"), 503, "Metrics collection is disabled"),
    ] {
        let (answered, body) = world.ask(&request).await;
        assert_eq!(answered, status, "{request} {body}");
        assert!(body.contains(text), "{request} {body}");
    }
    for (headers, body, status, text) in [
        ("", list, 400, "Bad Request: Missing session ID"),
        ("mcp-session-id: 00\r\n", list, 404, "Session not found"),
        ("mcp-protocol-version: 1999-01-01\r\n", list, 400, "Unsupported protocol version"),
        (&*session, "{", 400, "-32700"),
        (&session, "[]", 400, "-32600"),
        (&session, r#"{"id":{},"method":"ping"}"#, 400, "a string or a number is required"),
        (&session, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 202, ""),
        (&session, r#"{"jsonrpc":"2.0","id":9,"result":{}}"#, 202, ""),
        (&session, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 200, r#""result":{}"#),
        (&session, r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#, 200, "-32601"),
        (&session, r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, 200, "-32602"),
    ] {
        let (answered, answer) = world.post(headers, body).await;
        assert_eq!(answered, status, "{body} {answer}");
        assert!(answer.contains(text), "{body} {answer}");
    }
    for (name, arguments, text) in [
        ("zzz", json!({}), "Unknown tool: zzz"),
        (
            "get_plugin_config",
            json!({}),
            "Error executing tool get_plugin_config: name: a string is required",
        ),
        (
            "invoke_hook",
            json!({"hook_type": "h", "plugin_name": "p", "payload": [], "context": {}}),
            "Error executing tool invoke_hook: payload: an object is required",
        ),
        (
            "invoke_hook",
            json!(["h", "p", {}, {}]),
            "Error executing tool invoke_hook: arguments: an object that names each argument once is required",
        ),
    ] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}});
        let (_, answer) = world.post(&session, &body.to_string()).await;
        let said = &event(&answer)["result"];
        assert_eq!((&said["isError"], &said["content"][0]["text"]), (&json!(true), &json!(text)));
    }
    let (_, configs) = world
        .post(
            &session,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_plugin_configs"}}"#,
        )
        .await;
    assert_eq!(event(&configs)["result"]["structuredContent"]["result"][0]["name"], words::NAME, "W4");
    assert!(world.backend.seen().ends.is_empty(), "no plugin was asked");
}

#[tokio::test]
async fn only_those_who_know_the_token_are_answered() {
    let access = Access { token: Some(Secret::new("s3cret")), ..Access::default() };
    let world = World::start_with(|config| config.access = access.clone()).await;
    assert!(!format!("{access:?}").contains("s3cret"));
    let with = |token: Option<&str>| quick(Http { token: token.map(Secret::new), ..world.http() });
    for wrong in [None, Some("s3cre"), Some("s3cretly"), Some("")] {
        let refused = Client::connect(words::NAME, with(wrong)).await.unwrap_err();
        assert!(refused.to_string().contains("HTTP 401"), "{refused}");
        assert_eq!(refused.delivery(), Delivery::Answered);
    }
    let unsendable = Client::connect(words::NAME, with(Some("a\nb"))).await.unwrap_err();
    assert!(matches!(unsendable, RemoteError::Token), "{unsendable}");
    let client = Client::connect(words::NAME, with(Some("s3cret"))).await.unwrap();
    client.invoke(&call("allow", json!({}))).await.unwrap();
    assert_eq!(world.ask(&format!("GET /health HTTP/1.1\r\n{HOST}\r\n")).await.0, 200);
    assert_eq!(world.ask(&format!("GET /metrics HTTP/1.1\r\n{HOST}\r\n")).await.0, 401);
}

#[tokio::test]
async fn names_and_pages_that_are_listed_are_let_in() {
    // W17
    let world = World::start_with(|config| {
        config.access.hosts = vec!["plugins.example:8000".to_owned(), "plugins.internal".to_owned()];
        config.access.origins = vec!["https://app.example".to_owned()];
    })
    .await;
    for (host, origin, status) in [
        ("plugins.example:8000", None, 200),
        ("plugins.example:8001", None, 421),
        ("PLUGINS.internal:1", None, 200),
        ("[::1]:8000", None, 200),
        ("localhost", Some("https://app.example"), 200),
        ("localhost", Some("https://app.example.org"), 403),
    ] {
        let origin = origin.map(|origin| format!("origin: {origin}\r\n")).unwrap_or_default();
        let (answered, _) = world.ask(&format!("GET /health HTTP/1.1\r\nhost: {host}\r\n{origin}\r\n")).await;
        assert_eq!(answered, status, "{host} {origin}");
    }
}

#[tokio::test]
async fn peers_that_do_not_call_are_sent_away() {
    let world = World::start_with(|config| {
        config.limits.idle = Duration::from_millis(200);
        config.limits.handshake = Duration::from_millis(200);
        config.limits.transfer = Duration::from_millis(200);
    })
    .await;
    let slow_body = format!("POST /mcp HTTP/1.1\r\n{HOST}{USUAL}content-length: 1000\r\n\r\n{{");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for bytes in [
        &b""[..],
        b"GET",
        b"GET /health HTTP/1.1\r\nhost: ",
        slow_body.as_bytes(),
        b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        preface,
        &[0xff; 64],
    ] {
        world.converse(bytes).await;
    }
    let big_header = format!("GET /health HTTP/1.1\r\n{HOST}x: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!world.converse(big_header.as_bytes()).await.starts_with("HTTP/1.1 200"));
    world.backend.wait_for(|seen| seen.open == 0).await;
    world.client().await.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_is_half_gone_is_gone() {
    let world = World::start().await;
    let session = world.session().await;
    let slow = call("sleep", json!({"seconds": 60}));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "invoke_hook", "arguments": {
        "hook_type": slow.hook, "plugin_name": slow.plugin, "payload": value(&slow.payload), "context": {},
    }}})
    .to_string();
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST /mcp HTTP/1.1\r\n{HOST}{USUAL}mcp-session-id: {session}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    world.backend.wait_for(|seen| seen.running == 1).await;
    stream.shutdown().await.unwrap();
    world.backend.wait_for(|seen| seen.ends == [End::Abandoned]).await;
}

#[tokio::test]
async fn limits_hold() {
    let world = World::start_with(|config| {
        config.limits.calls = 1;
        config.limits.call = Duration::from_millis(500);
    })
    .await;
    let client = world.client().await;
    let refused = client.invoke(&call("sleep", json!({"seconds": 60}))).await.unwrap_err().to_string();
    assert!(refused.contains("the call took longer than the server allows"), "{refused}");
    client.invoke(&call("allow", json!({}))).await.unwrap();

    let world = World::start_with(|config| {
        (config.limits.calls, config.limits.message) = (1, 200_000);
        config.limits.transfer = Duration::from_millis(200);
    })
    .await;
    let (one, other) = (world.client().await, world.client().await);
    let large = "x".repeat(180_000);
    let slow = call("sleep", json!({"seconds": 600, "text": large}));
    tokio::select! {
        ended = one.invoke(&slow) => panic!("{ended:?}"),
        () = async {
            world.backend.wait_for(|seen| seen.running == 1).await;
            let refused = other.invoke(&call("allow", json!({"text": large}))).await.unwrap_err();
            assert!(refused.to_string().ends_with("the server takes no call now"), "{refused}");
            assert_eq!(refused.delivery(), Delivery::NotDelivered);
        } => {}
    }
    assert_eq!(world.backend.seen().refusals, [Refusal::Memory; 4]);
    other.invoke(&call("allow", json!({}))).await.unwrap();

    let world = World::start_with(|config| config.limits.connections = 1).await;
    let client = world.client().await;
    world.converse(b"").await;
    world.backend.wait_for(|seen| seen.refusals == [Refusal::Connections]).await;
    client.invoke(&call("allow", json!({}))).await.unwrap();

    let public = ServerConfig::new(Target::Tcp("0.0.0.0:0".to_owned()));
    assert!(matches!(Server::bind(public).await, Err(StartError::PublicPlaintext(_))));
}

#[tokio::test]
async fn an_answer_that_is_not_taken_has_its_turn_still() {
    let world = World::start_with(|config| {
        config.limits.calls = 1;
        config.limits.call = Duration::from_secs(2);
    })
    .await;
    let client = world.client().await;
    let stream = TokioIo::new(TcpStream::connect(world.address()).await.unwrap());
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.initial_stream_window_size(0).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let asked = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_plugin_configs"}}"#;
    let request = hyper::Request::post("http://localhost/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-session-id", world.session().await)
        .body(Full::new(Bytes::from_static(asked.as_bytes())));
    let untaken = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(untaken.status(), 200);
    let refused = client.invoke(&call("allow", json!({}))).await.unwrap_err().to_string();
    assert!(refused.contains("the call took longer than the server allows"), "{refused}");
    drop(untaken);
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn a_body_in_tiny_pieces_is_read_as_one() {
    let world = World::start().await;
    let session = world.session().await;
    let padding = " ".repeat(100_000);
    let body = format!(r#"{{"jsonrpc":"2.0",{padding}"id":1,"method":"ping"}}"#);
    let pieces: String = body.chars().map(|piece| format!("1\r\n{piece}\r\n")).collect();
    let head = format!("{HOST}{USUAL}mcp-session-id: {session}\r\ntransfer-encoding: chunked\r\n");
    let (status, answer) = world.ask(&format!("POST /mcp HTTP/1.1\r\n{head}\r\n{pieces}0\r\n\r\n")).await;
    assert_eq!((status, answer.contains(r#""result":{}"#)), (200, true), "{answer}");
}

#[tokio::test]
async fn tls_lets_in_whom_it_should() {
    // W51
    let (authority, stranger) = (Authority::new(), Authority::new());
    let tls = ServerTls {
        identity: authority.identity("localhost"),
        clients: ClientAuth::Required(authority.bundle()),
    };
    let world = World::start_with(|config| config.tls = Some(tls)).await;
    let port = world.address().port();
    let connect = async |host: &str, authority: &Authority, identity| {
        let tls = ClientTls { identity, ca_bundle: Some(authority.bundle()), ..ClientTls::default() };
        let http = Http { tls, ..Http::new(format!("https://{host}:{port}/mcp")) };
        Client::connect(words::NAME, ClientConfig { reconnect_attempts: 0, ..quick(http) }).await
    };
    let known = Some(authority.encrypted_identity("client"));
    let client = connect("localhost", &authority, known.clone()).await.unwrap();
    client.invoke(&call("allow", json!({}))).await.unwrap();
    for (host, trusted, identity, reason) in [
        ("localhost", &stranger, known.clone(), "UnknownIssuer"),
        ("127.0.0.1", &authority, known, "not valid for name"),
        ("localhost", &authority, None, ""),
        ("localhost", &authority, Some(stranger.identity("client")), ""),
    ] {
        let refused = connect(host, trusted, identity).await.unwrap_err().to_string();
        assert!(refused.contains(reason) && refused.contains(host), "W54: {refused}");
    }
}

#[tokio::test]
async fn renewed_files_of_tls_are_taken_up_and_no_connection_is_lost() {
    let (old, new) = (Authority::new(), Authority::new());
    let identity = old.identity("localhost");
    let files = ServerTls { identity: identity.clone(), clients: ClientAuth::Required(old.bundle()) };
    let world = World::start_with(|config| config.tls = Some(files)).await;
    let url = format!("https://localhost:{}/mcp", world.address().port());
    let connect = async |trusted: &Authority, shown: &Authority| {
        let identity = Some(shown.identity("client"));
        let tls = ClientTls { identity, ca_bundle: Some(trusted.bundle()), ..ClientTls::default() };
        let config = ClientConfig { reconnect_attempts: 0, ..quick(Http { tls, ..Http::new(&url) }) };
        Client::connect(words::NAME, config).await
    };
    let early = connect(&old, &old).await.unwrap();
    assert!(world.backend.seen().renewals.is_empty());

    let renewed = new.identity("localhost");
    fs::write(&identity.certfile, "half a certi").unwrap();
    for _ in 0..2 {
        connect(&old, &old).await.unwrap();
    }
    fs::copy(&renewed.certfile, &identity.certfile).unwrap();
    connect(&old, &old).await.expect("the key is another one's");
    let told = world.backend.seen().renewals;
    assert!(
        matches!(&*told, [Some(first), Some(second)] if first.contains("no certificate") && second.contains("cannot use")),
        "{told:?}"
    );

    fs::copy(renewed.keyfile.unwrap(), identity.keyfile.unwrap()).unwrap();
    connect(&new, &old).await.unwrap();
    assert!(connect(&old, &old).await.unwrap_err().to_string().contains("UnknownIssuer"));
    fs::copy(new.bundle(), old.bundle()).unwrap();
    connect(&new, &new).await.unwrap();
    connect(&new, &old).await.unwrap_err();
    assert_eq!(world.backend.seen().renewals[2..], [None, None]);
    early.invoke(&call("allow", json!({}))).await.expect("over the connection that it has");
}

#[tokio::test]
async fn clients_are_let_in_by_the_names_in_their_certificates() {
    let authority = Authority::new();
    let tls = ServerTls {
        identity: authority.identity("localhost"),
        clients: ClientAuth::Optional(authority.bundle()),
    };
    let world = World::start_with(|config| {
        config.tls = Some(tls);
        config.access.clients = vec!["dns:gateway.internal".parse().unwrap()];
    })
    .await;
    let url = format!("https://localhost:{}/mcp", world.address().port());
    for (name, let_in) in [(Some("gateway.internal"), true), (Some("other"), false), (None, false)] {
        let identity = name.map(|name| authority.identity(name));
        let tls = ClientTls { identity, ca_bundle: Some(authority.bundle()), ..ClientTls::default() };
        let connected = Client::connect(words::NAME, quick(Http { tls, ..Http::new(&url) })).await;
        assert_eq!(connected.is_ok(), let_in, "{name:?}: {connected:?}");
        let refused = connected.err().map(|refused| refused.to_string()).unwrap_or_default();
        assert!(let_in || refused.contains("HTTP 403"), "{refused}");
    }
}

/// A server that answers each connection with one of these; the last one for ever.
async fn scripted(answers: Vec<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for n in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answers[n.min(answers.len() - 1)];
            let mut request = vec![0; 65536];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

const GREETING: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\nmcp-session-id: s\r\n\r\n\
    {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\"}}";
const NOTED: &str = "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const PONG: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}";

#[tokio::test]
async fn nothing_but_a_reply_is_taken_for_one() {
    // W82
    for (answer, reason) in [
        ("", "connection lost"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "connection lost"),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":3",
            "connection lost",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"jsonrpc\"",
            "connection lost",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html>",
            "neither JSON nor a stream",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{}",
            "the answer is no message",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{}\"}]}}\n\n",
            "connection lost",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[]}}",
            "the tool said nothing",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{}\"}]}}",
            "the reply is of another plugin",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"plugin_name\\\":\\\"ProbePlugin\\\"}\"}]}}",
            "neither a result nor an error",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32000,\"message\":\"no\"}}",
            "JSON-RPC error",
        ),
        (
            "HTTP/1.1 500 Oops\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nsorry",
            "HTTP 500: sorry",
        ),
        (
            "HTTP/1.1 307 Moved\r\nlocation: http://example.org/mcp\r\nconnection: close\r\n\r\n",
            "to another one, which was not configured",
        ),
        (
            "HTTP/1.1 308 Moved\r\nlocation: /mcp\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "from one path to another",
        ),
        (
            "HTTP/1.1 503 Busy\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "takes no call now",
        ),
    ] {
        let address = scripted(vec![GREETING, NOTED, PONG, answer]).await;
        let client =
            Client::connect(words::NAME, quick(Http::new(format!("http://{address}/mcp")))).await.unwrap();
        let refused = client.invoke(&call("allow", json!({}))).await.unwrap_err();
        assert!(refused.to_string().contains(reason), "{answer}: {refused}");
        let unknown = reason == "connection lost";
        assert_eq!(refused.delivery() == Delivery::Unknown, unknown, "{answer}: {refused:?}");
    }
}

#[tokio::test]
async fn what_a_server_says_is_cut_and_on_one_line() {
    let long = "a line\n".repeat(1000);
    let tool = json!({"jsonrpc": "2.0", "id": 3, "result": {
        "isError": true, "content": [{"type": "text", "text": long}],
    }});
    let fault = json!({"jsonrpc": "2.0", "id": 3, "error": {"code": -32000, "message": long}});
    let answer = |status: &str, body: &str| -> &'static str {
        let head = "content-type: application/json\r\nconnection: close";
        format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}").leak()
    };
    for answer in
        [answer("200 OK", &tool.to_string()), answer("200 OK", &fault.to_string()), answer("500 Oops", &long)]
    {
        let address = scripted(vec![GREETING, NOTED, PONG, answer]).await;
        let client =
            Client::connect(words::NAME, quick(Http::new(format!("http://{address}/mcp")))).await.unwrap();
        let said = match client.invoke(&call("allow", json!({}))).await {
            Ok(reply) => error(&reply).message.clone(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains("a line a line") && said.ends_with('…') && said.len() < 300, "{said}");
        assert!(!said.contains(char::is_control), "{said:?}");
    }
}

#[tokio::test]
async fn nothing_shows_what_follows_the_path_of_a_url() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let http = Http::new(format!("http://{free}/mcp?api_key=hush"));
    let config = ClientConfig { reconnect_attempts: 0, ..quick(http) };
    let target = config.endpoint.to_string();
    let refused = Client::connect(words::NAME, config).await.unwrap_err().to_string();
    assert_eq!(target, format!("http://{free}/mcp"));
    assert!(refused.contains(&target) && !refused.contains("hush"), "{refused}");
}

#[test]
fn a_token_is_shown_to_others_only_without_tls_and_off_this_machine() {
    let shows = |url: &str, socket: Option<&str>| {
        let token = Some(Secret::new("t"));
        Http { token, socket: socket.map(Into::into), ..Http::new(url) }.shows_token()
    };
    for url in ["https://guards.example/", "http://localhost:1/", "http://127.0.0.2/", "http://[::1]:1/"] {
        assert!(!shows(url, None), "{url}");
    }
    for url in ["http://guards.example/", "http://10.0.0.1:1/", "http://localhost.example/", "http://[::2]/"]
    {
        assert!(shows(url, None), "{url}");
    }
    assert!(!shows("http://guards.example/", Some("/run/guards.sock")));
    assert!(!Http::new("http://guards.example/").shows_token(), "it has none");
}

#[tokio::test]
async fn urls_that_cannot_be_used_are_refused() {
    for url in ["", "localhost", "/mcp", "ftp://localhost/", "http://user:pass@localhost/"] {
        let refused = Client::connect(words::NAME, quick(Http::new(url))).await.unwrap_err().to_string();
        assert!(
            refused.starts_with("failed to connect to the URL: ") && !refused.contains("pass@"),
            "{refused}"
        );
    }
}

fn child(words: &[&str]) -> Program {
    Program::new(Launch::Command(words.iter().map(ToString::to_string).collect()))
}

async fn connect(program: Program) -> Result<Client, RemoteError> {
    let config = ClientConfig::new(Endpoint::Stdio(program));
    let delay = Duration::from_millis(1);
    Client::connect(words::NAME, ClientConfig { reconnect_attempts: 1, reconnect_delay: delay, ..config })
        .await
}

#[tokio::test]
async fn a_child_that_does_not_speak_is_an_error_and_does_not_outlive_it() {
    // W15
    let missing = connect(Program::new(Launch::Script("nope.py".into()))).await.unwrap_err().to_string();
    assert!(missing.contains("Server script ") && missing.contains("nope.py does not exist."), "{missing}");
    let unfound = connect(child(&["no-such-program"])).await.unwrap_err();
    assert_eq!(unfound.delivery(), Delivery::NotDelivered);
    connect(child(&[])).await.unwrap_err();
    connect(child(&["true"])).await.unwrap_err();
    connect(child(&["sh", "-c", "echo '{\"id\":1}'; echo garbage; yes | head -c 100000"])).await.unwrap_err();

    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("silent.sh");
    // What it starts holds the pipe open as long as it lives.
    fs::write(&script, "sleep 600 & echo $! > grandchild; exec sleep 600").unwrap();
    let program = Program {
        cwd: Some(directory.path().to_owned()),
        ..Program::new(Launch::Script("silent.sh".into()))
    };
    let config =
        ClientConfig { timeout: Duration::from_millis(500), ..ClientConfig::new(Endpoint::Stdio(program)) };
    let silent = Client::connect(words::NAME, config).await.unwrap_err();
    assert!(matches!(silent, RemoteError::TimedOut(_)), "{silent}");
    let grandchild = fs::read_to_string(directory.path().join("grandchild")).unwrap();
    let status = format!("/proc/{}/stat", grandchild.trim());
    let gone = || fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z "));
    for _ in 0..600 {
        if gone() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("what the child started is still there");
}
