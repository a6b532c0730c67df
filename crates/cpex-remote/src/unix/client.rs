//! Calls one plugin of a server.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use prost::Message;
use prost::bytes::Bytes;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::config::ClientConfig;
use super::error::FrameError;
use super::frame::{MAX_FRAME, frame, frame_for, read_frame};
use super::request::TOO_LARGE;
use crate::error::RemoteError;
use crate::json::Json;
use crate::message::{Call, Reply};
use crate::reconnect::{Failed, connect_unix, until_reached};
use crate::wire::{
    Features, GetPluginConfigRequest, GetPluginConfigResponse, InvokeHookRequest, InvokeHookResponse,
};

/// A client of one plugin.
///
/// Calls run side by side, each on a connection of its own; connections are kept for the next calls. A connection is
/// used again only after a whole and proper reply: a call that is dropped, times out or fails takes its connection
/// with it, and the server sees that.
///
/// Connecting is tried again, a call is not: once its last byte is read, the plugin may have run.
#[derive(Debug)]
pub struct Client {
    plugin: String,
    config: ClientConfig,
    idle: Mutex<Vec<Connection>>,
    server: Mutex<Features>,
    permits: Semaphore,
}

#[derive(Debug)]
struct Connection {
    stream: BufReader<UnixStream>,
    server: Features,
}

/// Why an exchange came to nothing.
enum Broken {
    /// The server has not got all of the request: it cannot have acted on it.
    Unsent,
    /// All of it is, or the server has said why it does not take it.
    Sent(RemoteError),
}

impl Client {
    /// Connects to the server of `plugin`, once.
    ///
    /// # Errors
    /// If there is no server, or it does not say what it knows of the plugin in time.
    pub async fn connect(plugin: impl Into<String>, config: ClientConfig) -> Result<Self, RemoteError> {
        let permits = Semaphore::new(config.connections.clamp(1, Semaphore::MAX_PERMITS));
        let client =
            Self { plugin: plugin.into(), config, idle: Mutex::default(), server: Mutex::default(), permits };
        let connection = client.in_time(client.open()).await?;
        client.keep(connection);
        Ok(client)
    }

    /// The plugin's configuration on the server; `None` if the server has no such plugin.
    ///
    /// # Errors
    /// If the server cannot be reached or does not answer properly.
    pub async fn plugin_config(&self) -> Result<Option<Json>, RemoteError> {
        let request = GetPluginConfigRequest { name: self.plugin.clone() };
        let numbers = self.config.numbers;
        let asked = self.exchange(
            |_| Ok(request.clone()),
            |answer: GetPluginConfigResponse| {
                answer.into_announced(numbers).map_err(|error| RemoteError::Malformed(error.to_string()))
            },
        );
        Ok(self.in_time(asked).await?.config)
    }

    /// Asks the server for a sign of life (the plugin's configuration), without waiting behind calls.
    ///
    /// # Errors
    /// If it gives none.
    pub async fn health(&self) -> Result<(), RemoteError> {
        let name = &self.plugin;
        let asked = self.exchange_now(
            |_| Ok(GetPluginConfigRequest { name: name.clone() }),
            |_: GetPluginConfigResponse| Ok(()),
        );
        self.in_time(asked).await
    }

    /// Runs a hook of the plugin.
    ///
    /// # Errors
    /// If there is no reply: see [`RemoteError`]. Never retried once the server has read the call.
    pub async fn invoke(&self, call: &Call) -> Result<Reply, RemoteError> {
        let numbers = self.config.numbers;
        let asked = self.exchange(
            |server| Ok(InvokeHookRequest::from_call(call, server)?),
            |answer: InvokeHookResponse| match rejected(&answer) {
                Some(error) => Err(error),
                None => Ok(answer.into_reply(&call.plugin, numbers)?),
            },
        );
        self.in_time(asked).await
    }

    /// What the server understood that was connected to last.
    #[must_use]
    pub fn understood(&self) -> Features {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, RemoteError>>) -> Result<T, RemoteError> {
        timeout(self.config.timeout, work).await.unwrap_or(Err(RemoteError::TimedOut(self.config.timeout)))
    }

    /// Sends a request and reads the answer. A connection that turns out to be dead before the server has the request is
    /// replaced.
    async fn exchange<Q: Message, A: Message + Default, T>(
        &self,
        request: impl Fn(Features) -> Result<Q, RemoteError>,
        read: impl FnOnce(A) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let _permit = self.permits.acquire().await;
        self.exchange_now(request, read).await
    }

    async fn exchange_now<Q: Message, A: Message + Default, T>(
        &self,
        request: impl Fn(Features) -> Result<Q, RemoteError>,
        read: impl FnOnce(A) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        loop {
            let (mut connection, fresh) = match self.take() {
                Some(kept) => (kept, false),
                None => (self.reopen().await?, true),
            };
            let frame = frame_for(connection.server, MAX_FRAME, &request)?
                .map_err(|size| RemoteError::TooLarge { size, limit: MAX_FRAME })?;
            match connection.exchange(&frame).await {
                Ok(body) => {
                    let answer =
                        A::decode(body).map_err(|error| RemoteError::Malformed(error.to_string()))?;
                    let answer = read(answer)?;
                    self.keep(connection);
                    return Ok(answer);
                }
                Err(Broken::Sent(error)) => return Err(error),
                Err(Broken::Unsent) if !fresh => {}
                Err(Broken::Unsent) => {
                    return Err(RemoteError::Disconnected(io::ErrorKind::BrokenPipe.into()));
                }
            }
        }
    }

    /// A connection, however long the server takes to come back.
    async fn reopen(&self) -> Result<Connection, RemoteError> {
        let ClientConfig { reconnect_attempts, reconnect_delay, ref path, .. } = self.config;
        until_reached(
            reconnect_attempts,
            reconnect_delay,
            || target(path),
            || async {
                self.open().await.map_err(|error| match error {
                    RemoteError::Connect { source, .. } => Failed::Unreached(source),
                    error => Failed::Ended(error),
                })
            },
        )
        .await
    }

    /// A connection, and what its server understands.
    async fn open(&self) -> Result<Connection, RemoteError> {
        let path = &self.config.path;
        let failed = |source| RemoteError::Connect { target: target(path), source };
        let stream = connect_unix(path).await.map_err(failed)?;
        let mut connection = Connection { stream: BufReader::new(stream), server: Features::default() };
        let request = GetPluginConfigRequest { name: self.plugin.clone() };
        let hello =
            frame(&request, MAX_FRAME).map_err(|size| RemoteError::TooLarge { size, limit: MAX_FRAME })?;
        let answer = match connection.exchange(&hello).await {
            Ok(answer) => answer,
            Err(Broken::Unsent) => return Err(failed(io::ErrorKind::BrokenPipe.into())),
            Err(Broken::Sent(RemoteError::Disconnected(source))) => return Err(failed(source)),
            Err(Broken::Sent(error)) => return Err(error),
        };
        // A server that cannot tell what it knows can still be called, as in CPEX 0.1.x.
        connection.server =
            GetPluginConfigResponse::decode(answer).map(|answer| answer.features()).unwrap_or_default();
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = connection.server;
        Ok(connection)
    }

    /// A connection that was kept and that the server has not closed.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

impl Connection {
    async fn exchange(&mut self, request: &Bytes) -> Result<Bytes, Broken> {
        if self.stream.write_all(request).await.is_err() {
            return Err(self.last_words().await);
        }
        let lost = |source| Broken::Sent(RemoteError::Disconnected(source));
        match read_frame(&mut self.stream, MAX_FRAME).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) | Err(FrameError::Truncated) => Err(lost(io::ErrorKind::UnexpectedEof.into())),
            Err(FrameError::Io(source)) if was_not_read(&source) => Err(Broken::Unsent),
            Err(FrameError::Io(source)) => Err(lost(source)),
            Err(error @ FrameError::TooLarge { .. }) => {
                Err(Broken::Sent(RemoteError::Malformed(error.to_string())))
            }
        }
    }

    /// Why the server did not take all of a request. It may have said so before it hung up.
    async fn last_words(&mut self) -> Broken {
        let said = read_frame(&mut self.stream, MAX_FRAME).await.ok().flatten();
        let answer = said.and_then(|said| InvokeHookResponse::decode(said).ok());
        answer.as_ref().and_then(rejected).map_or(Broken::Unsent, Broken::Sent)
    }

    /// Is it open, and is nothing there to read? Between two exchanges, whatever could be read is not a reply.
    fn is_quiet(&self) -> bool {
        let waiting = self.stream.get_ref().try_read(&mut [0]);
        self.stream.buffer().is_empty()
            && matches!(waiting, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Has the server closed before it read all of the request? Linux says so (`unix_release_sock` in `net/unix/af_unix.c`):
/// whoever closes with something left to read resets the connection, everybody else just ends it. A request that was not
/// read whole was not acted on.
fn was_not_read(error: &io::Error) -> bool {
    cfg!(target_os = "linux") && error.kind() == io::ErrorKind::ConnectionReset
}

/// What a server says to a frame that it does not read.
fn rejected(answer: &InvokeHookResponse) -> Option<RemoteError> {
    let error =
        answer.error.as_ref().filter(|error| answer.plugin_name.is_empty() && error.code == TOO_LARGE)?;
    Some(RemoteError::Rejected { code: "message too large", message: error.message.clone() })
}

fn target(path: &Path) -> String {
    path.display().to_string()
}
