//! What plugins answer.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::BoxError;
use crate::payload::{Json, Payload};
use crate::violation::Violation;

/// A plugin's answer: go on, go on with this payload, or stop.
///
/// ```
/// use cpex::{Json, Reply, Violation};
///
/// let fine: Reply<Json> = Reply::allow().metadata("score", 0.1);
/// let no: Reply<Json> = Reply::deny(Violation::new("TOO_LONG", "more than a page"));
/// # let _ = (fine, no);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<P> {
    pub(crate) decision: Decision<P>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) retry_after: Duration,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision<P> {
    /// Go on.
    Allow,
    /// Go on with this payload.
    Modify(P),
    /// Stop.
    Deny(Violation),
}

impl<P> Reply<P> {
    /// Nothing to say: go on.
    #[must_use]
    pub fn allow() -> Self {
        Self::of(Decision::Allow)
    }

    /// Go on with this payload.
    #[must_use]
    pub fn modify(payload: P) -> Self {
        Self::of(Decision::Modify(payload))
    }

    /// Stop.
    #[must_use]
    pub fn deny(violation: Violation) -> Self {
        Self::of(Decision::Deny(violation))
    }

    /// The same with something to tell the application.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// The same, asking to wait before a retry.
    #[must_use]
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = delay;
        self
    }

    /// What it says.
    #[must_use]
    pub const fn decision(&self) -> &Decision<P> {
        &self.decision
    }

    fn of(decision: Decision<P>) -> Self {
        Self { decision, metadata: Map::new(), retry_after: Duration::ZERO }
    }

    pub(crate) fn map<Q>(self, payload: impl FnOnce(P) -> Q) -> Reply<Q> {
        let decision = match self.decision {
            Decision::Allow => Decision::Allow,
            Decision::Modify(proposed) => Decision::Modify(payload(proposed)),
            Decision::Deny(violation) => Decision::Deny(violation),
        };
        Reply { decision, metadata: self.metadata, retry_after: self.retry_after }
    }
}

/// What a handler may return: a [`Reply`], a `Result` of one, or nothing, which allows.
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
