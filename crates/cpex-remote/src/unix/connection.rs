//! One connection of a server: a request, its reply, the next request.

use std::future::{Future, pending};
use std::time::Duration;

use prost::Message;
use prost::bytes::{Bytes, BytesMut};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit, watch};
use tokio::time::timeout;

use super::error::{ConnectionError, FrameError};
use super::frame::{FIRST_STEP, frame, frame_for, read_length, read_until};
use super::request::{Request, TOO_LARGE};
use super::server::{MEMORY_UNIT, Shared};
use crate::backend::{Backend, Event, Failure, Refusal, Running};
use crate::message::{PluginError, Reply};
use crate::wire::{
    Features, GetPluginConfigResponse, GetPluginConfigsResponse, InvokeHookRequest, InvokeHookResponse,
    NotEncodable,
};

pub(super) struct Connection<'s, B> {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    shared: &'s Shared<B>,
    stopped: watch::Receiver<bool>,
}

/// A whole request, and the memory it was given.
struct Received {
    body: Bytes,
    _memory: OwnedSemaphorePermit,
}

/// The turn of a call.
type Turn<'s> = Option<SemaphorePermit<'s>>;

/// The peer is gone; there is nobody to answer.
struct Gone;

impl<'s, B: Backend> Connection<'s, B> {
    pub(super) fn new(stream: UnixStream, shared: &'s Shared<B>, stopped: watch::Receiver<bool>) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer, shared, stopped }
    }

    /// Answers requests until the peer or the server has had enough.
    pub(super) async fn run(mut self) -> Result<(), ConnectionError> {
        while let Some(length) = self.next_length().await? {
            let request = self.receive(length).await?;
            let Ok((answer, _turn)) = self.answer(request.body.clone()).await else { return Ok(()) };
            self.send(answer).await?;
        }
        Ok(())
    }

    /// The length of the next request; `None` if there is none to come.
    async fn next_length(&mut self) -> Result<Option<usize>, ConnectionError> {
        let limits = self.shared.config.limits;
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => return Ok(None),
            waited = timeout(limits.idle, self.reader.fill_buf()) => {
                let Ok(bytes) = waited else { return Ok(None) };
                if bytes.map_err(FrameError::Io)?.is_empty() {
                    return Ok(None);
                }
            }
        }
        let length = in_time(limits.transfer, read_length(&mut self.reader, limits.frame)).await?;
        if let Err(FrameError::TooLarge { limit, .. }) = &length {
            self.shared.backend.observe(&Event::Refused(Refusal::Size));
            // What follows is not read, so nothing can be answered after this.
            let message = format!("a message of more than {limit} bytes is not taken");
            self.send(self.error_frame(PluginError::coded("", message, TOO_LARGE))).await?;
        }
        Ok(length?)
    }

    async fn receive(&mut self, length: usize) -> Result<Received, ConnectionError> {
        let limits = self.shared.config.limits;
        let mut body = BytesMut::new();
        // The first step needs no share: who announces much and sends little keeps nobody waiting.
        let first = length.min(FIRST_STEP);
        in_time(limits.transfer, read_until(&mut self.reader, &mut body, first)).await??;
        let units = u32::try_from((length - first).div_ceil(MEMORY_UNIT)).unwrap_or(u32::MAX);
        let memory = self.shared.memory.clone().acquire_many_owned(units);
        let Ok(Ok(memory)) = timeout(limits.transfer, memory).await else {
            self.shared.backend.observe(&Event::Refused(Refusal::Memory));
            return Err(ConnectionError::Memory(length));
        };
        in_time(limits.transfer, read_until(&mut self.reader, &mut body, length)).await??;
        Ok(Received { body: body.freeze(), _memory: memory })
    }

    /// The answer to a request, and the turn of a call, which lasts until the answer is written.
    async fn answer(&mut self, body: Bytes) -> Result<(Bytes, Turn<'s>), Gone> {
        let shared = self.shared;
        let backend = &*shared.backend;
        let answer = match Request::read(body) {
            Request::Invoke(request) => return self.invoke(*request).await,
            Request::Config(name) => {
                let config = self.unless_gone(backend.config(&name)).await?;
                self.frame_or_error(
                    config.map(|config| GetPluginConfigResponse::from_config(config.as_ref())),
                )
            }
            Request::Configs => {
                let configs = self.unless_gone(backend.configs()).await?;
                self.frame_or_error(configs.map(|configs| GetPluginConfigsResponse::from_configs(&configs)))
            }
            Request::Unknown => {
                let unknown = PluginError::coded("", "Unknown message type", "UNKNOWN_MESSAGE");
                self.error_frame(PluginError { mcp_error_code: 0, ..unknown })
            }
        };
        Ok((answer, None))
    }

    async fn invoke(&mut self, request: InvokeHookRequest) -> Result<(Bytes, Turn<'s>), Gone> {
        let shared = self.shared;
        let backend = &*shared.backend;
        let running = Running::new(backend, &request.hook_type, &request.plugin_name);
        let peer = request.features();
        let mut turn = None;
        let failed = |message| Reply::failed(PluginError::internal(running.plugin(), message));
        let reply = match request.into_call(shared.config.numbers) {
            Ok(call) => {
                let in_turn = async {
                    turn = shared.calls.acquire().await.ok();
                    backend.invoke(call).await
                };
                match self.unless_gone(timeout(shared.config.limits.call, in_turn)).await? {
                    Ok(Ok(reply)) => reply,
                    Ok(Err(Failure(message))) => failed(message),
                    Err(_) => failed("the call took longer than the server allows".to_owned()),
                }
            }
            Err(invalid) => failed(invalid.to_string()),
        };
        running.end(&reply);
        Ok((self.reply_frame(&reply, peer), turn))
    }

    fn reply_frame(&self, reply: &Reply, peer: Features) -> Bytes {
        let limit = self.shared.config.limits.frame;
        let framed = frame_for(peer, limit, |peer| InvokeHookResponse::from_reply(reply, peer));
        let problem = match framed {
            Ok(Ok(frame)) => return frame,
            Ok(Err(size)) => too_large(size, limit),
            Err(error) => error.to_string(),
        };
        self.error_frame(PluginError::internal(&*reply.plugin, problem))
    }

    fn frame_or_error<M: Message>(&self, message: Result<Result<M, NotEncodable>, Failure>) -> Bytes {
        let limit = self.shared.config.limits.frame;
        let problem = match message {
            Ok(Ok(message)) => match frame(&message, limit) {
                Ok(frame) => return frame,
                Err(size) => too_large(size, limit),
            },
            Ok(Err(error)) => error.to_string(),
            Err(Failure(message)) => message,
        };
        self.error_frame(PluginError::internal("", problem))
    }

    /// One that does not fit becomes an empty frame, which says "not found" to who asked for a configuration and is no
    /// reply to a call.
    fn error_frame(&self, error: PluginError) -> Bytes {
        let reply = Reply::failed(error);
        InvokeHookResponse::from_reply(&reply, Features::default())
            .ok()
            .and_then(|message| frame(&message, self.shared.config.limits.frame).ok())
            .unwrap_or_default()
    }

    async fn send(&mut self, frame: Bytes) -> Result<(), ConnectionError> {
        let limit = self.shared.config.limits.transfer;
        in_time(limit, self.writer.write_all(&frame)).await?.map_err(FrameError::Io)?;
        Ok(())
    }

    /// The end of `work`, unless the peer goes first: then the work is dropped.
    async fn unless_gone<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Gone> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = hung_up(&mut self.reader) => Err(Gone),
        }
    }
}

async fn in_time<T>(limit: Duration, transfer: impl Future<Output = T>) -> Result<T, ConnectionError> {
    timeout(limit, transfer).await.map_err(|_| ConnectionError::Slow(limit))
}

fn too_large(size: usize, limit: usize) -> String {
    format!("the reply of {size} bytes exceeds the limit of {limit}")
}

/// Returns when the peer has closed its side. Bytes of a next request wait in the buffer, and end the watch.
async fn hung_up(reader: &mut BufReader<OwnedReadHalf>) {
    match reader.fill_buf().await {
        Ok(bytes) if !bytes.is_empty() => pending().await,
        Ok(_) | Err(_) => {}
    }
}
