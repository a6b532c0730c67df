//! A server of ours that writes down what happens.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cpex_remote::unix::{Client, ClientConfig, Limits, Server, ServerConfig};
use cpex_remote::wire::{Features, InvokeHookRequest};
use cpex_remote::{Backend, Call, End, Event, Failure, Json, Outcome, PluginError, Refusal, Reply};
use prost::Message;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::probe::{NAME, Probe};

/// Longer than anything here takes, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Connections.
    pub(crate) open: usize,
    /// Calls.
    pub(crate) running: usize,
    /// How calls ended.
    pub(crate) ends: Vec<End>,
    /// What was not taken.
    pub(crate) refusals: Vec<Refusal>,
    /// What connections ended of.
    pub(crate) complaints: Vec<String>,
}

struct Witness {
    seen: watch::Sender<Seen>,
}

struct Running<'w>(&'w Witness);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.seen.send_modify(|seen| seen.running -= 1);
    }
}

impl Backend for Witness {
    async fn configs(&self) -> Result<Vec<Json>, Failure> {
        Probe.configs().await
    }

    async fn config(&self, name: &str) -> Result<Option<Json>, Failure> {
        Probe.config(name).await
    }

    async fn invoke(&self, call: Call) -> Result<Reply, Failure> {
        self.seen.send_modify(|seen| seen.running += 1);
        let _running = Running(self);
        Probe.invoke(call).await
    }

    fn observe(&self, event: &Event<'_>) {
        self.seen.send_modify(|seen| match event {
            Event::Opened => seen.open += 1,
            Event::Closed(problem) => {
                seen.open -= 1;
                seen.complaints.extend(problem.map(ToString::to_string));
            }
            Event::Refused(refusal) => seen.refusals.push(*refusal),
            Event::Invoked { end, .. } => seen.ends.push(*end),
            _ => {}
        });
    }
}

/// A server and its socket.
pub(crate) struct World {
    config: ServerConfig,
    backend: Arc<Witness>,
    running: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
    _directory: tempfile::TempDir,
}

impl World {
    /// A server with the usual limits.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A server with other limits.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Limits)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::new(directory.path().join("s"));
        change(&mut config.limits);
        let backend = Arc::new(Witness { seen: watch::Sender::default() });
        let mut world = Self { config, backend, running: Mutex::default(), _directory: directory };
        world.restart().await;
        world
    }

    /// The server serves again.
    pub(crate) async fn restart(&mut self) {
        let server = Server::bind(self.config.clone()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let backend = self.backend.clone();
        let serving =
            tokio::spawn(async move { server.serve(backend, async { stopped.await.unwrap_or(()) }).await });
        *self.running.lock().unwrap() = Some((stop, serving));
    }

    /// The server has stopped.
    pub(crate) async fn stop(&mut self) {
        let (stop, serving) = self.running.lock().unwrap().take().unwrap();
        stop.send(()).unwrap();
        serving.await.unwrap();
    }

    /// The socket.
    pub(crate) fn path(&self) -> PathBuf {
        self.config.path.clone()
    }

    /// A client of the plugin.
    pub(crate) async fn client(&self) -> Client {
        let config =
            ClientConfig { reconnect_delay: Duration::from_millis(1), ..ClientConfig::new(self.path()) };
        Client::connect(NAME, config).await.unwrap()
    }

    /// What the server told so far.
    pub(crate) fn seen(&self) -> Seen {
        self.backend.seen.borrow().clone()
    }

    /// Returns when the server has told this.
    pub(crate) async fn wait_for(&self, what: impl FnMut(&Seen) -> bool) {
        let mut seen = self.backend.seen.subscribe();
        let told = tokio::time::timeout(PATIENCE, seen.wait_for(what)).await;
        assert!(told.is_ok(), "still {:?}", self.seen());
    }
}

/// A call of the probe's only hook.
pub(crate) fn call(name: &str, args: Value) -> Call {
    let payload = json!({"name": name, "args": args, "headers": null});
    let context = json!({"state": {}, "metadata": {}, "global_context": {
        "request_id": "r", "user": "alice", "content_type": "ct", "state": {"sk": true}, "metadata": {},
    }});
    Call {
        hook: "tool_pre_invoke".to_owned(),
        plugin: NAME.to_owned(),
        payload: Json::new(payload.to_string()).unwrap(),
        context: Json::new(context.to_string()).unwrap(),
    }
}

/// The call as an older client sends it.
pub(crate) fn frame(call: &Call) -> Vec<u8> {
    let message = InvokeHookRequest::from_call(call, Features::default()).unwrap().encode_to_vec();
    [&(message.len() as u32).to_be_bytes()[..], &message].concat()
}

/// The value of a text.
pub(crate) fn value(json: &Json) -> Value {
    serde_json::from_str(json.as_str()).unwrap()
}

/// The result of a reply that has one.
pub(crate) fn result(reply: &Reply) -> Value {
    match &reply.outcome {
        Outcome::Result(result) => value(result),
        Outcome::Error(error) => panic!("{error:?}"),
    }
}

/// The error of a reply that has one.
pub(crate) fn error(reply: &Reply) -> &PluginError {
    match &reply.outcome {
        Outcome::Error(error) => error,
        Outcome::Result(result) => panic!("{result:?}"),
    }
}
