//! Calls one plugin of a server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::child::Offspring;
use super::config::{ClientConfig, Endpoint};
use super::jsonrpc::{Fault, Message};
use super::link::Link;
use super::question::Question;
use super::text::{Greeting, Said, read_reply};
use crate::error::{RemoteError, shown};
use crate::json::Json;
use crate::message::{Call, PluginError, Reply};
use crate::reconnect::{self, until_reached};
use crate::wire::{Features, NotEncodable};

/// What `initialize` tells the server.
pub(super) const INITIALIZE: &str = concat!(
    r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"cpex","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}"#
);

/// A client of one plugin.
///
/// Connecting is tried again, and so is a call that a server did not take: it was restarted and no longer knows the
/// session, or it is about to stop. A call that was taken is not: the plugin may have run. Dropping a call gives it up
/// on the server.
#[derive(Debug)]
pub struct Client {
    plugin: String,
    config: ClientConfig,
    server: Server,
    permits: Semaphore,
}

#[derive(Debug)]
enum Server {
    Http(Arc<Link>),
    Stdio(Arc<Offspring>),
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// It is not on its way.
    Unsent(io::Error),
    /// The server did not take it, because it does not know the session.
    Gone,
    /// It is, and what came of it may not be tried again.
    Remote(RemoteError),
}

impl From<Failed> for reconnect::Failed {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unsent(source) => Self::Unreached(source),
            Failed::Gone => Self::Unreached(io::Error::other("the server does not know the session")),
            Failed::Remote(error) => Self::Ended(error),
        }
    }
}

impl Failed {
    /// Nothing was asked of a plugin yet: it may be tried again.
    pub(super) fn before_any_call(self) -> Self {
        match self {
            Self::Remote(RemoteError::Disconnected(source)) => Self::Unsent(source),
            failed => failed,
        }
    }
}

impl Client {
    /// Connects to the server of `plugin`, and starts it if it is a child of this process.
    ///
    /// # Errors
    /// If there is no server, or it does not answer in time.
    pub async fn connect(plugin: impl Into<String>, config: ClientConfig) -> Result<Self, RemoteError> {
        let plugin = plugin.into();
        let server = match &config.endpoint {
            Endpoint::Http(http) => Server::Http(Link::new(http, config.message)?),
            Endpoint::Stdio(program) => {
                Server::Stdio(Offspring::new(&plugin, program.clone(), config.message))
            }
        };
        let permits = Semaphore::new(config.calls.clamp(1, Semaphore::MAX_PERMITS));
        let client = Self { plugin, config, server, permits };
        client.ask(Question::Ping).await?;
        Ok(client)
    }

    /// The plugin's configuration on the server; `None` if the server has no such plugin.
    ///
    /// # Errors
    /// If the server cannot be reached or does not answer properly.
    pub async fn plugin_config(&self) -> Result<Option<Json>, RemoteError> {
        let said = self.call_tool(Question::Config(&self.plugin)).await?;
        if said.is_error {
            return Err(RemoteError::Status { code: "tool error", message: shown(&said.text) });
        }
        let config = Json::new(said.text).map_err(|error| RemoteError::Malformed(error.to_string()))?;
        if !config.is_object() {
            return Err(RemoteError::Malformed("the configuration is not an object".to_owned()));
        }
        // Asked for a plugin that it does not have, a server answers with an empty object.
        Ok(Some(config).filter(|config| !config.is_empty_object()))
    }

    /// Runs a hook of the plugin.
    ///
    /// # Errors
    /// If there is no reply: see [`RemoteError`]. Never retried once the server took the call.
    pub async fn invoke(&self, call: &Call) -> Result<Reply, RemoteError> {
        let parts = [Some(&call.payload), Some(&call.context), call.extensions.as_ref()];
        if !parts.into_iter().flatten().all(Json::is_object) {
            return Err(NotEncodable::NotAnObject.into());
        }
        let said = self.call_tool(Question::Invoke(call)).await?;
        if said.is_error {
            let message = format!("Error trying to decode json: {}", shown(&said.text));
            return Ok(Reply::failed(PluginError::coded(&*call.plugin, message, "JSON_DECODE_ERROR")));
        }
        Ok(read_reply(&said.text, &call.plugin)?)
    }

    /// What the server understood that was connected to last.
    #[must_use]
    pub fn understood(&self) -> Features {
        match &self.server {
            Server::Http(link) => link.understood(),
            Server::Stdio(offspring) => offspring.understood(),
        }
    }

    /// Asks the server for a sign of life (`ping`), without waiting behind calls.
    ///
    /// # Errors
    /// If it gives none.
    pub async fn health(&self) -> Result<(), RemoteError> {
        let answer = self.in_time(self.ask_now(Question::Ping)).await?;
        match Message::read(&answer) {
            Ok(Message::Answer { outcome: Ok(_), .. }) => Ok(()),
            Ok(Message::Answer { outcome: Err(fault), .. }) => Err(refused(fault)),
            _ => Err(RemoteError::Malformed("the answer is no message".to_owned())),
        }
    }

    /// Ends the session, and a server that is a child of this process.
    pub async fn close(&self) {
        match &self.server {
            Server::Http(link) => link.close().await,
            Server::Stdio(offspring) => offspring.close().await,
        }
    }

    async fn call_tool(&self, question: Question<'_>) -> Result<Said, RemoteError> {
        let answer = self.ask(question).await?;
        match Message::read(&answer) {
            Ok(Message::Answer { outcome: Ok(result), .. }) => {
                Said::read(result).ok_or_else(|| RemoteError::Malformed("the tool said nothing".to_owned()))
            }
            Ok(Message::Answer { outcome: Err(fault), .. }) => Err(refused(fault)),
            _ => Err(RemoteError::Malformed("the answer is no message".to_owned())),
        }
    }

    /// Asks in time, and again as long as no server has taken the request.
    async fn ask(&self, question: Question<'_>) -> Result<Vec<u8>, RemoteError> {
        let asking = async {
            let Ok(_permit) = timeout(self.config.turn, self.permits.acquire()).await else {
                return Err(RemoteError::Busy(self.config.turn));
            };
            self.ask_now(question).await
        };
        self.in_time(asking).await
    }

    async fn ask_now(&self, question: Question<'_>) -> Result<Vec<u8>, RemoteError> {
        let ClientConfig { reconnect_attempts, reconnect_delay, .. } = self.config;
        let target = || self.config.endpoint.to_string();
        let begun_again = AtomicBool::new(false);
        until_reached(reconnect_attempts, reconnect_delay, target, || async {
            let asked = match self.put(question).await {
                Err(Failed::Gone) if !begun_again.swap(true, Ordering::Relaxed) => self.put(question).await,
                asked => asked,
            };
            asked.map_err(reconnect::Failed::from)
        })
        .await
    }

    async fn put(&self, question: Question<'_>) -> Result<Vec<u8>, Failed> {
        match &self.server {
            Server::Http(link) => link.ask(question).await,
            Server::Stdio(offspring) => offspring.ask(question).await,
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, RemoteError>>) -> Result<T, RemoteError> {
        timeout(self.config.timeout, work).await.unwrap_or(Err(RemoteError::TimedOut(self.config.timeout)))
    }
}

/// What a server says of itself.
pub(super) fn greeted(greeting: &[u8]) -> Result<Greeting, Failed> {
    let malformed = |what: &str| Failed::Remote(RemoteError::Malformed(what.to_owned()));
    match Message::read(greeting) {
        Ok(Message::Answer { outcome: Ok(result), .. }) => Greeting::read(result)
            .ok_or_else(|| malformed("the server speaks no version of MCP that is known here")),
        Ok(Message::Answer { outcome: Err(fault), .. }) => Err(Failed::Remote(refused(fault))),
        _ => Err(malformed("the server does not answer as MCP says")),
    }
}

fn refused(Fault { code, message }: Fault) -> RemoteError {
    let (word, message) = ("JSON-RPC error", format!("{code}: {}", shown(&message)));
    match code {
        Fault::INVALID_PARAMS => RemoteError::Rejected { code: word, message },
        _ => RemoteError::Status { code: word, message },
    }
}
