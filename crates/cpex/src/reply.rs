//! What plugins answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::BoxError;
use crate::extensions::Extensions;
use crate::payload::{Json, Payload};
use crate::violation::Violation;

/// A plugin's answer: go on, go on with this payload, or stop.
///
/// ```
/// use cpex::{Json, Reply, Violation};
///
/// let fine: Reply<Json> = Reply::allow().metadata("score", 0.1);
/// let no: Reply<Json> = Reply::deny(Violation::new("TOO_LONG", "more than a page"));
/// assert!(fine.decision() != no.decision());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<P> {
    pub(crate) decision: Decision<P>,
    /// Mostly nothing, which is quicker to hand on.
    pub(crate) more: Option<Box<More>>,
}

/// What few replies say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct More {
    pub(crate) metadata: Map<String, Value>,
    pub(crate) extensions: Option<Arc<Extensions>>,
    pub(crate) retry_after: Duration,
    pub(crate) http_headers: BTreeMap<String, String>,
    pub(crate) denial_metadata: Map<String, Value>,
}

/// What a reply says.
///
/// ```
/// use cpex::{Decision, Json, Reply};
///
/// assert_eq!(Reply::<Json>::allow().decision(), &Decision::Allow);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Decision<P> {
    /// Go on.
    Allow,
    /// Go on with this payload.
    Modify(P),
    /// Stop.
    Deny(Box<Violation>),
}

impl<P> Reply<P> {
    /// Nothing to say: go on.
    ///
    /// ```
    /// let reply = cpex::Reply::<cpex::Json>::allow();
    /// # let _ = reply;
    /// ```
    #[must_use]
    pub fn allow() -> Self {
        Self::of(Decision::Allow)
    }

    /// Go on with this payload.
    ///
    /// ```
    /// use cpex::hooks::ToolPreInvoke;
    /// use cpex::Reply;
    ///
    /// let reply = Reply::modify(ToolPreInvoke::new("search"));
    /// # let _ = reply;
    /// ```
    #[must_use]
    pub fn modify(payload: P) -> Self {
        Self::of(Decision::Modify(payload))
    }

    /// Stop.
    ///
    /// ```
    /// use cpex::{Json, Reply, Violation};
    ///
    /// let reply = Reply::<Json>::deny(Violation::new("NO", "not today"));
    /// # let _ = reply;
    /// ```
    #[must_use]
    pub fn deny(violation: Violation) -> Self {
        Self::of(Decision::Deny(Box::new(violation)))
    }

    /// The same with something to tell the application.
    ///
    /// ```
    /// let reply = cpex::Reply::<cpex::Json>::allow().metadata("matches", 3);
    /// # let _ = reply;
    /// ```
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.more.get_or_insert_default().metadata.insert(key.into(), value.into());
        self
    }

    /// The same with an HTTP header for the application to set.
    ///
    /// ```
    /// let reply = cpex::Reply::<cpex::Json>::allow().http_header("X-Scanned", "yes");
    /// # let _ = reply;
    /// ```
    #[must_use]
    pub fn http_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.more.get_or_insert_default().http_headers.insert(name.into(), value.into());
        self
    }

    /// The same with something for records of the denial, see [`Report::denial_metadata`](crate::Report::denial_metadata).
    ///
    /// ```
    /// use cpex::{Json, Reply, Violation};
    ///
    /// let reply = Reply::<Json>::deny(Violation::new("PII", "personal data")).denial_metadata("matches", 3);
    /// # let _ = reply;
    /// ```
    #[must_use]
    pub fn denial_metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.more.get_or_insert_default().denial_metadata.insert(name.into(), value.into());
        self
    }

    /// The same with extensions in place of those the plugin was shown. Of what changed in them, only what the
    /// plugin's capabilities let it write is taken.
    ///
    /// ```
    /// use cpex::{Extensions, Json, Reply};
    ///
    /// let mut extensions = Extensions::default();
    /// extensions.custom.get_or_insert_default().insert("score".into(), 7.into());
    /// let reply = Reply::<Json>::allow().extensions(extensions);
    /// # let _ = reply;
    /// ```
    #[must_use]
    pub fn extensions(mut self, extensions: Extensions) -> Self {
        self.more.get_or_insert_default().extensions = Some(Arc::new(extensions));
        self
    }

    /// The same, asking to wait before a retry.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let reply = cpex::Reply::<cpex::Json>::allow().retry_after(Duration::from_secs(1));
    /// # let _ = reply;
    /// ```
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.more.get_or_insert_default().retry_after = delay;
        self
    }

    /// What it says.
    ///
    /// ```
    /// use cpex::{Decision, Json, Reply};
    ///
    /// assert_eq!(Reply::<Json>::allow().decision(), &Decision::Allow);
    /// ```
    #[must_use]
    pub const fn decision(&self) -> &Decision<P> {
        &self.decision
    }

    const fn of(decision: Decision<P>) -> Self {
        Self { decision, more: None }
    }

    pub(crate) fn map<Q>(self, payload: impl FnOnce(P) -> Q) -> Reply<Q> {
        let decision = match self.decision {
            Decision::Allow => Decision::Allow,
            Decision::Modify(proposed) => Decision::Modify(payload(proposed)),
            Decision::Deny(violation) => Decision::Deny(violation),
        };
        Reply { decision, more: self.more }
    }
}

/// What a handler may return: a [`Reply`], a `Result` of one, or nothing, which allows.
///
/// ```
/// use cpex::{IntoReply, Json, Reply};
///
/// let returned: Result<Reply<Json>, std::io::Error> = Ok(Reply::allow());
/// assert!(returned.into_reply().is_ok());
/// assert!(().into_reply().is_ok());
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "expected `Reply<…>`, `Result<Reply<…>, E>`, `Result<(), E>` or `()`"
)]
pub trait IntoReply {
    /// What it may propose in place of the payload.
    type Payload: Payload;

    /// The answer, or why there is none.
    ///
    /// # Errors
    /// The handler's own; the plugin has failed, and its `on_error` says what that means.
    fn into_reply(self) -> Result<Reply<Self::Payload>, BoxError>;
}

impl<P: Payload> IntoReply for Reply<P> {
    type Payload = P;

    fn into_reply(self) -> Result<Self, BoxError> {
        Ok(self)
    }
}

impl IntoReply for () {
    type Payload = Json;

    fn into_reply(self) -> Result<Reply<Json>, BoxError> {
        Ok(Reply::allow())
    }
}

impl<T: IntoReply, E: Into<BoxError>> IntoReply for Result<T, E> {
    type Payload = T::Payload;

    fn into_reply(self) -> Result<Reply<T::Payload>, BoxError> {
        self.map_err(Into::into)?.into_reply()
    }
}

/// What a closure at a hook that returns an `R` may return.
///
/// ```
/// # use cpex::{Json, Reply, reply::ReplyTo};
/// fn is_reply(_: impl ReplyTo<Json>) {}
/// is_reply(Reply::allow());
/// is_reply(());
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}` at a hook that returns `{R}`",
    label = "expected `Reply<{R}>`, a `Result` of one, `Result<(), E>` or `()`"
)]
pub trait ReplyTo<R>: IntoReply {}

impl<R: Payload> ReplyTo<R> for Reply<R> {}

impl<R: Payload> ReplyTo<R> for () {}

impl<R: Payload, T: ReplyTo<R>, E: Into<BoxError>> ReplyTo<R> for Result<T, E> {}
