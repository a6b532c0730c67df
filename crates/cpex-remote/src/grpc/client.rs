//! Calls one plugin of a server.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prost::Message;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb;
use tonic_health::pb::health_client::HealthClient as StandardHealthClient;

use super::PROTOCOLS;
use super::config::ClientConfig;
use super::line::Line;
use super::turns::PUSHBACK;
use crate::addresses::Addresses;
use crate::error::{RemoteError, root_cause, shown};
use crate::http::{Connector, MAX_MESSAGE, NotConnected};
use crate::json::Json;
use crate::message::{Call, LATE, Reply};
use crate::reconnect::{Failed, until_reached};
use crate::secret::Secret;
use crate::task::Executor;
use crate::tls::Trust;
use crate::wire::health_check_response::ServingStatus;
use crate::wire::health_client::HealthClient;
use crate::wire::plugin_service_client::PluginServiceClient;
use crate::wire::{Announced, Features, GetPluginConfigRequest, HealthCheckRequest, InvokeHookRequest};

/// A server that has heard of no such service says so.
const UNKNOWN: i32 = ServingStatus::Unknown as i32;

/// Bytes of the headers, or of the trailers, of one answer.
const MAX_HEADERS: u32 = 64 * 1024;

/// Whoever asks what takes no time gives up only if there is no answer.
const SOON: Duration = Duration::ZERO;

/// A client of one plugin.
///
/// Calls share a connection, which is made again when it is lost. Dropping a call resets it on the server. Connecting
/// is tried again, a call is not: once it is on the way, the plugin may have run.
#[derive(Debug)]
pub struct Client {
    plugin: String,
    config: ClientConfig,
    line: Line,
    authorization: Option<MetadataValue<Ascii>>,
    server: Mutex<Features>,
}

impl Client {
    /// Connects to the server of `plugin` and asks what it understands.
    ///
    /// # Errors
    /// If there is no server, or it does not answer in time.
    pub async fn connect(plugin: impl Into<String>, config: ClientConfig) -> Result<Self, RemoteError> {
        // The connector knows the target; this names it in the requests.
        let endpoint = Endpoint::from_static("http://localhost")
            .http2_max_header_list_size(MAX_HEADERS)
            .executor(Executor)
            .http2_keep_alive_interval(config.keepalive)
            .keep_alive_timeout(config.keepalive_timeout);
        let (target, address, tls) = (config.target.clone(), config.address, config.tls.clone());
        let connector = Connector {
            target,
            address,
            addresses: Addresses::Any,
            tls,
            trust: Trust::Bundle,
            protocols: PROTOCOLS,
            within: config.connect_timeout,
        };
        let line = Line::new(endpoint, connector);
        let authorization = config.token.as_ref().map(authorization).transpose()?;
        let (plugin, server) = (plugin.into(), Mutex::default());
        let client = Self { plugin, config, line, authorization, server };
        client.announced().await?;
        Ok(client)
    }

    /// The plugin's configuration on the server; `None` if the server has no such plugin.
    ///
    /// # Errors
    /// If the server cannot be reached or does not answer properly.
    pub async fn plugin_config(&self) -> Result<Option<Json>, RemoteError> {
        Ok(self.announced().await?.config)
    }

    /// Runs a hook of the plugin.
    ///
    /// # Errors
    /// If there is no reply: see [`RemoteError`]. Never retried once the call was sent.
    pub async fn invoke(&self, call: &Call) -> Result<Reply, RemoteError> {
        let request = sized(call, self.understood())?;
        let patience = call.patience.unwrap_or(self.config.timeout);
        let answer = self.ask(patience, |channel| {
            let (mut service, request) = (service(channel), self.authorized(request.clone()));
            async move { service.invoke_hook(request).await }
        });
        Ok(answer.await?.into_reply(&call.plugin, self.config.numbers)?)
    }

    /// What the server understood that was asked last.
    #[must_use]
    pub fn understood(&self) -> Features {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the server whether it takes calls, by whichever name of health it knows.
    ///
    /// # Errors
    /// If it does not, or does not answer.
    pub async fn health(&self) -> Result<(), RemoteError> {
        let standard = self.ask(SOON, |channel| {
            let mut health = StandardHealthClient::new(channel);
            let request = self.authorized(pb::HealthCheckRequest::default());
            async move { health.check(request).await.or_else(unknown_to_older) }
        });
        let status = match standard.await?.status {
            UNKNOWN => {
                let older = self.ask(SOON, |channel| {
                    let mut health = HealthClient::new(channel);
                    let request = self.authorized(HealthCheckRequest::default());
                    async move { health.check(request).await }
                });
                older.await?.status
            }
            status => status,
        };
        match status == ServingStatus::Serving as i32 {
            true => Ok(()),
            false => {
                let message = "the server says that it takes no calls".to_owned();
                Err(RemoteError::Status { code: "not serving", message })
            }
        }
    }

    async fn announced(&self) -> Result<Announced, RemoteError> {
        let answer = self.ask(SOON, |channel| {
            let request = self.authorized(GetPluginConfigRequest { name: self.plugin.clone() });
            let mut service = service(channel);
            async move { service.get_plugin_config(request).await }
        });
        let announced = answer
            .await?
            .into_announced(self.config.numbers)
            .map_err(|error| RemoteError::Malformed(error.to_string()))?;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = announced.features;
        Ok(announced)
    }

    /// Asks in time, and again as long as no server takes the call. Whoever gives it up after `patience` has waited for
    /// the server.
    async fn ask<A, F: Future<Output = Result<Response<A>, Status>>>(
        &self,
        patience: Duration,
        ask: impl Fn(Channel) -> F,
    ) -> Result<A, RemoteError> {
        let ClientConfig { reconnect_attempts, reconnect_delay, .. } = self.config;
        let asking = until_reached(
            reconnect_attempts,
            reconnect_delay,
            || self.config.place(),
            || async {
                let waiting = self.line.wait(patience.mul_f64(LATE));
                let ended = ask(waiting.channel()).await;
                waiting.answered();
                ended.map(Response::into_inner).map_err(|status| match not_taken(&status) {
                    Some(source) => Failed::Unreached(source),
                    None => Failed::Ended(self.failed(status)),
                })
            },
        );
        timeout(self.config.timeout, asking).await.unwrap_or(Err(RemoteError::TimedOut(self.config.timeout)))
    }

    fn authorized<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }

    fn failed(&self, status: Status) -> RemoteError {
        // A status that a server sent has no cause here.
        match status.source() {
            Some(_) => RemoteError::Disconnected(std::io::Error::other(root_cause(&status))),
            None => {
                let (code, message) = (status.code().description(), shown(status.message()));
                match status.code() {
                    Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted => {
                        RemoteError::Rejected { code, message }
                    }
                    _ => RemoteError::Status { code, message },
                }
            }
        }
    }
}

fn service(channel: Channel) -> PluginServiceClient<Channel> {
    PluginServiceClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE)
}

fn authorization(token: &Secret) -> Result<MetadataValue<Ascii>, RemoteError> {
    let mut value: MetadataValue<Ascii> =
        format!("Bearer {}", token.reveal()).parse().map_err(|_| RemoteError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The request, with texts of what other fields say as well if they fit.
fn sized(call: &Call, server: Features) -> Result<InvokeHookRequest, RemoteError> {
    let mut size = 0;
    for features in server.down_to_size() {
        let request = InvokeHookRequest::from_call(call, features)?;
        size = request.encoded_len();
        if size <= MAX_MESSAGE {
            return Ok(request);
        }
    }
    Err(RemoteError::TooLarge { size, limit: MAX_MESSAGE })
}

/// What a server says that knows no health by the standard name: nothing.
fn unknown_to_older(status: Status) -> Result<Response<pb::HealthCheckResponse>, Status> {
    match status.code() {
        Code::Unimplemented => Ok(Response::new(pb::HealthCheckResponse { status: UNKNOWN })),
        _ => Err(status),
    }
}

/// Why no server took the call, if that is what the status is about: there was no connection, or it is about to end.
fn not_taken(status: &Status) -> Option<std::io::Error> {
    if status.code() == Code::Unavailable && status.metadata().contains_key(PUSHBACK) {
        return Some(std::io::Error::other(shown(status.message())));
    }
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(NotConnected(error)) = error.downcast_ref() {
            return Some(std::io::Error::new(error.kind(), error.to_string()));
        }
        if error.downcast_ref().is_some_and(is_refused) || error.downcast_ref().is_some_and(is_unsent) {
            return Some(std::io::Error::new(std::io::ErrorKind::ConnectionAborted, error.to_string()));
        }
        cause = error.source();
    }
    None
}

/// A server that stops says by GOAWAY which streams it has begun to look at, and refuses all others (RFC 9113, 6.8, 8.7).
fn is_refused(error: &h2::Error) -> bool {
    let reason = error.reason();
    (error.is_go_away() && error.is_remote() && reason == Some(h2::Reason::NO_ERROR))
        || (error.is_reset() && error.is_remote() && reason == Some(h2::Reason::REFUSED_STREAM))
}

/// hyper gives a request back that waited for its turn when the connection ended, and words it so; tonic keeps the words alone.
fn is_unsent(error: &hyper::Error) -> bool {
    error.is_canceled() && error.source().is_some_and(|cause| cause.to_string() == "connection closed")
}
