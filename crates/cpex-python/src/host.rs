//! One invocation in Python terms: its contexts, its metadata, and the answers to what the core asks.

use std::cell::Cell;
use std::time::Duration;

use cpex_builtin::plugin::{Keep, Scans};
use cpex_core::extensions::{Breach, Change, Enforcement, Shown};
use cpex_core::host::{Event, Restriction};
use cpex_core::payload::Relation;
use cpex_core::phase::Runs;
use cpex_core::record::{Fate, Skip};
use cpex_core::{End, Host, Phase, Slot, Slots};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::builtin::{self, Asked, Asking};
use crate::context::{Given, RequestContext};
use crate::control::Control;
use crate::engine::Engine;
use crate::extensions::{self, Views};
use crate::line_up::PyLineUp;
use crate::narrator::Narrator;
use crate::payload;
use crate::policy;
use crate::spans::{Span, Spans};
use crate::task::Job;
use crate::values::{Outcome, PyValues, Record, Reply, Work};

/// The state of one invocation that is made of Python objects.
pub(crate) struct Hosted {
    pub(crate) engine: Py<Engine>,
    pub(crate) line_up: PyLineUp,
    pub(crate) hook: Py<PyString>,
    pub(crate) request: RequestContext,
    pub(crate) earlier: Option<Py<PyDict>>,
    pub(crate) table: Py<PyDict>,
    pub(crate) metadata: Py<PyDict>,
    /// What is made of extensions that a plugin may not write.
    pub(crate) enforcement: Enforcement,
    pub(crate) views: Views,
    pub(crate) writable_fields: Option<Py<PyAny>>,
    /// The copy that the plugin was given whose answer is awaited, where a policy compares it.
    pub(crate) shown: Option<Py<PyAny>>,
    pub(crate) raise_denials: bool,
    /// One of the executor's replaceable steps is replaced.
    pub(crate) overridden: bool,
    /// What a plugin deletes from the state stays there, as in CPEX 0.1.4.
    pub(crate) compatible: bool,
    pub(crate) spans: Option<Spans>,
    pub(crate) chain_span: Option<Span>,
    pub(crate) seats: Vec<Option<Seat>>,
    /// How many concurrent plugins have not ended.
    pub(crate) pending: usize,
}

/// What the driver keeps of one plugin of the line-up while it runs.
#[derive(Default)]
pub(crate) struct Seat {
    /// Its context; `None` if the caller gave it one.
    given: Option<Given>,
    /// The caller handed the context on: what is kept in it may be of other calls.
    is_handed_on: bool,
    /// What a built-in plugin that was asked right here has kept of this call.
    keep: Option<Keep>,
    span: Option<Span>,
    metadata: Option<Py<PyAny>>,
    pub(crate) answer: Option<Py<PyAny>>,
}

impl Hosted {
    pub(crate) fn control(&self, entry: usize) -> &Control {
        &self.line_up.entries()[entry].plugin
    }

    pub(crate) fn phase(&self, entry: usize) -> Phase {
        self.line_up.entries()[entry].phase
    }

    /// Is this a built-in plugin that is asked right here? It writes into nothing it is shown.
    pub(crate) fn asks_in_place(&self, entry: usize) -> bool {
        let is_serial = self.phase(entry).rules().runs == Runs::Serial;
        is_serial && !self.overridden && self.control(entry).builtin.is_some()
    }

    /// Asks a built-in plugin; `None` if it is none, or its call is somebody else's affair.
    pub(crate) fn ask<'py>(
        &mut self,
        py: Python<'py>,
        work: &Work,
        scans: &mut Scans<Py<PyAny>>,
    ) -> PyResult<Option<Asked<'py>>> {
        if !self.asks_in_place(work.entry) {
            return Ok(None);
        }
        let context = self.seat(py, work.entry)?;
        self.shown = None;
        let Control { builtin: Some(builtin), neighbours, .. } = self.control(work.entry) else {
            return Ok(None);
        };
        let put_by = Cell::new(None);
        let asking = Asking {
            request: self.request.object.bind(py),
            context: &context,
            extensions: work.extensions.as_ref().map(|extensions| extensions.bind(py)),
            put_by: Some(&put_by),
        };
        let asked = builtin.get().ask(work.payload.bind(py), &asking, neighbours.get(), scans);
        if let Some(seat) = &mut self.seats[work.entry] {
            seat.keep = put_by.into_inner();
        }
        asked.map(Some)
    }

    /// No hook comes after one that was refused: built-in plugins give up what they have kept of it, and nothing of other
    /// calls whose context is the same.
    pub(crate) fn give_up(&self, py: Python<'_>) -> PyResult<()> {
        for (entry, seat) in self.seats.iter().enumerate() {
            match seat {
                Some(Seat { keep: Some(keep), .. }) => keep.give_up(),
                Some(Seat { given: Some(given), is_handed_on: false, .. })
                    if self.control(entry).builtin.is_some() =>
                {
                    builtin::give_up(given.context.bind(py))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Calls a plugin's method with its payload, a context, and extensions if it takes them. What comes back
    /// is to be awaited.
    pub(crate) fn call<'py>(&mut self, py: Python<'py>, work: &Work) -> PyResult<Bound<'py, PyAny>> {
        let context = self.seat(py, work.entry)?;
        if self.writable_fields.is_some() {
            self.shown = Some(work.payload.clone_ref(py));
        }
        self.call_with(py, work, &context)
    }

    /// The same, with a given context.
    pub(crate) fn call_with<'py>(
        &self,
        py: Python<'py>,
        work: &Work,
        context: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let control = self.control(work.entry);
        let (method, payload) = (control.method.bind(py), work.payload.bind(py));
        if self.overridden {
            let job = self.job_with(py, work, context.clone())?;
            return job.function.bind(py).call1(job.arguments.bind(py));
        }
        if control.takes_extensions {
            method.call1((payload, context, &work.extensions))
        } else {
            method.call1((payload, context))
        }
    }

    /// The same call, for a task to make.
    pub(crate) fn job(&mut self, py: Python<'_>, work: &Work) -> PyResult<Job> {
        let context = self.seat(py, work.entry)?;
        self.job_with(py, work, context)
    }

    fn job_with<'py>(&self, py: Python<'py>, work: &Work, context: Bound<'py, PyAny>) -> PyResult<Job> {
        let control = self.control(work.entry);
        let mut arguments = vec![work.payload.bind(py).clone(), context];
        if control.takes_extensions {
            arguments.push(match &work.extensions {
                Some(shown) => shown.bind(py).clone(),
                None => py.None().into_bound(py),
            });
        }
        let function = if self.overridden {
            arguments.insert(0, control.hook_ref.bind(py).clone());
            self.engine.bind(py).getattr(intern!(py, "_execute_with_timeout"))?.unbind()
        } else {
            control.method.clone_ref(py)
        };
        Ok(Job { function, arguments: PyTuple::new(py, arguments)?.unbind(), limit: self.limit(work) })
    }

    /// How long a plugin may take; a replaced step that calls it keeps time itself.
    pub(crate) fn limit(&self, work: &Work) -> Option<Duration> {
        if self.overridden { None } else { work.timeout }
    }

    /// Gives a plugin its context, and puts that into the table.
    fn seat<'py>(&mut self, py: Python<'py>, entry: usize) -> PyResult<Bound<'py, PyAny>> {
        let (control, phase) = (&self.line_up.entries()[entry].plugin, self.phase(entry));
        let key = self.request.key(py, &control.uuid)?;
        let awaited = phase != Phase::FireAndForget;
        let earlier = match &self.earlier {
            Some(earlier) if awaited => earlier.bind(py).get_item(&key)?,
            _ => None,
        };
        let is_handed_on = earlier.is_some();
        let given = self.request.give(py, earlier)?;
        let context = given.context.bind(py).clone();
        self.table.bind(py).set_item(key, &context)?;
        let span = if awaited { self.span(py, entry) } else { None };
        self.seats[entry] = Some(Seat { given: Some(given), is_handed_on, span, ..Seat::default() });
        Ok(context)
    }

    fn span(&self, py: Python<'_>, entry: usize) -> Option<Span> {
        let spans = self.spans.as_ref()?;
        let control = self.control(entry);
        spans.plugin(py, control, &self.engine.get().time_limit(py, control.timeout_s))
    }

    /// Starts the span of a plugin that is not given its context here.
    pub(crate) fn begin_span(&mut self, py: Python<'_>, entry: usize) {
        let span = self.span(py, entry);
        self.seats[entry] = Some(Seat { span, ..Seat::default() });
    }

    /// Ends the span of a plugin, if it has one.
    pub(crate) fn end_span(&mut self, py: Python<'_>, entry: usize, reply: Option<&Reply>) {
        let Some(spans) = &self.spans else { return };
        let Some(span) = self.seats[entry].as_mut().and_then(|seat| seat.span.take()) else { return };
        match reply {
            Some(reply) => spans.end_plugin(py, &span, reply),
            None => spans.end_error(py, &span),
        }
    }

    /// Starts the span of the whole hook.
    pub(crate) fn begin_chain_span(&mut self, py: Python<'_>, length: usize) {
        if let Some(spans) = &self.spans {
            self.chain_span = spans.hook(py, &self.hook.bind(py).to_string_lossy(), length);
        }
    }

    /// Ends the span of the whole hook.
    pub(crate) fn end_chain_span(&mut self, py: Python<'_>, outcome: &Outcome) {
        let (Some(spans), Some(span)) = (&self.spans, self.chain_span.take()) else { return };
        let stopped_by = match outcome.end {
            End::Completed => None,
            End::Halted { entry, .. } => Some(self.control(entry).name(py)),
            End::Raised { .. } => return spans.end_error(py, &span),
        };
        let awaited =
            |record: &&Record| !matches!(record.fate, Fate::Detached | Fate::Cancelled | Fate::Skipped(_));
        let skipped =
            |record: &&Record| matches!(record.fate, Fate::Skipped(Skip::Condition(_) | Skip::Disabled));
        let executed = outcome.records.iter().filter(awaited).count();
        let skipped = outcome.records.iter().filter(skipped).count();
        spans.end_ok(py, &span, |attributes| {
            attributes.set_item("plugin.executed_count", executed)?;
            attributes.set_item("plugin.skipped_count", skipped)?;
            attributes.set_item("plugin.chain.stopped", stopped_by.is_some())?;
            match stopped_by {
                Some(name) => attributes.set_item("plugin.chain.stopped_by", name),
                None => attributes.set_item("plugin.chain.stopped_by", ""),
            }
        });
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        self.line_up.traverse(visit)?;
        self.request.traverse(visit)?;
        visit.call(&self.earlier)?;
        visit.call(&self.table)?;
        visit.call(&self.metadata)?;
        self.views.traverse(visit)?;
        visit.call(&self.shown)?;
        if let Some(spans) = &self.spans {
            spans.traverse(visit)?;
        }
        for seat in self.seats.iter().flatten() {
            if let Some(given) = &seat.given {
                given.traverse(visit)?;
            }
            visit.call(&seat.metadata)?;
            visit.call(&seat.answer)?;
        }
        Ok(())
    }

    /// Keeps what came back, until the core asks for its metadata.
    pub(crate) fn keep(
        &mut self,
        entry: usize,
        answer: Option<Bound<'_, PyAny>>,
        metadata: Option<Bound<'_, PyAny>>,
    ) {
        if let Some(seat) = &mut self.seats[entry] {
            seat.metadata = metadata.map(Bound::unbind);
            seat.answer = answer.map(Bound::unbind);
        }
    }
}

/// An invocation's state while the interpreter is attached.
pub(crate) struct Attached<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) hosted: &'a mut Hosted,
}

impl Host<PyValues> for Attached<'_, '_> {
    fn share(&self, payload: &Py<PyAny>) -> Py<PyAny> {
        payload.clone_ref(self.py)
    }

    fn is_same(&self, a: &Py<PyAny>, b: &Py<PyAny>) -> bool {
        a.is(b)
    }

    fn is_open_container(&self, payload: &Py<PyAny>) -> bool {
        payload::is_root_model(payload.bind(self.py))
    }

    fn isolate(&mut self, entry: usize, payload: &Py<PyAny>) -> PyResult<Py<PyAny>> {
        if self.hosted.asks_in_place(entry) {
            return Ok(payload.clone_ref(self.py));
        }
        payload::isolate(payload.bind(self.py)).map(Bound::unbind)
    }

    fn relation(&self, target: &Py<PyAny>, proposed: &Py<PyAny>) -> Relation {
        policy::relation(target.bind(self.py), proposed.bind(self.py))
    }

    fn restrict(&mut self, target: &Py<PyAny>, proposed: &Py<PyAny>) -> PyResult<Restriction<Py<PyAny>>> {
        let Some(writable) = &self.hosted.writable_fields else {
            return Ok(Restriction { payload: None, trimmed: Vec::new() });
        };
        let shown = self.hosted.shown.as_ref().map(|shown| shown.bind(self.py));
        policy::restrict(target.bind(self.py), proposed.bind(self.py), writable.bind(self.py), shown)
    }

    fn merge_state(&mut self, entry: usize) -> PyResult<()> {
        let Hosted { seats, request, compatible, .. } = &mut *self.hosted;
        match seats[entry].as_ref().and_then(|seat| seat.given.as_ref()) {
            Some(given) => request.write_back(self.py, given, !*compatible),
            None => Ok(()),
        }
    }

    fn merge_metadata(&mut self, entry: usize) -> PyResult<()> {
        let metadata = self.hosted.seats[entry].as_mut().and_then(|seat| seat.metadata.take());
        match metadata {
            Some(metadata) => merge_metadata(metadata.bind(self.py), self.hosted.metadata.bind(self.py)),
            None => Ok(()),
        }
    }

    fn show(&mut self, extensions: &Py<PyAny>, slots: Slots) -> PyResult<Py<PyAny>> {
        let enforcement = self.hosted.enforcement;
        self.hosted.views.show(extensions.bind(self.py), slots, enforcement).map(Bound::unbind)
    }

    fn compare(&mut self, slot: Slot, shown: Shown<'_, Py<PyAny>>, written: &Py<PyAny>) -> PyResult<Change> {
        extensions::compare(slot, shown, written.bind(self.py))
    }

    fn merge(
        &mut self,
        current: Option<&Py<PyAny>>,
        written: &Py<PyAny>,
        slots: Slots,
    ) -> PyResult<Py<PyAny>> {
        let current = current.map(|current| current.bind(self.py));
        extensions::merge(current, written.bind(self.py), slots).map(Bound::unbind)
    }

    fn breach(&mut self, entry: usize, breach: Breach) -> PyErr {
        let name = self.hosted.control(entry).name(self.py).to_string_lossy();
        extensions::violation(self.py, &name, breach).unwrap_or_else(|error| error)
    }

    fn disable(&mut self, entry: usize) {
        let name = self.hosted.control(entry).name(self.py);
        if let Err(error) = self.hosted.engine.get().disable(self.py, name) {
            error.write_unraisable(self.py, Some(name));
        }
    }

    fn observe(&mut self, entry: usize, event: Event<'_, PyValues>) {
        Narrator::new(self.py, self.hosted, entry).tell(event);
    }
}

/// Keys that only the manager writes.
const RESERVED: &str = "_decision_plugin";

/// Merges the metadata of a result into that of the pipeline, without the reserved keys.
pub(crate) fn merge_metadata(metadata: &Bound<'_, PyAny>, into: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = into.py();
    if let Ok(metadata) = metadata.cast::<PyDict>() {
        into.update(metadata.as_mapping())?;
    } else {
        for item in metadata.call_method0(intern!(py, "items"))?.try_iter()? {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
            into.set_item(key, value)?;
        }
    }
    if into.contains(intern!(py, RESERVED))? {
        into.del_item(intern!(py, RESERVED))?;
    }
    Ok(())
}
