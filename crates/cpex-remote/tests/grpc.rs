//! A client and a server of ours over gRPC.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod certificates;
#[path = "../examples/probe_server/probe.rs"]
mod probe;
mod side_by_side;
mod words;
mod world;

use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use certificates::Authority;
use cpex_remote::grpc::{
    Client, ClientConfig, ClientName, Limits, MAX_MESSAGE, Server, ServerConfig, StartError, Target,
};
use cpex_remote::tls::{ClientAuth, ClientTls, Identity, ServerTls, TlsError, Verify};
use cpex_remote::wire::health_client::HealthClient;
use cpex_remote::wire::plugin_service_server::{PluginService, PluginServiceServer};
use cpex_remote::wire::{
    Features, GetPluginConfigRequest, GetPluginConfigResponse, GetPluginConfigsRequest,
    GetPluginConfigsResponse, HealthCheckRequest, HealthCheckResponse, InvokeHookRequest, InvokeHookResponse,
};
use cpex_remote::{Backend, Call, End, Failure, Json, Outcome, Refusal, Remote, RemoteError, Reply, Secret};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use probe::Probe;
use prost::Message;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use words::{call, error, result, value};
use world::Witness;

struct World {
    address: SocketAddr,
    backend: Arc<Witness>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut config = ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned()));
        change(&mut config.limits);
        Self::serve(config).await
    }

    async fn serve(config: ServerConfig) -> Self {
        let server = Server::bind(config).await.unwrap();
        let address = server.local_addr().unwrap();
        let backend = Arc::new(Witness::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = backend.clone();
        let serving =
            tokio::spawn(async move { server.serve(served, async { stopped.await.unwrap_or(()) }).await });
        Self { address, backend, stop: Some(stop), serving }
    }

    fn config(&self) -> ClientConfig {
        let target = Target::Tcp(self.address.to_string());
        ClientConfig { reconnect_delay: Duration::from_millis(1), ..ClientConfig::new(target) }
    }

    async fn client(&self) -> Client {
        Client::connect(words::NAME, self.config()).await.unwrap()
    }

    async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    /// The server has stopped.
    async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.serving).await.unwrap();
    }
}

#[tokio::test]
async fn a_call_brings_a_reply() {
    let world = World::start().await;
    let client = world.client().await;
    assert_eq!(value(&client.plugin_config().await.unwrap().unwrap())["name"], words::NAME);
    let args = json!({"n": u64::MAX, "f": 5.0});
    let reply = client.invoke(&call("echo", args.clone())).await.unwrap();
    assert_eq!(result(&reply)["modified_payload"]["args"], args, "B12: exact between our peers");
    let context = value(reply.context.as_ref().unwrap());
    assert_eq!(context["global_context"]["content_type"], "ct");
    let denied = client.invoke(&call("deny", json!({}))).await.unwrap();
    assert_eq!(result(&denied)["continue_processing"], false);
    assert_eq!(error(&client.invoke(&call("error", json!({}))).await.unwrap()).code, "PERR");
    let refused = client.invoke(&call("refuse", json!({}))).await.unwrap();
    assert_eq!((&*error(&refused).message, &*error(&refused).code), ("not now", "INTERNAL_ERROR"), "W23");
    let stranger = Client::connect("Nobody", world.config()).await.unwrap();
    assert!(stranger.plugin_config().await.unwrap().is_none());
}

#[tokio::test]
async fn a_message_that_does_not_fit_is_an_error_on_either_side() {
    let world = World::start().await;
    let client = world.client().await;
    let whole = json!({"text": "x".repeat(MAX_MESSAGE)});
    let refused = client.invoke(&call("echo", whole)).await.unwrap_err();
    assert!(matches!(refused, RemoteError::TooLarge { limit: MAX_MESSAGE, .. }), "{refused}");
    let most = json!({"text": "x".repeat(MAX_MESSAGE * 2 / 3)});
    let echoed = client.invoke(&call("echo", most.clone())).await.unwrap();
    assert_eq!(result(&echoed)["modified_payload"]["args"], most);
    let grown =
        client.invoke(&call("triple", json!({"text": "x".repeat(MAX_MESSAGE * 2 / 5)}))).await.unwrap();
    assert!(error(&grown).message.ends_with("exceeds the limit of 16777216"), "{}", error(&grown).message);

    let world = World::start_with(|limits| limits.message = 1024).await;
    let refused =
        world.client().await.invoke(&call("echo", json!({"text": "x".repeat(2000)}))).await.unwrap_err();
    assert!(matches!(refused, RemoteError::Rejected { .. }), "{refused}");
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
    assert_eq!(late.to_string(), "request timed out after 0.3s");
    world.backend.wait_for(|seen| seen.running == 0 && seen.ends.len() == 2).await;
}

#[tokio::test]
async fn calls_run_side_by_side() {
    let world = World::start().await;
    side_by_side::check(&Arc::new(Remote::Grpc(Box::new(world.client().await))), 500).await;
}

#[tokio::test]
async fn calls_under_way_finish_before_the_server_stops_and_its_successor_is_found() {
    let mut world = World::start().await;
    let client = Arc::new(world.client().await);
    let running = tokio::spawn({
        let client = client.clone();
        async move { client.invoke(&call("sleep", json!({"seconds": 0.3}))).await }
    });
    world.backend.wait_for(|seen| seen.running == 1).await;
    world.stop().await;
    assert!(matches!(running.await.unwrap().unwrap().outcome, Outcome::Result(_)));
    let missing = client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert!(missing.to_string().contains(" after 4 attempts: "), "{missing}");
    let _successor = World::serve(ServerConfig::new(Target::Tcp(world.address.to_string()))).await;
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn both_names_of_health_are_served() {
    // W20
    let world = World::start().await;
    let channel = world.channel().await;
    let ours = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(ours.into_inner(), HealthCheckResponse { status: 1 });
    let mut standard = tonic_health::pb::health_client::HealthClient::new(channel);
    for service in ["", "cpex.PluginService"] {
        let request = tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
        assert_eq!(standard.check(request).await.unwrap().into_inner().status, 1, "{service}");
    }
}

/// Takes no calls now.
struct Unready;

impl Backend for Unready {
    async fn configs(&self) -> Result<Vec<Json>, Failure> {
        Probe.configs().await
    }

    async fn config(&self, name: &str) -> Result<Option<Json>, Failure> {
        Probe.config(name).await
    }

    async fn invoke(&self, call: Call) -> Result<Reply, Failure> {
        Probe.invoke(call).await
    }

    fn is_ready(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn health_says_whether_calls_are_taken() {
    let mut world = World::start_with(|limits| limits.grace = Duration::from_secs(3600)).await;
    let client = world.client().await;
    client.health().await.unwrap();
    let mut standard = tonic_health::pb::health_client::HealthClient::new(world.channel().await);
    let unknown = tonic_health::pb::HealthCheckRequest { service: "nope".to_owned() };
    assert_eq!(standard.check(unknown).await.unwrap_err().code(), tonic::Code::NotFound);
    let watched = standard.watch(tonic_health::pb::HealthCheckRequest::default()).await;
    let mut watched = watched.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 1);
    // Whoever watches is told, and holds nobody up.
    world.stop().await;
    assert_eq!(watched.message().await.unwrap().unwrap().status, 2);
    assert!(watched.message().await.unwrap().is_none());
    client.health().await.unwrap_err();

    let server = Server::bind(ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned()))).await.unwrap();
    let target = Target::Tcp(server.local_addr().unwrap().to_string());
    tokio::spawn(server.serve(Arc::new(Unready), pending()));
    let client = Client::connect(words::NAME, ClientConfig::new(target)).await.unwrap();
    let refused = client.health().await.unwrap_err().to_string();
    assert!(refused.ends_with("the server says that it takes no calls"), "{refused}");
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

/// A server that knows no health, and does not take the first calls.
struct Hesitant {
    pushback: bool,
    asked: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl PluginService for Hesitant {
    async fn get_plugin_config(
        &self,
        _: tonic::Request<GetPluginConfigRequest>,
    ) -> Result<tonic::Response<GetPluginConfigResponse>, tonic::Status> {
        Ok(tonic::Response::new(Default::default()))
    }

    async fn get_plugin_configs(
        &self,
        _: tonic::Request<GetPluginConfigsRequest>,
    ) -> Result<tonic::Response<GetPluginConfigsResponse>, tonic::Status> {
        Ok(tonic::Response::new(Default::default()))
    }

    async fn invoke_hook(
        &self,
        _: tonic::Request<InvokeHookRequest>,
    ) -> Result<tonic::Response<InvokeHookResponse>, tonic::Status> {
        if self.asked.fetch_add(1, Ordering::Relaxed) < 2 {
            let mut status = tonic::Status::unavailable("not now\n".repeat(500));
            if self.pushback {
                status.metadata_mut().insert("grpc-retry-pushback-ms", "1".parse().unwrap());
            }
            return Err(status);
        }
        let reply = Probe.invoke(call("allow", json!({}))).await.unwrap();
        Ok(tonic::Response::new(InvokeHookResponse::from_reply(&reply, Features::default()).unwrap()))
    }
}

#[tokio::test]
async fn a_call_that_a_stopping_server_did_not_take_is_sent_again_and_no_other() {
    for (pushback, times) in [(true, 3), (false, 1)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::Tcp(listener.local_addr().unwrap().to_string());
        let service = PluginServiceServer::new(Hesitant { pushback, asked: asked.clone() });
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
        let config = ClientConfig { reconnect_delay: Duration::from_millis(1), ..ClientConfig::new(target) };
        let client = Client::connect(words::NAME, config).await.unwrap();
        let ended = client.invoke(&call("allow", json!({}))).await;
        assert_eq!((ended.is_ok(), asked.load(Ordering::Relaxed)), (pushback, times), "{ended:?}");
        if let Err(refused) = ended {
            let said = refused.to_string();
            assert!(said.contains("not now not now") && said.ends_with('…') && said.len() < 300, "{said}");
        }
        let unknown = client.health().await.unwrap_err().to_string();
        assert!(unknown.contains("not implemented"), "it knows health by no name: {unknown}");
    }
}

#[tokio::test]
async fn reflection_tells_what_is_served() {
    let world = World::start().await;
    let mut client = ServerReflectionClient::new(world.channel().await);
    let ask = |question| ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let questions = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("cpex.PluginService.InvokeHook".to_owned())),
        ask(MessageRequest::FileContainingSymbol("google.protobuf.Struct".to_owned())),
    ];
    let mut answers = client.server_reflection_info(stream::iter(questions)).await.unwrap().into_inner();
    let mut next = async || answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(listed) = next().await else { panic!("no list") };
    let services: Vec<_> = listed.service.into_iter().map(|service| service.name).collect();
    for service in ["cpex.PluginService", "cpex.Health", "grpc.health.v1.Health"] {
        assert!(services.iter().any(|listed| listed == service), "{service}: {services:?}");
    }
    for name in ["cpex.proto", "google/protobuf/struct.proto"] {
        let MessageResponse::FileDescriptorResponse(found) = next().await else { panic!("no {name}") };
        let file = prost_types::FileDescriptorProto::decode(&*found.file_descriptor_proto[0]).unwrap();
        assert_eq!(file.name(), name);
    }
}

#[tokio::test]
async fn a_call_waits_for_its_turn_and_health_does_not() {
    let world = World::start_with(|limits| {
        limits.calls = 1;
        limits.call = Duration::from_millis(500);
    })
    .await;
    let client = Arc::new(world.client().await);
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.invoke(&call("sleep", json!({"seconds": 60}))).await }
    });
    world.backend.wait_for(|seen| seen.running == 1).await;
    HealthClient::new(world.channel().await).check(HealthCheckRequest::default()).await.unwrap();
    let refused = slow.await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("the call took longer than the server allows"), "{refused}");
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

/// Sends these bytes and returns when the server has closed the connection.
async fn converse(world: &World, bytes: &[u8]) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // Closed in an orderly way or not: it is closed.
    let _ = stream.read_to_end(&mut answer).await;
}

#[tokio::test]
async fn peers_that_do_not_call_are_sent_away() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let world = World::start_with(|limits| {
        limits.idle = Duration::from_millis(200);
        limits.handshake = Duration::from_millis(200);
    })
    .await;
    for bytes in [&b""[..], b"PRI", preface, b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64]] {
        converse(&world, bytes).await;
    }
    world.backend.wait_for(|seen| seen.open == 0).await;
    world.client().await.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn connections_are_limited() {
    let world = World::start_with(|limits| limits.connections = 1).await;
    let client = world.client().await;
    converse(&world, b"").await;
    world.backend.wait_for(|seen| seen.refusals == [Refusal::Connections]).await;
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn connections_without_a_call_make_room_in_a_crowd() {
    let world = World::start_with(|limits| {
        limits.connections = 1;
        limits.handshake = Duration::from_millis(200);
    })
    .await;
    let mut idle = TcpStream::connect(world.address).await.unwrap();
    world.backend.wait_for(|seen| seen.open == 1).await;
    converse(&world, b"").await;
    let _ = idle.read_to_end(&mut Vec::new()).await;
    world.backend.wait_for(|seen| seen.open == 0).await;
    world.client().await.invoke(&call("allow", json!({}))).await.unwrap();
}

/// Begins a call of which this is the body, on a connection of its own that takes so many bytes of the answer.
async fn begin<B>(world: &World, body: B, window: u32) -> hyper::Response<hyper::body::Incoming>
where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TokioIo::new(TcpStream::connect(world.address).await.unwrap());
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) =
        builder.initial_stream_window_size(window).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::post("http://localhost/cpex.PluginService/GetPluginConfigs")
        .header("content-type", "application/grpc");
    sender.send_request(request.body(body).unwrap()).await.unwrap()
}

#[tokio::test]
async fn who_sends_slowly_keeps_nobody_waiting_and_is_sent_away() {
    let world = World::start_with(|limits| {
        limits.calls = 1;
        limits.transfer = Duration::from_secs(1);
    })
    .await;
    // A message of ten bytes, of which five come.
    let begun = Frame::data(Bytes::from_static(b"\0\0\0\0\x0ahello"));
    let slow = StreamBody::new(stream::iter([Ok(begun)]).chain(stream::pending()));
    let quick = async { world.client().await.invoke(&call("allow", json!({}))).await };
    let (refused, answered) = tokio::join!(begin(&world, slow, 1 << 16), quick);
    answered.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "4", "{refused:?}");
}

#[tokio::test]
async fn who_takes_no_answer_is_sent_away() {
    let world = World::start_with(|limits| limits.transfer = Duration::from_millis(200)).await;
    let asked = Full::new(Bytes::from_static(&[0; 5]));
    let mut answer = begin(&world, asked, 0).await;
    world.backend.wait_for(|seen| seen.open == 0).await;
    assert_eq!(world.backend.seen().complaints, ["the peer took no answer within 0.2s"]);
    while let Some(Ok(_)) = answer.frame().await {}
}

#[tokio::test]
async fn an_answer_that_is_not_taken_has_its_turn_still() {
    let world = World::start_with(|limits| {
        limits.calls = 1;
        limits.call = Duration::from_secs(2);
    })
    .await;
    let client = world.client().await;
    let untaken = begin(&world, Full::new(Bytes::from_static(&[0; 5])), 0).await;
    let refused = client.invoke(&call("allow", json!({}))).await.unwrap_err().to_string();
    assert!(refused.contains("the call took longer than the server allows"), "{refused}");
    drop(untaken);
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn tokens_that_let_anybody_in_or_nobody_are_refused() {
    for wrong in ["", " ", "s3cret\n", "s3 cret", "ünsäglich"] {
        let mut config = ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned()));
        config.access.token = Some(Secret::new(wrong));
        assert!(matches!(Server::bind(config).await, Err(StartError::Token)), "{wrong:?}");
    }
}

#[tokio::test]
async fn plaintext_stays_on_this_machine_unless_told_otherwise() {
    let public = ServerConfig::new(Target::Tcp("0.0.0.0:0".to_owned()));
    assert!(matches!(Server::bind(public).await, Err(StartError::PublicPlaintext(_))));
}

#[tokio::test]
async fn only_those_who_know_the_token_call_and_no_page_does() {
    let mut config = ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned()));
    config.access.token = Some(Secret::new("s3cret"));
    let world = World::serve(config).await;
    for wrong in [None, Some("s3cre"), Some("s3cretly")] {
        let config = ClientConfig { token: wrong.map(Secret::new), ..world.config() };
        let refused = Client::connect(words::NAME, config).await.unwrap_err();
        assert!(matches!(refused, RemoteError::Status { .. }), "{refused}");
        assert!(refused.to_string().contains("Unauthorized"), "{refused}");
    }
    let config = ClientConfig { token: Some(Secret::new("s3cret")), ..world.config() };
    let client = Client::connect(words::NAME, config).await.unwrap();
    client.invoke(&call("allow", json!({}))).await.unwrap();
    let mut health = HealthClient::new(world.channel().await);
    health.check(HealthCheckRequest::default()).await.unwrap();
    let mut page = tonic::Request::new(HealthCheckRequest::default());
    page.metadata_mut().insert("origin", "https://example.org".parse().unwrap());
    assert_eq!(health.check(page).await.unwrap_err().code(), tonic::Code::PermissionDenied);
}

/// A way to a server, on which connections fall silent: neither side hears of it.
struct Way {
    address: SocketAddr,
    /// Those that were made before the last time are silent.
    silenced: tokio::sync::watch::Sender<usize>,
}

impl Way {
    async fn to(server: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (silenced, _) = tokio::sync::watch::channel(0);
        let (times, silences) = (silenced.subscribe(), silenced.clone());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = TcpStream::connect(server).await.unwrap();
                let (made, mut silences) = (*times.borrow(), silences.subscribe());
                tokio::spawn(async move {
                    let is_silent = tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
                        is_silent = async { silences.wait_for(|times| *times > made).await.is_ok() } => is_silent,
                    };
                    if is_silent {
                        pending::<()>().await;
                    }
                });
            }
        });
        Self { address, silenced }
    }

    fn fall_silent(&self) {
        self.silenced.send_modify(|times| *times += 1);
    }
}

#[tokio::test]
async fn after_a_call_in_vain_the_next_one_has_another_connection() {
    let world = World::start().await;
    let way = Way::to(world.address).await;
    let mut config = ClientConfig::new(Target::Tcp(way.address.to_string()));
    config.timeout = Duration::from_secs(2);
    let client = Client::connect(words::NAME, config.clone()).await.unwrap();
    way.fall_silent();
    let late = client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert!(matches!(late, RemoteError::TimedOut(_)), "{late}");
    client.invoke(&call("allow", json!({}))).await.unwrap();

    // The same if it is the caller that loses patience.
    config.timeout = Duration::from_secs(60);
    let client = Client::connect(words::NAME, config).await.unwrap();
    let patience = Duration::from_millis(300);
    let hasty = |name| Call { patience: Some(patience), ..call(name, json!({"seconds": 60})) };
    way.fall_silent();
    tokio::time::timeout(patience, client.invoke(&hasty("allow"))).await.unwrap_err();
    client.invoke(&call("allow", json!({}))).await.unwrap();

    // Whoever waits on the one before keeps it.
    let slow = call("sleep", json!({"seconds": 2}));
    let given_up = async {
        world.backend.wait_for(|seen| seen.running == 1).await;
        tokio::time::timeout(patience, client.invoke(&hasty("sleep"))).await.unwrap_err();
        client.invoke(&call("allow", json!({}))).await.unwrap();
    };
    let (answered, ()) = tokio::join!(client.invoke(&slow), given_up);
    answered.unwrap();
}

/// RFC 9113, 6.8: streams that a GOAWAY does not reach were not looked at.
#[tokio::test]
async fn a_call_that_crosses_a_goodbye_goes_over_another_connection() {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let world = World::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = world.address;
    let goodbyes = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&SETTINGS).await.unwrap();
            let mut heard = Vec::new();
            // More than what a connection begins with: the headers of a call.
            while heard.len() < 150 {
                stream.read_buf(&mut heard).await.unwrap();
            }
            stream.write_all(&GOAWAY).await.unwrap();
            // It hears the rest, and then ends.
            let _ = tokio::time::timeout(Duration::from_millis(50), stream.read_to_end(&mut heard)).await;
        }
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(server).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    let config = ClientConfig::new(Target::Tcp(address.to_string()));
    let client = Client::connect(words::NAME, config).await.unwrap();
    client.invoke(&call("allow", json!({}))).await.unwrap();
    goodbyes.abort();
}

/// A server that shows a certificate for `localhost`.
async fn secured(authority: &Authority, clients: ClientAuth) -> World {
    let tls = ServerTls { identity: authority.identity("localhost"), clients };
    World::serve(ServerConfig { tls: Some(tls), ..ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned())) })
        .await
}

async fn connect(world: &World, host: &str, tls: Option<ClientTls>) -> Result<Client, RemoteError> {
    let target = Target::Tcp(format!("{host}:{}", world.address.port()));
    let config = ClientConfig {
        tls,
        reconnect_attempts: 0,
        timeout: Duration::from_secs(20),
        ..ClientConfig::new(target)
    };
    Client::connect(words::NAME, config).await
}

fn trusting(authority: &Authority, identity: Option<Identity>) -> Option<ClientTls> {
    Some(ClientTls { identity, ca_bundle: Some(authority.bundle()), ..ClientTls::default() })
}

#[tokio::test]
async fn servers_are_believed_only_if_their_certificate_is_right() {
    // W53, B25
    let (authority, stranger) = (Authority::new(), Authority::new());
    let world = secured(&authority, ClientAuth::None).await;
    let client = connect(&world, "localhost", trusting(&authority, None)).await.unwrap();
    client.invoke(&call("allow", json!({}))).await.unwrap();
    for (host, tls, reason) in [
        ("localhost", trusting(&stranger, None), "invalid peer certificate: UnknownIssuer"),
        ("127.0.0.1", trusting(&authority, None), "invalid peer certificate: certificate not valid for name"),
    ] {
        let refused = connect(&world, host, tls).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
        assert!(refused.starts_with("failed to reconnect to ") && refused.contains(host), "W54: {refused}");
    }
    connect(&world, "localhost", None).await.unwrap_err();
    let careless = ClientTls { verify: Verify::Nothing, ..ClientTls::default() };
    connect(&world, "127.0.0.1", Some(careless)).await.unwrap();
}

#[tokio::test]
async fn clients_are_let_in_only_with_the_certificate_that_is_asked_for() {
    // W53, B25
    let (authority, stranger) = (Authority::new(), Authority::new());
    let known = || trusting(&authority, Some(authority.encrypted_identity("client")));
    let unknown = || trusting(&authority, Some(stranger.identity("client")));

    let required = secured(&authority, ClientAuth::Required(authority.bundle())).await;
    connect(&required, "localhost", known()).await.unwrap().invoke(&call("allow", json!({}))).await.unwrap();
    connect(&required, "localhost", trusting(&authority, None)).await.unwrap_err();
    connect(&required, "localhost", unknown()).await.unwrap_err();

    let optional = secured(&authority, ClientAuth::Optional(authority.bundle())).await;
    connect(&optional, "localhost", known()).await.unwrap();
    connect(&optional, "localhost", trusting(&authority, None)).await.unwrap();
    connect(&optional, "localhost", unknown()).await.unwrap_err();
}

#[tokio::test]
async fn clients_are_let_in_by_the_names_in_their_certificates() {
    let authority = Authority::new();
    let tls = ServerTls {
        identity: authority.identity("localhost"),
        clients: ClientAuth::Optional(authority.bundle()),
    };
    let mut config = ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned()));
    config.access.clients = ["dns:Gateway.internal", "uri:spiffe://example.org/gateway", "cn:batch"]
        .map(|name| name.parse().unwrap())
        .into();
    let plain = Server::bind(config.clone()).await;
    assert!(matches!(plain, Err(StartError::ClientsWithoutCertificates)), "{plain:?}");
    let world = World::serve(ServerConfig { tls: Some(tls), ..config }).await;
    for (name, let_in) in [
        (Some("gateway.internal"), true),
        (Some("spiffe://example.org/gateway"), true),
        (Some("batch"), true),
        (Some("spiffe://example.org/other"), false),
        (Some("other.gateway.internal"), false),
        (None, false),
    ] {
        let shown = name.map(|name| authority.identity(name));
        let connected = connect(&world, "localhost", trusting(&authority, shown)).await;
        match &connected {
            Ok(client) => {
                client.invoke(&call("allow", json!({}))).await.unwrap();
            }
            Err(refused) => {
                let refused = refused.to_string();
                assert!(refused.contains("has no name that is let in"), "{refused}");
            }
        }
        assert_eq!(connected.is_ok(), let_in, "{name:?}");
    }
    for wrong in ["", "gateway", "dns:", "ip:127.0.0.1"] {
        let refused = wrong.parse::<ClientName>().unwrap_err().to_string();
        assert_eq!(
            refused,
            format!("'{wrong}' names no client: write dns:NAME, uri:NAME, email:NAME or cn:NAME")
        );
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_by_the_next_connection() {
    // W54
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut world = secured(&authority, ClientAuth::Required(authority.bundle())).await;
    let identity = authority.identity("client");
    let client = connect(&world, "localhost", trusting(&authority, Some(identity.clone()))).await.unwrap();
    world.stop().await;
    let address = world.address.to_string();
    let tls = ServerTls {
        identity: authority.identity("localhost"),
        clients: ClientAuth::Required(stranger.bundle()),
    };
    let _successor =
        World::serve(ServerConfig { tls: Some(tls), ..ServerConfig::new(Target::Tcp(address)) }).await;
    client.invoke(&call("allow", json!({}))).await.unwrap_err();
    let renewed = stranger.identity("client");
    fs::copy(renewed.certfile, identity.certfile).unwrap();
    fs::copy(renewed.keyfile.unwrap(), identity.keyfile.unwrap()).unwrap();
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_shake_hands_is_sent_away() {
    let authority = Authority::new();
    let tls = ServerTls { identity: authority.identity("localhost"), clients: ClientAuth::None };
    let mut config =
        ServerConfig { tls: Some(tls), ..ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned())) };
    config.limits.handshake = Duration::from_millis(200);
    let world = World::serve(config).await;
    converse(&world, b"\x16\x03\x01").await;
    world.backend.wait_for(|seen| seen.complaints == ["no TLS handshake within 0.2s"]).await;
}

#[test]
fn files_that_cannot_be_used_are_named_and_not_shown() {
    let authority = Authority::new();
    let identity = authority.encrypted_identity("client");
    let keyfile = identity.keyfile.clone().unwrap();
    let load = |identity: Identity| {
        let tls = ClientTls {
            identity: Some(identity),
            ca_bundle: Some(authority.bundle()),
            ..ClientTls::default()
        };
        tls.load(&[]).map(drop)
    };
    load(identity.clone()).unwrap();
    let wrong = Identity { password: Some(Secret::new("hunter2")), ..identity.clone() };
    assert!(!format!("{wrong:?}").contains("hunter2"));
    assert!(matches!(load(wrong), Err(TlsError::WrongPassword(path)) if path == keyfile));
    let none = Identity { password: None, ..identity.clone() };
    assert!(matches!(load(none), Err(TlsError::NoPassword(path)) if path == keyfile));
    let swapped = Identity { certfile: keyfile.clone(), ..identity.clone() };
    assert!(matches!(load(swapped), Err(TlsError::NoCertificate(path)) if path == keyfile));
    let keyless = Identity { keyfile: Some(authority.bundle()), ..identity.clone() };
    assert!(matches!(load(keyless), Err(TlsError::NoKey(_))));
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("old.pem");
    let pem = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAA==\n-----END EC PRIVATE KEY-----\n";
    fs::write(&old, pem).unwrap();
    let old = Identity { keyfile: Some(old), ..identity.clone() };
    assert!(load(old).unwrap_err().to_string().contains("openssl pkcs8 -topk8"));
    let missing = Identity { certfile: "/nowhere".into(), ..identity.clone() };
    assert!(load(missing).unwrap_err().to_string().starts_with("cannot read /nowhere: "));
    let foreign = Identity { keyfile: authority.identity("other").keyfile, password: None, ..identity };
    assert!(matches!(load(foreign), Err(TlsError::Unusable { .. })));
}

#[tokio::test]
async fn tls_is_refused_on_a_socket() {
    let authority = Authority::new();
    let tls = ServerTls { identity: authority.identity("localhost"), clients: ClientAuth::None };
    let config = ServerConfig { tls: Some(tls), ..ServerConfig::new(Target::Unix("/tmp/never".into())) };
    assert!(matches!(Server::bind(config).await, Err(StartError::TlsOnSocket)));
}
