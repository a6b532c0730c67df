//! What plugins answer.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::audit_log::AuditError;
use crate::denial::Denial;

/// What a plugin answers to a call: at once, or later.
pub enum Answer<P> {
    /// It has looked and decided.
    Now(Reply<P>),
    /// It waits for something outside, for a Redis. It has read all it needs of the payload, and changes nothing in
    /// it. To be polled inside of a tokio runtime with time and IO.
    ///
    /// Dropping the future is safe at any time: what it may have been charged stays charged.
    Later(Pin<Box<dyn Future<Output = Reply<Infallible>> + Send>>),
}

/// What a plugin says.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<P> {
    /// Whether to go on, and with what.
    pub decision: Decision<P>,
    /// What it has found, for the metadata of the hook's outcome; mostly nothing. Never a text of the payload.
    ///
    /// It belongs below the plugin's name, so that two plugins of one kind can both be heard.
    pub metadata: Option<Map<String, Value>>,
    /// How long the caller should wait before another try.
    pub retry_after: Option<Duration>,
}

/// Whether to go on, and with what.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision<P> {
    /// Go on.
    Allow,
    /// Go on with this.
    Modify(P),
    /// Stop.
    Deny(Box<Denial>),
}

/// A plugin could not do its work. Its entry's `on_error` judges; by default nothing goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure<E> {
    /// The payload cannot be read.
    #[error(transparent)]
    Payload(E),
    /// The audit log cannot be written.
    #[error(transparent)]
    Audit(AuditError),
}

impl<P> Reply<P> {
    /// Go on.
    #[must_use]
    pub const fn allow() -> Self {
        Self { decision: Decision::Allow, metadata: None, retry_after: None }
    }

    /// Stop.
    #[must_use]
    pub fn deny(denial: Denial) -> Self {
        let retry_after = denial.retry_after;
        Self { decision: Decision::Deny(Box::new(denial)), metadata: None, retry_after }
    }

    /// Go on with this, if there is anything.
    #[must_use]
    pub fn modify(changed: Option<P>) -> Self {
        Self { decision: changed.map_or(Decision::Allow, Decision::Modify), ..Self::allow() }
    }

    /// The same with something for the metadata.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.metadata.get_or_insert_default().insert(key.to_owned(), value.into());
        self
    }

    /// The same about another payload.
    pub fn map<Q>(self, change: impl FnOnce(P) -> Q) -> Reply<Q> {
        let decision = match self.decision {
            Decision::Allow => Decision::Allow,
            Decision::Modify(payload) => Decision::Modify(change(payload)),
            Decision::Deny(denial) => Decision::Deny(denial),
        };
        Reply { decision, metadata: self.metadata, retry_after: self.retry_after }
    }
}

impl Reply<Infallible> {
    /// The same where there are payloads: it changes none.
    #[must_use]
    pub fn about<P>(self) -> Reply<P> {
        self.map(|never| match never {})
    }
}

impl<P> From<Result<(), Denial>> for Reply<P> {
    fn from(decided: Result<(), Denial>) -> Self {
        decided.map_or_else(Self::deny, |()| Self::allow())
    }
}
