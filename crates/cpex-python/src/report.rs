//! What became of each plugin, for the caller: execution records in the published shape, and the full report.

use cpex_core::Slot;
use cpex_core::extensions::Refusal;
use cpex_core::payload::Discard;
use cpex_core::phase::Runs;
use cpex_core::record::{Detail, Fate, Status};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::classes::classes;
use crate::control::Control;
use crate::engine::Engine;
use crate::host::Hosted;
use crate::line_up::PyLineUp;
use crate::values::{Fault, Record};

/// Everything that happened, one entry per plugin of the line-up; put into Python objects when it is read.
#[pyclass(frozen)]
pub(crate) struct Report {
    line_up: PyLineUp,
    hook: Py<PyAny>,
    records: Vec<Record>,
    /// What the plugins raised, by entry, as text: a traceback holds the frames of the callers, and they the result.
    faults: Vec<(usize, String)>,
    /// The violation, or the error that carried it, that ended the pipeline.
    denial: Option<Py<PyAny>>,
    not_loaded: Option<Py<PyAny>>,
    engine: Py<Engine>,
}

impl Report {
    pub(crate) fn new(
        py: Python<'_>,
        hosted: &Hosted,
        mut records: Vec<Record>,
        denial: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let engine = hosted.engine.clone_ref(py);
        let hook = hosted.hook.clone_ref(py).into_any();
        let not_loaded = engine.get().not_loaded(py, hook.bind(py))?.map(Bound::unbind);
        let mut faults = Vec::new();
        for record in &mut records {
            if let Some(fault) = record.notes.as_mut().and_then(|notes| notes.fault.as_mut()) {
                faults.push((record.entry, fault_text(py, fault)));
                // What remains is that there was one.
                *fault = Fault::Timeout(None);
            }
        }
        Ok(Self { line_up: hosted.line_up.share(py), hook, records, faults, denial, not_loaded, engine })
    }

    /// The list of execution records.
    pub(crate) fn executions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for record in &self.records {
            if let Some(execution) = self.execution(py, record)? {
                list.append(execution)?;
            }
        }
        Ok(list)
    }

    /// The execution record of one plugin; `None` if it has none.
    pub(crate) fn execution_of<'py>(
        &self,
        py: Python<'py>,
        entry: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.records.iter().find(|record| record.entry == entry) {
            Some(record) => self.execution(py, record),
            None => Ok(None),
        }
    }

    fn execution<'py>(&self, py: Python<'py>, record: &Record) -> PyResult<Option<Bound<'py, PyAny>>> {
        let entry = &self.line_up.entries()[record.entry];
        let Some(row) = record.execution(entry.phase, self.engine.get().detail()) else { return Ok(None) };
        let fields = entry.plugin.record.bind(py).copy()?;
        fields.set_item(intern!(py, "status"), status(py, row.status)?)?;
        fields.set_item(intern!(py, "requested_allow"), row.requested_allow)?;
        fields.set_item(intern!(py, "effective_allow"), row.effective_allow)?;
        fields.set_item(intern!(py, "matched"), row.matched)?;
        fields.set_item(intern!(py, "applied"), row.applied)?;
        fields.set_item(intern!(py, "payload_modified"), record.payload_modified)?;
        fields.set_item(intern!(py, "extensions_modified"), record.extensions_modified)?;
        if entry.phase.rules().runs == Runs::Serial {
            fields.set_item(intern!(py, "duration_ns"), record.duration_ns.max(1))?;
        }
        if let Some((reason, code)) = self.explanation(py, record)? {
            let models = py.import("cpex.framework.models")?;
            let truncated = |value| models.call_method1("_truncate_opt", (value,));
            fields.set_item(intern!(py, "reason"), truncated(reason)?)?;
            fields.set_item(intern!(py, "error_code"), truncated(code)?)?;
        }
        let keys = entry.plugin.config_keys.bind(py).as_sequence().to_list()?;
        fields.set_item(intern!(py, "config_keys"), keys)?;
        classes(py)?.record.build(&fields).map(Some)
    }

    /// Why it was denied or cut short: the reason and the error code.
    fn explanation<'py>(&self, py: Python<'py>, record: &Record) -> PyResult<Option<Explanation<'py>>> {
        let code = |code: &str| PyString::new(py, code).into_any();
        // Anything may stand for a violation: what is no text is left out.
        let part = |violation: &Bound<'py, PyAny>, name: &str| match violation.getattr(name) {
            Ok(text) if text.is_instance_of::<PyString>() => text,
            _ => py.None().into_bound(py),
        };
        let parts = |violation: &Bound<'py, PyAny>| (part(violation, "reason"), part(violation, "code"));
        let denial = self.denial.as_ref().map(|denial| denial.bind(py));
        let spoken = record.violation().map(|violation| violation.bind(py));
        let runs = self.line_up.entries()[record.entry].phase.rules().runs;
        Ok(match (record.fate, denial) {
            (Fate::Denied | Fate::Refused, Some(denial)) => match denial.getattr_opt("violation")? {
                Some(violation) if violation.is_none() => {
                    Some((denial.str()?.into_any(), code("plugin_violation")))
                }
                Some(violation) => Some(parts(&violation)),
                None => Some(parts(denial)),
            },
            // A failure that was not passed over is the one that ended the pipeline.
            (Fate::Failed { .. } | Fate::TimedOut { .. }, Some(error)) if self.fault(record).is_none() => {
                Some((error.str()?.into_any(), code("plugin_error")))
            }
            (Fate::Ran, _) if runs == Runs::Parallel => spoken.map(parts),
            (Fate::TimedOut { .. }, _) => {
                let control = &self.line_up.entries()[record.entry].plugin;
                let text = timeout_text(py, self.engine.get(), control);
                Some((PyString::new(py, &text).into_any(), code("plugin_timeout")))
            }
            (Fate::Failed { .. }, _) if self.engine.get().detail() == Detail::Full => {
                let text = self.fault(record).unwrap_or_default();
                Some((PyString::new(py, text).into_any(), code("plugin_error")))
            }
            _ => None,
        })
    }

    fn line<'py>(&self, py: Python<'py>, record: &Record) -> PyResult<Bound<'py, PyAny>> {
        let control = &self.line_up.entries()[record.entry].plugin;
        let kwargs = PyDict::new(py);
        kwargs.set_item("plugin", control.name(py))?;
        kwargs.set_item("plugin_id", &control.uuid)?;
        kwargs.set_item("hook", &self.hook)?;
        kwargs.set_item("mode", &control.mode)?;
        kwargs.set_item("outcome", record.fate.word())?;
        kwargs.set_item("detail", self.detail(py, record))?;
        kwargs.set_item("trimmed_fields", PyTuple::new(py, record.trimmed().iter().map(AsRef::as_ref))?)?;
        kwargs.set_item("refused_extensions", PyTuple::new(py, refused_texts(record.refused()))?)?;
        kwargs.set_item("discarded", record.discarded.map(Discard::text))?;
        kwargs.set_item("duration_ns", record.duration_ns)?;
        classes(py)?.report.bind(py).call((), Some(&kwargs))
    }

    /// What the plugin raised, as text.
    fn fault(&self, record: &Record) -> Option<&str> {
        let (_, text) = self.faults.iter().find(|(entry, _)| *entry == record.entry)?;
        Some(text)
    }

    fn detail(&self, py: Python<'_>, record: &Record) -> Option<String> {
        match record.fate {
            Fate::Skipped(skip) => Some(skip.text().to_owned()),
            Fate::TimedOut { .. } => {
                let control = &self.line_up.entries()[record.entry].plugin;
                Some(timeout_text(py, self.engine.get(), control))
            }
            Fate::Suppressed => record.violation().and_then(|violation| {
                let part = |name| violation.bind(py).getattr(name).ok().map(|part| part.to_string());
                Some(format!("[{}] {}", part("code")?, part("reason")?))
            }),
            _ => self.fault(record).map(str::to_owned),
        }
    }
}

#[pymethods]
impl Report {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.denial)?;
        self.records.iter().try_for_each(|record| visit.call(record.violation()))?;
        self.line_up.traverse(&visit)?;
        visit.call(&self.engine)
    }

    /// The entries, as a tuple of `ExecutionReport`. What stands in for a plugin that is not loaded has its id: it is
    /// listed once, as not loaded.
    #[pyo3(name = "__call__")]
    pub(crate) fn lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut missing = Vec::new();
        let mut missing_ids = Vec::new();
        if let Some(not_loaded) = &self.not_loaded {
            for line in not_loaded.bind(py).try_iter()? {
                let line = line?;
                missing_ids.push(line.getattr(intern!(py, "plugin_id"))?);
                missing.push(line);
            }
        }
        let mut lines = Vec::with_capacity(self.records.len() + missing.len());
        for record in &self.records {
            let line = self.line(py, record)?;
            let id = line.getattr(intern!(py, "plugin_id"))?;
            if !missing_ids.iter().any(|missing_id| missing_id.eq(&id).unwrap_or(false)) {
                lines.push(line);
            }
        }
        lines.append(&mut missing);
        PyTuple::new(py, lines)
    }
}

type Explanation<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// `Plugin x exceeded 30s timeout`
pub(crate) fn timeout_text(py: Python<'_>, engine: &Engine, control: &Control) -> String {
    format!("Plugin {} exceeded {}s timeout", control.name(py), engine.time_limit(py, control.timeout_s))
}

fn status<'py>(py: Python<'py>, status: Status) -> PyResult<Bound<'py, PyAny>> {
    classes(py)?.status.bind(py).getattr(match status {
        Status::Completed => intern!(py, "COMPLETED"),
        Status::Error => intern!(py, "ERROR"),
        Status::Timeout => intern!(py, "TIMEOUT"),
        Status::Skipped => intern!(py, "SKIPPED"),
        Status::Cancelled => intern!(py, "CANCELLED"),
        Status::Disabled => intern!(py, "DISABLED"),
    })
}

fn fault_text(py: Python<'_>, fault: &Fault) -> String {
    match fault {
        Fault::Error(error) | Fault::Refusal(error) | Fault::Interrupt(error) => error
            .value(py)
            .repr()
            .map_or_else(|_| error.get_type(py).to_string(), |text| text.to_string_lossy().into_owned()),
        Fault::Timeout(_) => String::new(),
    }
}

/// `http: plugin lacks 'write_headers' capability`
pub(crate) fn refused_texts(refused: &[(Slot, Refusal)]) -> Vec<String> {
    refused.iter().map(|(slot, why)| format!("{}: {}", slot.policy().path, why.text(*slot))).collect()
}
