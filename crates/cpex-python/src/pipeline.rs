//! A pipeline under way: carries out what the core says, on the caller's own task.
//!
//! Serial plugins are stepped right here; concurrent ones and those in the background get tasks of their own.

use std::time::{Duration, Instant};

use cpex_builtin::plugin::Scans;
use cpex_core::{Action, End};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};

use crate::builtin::Asked;
use crate::classes::classes;
use crate::detached::{Background, gate};
use crate::group::{Group, running_loop};
use crate::host::{Attached, Hosted};
use crate::plugin_call::{Input, PluginCall, Step};
use crate::reply;
use crate::result;
use crate::task::{Ended, PluginTask, Purpose};
use crate::values::{self, Fault, Invocation, Reply, Work};

/// How far a step has brought it.
pub(crate) enum Progress<'py> {
    /// It waits for this.
    Yielded(Bound<'py, PyAny>),
    /// This is what it comes to.
    Done(Bound<'py, PyAny>),
}

/// What comes of calling a plugin.
enum Opened<'py> {
    /// It is to be stepped.
    Call(PluginCall),
    /// A built-in plugin has answered.
    Answered(reply::Answer<'py>),
    /// There was no time to ask it.
    TimedOut,
}

/// A pipeline under way.
pub(crate) struct Pipeline {
    invocation: Invocation,
    hosted: Hosted,
    clock: Instant,
    now_ns: u64,
    pool: Option<usize>,
    serial: Option<(usize, PluginCall)>,
    group: Option<Group>,
    gate: Option<Py<PyAny>>,
    background: Option<Py<PyList>>,
}

impl Pipeline {
    pub(crate) fn new(invocation: Invocation, hosted: Hosted, clock: Instant, pool: Option<usize>) -> Self {
        Self {
            invocation,
            hosted,
            clock,
            now_ns: 0,
            pool,
            serial: None,
            group: None,
            gate: None,
            background: None,
        }
    }

    /// Goes on from where it was suspended.
    pub(crate) fn resume<'py>(&mut self, py: Python<'py>, input: Input<'py>) -> PyResult<Progress<'py>> {
        self.hosted.request.refresh();
        if let Some((entry, mut call)) = self.serial.take() {
            let step = call.resume(py, input);
            if let Some(waiting) = self.serial_step(py, entry, call, step) {
                return Ok(Progress::Yielded(waiting));
            }
        } else if let Input::Throw(exception) = input {
            self.invocation.handle_abort(Fault::Interrupt(PyErr::from_value(exception)));
        }
        self.run(py)
    }

    /// Carries out what the core says until something has to be waited for, or all is done.
    pub(crate) fn run<'py>(&mut self, py: Python<'py>) -> PyResult<Progress<'py>> {
        let mut scans = Scans::default();
        loop {
            self.tell_ended(py);
            match self.invocation.poll(&mut Attached { py, hosted: &mut self.hosted }) {
                Action::Call(work) => {
                    let entry = work.entry;
                    match self.open(py, &work, &mut scans) {
                        Ok(Opened::Call(mut call)) => {
                            let step = call.start(py);
                            if let Some(waiting) = self.serial_step(py, entry, call, step) {
                                return Ok(Progress::Yielded(waiting));
                            }
                        }
                        Ok(Opened::Answered(answer)) => self.tell_answer(py, entry, None, answer),
                        Ok(Opened::TimedOut) => self.tell(py, entry, Err(Fault::Timeout(None))),
                        Err(error) => self.tell_fault(py, entry, error),
                    }
                }
                Action::Spawn(work) => {
                    if let Err(error) = self.spawn(py, &work) {
                        self.tell_fault(py, work.entry, error);
                    }
                }
                Action::Cancel(entry) => {
                    if let Some(group) = &self.group {
                        group.cancel(py, entry)?;
                    }
                }
                Action::Detach(work) => self.detach(py, &work)?,
                Action::Wait => {
                    let waiting = match &self.group {
                        Some(group) => group.wait(py)?,
                        None => return Err(PyRuntimeError::new_err("a pipeline waits for nothing")),
                    };
                    if let Some(waiting) = waiting {
                        return Ok(Progress::Yielded(waiting));
                    }
                }
                Action::Done => return self.conclude(py).map(Progress::Done),
            }
        }
    }

    /// Ends it where it stands; concurrent plugins are told to stop and not waited for.
    pub(crate) fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some((_, mut call)) = self.serial.take() {
            call.close(py)?;
        }
        self.group.take().map_or(Ok(()), |group| group.cancel_all(py))?;
        self.hosted.give_up(py)
    }

    fn open<'py>(
        &mut self,
        py: Python<'py>,
        work: &Work,
        scans: &mut Scans<Py<PyAny>>,
    ) -> PyResult<Opened<'py>> {
        let limit = self.hosted.limit(work);
        if limit.is_some_and(|limit| limit.is_zero()) && self.hosted.asks_in_place(work.entry) {
            return Ok(Opened::TimedOut);
        }
        let awaitable = match self.hosted.ask(py, work, scans)? {
            Some(Asked::Answered(answer)) => return Ok(Opened::Answered(answer)),
            Some(Asked::Waits(awaitable)) => awaitable,
            None => self.hosted.call(py, work)?,
        };
        let started = self.clock + Duration::from_nanos(self.now_ns);
        PluginCall::new(awaitable, started, limit).map(Opened::Call)
    }

    fn serial_step<'py>(
        &mut self,
        py: Python<'py>,
        entry: usize,
        call: PluginCall,
        step: Step<'py>,
    ) -> Option<Bound<'py, PyAny>> {
        match step {
            Step::Yielded(waiting) => {
                self.serial = Some((entry, call));
                return Some(waiting);
            }
            Step::Returned(value) => self.tell_returned(py, entry, value),
            Step::Raised(error) => self.tell_fault(py, entry, error),
            Step::TimedOut => self.tell(py, entry, Err(Fault::Timeout(None))),
        }
        None
    }

    fn tell_returned<'py>(&mut self, py: Python<'py>, entry: usize, value: Bound<'py, PyAny>) {
        match reply::read(&value, self.hosted.control(entry).name(py)) {
            Ok(answer) => self.tell_answer(py, entry, Some(value), answer),
            Err(error) => self.tell_fault(py, entry, error),
        }
    }

    fn tell_answer<'py>(
        &mut self,
        py: Python<'py>,
        entry: usize,
        returned: Option<Bound<'py, PyAny>>,
        answer: reply::Answer<'py>,
    ) {
        self.hosted.keep(entry, returned, answer.metadata);
        self.tell(py, entry, Ok(answer.reply));
    }

    fn tell_fault(&mut self, py: Python<'_>, entry: usize, error: PyErr) {
        let fault = fault(py, error, self.hosted.overridden);
        self.tell(py, entry, Err(fault));
    }

    fn tell(&mut self, py: Python<'_>, entry: usize, told: Result<Reply, Fault>) {
        self.now_ns = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.hosted.end_span(py, entry, told.as_ref().ok());
        let host = &mut Attached { py, hosted: &mut self.hosted };
        let understood = match told {
            Ok(reply) => self.invocation.handle_reply(host, entry, reply, self.now_ns),
            Err(fault) => self.invocation.handle_fault(host, entry, fault, self.now_ns),
        };
        if let Err(misuse) = understood {
            let error = PyRuntimeError::new_err(misuse.to_string());
            self.invocation.handle_abort(Fault::Interrupt(error));
        }
    }

    fn spawn(&mut self, py: Python<'_>, work: &Work) -> PyResult<()> {
        let job = self.hosted.job(py, work)?;
        let name = self.task_name(py, work.entry);
        let group = match &mut self.group {
            Some(group) => group,
            None => self.group.insert(Group::new(py)?),
        };
        group.spawn(py, work.entry, name, job)
    }

    fn detach(&mut self, py: Python<'_>, work: &Work) -> PyResult<()> {
        let job = self.hosted.job(py, work)?;
        let spans = self.hosted.spans.as_ref().map(|spans| spans.again(py));
        if self.gate.is_none()
            && let Some(places) = self.pool
        {
            self.gate = Some(gate(py, places)?);
        }
        let background = Background::new(
            self.hosted.engine.clone_ref(py),
            self.hosted.line_up.share(py),
            work.entry,
            self.gate.as_ref().map(|gate| gate.clone_ref(py)),
            spans,
        );
        let call = PluginTask::new(self.task_name(py, work.entry), job, Purpose::Background(background));
        let task = running_loop(py)?.call_method1("create_task", (Py::new(py, call)?,))?;
        let tasks = self.background.get_or_insert_with(|| PyList::empty(py).unbind());
        tasks.bind(py).append(task)
    }

    fn task_name(&self, py: Python<'_>, entry: usize) -> String {
        format!("{}.{}", self.hosted.control(entry).name(py), self.hosted.hook.bind(py))
    }

    /// Tells the core of the concurrent plugins that have ended.
    fn tell_ended(&mut self, py: Python<'_>) {
        let Some(group) = &mut self.group else { return };
        let ended = group.take_ended();
        self.hosted.pending = group.pending();
        for (entry, ended) in ended {
            match ended {
                Some(Ended::Returned(value)) => self.tell_returned(py, entry, value.into_bound(py)),
                Some(Ended::Raised(error)) => self.tell_fault(py, entry, error),
                Some(Ended::TimedOut) => self.tell(py, entry, Err(Fault::Timeout(None))),
                None => {
                    let cancelled = classes(py).and_then(|c| c.cancelled_error.bind(py).call0());
                    let error = cancelled.map_or_else(|error| error, PyErr::from_value);
                    self.tell(py, entry, Err(Fault::Interrupt(error)));
                }
            }
        }
    }

    fn conclude<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let outcome = self.invocation.take_outcome();
        let background = self.background.take().map(|tasks| tasks.into_bound(py));
        self.hosted.end_chain_span(py, &outcome);
        if !matches!(outcome.end, End::Completed) {
            self.hosted.give_up(py)?;
        }
        result::conclude(py, &self.hosted, outcome, background)
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some((_, call)) = &self.serial {
            call.traverse(visit)?;
        }
        if let Some(group) = &self.group {
            group.traverse(visit)?;
        }
        visit.call(&self.gate)?;
        visit.call(&self.background)?;
        visit.call(self.invocation.original())?;
        visit.call(self.invocation.extensions())?;
        values::traverse(self.invocation.outcome(), visit)?;
        self.hosted.traverse(visit)
    }
}

/// Whose fault an exception is, and what kind.
pub(crate) fn fault(py: Python<'_>, error: PyErr, overridden: bool) -> Fault {
    let Ok(classes) = classes(py) else { return Fault::Interrupt(error) };
    if error.is_instance(py, classes.violation_error.bind(py)) {
        Fault::Refusal(error)
    } else if !error.is_instance(py, classes.base_exception.bind(py)) {
        Fault::Interrupt(error)
    } else if overridden && error.is_instance_of::<pyo3::exceptions::PyTimeoutError>(py) {
        Fault::Timeout(None)
    } else {
        Fault::Error(error)
    }
}
