//! What hooks are about: typed payloads, and JSON where no type is known.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use cpex_macros::Payload;

#[cfg(feature = "builtin")]
use crate::builtin::Texts;

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
///
/// let before = Mail { recipient: "ann@example.com".into(), body: "Hello".into() };
/// let after = Mail { recipient: "eve@example.com".into(), body: "Hi".into() };
/// let left = before.restrict(&after, &|field| field == "body");
/// assert_eq!(left.payload.unwrap().recipient, "ann@example.com");
/// assert_eq!(&*left.trimmed[0], "recipient");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a payload",
    label = "expected a type with `#[derive(Payload)]`, or `cpex::Json`"
)]
pub trait Payload: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Takes from `proposed` the changed fields that are writable.
    fn restrict(&self, proposed: &Self, writable: &dyn Fn(&str) -> bool) -> Restricted<Self>;

    /// What `tools`, `prompts`, `resources` and `agents` of a condition are compared with; the field with
    /// `#[payload(subject)]`.
    fn subject(&self) -> Option<Subject<'_>> {
        None
    }
}

/// What a payload is about, for conditions.
///
/// ```
/// use cpex::Payload;
/// use cpex::hooks::ToolPreInvoke;
/// use cpex::payload::Subject;
///
/// assert_eq!(ToolPreInvoke::new("search").subject(), Some(Subject::Text("search")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// This name.
    Text(&'a str),
    /// Something that equals no name, such as a secret.
    Opaque,
}

/// What a policy left of a proposed payload.
///
/// ```
/// use cpex::{Json, Payload};
///
/// let (before, after) = (Json::default(), Json::try_from(serde_json::json!({"a": 1}))?);
/// assert_eq!(before.restrict(&after, &|_| true).payload, Some(after));
/// # Ok::<(), cpex::payload::NotAnObject>(())
/// ```
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
///
/// ```
/// assert!(cpex::Json::try_from(serde_json::json!([1, 2])).is_err());
/// ```
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

/// Without the built-in plugins, nobody looks at texts.
#[cfg(not(feature = "builtin"))]
pub(crate) trait Texts {}

#[cfg(not(feature = "builtin"))]
impl<P: Payload> Texts for P {}

/// Any payload, without its type. Implemented for every [`Payload`], and for nothing else.
pub(crate) trait AnyPayload: Any + fmt::Debug + Send + Sync + Texts {
    fn to_shared(&self) -> Arc<dyn AnyPayload>;
    fn kind(&self) -> Kind;
    fn restrict_any(
        &self,
        proposed: &dyn AnyPayload,
        writable: &dyn Fn(&str) -> bool,
    ) -> Restricted<Arc<dyn AnyPayload>>;
    /// What `tools` and the like of a condition are compared with; `field` is where untyped payloads have it.
    fn named(&self, field: &str) -> Option<Subject<'_>>;
    fn to_json(&self) -> serde_json::Result<Value>;
    /// The same as text, in one pass.
    #[cfg(feature = "_foreign")]
    fn to_json_text(&self) -> serde_json::Result<cpex_remote::Json>;
}

/// The type of a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    id: TypeId,
    pub(crate) name: &'static str,
}

impl Kind {
    pub(crate) fn of<P: Payload>() -> Self {
        Self { id: TypeId::of::<P>(), name: type_name::<P>() }
    }

    pub(crate) fn is<P: Payload>(self) -> bool {
        self == Self::of::<P>()
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<P: Payload> AnyPayload for P {
    fn to_shared(&self) -> Arc<dyn AnyPayload> {
        Arc::new(self.clone())
    }

    fn kind(&self) -> Kind {
        Kind::of::<P>()
    }

    fn restrict_any(
        &self,
        proposed: &dyn AnyPayload,
        writable: &dyn Fn(&str) -> bool,
    ) -> Restricted<Arc<dyn AnyPayload>> {
        match (proposed as &dyn Any).downcast_ref::<P>() {
            Some(proposed) => {
                let Restricted { payload, trimmed } = self.restrict(proposed, writable);
                Restricted {
                    payload: payload.map(|payload| Arc::new(payload) as Arc<dyn AnyPayload>),
                    trimmed,
                }
            }
            None => Restricted { payload: None, trimmed: Vec::new() },
        }
    }

    fn named(&self, field: &str) -> Option<Subject<'_>> {
        match (self as &dyn Any).downcast_ref::<Json>() {
            Some(json) => json.0.get(field).and_then(Value::as_str).map(Subject::Text),
            None => self.subject(),
        }
    }

    fn to_json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    #[cfg(feature = "_foreign")]
    fn to_json_text(&self) -> serde_json::Result<cpex_remote::Json> {
        cpex_remote::Json::of(self)
    }
}
