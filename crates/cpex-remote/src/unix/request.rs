//! Frames carry no type: what a request is, its fields tell.

use prost::Message;
use prost::bytes::Bytes;

use crate::wire::{GetPluginConfigRequest, InvokeHookRequest};

/// The code of the error that answers a frame too large to be read; no plugin is named in it.
pub(super) const TOO_LARGE: &str = "MESSAGE_TOO_LARGE";

/// What a frame asks for.
pub(super) enum Request {
    /// To run a hook.
    Invoke(Box<InvokeHookRequest>),
    /// One configuration.
    Config(String),
    /// All configurations.
    Configs,
    /// Nothing that is known.
    Unknown,
}

/// A request for all configurations has no fields; this leaves room for one that is unknown.
const ALMOST_EMPTY: usize = 2;

impl Request {
    /// Reads a frame. The order counts: a request for one configuration reads as a call without a plugin, too.
    pub(super) fn read(frame: Bytes) -> Self {
        if let Ok(call) = InvokeHookRequest::decode(frame.clone())
            && !call.hook_type.is_empty()
            && !call.plugin_name.is_empty()
        {
            return Self::Invoke(Box::new(call));
        }
        let size = frame.len();
        match GetPluginConfigRequest::decode(frame) {
            Ok(request) if !request.name.is_empty() => Self::Config(request.name),
            Ok(_) if size <= ALMOST_EMPTY => Self::Configs,
            _ => Self::Unknown,
        }
    }
}
