//! Calls and replies as messages.

use thiserror::Error;

use super::{
    Features, InvalidStruct, InvokeHookRequest, InvokeHookResponse, NotEncodable, Numbers, PluginContext,
    Struct, denial,
};
use crate::json::{InvalidJson, Json};
use crate::message::{Call, Outcome, PluginError, Reply};

/// A request cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The payload.
    #[error("payload: {0}")]
    Payload(#[source] Unreadable),
    /// The context.
    #[error("context: {0}")]
    Context(#[source] Unreadable),
    /// The extensions.
    #[error("extensions: {0}")]
    Extensions(#[source] Unreadable),
}

/// A reply cannot be read, or it answers something else. It is never taken for an allow.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidReply {
    /// It has neither.
    #[error("the reply has neither a result nor an error")]
    Empty,
    /// It is another plugin's.
    #[error("the reply is of another plugin")]
    OtherPlugin,
    /// The result.
    #[error("result: {0}")]
    Result(#[source] Unreadable),
    /// The context.
    #[error("context: {0}")]
    Context(#[source] Unreadable),
    /// The details of the error.
    #[error("error details: {0}")]
    Details(#[source] Unreadable),
}

/// A dynamic part cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// In its `Struct` field.
    #[error(transparent)]
    Struct(#[from] InvalidStruct),
    /// In its field of JSON text.
    #[error(transparent)]
    Text(#[from] InvalidJson),
    /// In its field of JSON text.
    #[error("not a JSON object")]
    NotAnObject,
}

impl InvokeHookRequest {
    /// Encodes a call for a peer with these features.
    ///
    /// # Errors
    /// If payload, context or extensions are not an object, or hold what the wire cannot carry.
    pub fn from_call(call: &Call, peer: Features) -> Result<Self, NotEncodable> {
        if call.extensions.as_ref().is_some_and(|extensions| !extensions.is_object()) {
            return Err(NotEncodable::NotAnObject);
        }
        let extensions = call.extensions.as_ref().filter(|_| peer.extensions);
        Ok(Self {
            hook_type: call.hook.clone(),
            plugin_name: call.plugin.clone(),
            payload: Some(Struct::from_json(&call.payload)?),
            context: Some(PluginContext::from_json(&call.context, peer.context.then_some(&call.context))?),
            payload_json: if peer.json { call.payload.as_str().to_owned() } else { String::new() },
            extensions_json: extensions.map(|text| text.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// What the sender understands: what it sent.
    #[must_use]
    pub fn features(&self) -> Features {
        Features {
            json: !self.payload_json.is_empty(),
            context: self.context.as_ref().is_some_and(|context| !context.context_json.is_empty()),
            extensions: !self.extensions_json.is_empty(),
        }
    }

    /// The call.
    ///
    /// # Errors
    /// If a part cannot be read.
    pub fn into_call(self, numbers: Numbers) -> Result<Call, InvalidRequest> {
        let payload = either(self.payload_json, || self.payload.unwrap_or_default().to_json(numbers));
        let extensions =
            Some(self.extensions_json).filter(|text| !text.is_empty()).map(an_object).transpose();
        Ok(Call {
            hook: self.hook_type,
            plugin: self.plugin_name,
            payload: payload.map_err(InvalidRequest::Payload)?,
            context: context(self.context.unwrap_or_default(), numbers).map_err(InvalidRequest::Context)?,
            extensions: extensions.map_err(InvalidRequest::Extensions)?,
            patience: None,
        })
    }
}

impl InvokeHookResponse {
    /// Encodes a reply for a peer with these features.
    ///
    /// # Errors
    /// If a part is not an object, or holds what the wire cannot carry.
    pub fn from_reply(reply: &Reply, peer: Features) -> Result<Self, NotEncodable> {
        let mut message = Self { plugin_name: reply.plugin.clone(), ..Self::default() };
        match &reply.outcome {
            Outcome::Error(error) => message.error = Some(super::PluginError::from_error(error)?),
            Outcome::Result(result) => {
                message.result_base = denial::of_result(result)?;
                message.result = Some(Struct::from_json_without(result, denial::MEMBER)?);
                if peer.json {
                    message.result_json = result.as_str().to_owned();
                }
            }
        }
        if let Some(context) = &reply.context {
            message.context = Some(PluginContext::from_json(context, peer.context.then_some(context))?);
        }
        Ok(message)
    }

    /// The reply of `plugin`.
    ///
    /// # Errors
    /// If it is of another plugin, has neither result nor error, or a part cannot be read.
    pub fn into_reply(self, plugin: &str, numbers: Numbers) -> Result<Reply, InvalidReply> {
        let error = self.error.filter(|error| !error.message.is_empty());
        // A server that failed before it knew the plugin names none.
        let anonymous = self.plugin_name.is_empty() && error.is_some();
        if self.plugin_name != plugin && !anonymous {
            return Err(InvalidReply::OtherPlugin);
        }
        let outcome = match (error, self.result) {
            (Some(error), _) => Outcome::Error(error.into_error(plugin, numbers)?),
            (None, Some(result)) => {
                let metadata = self.result_base.and_then(|base| base.denial_metadata);
                let read = either(self.result_json, || {
                    let result = result.to_json(numbers)?;
                    match &metadata {
                        Some(metadata) => {
                            denial::add_to(result, metadata).map_err(|_| InvalidStruct::malformed())
                        }
                        None => Ok(result),
                    }
                });
                Outcome::Result(read.map_err(InvalidReply::Result)?)
            }
            (None, None) => return Err(InvalidReply::Empty),
        };
        let context = self.context.map(|sent| context(sent, numbers)).transpose();
        Ok(Reply { plugin: plugin.to_owned(), outcome, context: context.map_err(InvalidReply::Context)? })
    }
}

impl super::PluginError {
    fn from_error(error: &PluginError) -> Result<Self, NotEncodable> {
        Ok(Self {
            message: error.message.clone(),
            plugin_name: error.plugin.clone(),
            code: error.code.clone(),
            details: Some(Struct::from_json(&error.details)?).filter(|details| !details.is_empty()),
            mcp_error_code: error.mcp_error_code,
        })
    }

    fn into_error(self, plugin: &str, numbers: Numbers) -> Result<PluginError, InvalidReply> {
        let details = self.details.unwrap_or_default().to_json(numbers);
        Ok(PluginError {
            message: self.message,
            plugin: if self.plugin_name.is_empty() { plugin.to_owned() } else { self.plugin_name },
            code: self.code,
            details: details.map_err(|error| InvalidReply::Details(error.into()))?,
            mcp_error_code: self.mcp_error_code,
        })
    }
}

fn context(mut sent: PluginContext, numbers: Numbers) -> Result<Json, Unreadable> {
    either(std::mem::take(&mut sent.context_json), || sent.to_json(numbers))
}

/// The field of JSON text if it was sent, else what the older fields say.
fn either(text: String, older: impl FnOnce() -> Result<Json, InvalidStruct>) -> Result<Json, Unreadable> {
    if text.is_empty() { Ok(older()?) } else { an_object(text) }
}

fn an_object(text: String) -> Result<Json, Unreadable> {
    let json = Json::new(text)?;
    if json.is_object() { Ok(json) } else { Err(Unreadable::NotAnObject) }
}
