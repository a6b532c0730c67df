//! What came of a hook.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::extensions::Extensions;
use crate::report::Report;
use crate::violation::Violation;

/// What came of a hook.
///
/// ```
/// use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
/// use cpex::{Context, Manager};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let manager = Manager::builder().start().await?;
/// let call = ToolPreInvoke::new("search");
/// let outcome = manager.invoke(&TOOL_PRE_INVOKE, &call, &Context::new("req-1")).await?;
/// assert!(outcome.is_allowed());
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a denial that nobody looks at denies nothing"]
pub struct Outcome<R: ?Sized> {
    /// Why it was denied; `None`: go on.
    pub violation: Option<Box<Violation>>,
    /// The payload to go on with; `None`: the one the hook was invoked with.
    pub payload: Option<Arc<R>>,
    /// The extensions to go on with; `None`: those of the context.
    pub extensions: Option<Arc<Extensions>>,
    /// What plugins tell the application.
    pub metadata: Map<String, Value>,
    /// HTTP headers that plugins ask the application to set; a later plugin's count. Those of a denial are in the
    /// violation.
    pub http_headers: BTreeMap<String, String>,
    /// How long plugins ask to wait before a retry.
    pub retry_after: Duration,
    /// What became of each plugin.
    pub report: Report,
}

impl<R> Outcome<R> {
    /// May the application go on?
    ///
    /// ```
    /// # fn check(outcome: &cpex::Outcome<cpex::Json>) {
    /// if !outcome.is_allowed() {
    ///     println!("no: {}", outcome.violation.as_ref().unwrap());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.violation.is_none()
    }

    /// The same, with a denial as an error: for `?`.
    ///
    /// ```
    /// # fn check(outcome: cpex::Outcome<cpex::Json>) -> Result<(), cpex::Violation> {
    /// let metadata = outcome.into_result()?.metadata;
    /// # drop(metadata); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The violation.
    pub fn into_result(mut self) -> Result<Self, Violation> {
        match self.violation.take() {
            Some(violation) => Err(*violation),
            None => Ok(self),
        }
    }
}

impl<R: ?Sized> Outcome<R> {
    pub(crate) fn allowed(report: Report) -> Self {
        Self {
            violation: None,
            payload: None,
            extensions: None,
            metadata: Map::new(),
            http_headers: BTreeMap::new(),
            retry_after: Duration::ZERO,
            report,
        }
    }
}

impl<P: Clone> Outcome<P> {
    /// The payload to go on with, or why not to.
    ///
    /// ```
    /// use cpex::hooks::ToolPreInvoke;
    ///
    /// # fn check(outcome: cpex::Outcome<ToolPreInvoke>, call: ToolPreInvoke) -> Result<(), cpex::Violation> {
    /// let call = outcome.into_payload(call)?;
    /// println!("calling {}", call.name);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The violation.
    pub fn into_payload(self, original: P) -> Result<P, Violation> {
        match (self.violation, self.payload) {
            (Some(violation), _) => Err(*violation),
            (None, Some(payload)) => Ok(Arc::unwrap_or_clone(payload)),
            (None, None) => Ok(original),
        }
    }
}
