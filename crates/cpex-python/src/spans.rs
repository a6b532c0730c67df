//! Spans for an observability provider. Its failures are its own: they never reach the pipeline.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use crate::control::{Control, plain};
use crate::log;
use crate::values::Reply;

/// The provider and the trace, if this invocation is traced.
pub(crate) struct Spans {
    provider: Py<PyAny>,
    trace_id: Py<PyAny>,
}

/// A span that was started.
pub(crate) struct Span(Py<PyAny>);

impl Spans {
    /// `None` without a provider, or outside a trace.
    pub(crate) fn of_current_trace(py: Python<'_>, provider: &Py<PyAny>) -> PyResult<Option<Self>> {
        if provider.is_none(py) {
            return Ok(None);
        }
        let trace_id = py
            .import(intern!(py, "cpex.framework.observability"))?
            .getattr(intern!(py, "current_trace_id"))?
            .call_method0(intern!(py, "get"))?;
        if !trace_id.is_truthy()? {
            return Ok(None);
        }
        Ok(Some(Self { provider: provider.clone_ref(py), trace_id: trace_id.unbind() }))
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.provider)?;
        visit.call(&self.trace_id)
    }

    /// The same, for a plugin that outlives the invocation.
    pub(crate) fn again(&self, py: Python<'_>) -> Self {
        Self { provider: self.provider.clone_ref(py), trace_id: self.trace_id.clone_ref(py) }
    }

    /// The span of the whole hook.
    pub(crate) fn hook(&self, py: Python<'_>, hook: &str, chain_length: usize) -> Option<Span> {
        self.start(py, |kwargs| {
            let attributes = PyDict::new(py);
            attributes.set_item("plugin.hook.type", hook)?;
            attributes.set_item("plugin.chain.length", chain_length)?;
            kwargs.set_item("name", "plugin.hook.invoke")?;
            kwargs.set_item("attributes", attributes)
        })
    }

    /// The span of one plugin.
    pub(crate) fn plugin(
        &self,
        py: Python<'_>,
        control: &Control,
        timeout: &Bound<'_, PyAny>,
    ) -> Option<Span> {
        self.start(py, |kwargs| {
            let name = control.name(py);
            let attributes = PyDict::new(py);
            attributes.set_item("plugin.name", name)?;
            attributes.set_item("plugin.uuid", &control.uuid)?;
            attributes.set_item("plugin.mode", plain(control.mode.bind(py))?)?;
            attributes.set_item("plugin.priority", control.priority)?;
            attributes.set_item("plugin.timeout", timeout)?;
            kwargs.set_item("name", format!("plugin.execute.{name}"))?;
            kwargs.set_item("resource_type", "plugin")?;
            kwargs.set_item("resource_name", name)?;
            kwargs.set_item("attributes", attributes)
        })
    }

    fn start(
        &self,
        py: Python<'_>,
        describe: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>,
    ) -> Option<Span> {
        let started = (|| {
            let kwargs = PyDict::new(py);
            kwargs.set_item("trace_id", &self.trace_id)?;
            kwargs.set_item("kind", "internal")?;
            describe(&kwargs)?;
            self.provider.bind(py).call_method(intern!(py, "start_span"), (), Some(&kwargs))
        })();
        match started {
            Ok(id) if id.is_none() => None,
            Ok(id) => Some(Span(id.unbind())),
            Err(error) => swallow(py, "start_span", error),
        }
    }

    /// Ends a span that went well.
    pub(crate) fn end_ok(
        &self,
        py: Python<'_>,
        span: &Span,
        attributes: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>,
    ) {
        self.end(py, span, "ok", |kwargs| {
            let all = PyDict::new(py);
            attributes(&all)?;
            kwargs.set_item("attributes", all)
        });
    }

    /// Ends the span of a plugin that answered.
    pub(crate) fn end_plugin(&self, py: Python<'_>, span: &Span, reply: &Reply) {
        self.end_ok(py, span, |attributes| {
            attributes.set_item("plugin.had_violation", reply.violation.is_some())?;
            attributes.set_item("plugin.modified_payload", reply.payload.is_some())
        });
    }

    /// Ends a span that did not.
    pub(crate) fn end_error(&self, py: Python<'_>, span: &Span) {
        self.end(py, span, "error", |_| Ok(()));
    }

    fn end(
        &self,
        py: Python<'_>,
        span: &Span,
        status: &str,
        describe: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>,
    ) {
        let ended = (|| {
            let kwargs = PyDict::new(py);
            kwargs.set_item("span_id", &span.0)?;
            kwargs.set_item("status", status)?;
            describe(&kwargs)?;
            self.provider.bind(py).call_method(intern!(py, "end_span"), (), Some(&kwargs))
        })();
        if let Err(error) = ended {
            swallow::<()>(py, "end_span", error);
        }
    }
}

fn swallow<T>(py: Python<'_>, what: &str, error: PyErr) -> Option<T> {
    log::debug(py, || format!("Plugin observability {what} failed: {}", error.value(py)));
    None
}
