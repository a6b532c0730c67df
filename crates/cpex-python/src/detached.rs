//! A plugin in the background: its turn in the pool, and what is made of its end when nobody waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use cpex_core::verdict::{Ending, Verdict, judge};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::engine::Engine;
use crate::line_up::PyLineUp;
use crate::log;
use crate::plugin_call::PluginCall;
use crate::reply;
use crate::spans::{Span, Spans};
use crate::task::Ended;

/// What a plugin in the background needs to conclude by itself.
pub(crate) struct Background {
    engine: Py<Engine>,
    line_up: PyLineUp,
    entry: usize,
    /// An `asyncio.Semaphore`, if there are more plugins than places.
    gate: Option<Py<PyAny>>,
    has_place: AtomicBool,
    spans: Option<Spans>,
    span: Mutex<Option<Span>>,
}

impl Background {
    pub(crate) fn new(
        engine: Py<Engine>,
        line_up: PyLineUp,
        entry: usize,
        gate: Option<Py<PyAny>>,
        spans: Option<Spans>,
    ) -> Self {
        Self {
            engine,
            line_up,
            entry,
            gate,
            has_place: AtomicBool::new(false),
            spans,
            span: Mutex::new(None),
        }
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        self.line_up.traverse(visit)?;
        visit.call(&self.gate)?;
        self.spans.as_ref().map_or(Ok(()), |spans| spans.traverse(visit))
    }

    /// What to wait for until there is a place; `None` if there is one.
    pub(crate) fn acquire(&self, py: Python<'_>) -> PyResult<Option<PluginCall>> {
        match &self.gate {
            Some(gate) => {
                let turn = gate.bind(py).call_method0(intern!(py, "acquire"))?;
                PluginCall::new(turn, std::time::Instant::now(), None).map(Some)
            }
            None => Ok(None),
        }
    }

    /// It has its place, and starts.
    pub(crate) fn launched(&self, py: Python<'_>) {
        self.has_place.store(true, Ordering::Relaxed);
        if let Some(spans) = &self.spans {
            let control = &self.line_up.entries()[self.entry].plugin;
            let limit = self.engine.get().time_limit(py, control.timeout_s);
            let span = spans.plugin(py, control, &limit);
            *self.span.lock().unwrap_or_else(PoisonError::into_inner) = span;
        }
    }

    /// Gives the place back.
    pub(crate) fn release(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(gate) = &self.gate
            && self.has_place.swap(false, Ordering::Relaxed)
        {
            gate.bind(py).call_method0(intern!(py, "release"))?;
        }
        Ok(())
    }

    /// The result of the task: `None`, or the error as a `PluginErrorModel`.
    pub(crate) fn conclude<'py>(&self, py: Python<'py>, ended: Ended) -> PyResult<Bound<'py, PyAny>> {
        let entry = &self.line_up.entries()[self.entry];
        let name = entry.plugin.name(py);
        let (error, ending) = match ended {
            Ended::Returned(value) => {
                self.end_span(py, Some(value.bind(py)));
                return Ok(py.None().into_bound(py));
            }
            Ended::Raised(error) if !error.is_instance_of::<PyException>(py) => {
                self.end_span(py, None);
                return Err(error);
            }
            Ended::Raised(error) => (error.into_value(py).into_bound(py).into_any(), Ending::Failed),
            Ended::TimedOut => (py.import("builtins")?.getattr("TimeoutError")?.call0()?, Ending::TimedOut),
        };
        self.end_span(py, None);
        log::error(py, &format!("Plugin {name} failed in fire-and-forget mode (ignored)"));
        if judge(entry.phase, entry.on_error, ending) == Verdict::Disable {
            self.engine.get().disable(py, name)?;
        }
        py.import(intern!(py, "cpex.framework.errors"))?
            .call_method1(intern!(py, "convert_exception_to_error"), (error, name))
    }

    fn end_span(&self, py: Python<'_>, returned: Option<&Bound<'_, PyAny>>) {
        let span = self.span.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(spans), Some(span)) = (&self.spans, span) else { return };
        match returned.map(|value| reply::read(value, self.line_up.entries()[self.entry].plugin.name(py))) {
            Some(Ok(answer)) => spans.end_plugin(py, &span, &answer.reply),
            _ => spans.end_error(py, &span),
        }
    }
}

/// A semaphore with a place for so many plugins.
pub(crate) fn gate(py: Python<'_>, places: usize) -> PyResult<Py<PyAny>> {
    Ok(py.import(intern!(py, "asyncio"))?.call_method1(intern!(py, "Semaphore"), (places,))?.unbind())
}
