//! What became of each plugin, for the caller: execution records in the published shape, and the full report.

use cpex_core::condition::Unmet;
use cpex_core::payload::Discard;
use cpex_core::record::{Detail, Fate, Skip, Status};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::classes::classes;
use crate::control::Control;
use crate::host::Hosted;
use crate::payload::copy_nested;
use crate::values::{Fault, PyLineUp, Record};

/// The list of execution records of a result.
pub(crate) fn executions<'py>(
    py: Python<'py>,
    hosted: &Hosted,
    records: &[Record],
    denial: Option<&Bound<'py, PyAny>>,
    detail: Detail,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for record in records {
        if let Some(execution) = execution(py, hosted, record, denial, detail)? {
            list.append(execution)?;
        }
    }
    Ok(list)
}

/// The published record of one plugin; `None` if it has none.
pub(crate) fn execution<'py>(
    py: Python<'py>,
    hosted: &Hosted,
    record: &Record,
    denial: Option<&Bound<'py, PyAny>>,
    detail: Detail,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let entry = &hosted.line_up.entries()[record.entry];
    let Some(row) = record.execution(entry.phase, detail) else { return Ok(None) };
    let classes = classes(py)?;
    let fields = entry.plugin.record.bind(py).copy()?;
    if row.status != Status::Completed {
        fields.set_item(intern!(py, "status"), status(py, row.status)?)?;
    }
    if row.requested_allow != Some(true) {
        fields.set_item(intern!(py, "requested_allow"), row.requested_allow)?;
    }
    if !row.effective_allow {
        fields.set_item(intern!(py, "effective_allow"), false)?;
    }
    if row.matched != Some(false) {
        fields.set_item(intern!(py, "matched"), row.matched)?;
    }
    if row.applied {
        fields.set_item(intern!(py, "applied"), true)?;
    }
    if record.payload_modified {
        fields.set_item(intern!(py, "payload_modified"), true)?;
    }
    if record.extensions_modified {
        fields.set_item(intern!(py, "extensions_modified"), true)?;
    }
    if entry.phase < cpex_core::Phase::Concurrent {
        fields.set_item(intern!(py, "duration_ns"), record.duration_ns.max(1))?;
    }
    if let Some((reason, code)) = explanation(py, hosted, record, denial)? {
        fields.set_item(intern!(py, "reason"), reason)?;
        fields.set_item(intern!(py, "error_code"), code)?;
    }
    let keys = copy_nested(entry.plugin.config_keys.bind(py).as_any(), 0)?;
    fields.set_item(intern!(py, "config_keys"), keys)?;
    classes.record.build(&fields).map(Some)
}

type Explanation<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Why it was denied or cut short: the reason and the error code.
fn explanation<'py>(
    py: Python<'py>,
    hosted: &Hosted,
    record: &Record,
    denial: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Explanation<'py>>> {
    let truncate = |value: Bound<'py, PyAny>| {
        py.import("cpex.framework.models")?.call_method1("_truncate_opt", (value,))
    };
    Ok(match (record.fate, denial) {
        (Fate::Denied, Some(violation)) => Some((
            truncate(violation.getattr(intern!(py, "reason"))?)?,
            truncate(violation.getattr(intern!(py, "code"))?)?,
        )),
        (Fate::Refused, Some(error)) => {
            let violation = error.getattr(intern!(py, "violation"))?;
            let (reason, code) = if violation.is_none() {
                (error.str()?.into_any(), "plugin_violation".into_pyobject(py)?.into_any())
            } else {
                (violation.getattr(intern!(py, "reason"))?, violation.getattr(intern!(py, "code"))?)
            };
            Some((truncate(reason)?, truncate(code)?))
        }
        (Fate::TimedOut { .. }, _) => Some((
            truncate(timeout_text(py, hosted, record.entry).into_pyobject(py)?.into_any())?,
            "plugin_timeout".into_pyobject(py)?.into_any(),
        )),
        (Fate::Failed { .. }, _) if hosted.engine.get().detail() == Detail::Full => {
            let text = record.fault.as_ref().map(|fault| fault_text(py, fault)).unwrap_or_default();
            Some((
                truncate(text.into_pyobject(py)?.into_any())?,
                "plugin_error".into_pyobject(py)?.into_any(),
            ))
        }
        _ => None,
    })
}

/// `Plugin x exceeded 30s timeout`
pub(crate) fn timeout_text(py: Python<'_>, hosted: &Hosted, entry: usize) -> String {
    let control = hosted.control(entry);
    let limit = hosted.engine.get().time_limit(py, control.timeout_s);
    format!("Plugin {} exceeded {limit}s timeout", control.name(py))
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

/// Everything that happened, one entry per plugin of the line-up; put into Python objects when it is read.
#[pyclass(frozen)]
pub(crate) struct Report {
    line_up: PyLineUp,
    hook: Py<PyAny>,
    records: Vec<Record>,
    not_loaded: Option<Py<PyAny>>,
}

impl Report {
    pub(crate) fn new(py: Python<'_>, hosted: &Hosted, records: Vec<Record>) -> PyResult<Self> {
        let hook = hosted.hook.clone_ref(py).into_any();
        let not_loaded = hosted.engine.get().not_loaded(py, hook.bind(py))?.map(Bound::unbind);
        Ok(Self { line_up: hosted.line_up.clone(), hook, records, not_loaded })
    }

    fn line<'py>(&self, py: Python<'py>, record: &Record) -> PyResult<Bound<'py, PyAny>> {
        let control = &self.line_up.entries()[record.entry].plugin;
        let kwargs = PyDict::new(py);
        kwargs.set_item("plugin", control.name(py))?;
        kwargs.set_item("plugin_id", &control.uuid)?;
        kwargs.set_item("hook", &self.hook)?;
        kwargs.set_item("mode", &control.mode)?;
        kwargs.set_item("outcome", outcome(record.fate))?;
        kwargs.set_item("detail", detail(py, control, record))?;
        kwargs.set_item("trimmed_fields", PyTuple::new(py, record.trimmed.iter().map(|f| f.as_ref()))?)?;
        kwargs.set_item("discarded", record.discarded.map(discarded))?;
        kwargs.set_item("duration_ns", record.duration_ns)?;
        classes(py)?.report.bind(py).call((), Some(&kwargs))
    }
}

#[pymethods]
impl Report {
    /// The entries, as a tuple of `ExecutionReport`.
    fn __call__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut lines = self.records.iter().map(|r| self.line(py, r)).collect::<PyResult<Vec<_>>>()?;
        if let Some(not_loaded) = &self.not_loaded {
            for line in not_loaded.bind(py).try_iter()? {
                lines.push(line?);
            }
        }
        PyTuple::new(py, lines)
    }
}

fn outcome(fate: Fate) -> &'static str {
    match fate {
        Fate::Ran => "ran",
        Fate::Denied | Fate::Refused => "denied",
        Fate::Suppressed => "suppressed",
        Fate::Failed { .. } | Fate::Interrupted => "failed",
        Fate::TimedOut { .. } => "timed_out",
        Fate::Cancelled => "cancelled",
        Fate::Detached => "detached",
        Fate::Skipped(Skip::Disabled) => "disabled",
        Fate::Skipped(Skip::Condition(_) | Skip::Ended) => "skipped",
    }
}

fn detail(py: Python<'_>, control: &Control, record: &Record) -> Option<String> {
    match record.fate {
        Fate::Skipped(skip) => Some(skip_text(skip).to_owned()),
        Fate::TimedOut { .. } => Some(format!("Plugin {} timed out", control.name(py))),
        _ => record.fault.as_ref().map(|fault| fault_text(py, fault)),
    }
}

/// Why a plugin did not run.
pub(crate) const fn skip_text(skip: Skip) -> &'static str {
    let unmet = match skip {
        Skip::Ended => return "an earlier plugin ended the pipeline",
        Skip::Disabled => return "disabled",
        Skip::Condition(unmet) => unmet,
    };
    match unmet {
        Unmet::Server => "condition server_ids does not match",
        Unmet::Tenant => "condition tenant_ids does not match",
        Unmet::ContentType => "condition content_types does not match",
        Unmet::User => "condition user_patterns does not match",
        Unmet::Subject => "condition on the tool, prompt, resource or agent does not match",
    }
}

const fn discarded(why: Discard) -> &'static str {
    match why {
        Discard::Phase => "this mode cannot modify the payload",
        Discard::Denied => "a denial in this mode does not count, nor does its payload",
        Discard::DefaultDeny => "the hook has no policy and the default is deny",
        Discard::Foreign => "what the plugin returned is not a payload",
        Discard::NothingWritable => "none of the changed fields is writable",
    }
}
