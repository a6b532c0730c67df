//! What a client asks of a server.

use super::client::Failed;
use super::text::{call_params, config_params};
use crate::error::RemoteError;
use crate::message::Call;
use crate::wire::Features;

/// A request, before it is known what the server understands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question<'q> {
    Ping,
    /// The configuration of a plugin.
    Config(&'q str),
    Invoke(&'q Call),
}

impl Question<'_> {
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Config(_) | Self::Invoke(_) => "tools/call",
        }
    }

    /// The parameters, of at most `limit` bytes.
    pub(super) fn params(self, server: Features, limit: usize) -> Result<String, Failed> {
        let params = match self {
            Self::Ping => "{}".to_owned(),
            Self::Config(plugin) => config_params(plugin),
            Self::Invoke(call) => call_params(call, server),
        };
        match params.len() {
            size if size > limit => Err(Failed::Remote(RemoteError::TooLarge { size, limit })),
            _ => Ok(params),
        }
    }
}
