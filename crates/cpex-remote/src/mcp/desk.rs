//! Where requests are answered, whatever they came over.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::jsonrpc::{Fault, Id, VERSIONS, answer, on_one_line, quoted, version};
use super::pending::Pending;
use super::text::{
    CONFIG, CONFIGS, INVOKE, TOOLS, ToolCall, WrongArgument, announcement, read_call, read_name, tool_result,
    write_reply,
};
use crate::backend::{Backend, Failure, Running};
use crate::message::{Call, PluginError, Reply};

/// The method of requests that take turns.
const CALL: &str = "tools/call";

/// Answers requests with a backend.
#[derive(Debug)]
pub(super) struct Desk<B> {
    pub(super) backend: Arc<B>,
    /// Bytes of one answer.
    pub(super) limit: usize,
    /// For one call, waiting for its turn included.
    pub(super) patience: Duration,
    /// Calls at a time.
    pub(super) turns: Arc<Semaphore>,
}

/// The turn of a call. It lasts until the answer has been taken.
pub(super) type Turn = Option<OwnedSemaphorePermit>;

impl<B: Backend> Desk<B> {
    pub(super) fn new(backend: Arc<B>, limit: usize, patience: Duration, calls: usize) -> Self {
        Self { backend, limit, patience, turns: Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS))) }
    }

    /// The message that answers a request, and its turn.
    pub(super) async fn answer(
        &self,
        id: &Id,
        method: &str,
        params: Option<&RawValue>,
        pending: &Arc<Pending>,
    ) -> (String, Turn) {
        let Some(ticket) = pending.begin(id) else {
            let taken = "Invalid request: a request of the same id is being answered";
            return (Fault::new(Fault::INVALID_REQUEST, taken).message(Some(id)), None);
        };
        let result = ticket.unless_given_up(self.in_turn(method, params)).await;
        let given_up = || (Err(Fault::new(Fault::CANCELLED, "Request cancelled")), None);
        match result.unwrap_or_else(given_up) {
            (Ok(result), turn) => (answer(id, &result), turn),
            (Err(fault), turn) => (fault.message(Some(id)), turn),
        }
    }

    /// Takes note of something that asks for no answer.
    pub(super) fn note(&self, method: &str, params: Option<&RawValue>, pending: &Pending) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Cancelled<'p> {
            #[serde(borrow)]
            request_id: &'p RawValue,
        }
        if method != "notifications/cancelled" {
            return;
        }
        let cancelled: Option<Cancelled<'_>> =
            params.and_then(|params| serde_json::from_str(params.get()).ok());
        if let Some(id) = cancelled.and_then(|cancelled| Id::read(cancelled.request_id)) {
            pending.give_up(&id);
        }
    }

    /// Calls take turns; nothing else waits behind them.
    async fn in_turn(&self, method: &str, params: Option<&RawValue>) -> (Result<String, Fault>, Turn) {
        let in_turn = async {
            let turn = match method {
                CALL => self.turns.clone().acquire_owned().await.ok(),
                _ => None,
            };
            (self.result(method, params).await, turn)
        };
        let late = || Fault::new(Fault::TIMED_OUT, "the call took longer than the server allows");
        timeout(self.patience, in_turn).await.unwrap_or_else(|_| (Err(late()), None))
    }

    async fn result(&self, method: &str, params: Option<&RawValue>) -> Result<String, Fault> {
        match method {
            "initialize" => Ok(initialized(params)),
            "ping" if self.backend.is_ready() => Ok("{}".to_owned()),
            "ping" => Err(Fault::new(Fault::INTERNAL, "the server is not ready")),
            "tools/list" => Ok(TOOLS.to_owned()),
            CALL => self.call(params).await,
            _ => Err(Fault::new(Fault::METHOD_NOT_FOUND, "Method not found")),
        }
    }

    async fn call(&self, params: Option<&RawValue>) -> Result<String, Fault> {
        let call: ToolCall<'_> = params
            .and_then(|params| serde_json::from_str(params.get()).ok())
            .ok_or_else(|| Fault::new(Fault::INVALID_PARAMS, "Invalid params: name: a string is required"))?;
        match &*call.name {
            CONFIGS => self.configs().await,
            CONFIG => match read_name(call.arguments) {
                Ok(name) => self.config(&name).await,
                Err(wrong) => Ok(refused(&wrong, CONFIG)),
            },
            INVOKE => match read_call(call.arguments) {
                Ok(call) => self.invoke(call).await,
                Err(wrong) => Ok(refused(&wrong, INVOKE)),
            },
            unknown => Ok(tool_result([&*format!("Unknown tool: {unknown}")], "", true)),
        }
    }

    async fn configs(&self) -> Result<String, Fault> {
        let configs = self.backend.configs().await.map_err(failed)?;
        let texts: Vec<_> = configs.iter().map(crate::Json::as_str).collect();
        let structured = format!(r#","structuredContent":{{"result":[{}]}}"#, on_one_line(&texts.join(",")));
        Ok(tool_result(texts, &structured, false))
    }

    async fn config(&self, name: &str) -> Result<String, Fault> {
        let config = self.backend.config(name).await.map_err(failed)?;
        Ok(tool_result([config.as_ref().map_or("{}", crate::Json::as_str)], "", false))
    }

    async fn invoke(&self, call: Call) -> Result<String, Fault> {
        let running = Running::new(&*self.backend, &call.hook, &call.plugin);
        let reply = match self.backend.invoke(call).await {
            Ok(reply) => reply,
            Err(Failure(message)) => Reply::failed(PluginError::internal(running.plugin(), message)),
        };
        let mut text = write_reply(&reply);
        if text.len() > self.limit {
            let problem = format!("the reply of {} bytes exceeds the limit of {}", text.len(), self.limit);
            text = write_reply(&Reply::failed(PluginError::internal(running.plugin(), problem)));
        }
        running.end(&reply);
        Ok(tool_result([&*text], "", false))
    }
}

/// The answer to `initialize`: the peer's version if it is spoken here, else the newest.
fn initialized(params: Option<&RawValue>) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialize {
        protocol_version: String,
    }
    let asked: Option<Initialize> = params.and_then(|params| serde_json::from_str(params.get()).ok());
    let version = asked.and_then(|asked| version(&asked.protocol_version)).unwrap_or(VERSIONS[0]);
    let ours = quoted(env!("CARGO_PKG_VERSION"));
    let experimental = announcement();
    format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{{experimental},"tools":{{"listChanged":false}}}},"instructions":"External plugin server for ContextForge","serverInfo":{{"name":"MCP Plugin Server","version":{ours}}}}}"#
    )
}

fn refused(wrong: &WrongArgument, tool: &str) -> String {
    tool_result([&*wrong.message(tool)], "", true)
}

fn failed(Failure(message): Failure) -> Fault {
    Fault::new(Fault::INTERNAL, message)
}
