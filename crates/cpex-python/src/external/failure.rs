//! What a plugin's caller is told when there is no answer. Nothing here shows a payload, a context or a secret.

use std::io;

use cpex_remote::balance::BalanceError;
use cpex_remote::wire::{InvalidReply, Unreadable};
use cpex_remote::{Delivery, PluginError, RemoteError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::classes::classes;

/// JSON-RPC's "internal error".
const INTERNAL: i32 = -32603;

/// How a plugin's server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Unix,
    Grpc,
    Http,
    Stdio,
}

/// What a client shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// TLS is not spoken.
    NoTls,
    NoCertificate,
    Certificate,
}

/// The plugin whose calls fail, and where it is.
#[derive(Debug)]
pub(super) struct About {
    pub(super) plugin: String,
    pub(super) transport: Transport,
    pub(super) targets: String,
    /// What the client shows of itself.
    pub(super) shown: Shown,
}

impl About {
    /// The plugin failed on its server.
    pub(super) fn plugin_failed(&self, py: Python<'_>, error: &PluginError) -> PyErr {
        let details = PyBytes::new(py, error.details.as_str().as_bytes());
        let details = py
            .import(intern!(py, "pydantic_core"))
            .and_then(|module| module.call_method1(intern!(py, "from_json"), (details,)));
        let raised = details.and_then(|details| {
            raise(py, &error.message, &error.plugin, &error.code, Some(details), error.mcp_error_code)
        });
        raised.unwrap_or_else(|error| error)
    }

    /// A call has no answer.
    pub(super) fn no_answer(&self, py: Python<'_>, error: &BalanceError) -> PyErr {
        self.raise(py, &self.no_answer_text(error), error.code())
    }

    /// The plugin could not be reached for the first time.
    pub(super) fn no_connection(&self, py: Python<'_>, error: &BalanceError, attempts: usize) -> PyErr {
        let Self { plugin, targets, .. } = self;
        let cause = format!("{}{}", cause(error), self.hint(error));
        let text = match self.transport {
            Transport::Unix => format!("Failed to connect to {targets}: {cause}"),
            Transport::Stdio => format!("External plugin '{plugin}' cannot start {targets}: {cause}"),
            Transport::Grpc if !may_pass(error) => {
                format!("gRPC plugin '{plugin}' connection failed: {targets}: {cause}")
            }
            Transport::Grpc => {
                format!(
                    "gRPC plugin '{plugin}' connection failed after {attempts} attempts: {targets}: {cause}"
                )
            }
            Transport::Http if !may_pass(error) => {
                format!("External plugin '{plugin}' connection failed: {targets}: {cause}")
            }
            Transport::Http => format!(
                "External plugin '{plugin}' connection failed after {attempts} attempts: {targets} is not reachable. \
                 Please ensure the MCP server is running. ({cause})"
            ),
        };
        self.raise(py, &text, error.code())
    }

    /// A server that is not shown the certificate that it asks for says so only after the client's handshake, and not to
    /// everybody: some see that the connection ends, and nothing else.
    fn hint(&self, error: &BalanceError) -> &'static str {
        let BalanceError::Remote {
            error:
                RemoteError::Connect { source, .. }
                | RemoteError::Reconnect { source, .. }
                | RemoteError::Disconnected(source),
            ..
        } = error
        else {
            return "";
        };
        match self.shown {
            _ if source.kind() != io::ErrorKind::Other => "",
            Shown::NoTls => "",
            Shown::NoCertificate => " (the server may ask for a client certificate: tls.certfile names none)",
            Shown::Certificate => " (the server may not accept the client certificate in tls.certfile)",
        }
    }

    fn no_answer_text(&self, error: &BalanceError) -> String {
        let plugin = &self.plugin;
        let (at, error) = match error {
            BalanceError::Remote { target, error } => (target, error),
            open => return format!("External plugin '{plugin}' is not called: {open}"),
        };
        match error {
            RemoteError::Connect { target, source } => format!("Failed to connect to {target}: {source}"),
            RemoteError::Reconnect { target, attempts, source } => {
                format!("Failed to reconnect after {attempts} attempts: {target}: {source}")
            }
            RemoteError::TimedOut(after) => format!("Request timed out after {:?}s", after.as_secs_f64()),
            RemoteError::Invalid(InvalidReply::Result(Unreadable::Text(error)))
                if matches!(self.transport, Transport::Http | Transport::Stdio) =>
            {
                format!("Error trying to decode json: {error}")
            }
            RemoteError::Invalid(_) | RemoteError::Malformed(_) => match self.transport {
                Transport::Grpc => {
                    format!("Received invalid response from gRPC plugin server {at}: {error}")
                }
                Transport::Unix | Transport::Http | Transport::Stdio => {
                    format!("Received invalid response from {at}: {error}")
                }
            },
            error => format!("External plugin '{plugin}' at {at}: {error}"),
        }
    }

    fn raise(&self, py: Python<'_>, text: &str, code: &str) -> PyErr {
        raise(py, text, &self.plugin, code, None, INTERNAL).unwrap_or_else(|error| error)
    }
}

/// Could the server still be starting?
pub(super) fn may_pass(error: &BalanceError) -> bool {
    match error {
        BalanceError::Remote { error: RemoteError::Token, .. } => false,
        error => error.delivery() != Delivery::Answered,
    }
}

/// What went wrong, without where.
fn cause(error: &BalanceError) -> String {
    match error {
        BalanceError::Remote { error, .. } => match error {
            RemoteError::Connect { source, .. } | RemoteError::Reconnect { source, .. } => source.to_string(),
            error => error.to_string(),
        },
        open => open.to_string(),
    }
}

fn raise(
    py: Python<'_>,
    message: &str,
    plugin: &str,
    code: &str,
    details: Option<Bound<'_, PyAny>>,
    mcp_error_code: i32,
) -> PyResult<PyErr> {
    let fields = PyDict::new(py);
    fields.set_item("message", message)?;
    fields.set_item("plugin_name", plugin)?;
    fields.set_item("code", code)?;
    if let Some(details) = details {
        fields.set_item("details", details)?;
    }
    fields.set_item("mcp_error_code", mcp_error_code)?;
    let model = py.import(intern!(py, "cpex.framework.models"))?.getattr(intern!(py, "PluginErrorModel"))?;
    let model = model.call((), Some(&fields))?;
    Ok(PyErr::from_value(classes(py)?.plugin_error.bind(py).call1((model,))?))
}
