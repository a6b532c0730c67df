//! The values of the simulated world: payloads are small records with an identity.

use std::sync::Arc;

use cpex_core::Values;

use crate::extensions::Extensions;
use crate::plugin::Plugin;

/// The simulated world's values.
#[derive(Clone, Copy, Debug)]
pub struct Sim;

impl Values for Sim {
    type Plugin = Plugin;
    type Payload = Payload;
    type Extensions = Extensions;
    type Violation = &'static str;
    type Error = &'static str;
}

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the hook takes.
    Base,
    /// A subtype of it.
    Sub,
    /// One that cannot be compared with another.
    Incomparable,
    /// A payload of another type.
    Other,
    /// No payload.
    Foreign,
}

/// A handle to a payload with two fields.
#[derive(Clone, Debug)]
pub struct Payload {
    body: Arc<Body>,
    /// A copy that no other plugin can reach.
    pub isolated: bool,
}

/// What a payload holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What it is.
    pub kind: Kind,
    /// A field that no policy here lets plugins write.
    pub name: String,
    /// The field that the policy lets plugins write.
    pub args: String,
    /// The plugin that made it; empty for the caller's.
    pub author: &'static str,
}

impl Payload {
    /// The payload of a caller.
    #[must_use]
    pub fn original() -> Self {
        Self::from(Body { kind: Kind::Base, name: "t".to_owned(), args: String::new(), author: "" })
    }

    /// What it holds.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Do both mean the same object?
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.body, &other.body)
    }

    /// A second handle to the same object.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { body: self.body.clone(), isolated: false }
    }

    /// A copy of its own.
    #[must_use]
    pub fn isolate(&self) -> Self {
        Self { body: Arc::new(self.body().clone()), isolated: true }
    }
}

impl From<Body> for Payload {
    fn from(body: Body) -> Self {
        Self { body: Arc::new(body), isolated: false }
    }
}
