//! What came of a hook.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::violation::Violation;

/// What came of a hook.
#[derive(Clone, Debug)]
#[must_use = "a denial that nobody looks at denies nothing"]
pub struct Outcome<R> {
    /// Why it was denied; `None`: go on.
    pub violation: Option<Violation>,
    /// The payload to go on with; `None`: the one the hook was invoked with.
    pub payload: Option<Arc<R>>,
    /// What plugins tell the application.
    pub metadata: Map<String, Value>,
    /// How long plugins ask to wait before a retry.
    pub retry_after: Duration,
}

impl<R> Outcome<R> {
    /// May the application go on?
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.violation.is_none()
    }

    pub(crate) fn allowed() -> Self {
        Self { violation: None, payload: None, metadata: Map::new(), retry_after: Duration::ZERO }
    }
}

impl<P: Clone> Outcome<P> {
    /// The payload to go on with, or why not to.
    ///
    /// # Errors
    /// The violation.
    pub fn into_payload(self, original: P) -> Result<P, Violation> {
        match (self.violation, self.payload) {
            (Some(violation), _) => Err(violation),
            (None, Some(payload)) => Ok(Arc::unwrap_or_clone(payload)),
            (None, None) => Ok(original),
        }
    }
}
