//! A client and a server of ours, on a real socket.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/probe_server/probe.rs"]
mod probe;
mod side_by_side;
mod words;
mod world;

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cpex_remote::unix::{Client, ClientConfig, Limits, MAX_FRAME, Server, ServerConfig};
use cpex_remote::wire::{Features, InvokeHookRequest, InvokeHookResponse};
use cpex_remote::{BindError, Call, End, Outcome, Refusal, Remote, RemoteError};
use prost::Message;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use words::{call, error, result, value};
use world::Witness;

/// A server and its socket.
struct World {
    config: ServerConfig,
    backend: Arc<Witness>,
    running: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
    _directory: tempfile::TempDir,
}

impl World {
    /// A server with the usual limits.
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A server with other limits.
    async fn start_with(change: impl FnOnce(&mut Limits)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::new(directory.path().join("s"));
        change(&mut config.limits);
        let backend = Arc::new(Witness::default());
        let mut world = Self { config, backend, running: Mutex::default(), _directory: directory };
        world.restart().await;
        world
    }

    /// The server serves again.
    async fn restart(&mut self) {
        let server = Server::bind(self.config.clone()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let backend = self.backend.clone();
        let serving =
            tokio::spawn(async move { server.serve(backend, async { stopped.await.unwrap_or(()) }).await });
        *self.running.lock().unwrap() = Some((stop, serving));
    }

    /// The server has stopped.
    async fn stop(&mut self) {
        let (stop, serving) = self.running.lock().unwrap().take().unwrap();
        stop.send(()).unwrap();
        serving.await.unwrap();
    }

    /// The socket.
    fn path(&self) -> PathBuf {
        self.config.path.clone()
    }

    /// A client of the plugin.
    async fn client(&self) -> Client {
        let config =
            ClientConfig { reconnect_delay: Duration::from_millis(1), ..ClientConfig::new(self.path()) };
        Client::connect(words::NAME, config).await.unwrap()
    }
}

/// The call as an older client sends it.
fn frame(call: &Call) -> Vec<u8> {
    let message = InvokeHookRequest::from_call(call, Features::default()).unwrap().encode_to_vec();
    [&(message.len() as u32).to_be_bytes()[..], &message].concat()
}

#[tokio::test]
async fn a_call_brings_a_reply() {
    let world = World::start().await;
    let client = world.client().await;
    let config = value(&client.plugin_config().await.unwrap().unwrap());
    assert_eq!((&config["name"], &config["priority"]), (&json!(words::NAME), &json!(42)));
    let reply = client.invoke(&call("state", json!({}))).await.unwrap();
    assert_eq!(result(&reply)["retry_delay_ms"], 7);
    let context = value(reply.context.as_ref().unwrap());
    assert_eq!(context["global_context"]["state"], json!({"sk": true, "g": [1, 2]}));
    assert_eq!(context["global_context"]["content_type"], "ct", "travels between our peers");
    let denied = client.invoke(&call("deny", json!({}))).await.unwrap();
    assert_eq!(result(&denied)["violation"]["http_status_code"], 403);
    let failed = client.invoke(&call("error", json!({}))).await.unwrap();
    assert_eq!(error(&failed).code, "PERR");
    assert_eq!(error(&failed).details.as_str(), "{\"k\":1}", "W32: ours sends them");
}

#[tokio::test]
async fn numbers_between_our_peers_are_exact() {
    // B12
    let world = World::start().await;
    let args = json!({"n": u64::MAX, "f": 5.0, "i": 9_007_199_254_740_993_i64});
    let reply = world.client().await.invoke(&call("echo", args.clone())).await.unwrap();
    assert_eq!(result(&reply)["modified_payload"]["args"], args);
}

#[tokio::test]
async fn unknown_plugins_and_failures_are_errors() {
    let world = World::start().await;
    let client = world.client().await;
    let mut other = call("allow", json!({}));
    other.hook = "nope".to_owned();
    let message = "Unable to find nope for plugin ProbePlugin.  Make sure the plugin is registered.";
    assert_eq!(error(&client.invoke(&other).await.unwrap()).message, message);
    let refused = client.invoke(&call("refuse", json!({}))).await.unwrap();
    assert_eq!((&*error(&refused).message, &*error(&refused).code), ("not now", "INTERNAL_ERROR"));
    let stranger = Client::connect("Nobody", ClientConfig::new(world.path())).await.unwrap();
    assert!(stranger.plugin_config().await.unwrap().is_none());
}

#[tokio::test]
async fn a_message_that_does_not_fit_is_an_error_on_either_side() {
    // W82
    let world = World::start().await;
    let client = world.client().await;
    let whole = "x".repeat(MAX_FRAME);
    let refused = client.invoke(&call("echo", json!({"text": whole}))).await.unwrap_err();
    assert!(matches!(refused, RemoteError::TooLarge { limit: MAX_FRAME, .. }), "{refused}");
    let most = json!({"text": "x".repeat(MAX_FRAME * 2 / 3)});
    let echoed = client.invoke(&call("echo", most.clone())).await.unwrap();
    assert_eq!(result(&echoed)["modified_payload"]["args"], most, "then only once, not as text beside it");
    let big = "x".repeat(MAX_FRAME * 2 / 5);
    let grown = client.invoke(&call("triple", json!({"text": big}))).await.unwrap();
    assert!(error(&grown).message.ends_with("exceeds the limit of 16777216"), "{}", error(&grown).message);
    assert!(matches!(client.invoke(&call("allow", json!({}))).await.unwrap().outcome, Outcome::Result(_)));
}

#[tokio::test]
async fn a_message_that_the_server_does_not_take_is_answered_and_nothing_against_the_server() {
    let world = World::start_with(|limits| limits.frame = 1024).await;
    let client = world.client().await;
    // What fits into the buffers of the socket is sent to its end, and the rest is not.
    for size in [2000, MAX_FRAME / 4] {
        let refused = client.invoke(&call("echo", json!({"text": "x".repeat(size)}))).await.unwrap_err();
        assert!(matches!(refused, RemoteError::Rejected { .. }), "{refused:?}");
        assert!(refused.to_string().ends_with("a message of more than 1024 bytes is not taken"), "{refused}");
        client.invoke(&call("allow", json!({}))).await.unwrap();
    }
    assert_eq!(world.backend.seen().refusals, [Refusal::Size; 2]);
}

#[tokio::test]
async fn calls_take_turns_until_their_replies_are_taken() {
    let world = World::start_with(|limits| {
        limits.calls = 1;
        limits.call = Duration::from_secs(2);
    })
    .await;
    let client = world.client().await;
    // More than the buffers of the socket take.
    let large = call("echo", json!({"text": "x".repeat(MAX_FRAME / 4)}));
    let mut stream = UnixStream::connect(world.path()).await.unwrap();
    stream.write_all(&frame(&large)).await.unwrap();
    world.backend.wait_for(|seen| seen.ends == [End::Result]).await;
    let late = client.invoke(&call("allow", json!({}))).await.unwrap();
    assert_eq!(error(&late).message, "the call took longer than the server allows");
    client.health().await.unwrap();
    drop(stream);
    let answered = client.invoke(&call("allow", json!({}))).await.unwrap();
    assert_eq!(result(&answered)["continue_processing"], true);
}

#[tokio::test]
async fn calls_run_side_by_side_and_get_their_own_replies() {
    let world = World::start().await;
    side_by_side::check(&Arc::new(Remote::Unix(world.client().await)), 200).await;
}

#[tokio::test]
async fn a_call_given_up_never_answers_the_next() {
    // B14, W35
    let world = World::start().await;
    let mut config = ClientConfig::new(world.path());
    config.connections = 1;
    let client = Client::connect(words::NAME, config.clone()).await.unwrap();
    for _ in 0..3 {
        let slow = call("sleep", json!({"seconds": 60}));
        let given_up = tokio::select! {
            biased;
            _ = client.invoke(&slow) => false,
            () = world.backend.wait_for(|seen| seen.running > 0) => true,
        };
        assert!(given_up);
        world.backend.wait_for(|seen| seen.running == 0).await;
        let reply = client.invoke(&call("echo", json!({"n": 1}))).await.unwrap();
        assert_eq!(result(&reply)["modified_payload"]["args"]["n"], 1);
    }
    assert_eq!(world.backend.seen().ends.iter().filter(|end| **end == End::Abandoned).count(), 3, "W86");

    config.timeout = Duration::from_millis(200);
    let hasty = Client::connect(words::NAME, config).await.unwrap();
    let late = hasty.invoke(&call("sleep", json!({"seconds": 60}))).await.unwrap_err();
    assert_eq!(late.to_string(), "request timed out after 0.2s");
    assert!(matches!(hasty.invoke(&call("allow", json!({}))).await.unwrap().outcome, Outcome::Result(_)));
}

#[tokio::test]
async fn a_restarted_server_is_found_by_the_next_call() {
    let mut world = World::start().await;
    let client = world.client().await;
    client.invoke(&call("allow", json!({}))).await.unwrap();
    world.stop().await;
    let mut config = ClientConfig::new(world.path());
    config.reconnect_delay = Duration::from_millis(1);
    let missing = client.invoke(&call("allow", json!({}))).await.unwrap_err();
    assert!(missing.to_string().starts_with("failed to reconnect to "), "{missing}");
    assert!(missing.to_string().contains(" after 4 attempts: "), "{missing}");
    world.restart().await;
    client.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn calls_under_way_finish_before_the_server_stops() {
    let mut world = World::start().await;
    let client = Arc::new(world.client().await);
    let running = tokio::spawn({
        let client = client.clone();
        async move { client.invoke(&call("sleep", json!({"seconds": 0.3}))).await }
    });
    world.backend.wait_for(|seen| seen.running == 1).await;
    world.stop().await;
    assert!(matches!(running.await.unwrap().unwrap().outcome, Outcome::Result(_)));
    assert!(!world.path().exists(), "W33");
}

/// A server that answers every frame with these bytes and then closes or, if `stay`, waits.
///
/// Counts its connections.
async fn liar(bytes: Vec<u8>, stay: bool) -> (tempfile::TempDir, ClientConfig, Arc<AtomicUsize>) {
    let directory = tempfile::tempdir().unwrap();
    let config =
        ClientConfig { timeout: Duration::from_secs(1), ..ClientConfig::new(directory.path().join("s")) };
    let listener = UnixListener::bind(&config.path).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut first = true;
                while let Ok(length) = stream.read_u32().await {
                    let mut frame = vec![0; length as usize];
                    stream.read_exact(&mut frame).await.unwrap();
                    // The greeting is answered honestly: not found.
                    let answer = if first { &[0; 4][..] } else { &bytes };
                    stream.write_all(answer).await.unwrap();
                    if !first && !stay {
                        return;
                    }
                    first = false;
                }
            });
        }
    });
    (directory, config, connections)
}

#[tokio::test]
async fn nothing_that_is_not_the_reply_is_taken_for_one() {
    // W82
    let allow_of_another = b"\0\0\0\x05\x0a\x01Q\x12\0".to_vec();
    for (answer, stay, expected) in [
        (allow_of_another, true, "invalid reply: the reply is of another plugin"),
        (b"\0\0\0\0".to_vec(), true, "invalid reply: the reply is of another plugin"),
        (b"\0\0\0\x03\x0a\x01P".to_vec(), true, "invalid reply: the reply has neither a result nor an error"),
        (b"\0\0\0\x09\x0a\x01P".to_vec(), false, "connection lost before the reply: unexpected end of file"),
        (b"\0\0".to_vec(), false, "connection lost before the reply: unexpected end of file"),
        (Vec::new(), false, "connection lost before the reply: unexpected end of file"),
        (
            b"\x80\0\0\0".to_vec(),
            true,
            "invalid message: a frame of 2147483648 bytes exceeds the limit of 16777216",
        ),
        (b"\0\0\0\x05hello".to_vec(), true, "invalid message: "),
        (b"\0\0\0\x09\x0a\x01P".to_vec(), true, "request timed out after 1s"),
    ] {
        let (_directory, config, _) = liar(answer, stay).await;
        let client = Client::connect("P", config).await.unwrap();
        let mut asked = call("allow", json!({}));
        asked.plugin = "P".to_owned();
        let refused = client.invoke(&asked).await.unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

/// Passes a frame on.
async fn pass(from: &mut UnixStream, to: &mut UnixStream) {
    let mut frame = vec![0; from.read_u32().await.unwrap() as usize];
    from.read_exact(&mut frame).await.unwrap();
    to.write_u32(frame.len() as u32).await.unwrap();
    to.write_all(&frame).await.unwrap();
}

/// Passes connections on to a server; closes the first instead of passing its second frame on, once it has that many
/// bytes of it.
async fn door(world: &World, read: usize) -> (ClientConfig, JoinHandle<()>) {
    let (path, server) = (world.path().with_extension("door"), world.path());
    let listener = UnixListener::bind(&path).unwrap();
    let standing = tokio::spawn(async move {
        let (mut caller, _) = listener.accept().await.unwrap();
        let mut behind = UnixStream::connect(&server).await.unwrap();
        pass(&mut caller, &mut behind).await;
        pass(&mut behind, &mut caller).await;
        caller.readable().await.unwrap();
        let mut begun = vec![0; read];
        let whole = caller.read(&mut begun).await.unwrap();
        assert!(whole <= read);
        drop(caller);
        loop {
            let (mut caller, _) = listener.accept().await.unwrap();
            let mut behind = UnixStream::connect(&server).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut caller, &mut behind).await });
        }
    });
    (ClientConfig::new(path), standing)
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_call_that_a_server_did_not_read_before_it_closed_is_not_lost() {
    let world = World::start().await;
    let asked = call("echo", json!({"n": 1}));
    for read in [0, 4, frame(&asked).len() - 1] {
        let (config, standing) = door(&world, read).await;
        let client = Client::connect(words::NAME, config).await.unwrap();
        let reply = client.invoke(&asked).await.unwrap();
        assert_eq!(result(&reply)["modified_payload"]["args"]["n"], 1, "{read} bytes were read");
        standing.abort();
        let _ = standing.await;
        fs::remove_file(world.path().with_extension("door")).unwrap();
    }
    // One that was read may have been acted on.
    let (config, _standing) = door(&world, 1 << 20).await;
    let client = Client::connect(words::NAME, config).await.unwrap();
    assert!(matches!(client.invoke(&asked).await, Err(RemoteError::Disconnected(_))));
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_is_not_the_next_one() {
    // B14: the second frame of each answer would be taken for the reply to the next call.
    let reply = b"\0\0\0\x05\x0a\x01P\x12\0".to_vec();
    let (_directory, mut config, connections) = liar([reply.clone(), reply].concat(), true).await;
    config.connections = 1;
    let client = Client::connect("P", config).await.unwrap();
    let mut asked = call("allow", json!({}));
    asked.plugin = "P".to_owned();
    for _ in 0..3 {
        client.invoke(&asked).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::Relaxed), 3, "each call had a connection without a leftover");
}

#[tokio::test]
async fn only_the_owner_reaches_the_socket() {
    let world = World::start().await;
    let mode = fs::metadata(world.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(world.path().parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the socket is left in its directory");
}

#[tokio::test]
async fn a_socket_is_put_only_where_it_is_safe() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let bind = || Server::bind(ServerConfig::new(&path));

    fs::write(&path, "mine").unwrap();
    assert!(matches!(bind(), Err(BindError::NotASocket(_))));
    fs::remove_file(&path).unwrap();

    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(bind(), Err(BindError::OpenDirectory(_))));
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let first = bind().unwrap();
    assert!(matches!(bind(), Err(BindError::InUse(_))));
    drop(first);
    assert!(!path.exists());

    drop(UnixListener::bind(&path).unwrap());
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket(), "nobody serves it");
    let replaced = bind().unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    drop(replaced);
    assert_eq!(fs::read_to_string(&path).unwrap(), "another's", "only the own socket is removed");

    let nowhere = Server::bind(ServerConfig::new(directory.path().join("no/s")));
    assert!(matches!(nowhere, Err(BindError::NoDirectory(_))));
}

/// Sends these bytes and returns what comes back until the server closes.
async fn converse(world: &World, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(world.path()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn requests_are_told_apart_by_their_fields() {
    // W31, W32
    let world = World::start().await;
    let mut stream = UnixStream::connect(world.path()).await.unwrap();
    let mut ask = async |bytes: &[u8]| {
        stream.write_u32(bytes.len() as u32).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = vec![0; stream.read_u32().await.unwrap() as usize];
        stream.read_exact(&mut answer).await.unwrap();
        answer
    };
    let unknown = "22270a14556e6b6e6f776e206d65737361676520747970651a0f554e4b4e4f574e5f4d455353414745";
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(ask(b"\x0a\x06Nobody").await, b"", "not found");
    assert!(ask(b"\x0a\x0bprobepLUGIN").await.len() > 100, "in any case");
    assert!(ask(b"").await.len() > 100, "an empty request lists all");
    assert!(ask(b"\x18\x01").await.len() > 100, "as does one of two bytes");
    for odd in [&b"\xff\xff\xff"[..], b"{}{}", b"\x18\x01\x18\x01"] {
        assert!(hex(ask(odd).await).starts_with(unknown), "{odd:?}");
    }
}

#[tokio::test]
async fn an_announced_frame_of_two_gigabytes_is_refused_at_once() {
    let world = World::start().await;
    let answer = converse(&world, b"\x80\0\0\0").await;
    let told = InvokeHookResponse::decode(&answer[4..]).unwrap().error.unwrap();
    assert_eq!(told.message, "a message of more than 16777216 bytes is not taken");
    world.backend.wait_for(|seen| seen.refusals == [Refusal::Size]).await;
    world.client().await.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn slow_peers_are_cut_off() {
    let world = World::start_with(|limits| limits.transfer = Duration::from_millis(200)).await;
    for bytes in [&b"\0"[..], b"\0\0\0", b"\0\0\0\x09\x0a"] {
        assert_eq!(converse(&world, bytes).await, b"");
    }
    world.backend.wait_for(|seen| seen.complaints.len() == 3).await;
    assert!(
        world
            .backend
            .seen()
            .complaints
            .iter()
            .all(|complaint| complaint == "a transfer took longer than 0.2s")
    );

    // One that takes no reply: the socket's buffers fill, then its time is up.
    let mut deaf = UnixStream::connect(world.path()).await.unwrap();
    let request = frame(&call("echo", json!({"text": "x".repeat(4_000_000)})));
    deaf.write_all(&request).await.unwrap();
    world.backend.wait_for(|seen| seen.complaints.len() == 4).await;
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let world = World::start_with(|limits| limits.idle = Duration::from_millis(100)).await;
    assert_eq!(converse(&world, b"").await, b"");
    world.backend.wait_for(|seen| seen.open == 0).await;
    assert!(world.backend.seen().complaints.is_empty(), "nothing is wrong with being idle");
}

#[tokio::test]
async fn half_closed_peers_do_not_stay() {
    let world = World::start().await;
    for bytes in [&b""[..], b"\0\0", b"\0\0\0\x09\x0a"] {
        let mut stream = UnixStream::connect(world.path()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"");
    }
    world.backend.wait_for(|seen| seen.open == 0).await;
}

#[tokio::test]
async fn connections_are_limited() {
    let world = World::start_with(|limits| limits.connections = 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(UnixStream::connect(world.path()).await.unwrap());
    }
    world.backend.wait_for(|seen| seen.open == 3).await;
    assert_eq!(converse(&world, b"").await, b"");
    world.backend.wait_for(|seen| seen.refusals == [Refusal::Connections]).await;
    drop(held);
    world.backend.wait_for(|seen| seen.open == 0).await;
    world.client().await.invoke(&call("allow", json!({}))).await.unwrap();
}

#[tokio::test]
async fn requests_share_the_memory_set_aside() {
    let megabyte = 1024 * 1024;
    let world = World::start_with(|limits| {
        limits.frame = megabyte;
        limits.memory = 2 * megabyte;
        limits.transfer = Duration::from_millis(300);
    })
    .await;
    // Each announces a megabyte and sends the part that needs no share: two get theirs, the third waits in vain.
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = UnixStream::connect(world.path()).await.unwrap();
        stream.write_all(&(megabyte as u32).to_be_bytes()).await.unwrap();
        stream.write_all(&[0; 64 * 1024]).await.unwrap();
        held.push(stream);
    }
    // A small request does not wait for any.
    let client = world.client().await;
    client.invoke(&call("allow", json!({}))).await.unwrap();
    world.backend.wait_for(|seen| seen.complaints.len() == 3).await;
    assert_eq!(world.backend.seen().open, 1, "the client's own");
}

#[tokio::test]
async fn a_client_waits_in_a_full_queue() {
    let world = World::start().await;
    let path = world.path().with_extension("queue");
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(&path).unwrap();
    let queue = socket.listen(1).unwrap();
    let mut first = Vec::new();
    let full = loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => first.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    let serving = async {
        loop {
            let (mut caller, _) = queue.accept().await.unwrap();
            let mut server = UnixStream::connect(world.path()).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut caller, &mut server).await });
        }
    };
    // The client is polled first: nobody has left the queue when it comes.
    tokio::select! {
        biased;
        client = Client::connect(words::NAME, ClientConfig::new(&path)) => {
            client.unwrap();
        }
        () = serving => {}
    }
}
