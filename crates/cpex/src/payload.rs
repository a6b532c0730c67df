//! What hooks are about: typed payloads, and JSON where no type is known.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use cpex_macros::Payload;

/// What a hook is about: a plain value, compared field by field where a policy says what may be written.
///
/// Derive it; every field must be `Clone` and `PartialEq`:
///
/// ```
/// use cpex::Payload;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Serialize, Deserialize, Payload)]
/// struct Mail {
///     recipient: String,
///     body: String,
/// }
/// ```
pub trait Payload: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Takes from `proposed` the changed fields that are writable.
    fn restrict(&self, proposed: &Self, writable: &dyn Fn(&str) -> bool) -> Restricted<Self>;

    /// What `tools`, `prompts`, `resources` and `agents` of a condition are compared with; the field with
    /// `#[payload(subject)]`.
    fn subject(&self) -> Option<&str> {
        None
    }
}

/// What a policy left of a proposed payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restricted<P> {
    /// The payload with the writable changes; `None` if none of the changes was writable.
    pub payload: Option<P>,
    /// The names of the changed fields that were dropped.
    pub trimmed: Vec<Box<str>>,
}

/// A payload whose fields are the keys of a JSON object: for hooks without a type of their own.
///
/// ```
/// let payload = cpex::Json::try_from(serde_json::json!({"name": "search", "args": {}}))?;
/// assert_eq!(payload["name"], "search");
/// # Ok::<(), cpex::payload::NotAnObject>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub Map<String, Value>);

/// A JSON value that is no object cannot be a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payload must be a JSON object")]
pub struct NotAnObject;

impl TryFrom<Value> for Json {
    type Error = NotAnObject;

    fn try_from(value: Value) -> Result<Self, NotAnObject> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(NotAnObject),
        }
    }
}

impl std::ops::Deref for Json {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for Json {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Payload for Json {
    fn restrict(&self, proposed: &Self, writable: &dyn Fn(&str) -> bool) -> Restricted<Self> {
        let (mut taken, mut trimmed) = (None, Vec::new());
        let removed = self.0.keys().filter(|key| !proposed.0.contains_key(*key));
        for key in proposed.0.keys().chain(removed) {
            if self.0.get(key) == proposed.0.get(key) {
                continue;
            }
            if !writable(key) {
                trimmed.push(key.as_str().into());
                continue;
            }
            let fields: &mut Self = taken.get_or_insert_with(|| self.clone());
            match proposed.0.get(key) {
                Some(value) => fields.0.insert(key.clone(), value.clone()),
                None => fields.0.remove(key),
            };
        }
        Restricted { payload: taken, trimmed }
    }
}

/// Any payload, without its type. Implemented for every [`Payload`], and for nothing else.
pub(crate) trait AnyPayload: Any + fmt::Debug + Send + Sync {
    fn to_shared(&self) -> Arc<dyn AnyPayload>;
    fn is_kind_of(&self, other: &dyn AnyPayload) -> bool;
    fn restrict_any(&self, proposed: &dyn AnyPayload, writable: &dyn Fn(&str) -> bool) -> Restricted<Arc<dyn AnyPayload>>;
    fn subject_any(&self, field: &str) -> Option<&str>;
    fn to_json(&self) -> serde_json::Result<Value>;
    fn type_name(&self) -> &'static str;
}

impl<P: Payload> AnyPayload for P {
    fn to_shared(&self) -> Arc<dyn AnyPayload> {
        Arc::new(self.clone())
    }

    fn is_kind_of(&self, other: &dyn AnyPayload) -> bool {
        (other as &dyn Any).is::<P>()
    }

    fn restrict_any(&self, proposed: &dyn AnyPayload, writable: &dyn Fn(&str) -> bool) -> Restricted<Arc<dyn AnyPayload>> {
        match (proposed as &dyn Any).downcast_ref::<P>() {
            Some(proposed) => {
                let Restricted { payload, trimmed } = self.restrict(proposed, writable);
                Restricted { payload: payload.map(|payload| Arc::new(payload) as Arc<dyn AnyPayload>), trimmed }
            }
            None => Restricted { payload: None, trimmed: Vec::new() },
        }
    }

    fn subject_any(&self, field: &str) -> Option<&str> {
        match (self as &dyn Any).downcast_ref::<Json>() {
            Some(json) => json.0.get(field).and_then(Value::as_str),
            None => self.subject(),
        }
    }

    fn to_json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<P>()
    }
}
