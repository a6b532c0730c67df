//! The context of a plugin: JSON text of the shape that MCP carries, to and from [`PluginContext`].
//!
//! The message has no field for `user_context` and `content_type`; they travel in `context_json` only.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::global_context::UserValue;
use super::{GlobalContext, InvalidStruct, NotEncodable, Numbers, PluginContext, Struct};
use crate::json::{InvalidJson, Json};

impl PluginContext {
    /// Encodes a context, as text as well if the peer `reads_text`.
    pub(super) fn from_json(context: &Json, text: Option<&Json>) -> Result<Self, NotEncodable> {
        let read: ContextText<'_> = serde_json::from_str(context.as_str()).map_err(InvalidJson::from)?;
        let global = read.global_context.unwrap_or_default();
        Ok(Self {
            state: filled(read.state)?,
            metadata: filled(read.metadata)?,
            global_context: Some(GlobalContext {
                request_id: owned(global.request_id),
                server_id: owned(global.server_id),
                tenant_id: owned(global.tenant_id),
                user_value: global.user.map(user_value).transpose()?,
                metadata: filled(global.metadata)?,
                state: filled(global.state)?,
            }),
            context_json: text.map(|text| text.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// The context as text; empty identifiers become `null`.
    pub(super) fn to_json(&self, numbers: Numbers) -> Result<Json, InvalidStruct> {
        let global = self.global_context.clone().unwrap_or_default();
        let raw = |part: &Option<Struct>| part.as_ref().map(|part| raw_value(part, numbers)).transpose();
        let text = ContextOut {
            state: raw(&self.state)?,
            metadata: raw(&self.metadata)?,
            global_context: GlobalOut {
                request_id: &global.request_id,
                server_id: Some(&*global.server_id).filter(|id| !id.is_empty()),
                tenant_id: Some(&*global.tenant_id).filter(|id| !id.is_empty()),
                user: match &global.user_value {
                    Some(UserValue::UserString(name)) => Some(User::Name(name)),
                    Some(UserValue::UserStruct(user)) => Some(User::Object(raw_value(user, numbers)?)),
                    None => None,
                },
                metadata: raw(&global.metadata)?,
                state: raw(&global.state)?,
            },
        };
        serde_json::to_string(&text).map(Json::trusted).map_err(|_| InvalidStruct::malformed())
    }
}

#[derive(Deserialize)]
struct ContextText<'t> {
    #[serde(borrow)]
    state: Option<&'t RawValue>,
    #[serde(borrow)]
    metadata: Option<&'t RawValue>,
    #[serde(borrow)]
    global_context: Option<GlobalText<'t>>,
}

#[derive(Default, Deserialize)]
struct GlobalText<'t> {
    #[serde(borrow)]
    request_id: Option<Cow<'t, str>>,
    #[serde(borrow)]
    server_id: Option<Cow<'t, str>>,
    #[serde(borrow)]
    tenant_id: Option<Cow<'t, str>>,
    #[serde(borrow)]
    user: Option<&'t RawValue>,
    #[serde(borrow)]
    metadata: Option<&'t RawValue>,
    #[serde(borrow)]
    state: Option<&'t RawValue>,
}

#[derive(Serialize)]
struct ContextOut<'c> {
    #[serde(serialize_with = "or_empty")]
    state: Option<Box<RawValue>>,
    global_context: GlobalOut<'c>,
    #[serde(serialize_with = "or_empty")]
    metadata: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct GlobalOut<'c> {
    request_id: &'c str,
    user: Option<User<'c>>,
    tenant_id: Option<&'c str>,
    server_id: Option<&'c str>,
    #[serde(serialize_with = "or_empty")]
    state: Option<Box<RawValue>>,
    #[serde(serialize_with = "or_empty")]
    metadata: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum User<'c> {
    Name(&'c str),
    Object(Box<RawValue>),
}

/// An absent object is an empty one.
fn or_empty<S: serde::Serializer>(part: &Option<Box<RawValue>>, serializer: S) -> Result<S::Ok, S::Error> {
    match part {
        Some(part) => part.serialize(serializer),
        None => serializer.collect_map(std::iter::empty::<((), ())>()),
    }
}

fn raw_value(part: &Struct, numbers: Numbers) -> Result<Box<RawValue>, InvalidStruct> {
    let text = part.to_json(numbers)?.into_string();
    RawValue::from_string(text).map_err(|_| InvalidStruct::malformed())
}

fn owned(text: Option<Cow<'_, str>>) -> String {
    text.map(Cow::into_owned).unwrap_or_default()
}

/// The object, unless there is none or nothing is in it.
fn filled(part: Option<&RawValue>) -> Result<Option<Struct>, NotEncodable> {
    let Some(part) = part else { return Ok(None) };
    Struct::from_json(&Json::from(part)).map(|part| Some(part).filter(|part| !part.is_empty()))
}

fn user_value(user: &RawValue) -> Result<UserValue, NotEncodable> {
    match serde_json::from_str::<Cow<'_, str>>(user.get()) {
        Ok(name) => Ok(UserValue::UserString(name.into_owned())),
        Err(_) => Struct::from_json(&Json::from(user)).map(UserValue::UserStruct),
    }
}
