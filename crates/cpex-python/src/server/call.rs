//! A call, as the event loop sees it.

use std::sync::{Arc, Mutex, PoisonError};

use cpex_remote::{Call, Failure, Json, Outcome, PluginError, Reply, task};
use pyo3::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::inbox::{Asked, Inbox};

/// A larger answer is written on the thread of the network, not while everybody waits for the interpreter.
const LARGE: usize = 64 * 1024;

/// A hook of a plugin that is to run for a peer. It is answered once; one that is dropped is an error for the peer.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct PluginCall {
    id: u64,
    call: Call,
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
    inbox: Arc<Inbox>,
    runtime: Handle,
}

/// What came of a call; texts are JSON, and not yet looked at.
pub(super) enum Answer {
    /// The plugin returned.
    Returned {
        result: Vec<u8>,
        context: Option<Vec<u8>>,
        /// It did not deny.
        allowed: bool,
    },
    /// The plugin, or the server in its place, failed.
    Failed { message: String, plugin: String, code: String, details: Vec<u8>, mcp_error_code: i32 },
}

impl Answer {
    /// Bytes of JSON.
    fn size(&self) -> usize {
        match self {
            Self::Returned { result, context, .. } => result.len() + context.as_ref().map_or(0, Vec::len),
            Self::Failed { details, .. } => details.len(),
        }
    }

    /// As the peer is told; `plugin` is who was asked.
    pub(super) fn into_reply(self, plugin: String) -> Result<Reply, Failure> {
        Ok(match self {
            Self::Returned { result, context, .. } => Reply {
                plugin,
                outcome: Outcome::Result(json(result)?),
                context: context.map(json).transpose()?,
            },
            Self::Failed { message, plugin: blamed, code, details, mcp_error_code } => {
                let error =
                    PluginError { message, plugin: blamed, code, details: json(details)?, mcp_error_code };
                Reply { plugin, outcome: Outcome::Error(error), context: None }
            }
        })
    }
}

fn json(text: Vec<u8>) -> Result<Json, Failure> {
    let unreadable =
        |what: &dyn std::fmt::Display| Failure(format!("the plugin's answer is unreadable: {what}"));
    let text = String::from_utf8(text).map_err(|error| unreadable(&error.utf8_error()))?;
    Json::new(text).map_err(|error| unreadable(&error))
}

impl PluginCall {
    pub(super) fn new(Asked { id, call, answer, runtime }: Asked, inbox: Arc<Inbox>) -> Self {
        Self { id, call, answer: Mutex::new(Some(answer)), inbox, runtime }
    }

    /// Gives the answer. The only one is sent on its way here, as another thread would have to be woken for it; several
    /// are better sent together.
    fn give(&self, answer: Answer) {
        let sender = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_only = self.inbox.under_way() <= 1 && answer.size() <= LARGE;
        let patience = if is_only { task::PATIENT } else { 0 };
        // Whoever asked may be gone.
        task::lend(&self.runtime, patience, || drop(sender.map(|sender| sender.send(answer))));
    }
}

#[pymethods]
impl PluginCall {
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    #[getter]
    fn hook(&self) -> &str {
        &self.call.hook
    }

    #[getter]
    fn plugin(&self) -> &str {
        &self.call.plugin
    }

    #[getter]
    fn payload(&self) -> &str {
        self.call.payload.as_str()
    }

    #[getter]
    fn context(&self) -> &str {
        self.call.context.as_str()
    }

    /// What the plugin may see of the request's extensions, as far as the host says.
    #[getter]
    fn extensions(&self) -> Option<&str> {
        self.call.extensions.as_ref().map(Json::as_str)
    }

    /// The plugin returned.
    #[pyo3(signature = (result, context, allowed))]
    fn answer(&self, result: &[u8], context: Option<&[u8]>, allowed: bool) {
        let (result, context) = (result.to_vec(), context.map(<[u8]>::to_vec));
        self.give(Answer::Returned { result, context, allowed });
    }

    /// The plugin failed.
    fn fail(&self, message: String, plugin: String, code: String, details: &[u8], mcp_error_code: i32) {
        self.give(Answer::Failed { message, plugin, code, details: details.to_vec(), mcp_error_code });
    }
}
