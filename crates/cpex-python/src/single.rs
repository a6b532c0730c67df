//! One plugin, outside a pipeline: no phases, conditions, policies or records; its mode still decides what a
//! denial means, and its `on_error` what a failure does.

use std::time::Instant;

use cpex_core::host::Event;
use cpex_core::verdict::{Ending, Verdict, judge};
use cpex_core::{Host, OnError, Phase};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use crate::classes::classes;
use crate::host::{Attached, Hosted, merge_metadata};
use crate::pipeline::{Progress, fault};
use crate::plugin_call::{Input, PluginCall, Step};
use crate::reply;
use crate::report::timeout_text;
use crate::result::{plugin_error, violation_error};
use crate::values::{Fault, Work};

/// Where what the plugin wrote goes, if anywhere.
pub(crate) struct Targets {
    /// The plugin's own context.
    pub(crate) context: Py<PyAny>,
    /// The request's context.
    pub(crate) global_context: Option<Py<PyAny>>,
    /// The metadata of a pipeline.
    pub(crate) metadata: Option<Py<PyDict>>,
}

/// A call of one plugin under way. Its host is a line-up of one.
pub(crate) struct Single {
    hosted: Hosted,
    targets: Targets,
    call: PluginCall,
}

impl Single {
    /// Calls the plugin and takes the first step. The `Single` comes back only if the plugin suspends.
    pub(crate) fn start<'py>(
        py: Python<'py>,
        mut hosted: Hosted,
        targets: Targets,
        work: &Work,
    ) -> PyResult<(Progress<'py>, Option<Self>)> {
        hosted.begin_span(py, work.entry);
        let call = hosted
            .call_with(py, work, targets.context.bind(py))
            .and_then(|awaitable| PluginCall::new(awaitable, Instant::now(), hosted.limit(work)));
        match call {
            Ok(call) => {
                let mut single = Self { hosted, targets, call };
                let step = single.call.start(py);
                let progress = single.settle(py, step)?;
                let suspended = matches!(progress, Progress::Yielded(_)).then_some(single);
                Ok((progress, suspended))
            }
            Err(error) => {
                let fault = fault(py, error, hosted.overridden);
                failed(py, &mut hosted, fault).map(|done| (Progress::Done(done), None))
            }
        }
    }

    pub(crate) fn resume<'py>(&mut self, py: Python<'py>, input: Input<'py>) -> PyResult<Progress<'py>> {
        let step = self.call.resume(py, input);
        self.settle(py, step)
    }

    pub(crate) fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        self.call.close(py)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.call.traverse(visit)?;
        visit.call(&self.targets.context)?;
        visit.call(&self.targets.global_context)?;
        visit.call(&self.targets.metadata)?;
        self.hosted.traverse(visit)
    }

    fn settle<'py>(&mut self, py: Python<'py>, step: Step<'py>) -> PyResult<Progress<'py>> {
        let fault = match step {
            Step::Yielded(waiting) => return Ok(Progress::Yielded(waiting)),
            Step::Returned(value) => match self.returned(py, value) {
                Ok(done) => return done.map(Progress::Done),
                Err(error) => fault(py, error, false),
            },
            Step::Raised(error) => fault(py, error, self.hosted.overridden),
            Step::TimedOut => Fault::Timeout(None),
        };
        failed(py, &mut self.hosted, fault).map(Progress::Done)
    }

    /// The outer error is the plugin's failure; the inner one is what the caller gets.
    fn returned<'py>(
        &mut self,
        py: Python<'py>,
        value: Bound<'py, PyAny>,
    ) -> PyResult<PyResult<Bound<'py, PyAny>>> {
        let phase = self.hosted.phase(0);
        let reply::Answer { reply, metadata } = reply::read(&value, self.hosted.control(0).name(py))?;
        self.hosted.end_span(py, 0, Some(&reply));
        if phase.rules().merges_state {
            self.write_back(py)?;
        }
        if let (Some(metadata), Some(into)) = (metadata, &self.targets.metadata) {
            merge_metadata(&metadata, into.bind(py))?;
        }
        let ending = if reply.allow { Ending::Allowed } else { Ending::Denied };
        let violation = reply.violation.as_ref();
        match judge(phase, OnError::Fail, ending) {
            Verdict::Halt => {
                self.observe(py, Event::Denied(violation));
                Ok(self.denied(py, &value, violation))
            }
            Verdict::Suppress if phase != Phase::FireAndForget => {
                self.observe(py, Event::Suppressed(violation));
                let payload = reply.payload.filter(|_| phase.rules().may_modify);
                Ok(passed(py, payload))
            }
            Verdict::Suppress | Verdict::Proceed | Verdict::Ignore | Verdict::Disable | Verdict::Raise => {
                Ok(Ok(value))
            }
        }
    }

    fn write_back(&self, py: Python<'_>) -> PyResult<()> {
        let Some(into) = &self.targets.global_context else { return Ok(()) };
        let from = self.targets.context.bind(py).getattr(intern!(py, "global_context"))?;
        for name in [intern!(py, "state"), intern!(py, "metadata")] {
            into.bind(py).getattr(name)?.call_method1(intern!(py, "update"), (from.getattr(name)?,))?;
        }
        Ok(())
    }

    fn denied<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'py, PyAny>,
        violation: Option<&Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if self.hosted.raise_denials {
            return Err(PyErr::from_value(violation_error(py, &self.hosted, 0, violation, Some(value))?));
        }
        let kwargs = PyDict::new(py);
        kwargs.set_item("continue_processing", false)?;
        kwargs.set_item("modified_payload", py.None())?;
        kwargs.set_item("violation", violation)?;
        kwargs.set_item("metadata", py.None())?;
        kwargs.set_item("denial_metadata", value.getattr(intern!(py, "denial_metadata"))?)?;
        classes(py)?.plugin_result.bind(py).call((), Some(&kwargs))
    }

    fn observe(&mut self, py: Python<'_>, event: Event<'_, crate::values::PyValues>) {
        Attached { py, hosted: &mut self.hosted }.observe(0, event);
    }
}

/// The result of a plugin whose denial does not count.
fn passed(py: Python<'_>, payload: Option<Py<PyAny>>) -> PyResult<Bound<'_, PyAny>> {
    let kwargs = PyDict::new(py);
    kwargs.set_item("continue_processing", true)?;
    kwargs.set_item("modified_payload", payload)?;
    kwargs.set_item("violation", py.None())?;
    kwargs.set_item("metadata", py.None())?;
    classes(py)?.plugin_result.bind(py).call((), Some(&kwargs))
}

/// What a failure comes to; in the background phase too, for here somebody waits.
fn failed<'py>(py: Python<'py>, hosted: &mut Hosted, fault: Fault) -> PyResult<Bound<'py, PyAny>> {
    hosted.end_span(py, 0, None);
    let on_error = hosted.line_up.entries()[0].on_error;
    let compatible = hosted.compatible;
    let mut host = Attached { py, hosted };
    let verdict = judge(Phase::Sequential, on_error, fault.ending());
    match verdict {
        Verdict::Raise => host.observe(0, Event::Raised(&fault)),
        Verdict::Disable => {
            host.observe(0, Event::Disabled(&fault));
            host.disable(0);
        }
        Verdict::Ignore | Verdict::Proceed | Verdict::Halt | Verdict::Suppress => {
            host.observe(0, Event::Ignored(&fault));
        }
    }
    match (verdict, fault) {
        (Verdict::Raise, Fault::Refusal(error) | Fault::Interrupt(error)) => Err(error),
        (Verdict::Raise, fault) => Err(plugin_error(py, hosted, 0, fault)?),
        (_, Fault::Timeout(_)) if compatible => {
            let class = py.import("cpex.framework.manager")?.getattr("PluginTimeoutError")?;
            Err(PyErr::from_value(class.call1((timeout_text(py, hosted.engine.get(), hosted.control(0)),))?))
        }
        _ => {
            let kwargs = PyDict::new(py);
            kwargs.set_item("continue_processing", true)?;
            classes(py)?.plugin_result.bind(py).call((), Some(&kwargs))
        }
    }
}
