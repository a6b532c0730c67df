//! What the caller of a hook gets: a result and the contexts, or an exception.

use cpex_core::End;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::classes::classes;
use crate::host::Hosted;
use crate::model::{bare, set_fields};
use crate::pending::Pending;
use crate::report::{Report, timeout_text};
use crate::values::{Fault, Outcome, Record};

/// Makes of an outcome what `invoke_hook` returns or raises.
///
/// # Errors
/// What it raises.
pub(crate) fn conclude<'py>(
    py: Python<'py>,
    hosted: &Hosted,
    outcome: Outcome,
    background: Option<Bound<'py, PyList>>,
) -> PyResult<Bound<'py, PyAny>> {
    let classes = classes(py)?;
    let Outcome { end, payload, extensions, retry_delay_ms, decided_by, records } = outcome;
    let (pending, violation) = match end {
        End::Completed => (&classes.result, None),
        End::Halted { entry, violation } if hosted.raise_denials => {
            return Err(denial(py, hosted, entry, violation, records)?);
        }
        End::Halted { violation, .. } => (&classes.halted, violation),
        End::Raised { entry, fault } => return Err(failure(py, hosted, entry, fault, records)?),
    };
    if let Some(entry) = decided_by
        && hosted.hook.bind(py) == "http_auth_check_permission"
    {
        hosted.metadata.bind(py).set_item(intern!(py, "_decision_plugin"), hosted.control(entry).name(py))?;
    }
    let fields = classes.result_fields.bind(py).copy()?;
    if !std::ptr::eq(pending, &classes.result) {
        fields.set_item(intern!(py, "continue_processing"), false)?;
        fields.set_item(intern!(py, "violation"), &violation)?;
    }
    if payload.is_some() {
        fields.set_item(intern!(py, "modified_payload"), payload)?;
    }
    if extensions.is_some() {
        fields.set_item(intern!(py, "modified_extensions"), extensions)?;
    }
    if retry_delay_ms != 0 {
        fields.set_item(intern!(py, "retry_delay_ms"), retry_delay_ms)?;
    }
    fields.set_item(intern!(py, "metadata"), &hosted.metadata)?;
    fields.set_item(intern!(py, "background_tasks"), background.unwrap_or_else(|| PyList::empty(py)))?;
    let report = Bound::new(py, Report::new(py, hosted, records, violation)?)?;
    let result = unfinished(pending, &fields, report.as_any())?;
    Ok(PyTuple::new(py, [&result, hosted.table.bind(py).as_any()])?.into_any())
}

/// What a hook without plugins answers.
pub(crate) fn nothing<'py>(
    py: Python<'py>,
    not_loaded: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let classes = classes(py)?;
    let fields = classes.result_fields.bind(py).copy()?;
    fields.set_item(intern!(py, "metadata"), PyDict::new(py))?;
    fields.set_item(intern!(py, "background_tasks"), PyList::empty(py))?;
    let report = not_loaded.unwrap_or_else(|| PyTuple::empty(py).into_any());
    unfinished(&classes.nothing, &fields, &report)
}

/// A result without its execution records, which are made of the report when they are read.
fn unfinished<'py>(
    pending: &Pending,
    fields: &Bound<'py, PyDict>,
    report: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = fields.py();
    let made = bare(pending.class.bind(py))?;
    set_fields(&made, fields)?;
    classes(py)?.report_slot.fill(&made, report)?;
    Ok(made)
}

/// A denial, for a caller who wants exceptions.
fn denial(
    py: Python<'_>,
    hosted: &Hosted,
    entry: usize,
    violation: Option<Py<PyAny>>,
    records: Vec<Record>,
) -> PyResult<PyErr> {
    let answer = hosted.seats[entry].as_ref().and_then(|seat| seat.answer.as_ref());
    let error = violation_error(py, hosted, entry, violation.as_ref(), answer.map(|answer| answer.bind(py)))?;
    let report = Report::new(py, hosted, records, Some(error.clone().unbind()))?;
    if let Some(execution) = report.execution_of(py, entry)? {
        error.call_method1(intern!(py, "attach_denial_outcome"), (execution,))?;
    }
    attach(&error, &report)?;
    Ok(PyErr::from_value(error))
}

/// A `PluginViolationError` for a denial that a plugin returned.
pub(crate) fn violation_error<'py>(
    py: Python<'py>,
    hosted: &Hosted,
    entry: usize,
    violation: Option<&Py<PyAny>>,
    answer: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (hook, name) = (hosted.hook.bind(py), hosted.control(entry).name(py));
    let message = match violation.map(|violation| violation.bind(py)) {
        Some(violation) => {
            let code = violation.getattr(intern!(py, "code"))?;
            let reason = violation.getattr(intern!(py, "reason"))?;
            let description = violation.getattr(intern!(py, "description"))?;
            format!("{hook} blocked by plugin {name}: {code} - {reason} ({description})")
        }
        None => format!("{hook} blocked by plugin"),
    };
    let error = classes(py)?.violation_error.bind(py).call1((message, violation))?;
    let metadata = match answer {
        Some(answer) => answer.getattr(intern!(py, "denial_metadata"))?,
        None => py.None().into_bound(py),
    };
    let metadata = py
        .import(intern!(py, "cpex.framework.errors"))?
        .call_method1(intern!(py, "sanitize_denial_metadata"), (metadata,))?;
    error.setattr(intern!(py, "_denial_metadata"), metadata)?;
    Ok(error)
}

/// A failure that ends the pipeline.
fn failure(
    py: Python<'_>,
    hosted: &Hosted,
    entry: Option<usize>,
    fault: Fault,
    records: Vec<Record>,
) -> PyResult<PyErr> {
    match fault {
        Fault::Interrupt(error) => Ok(error),
        Fault::Refusal(error) => {
            let value = error.value(py);
            let report = Report::new(py, hosted, records, Some(value.clone().into_any().unbind()))?;
            attach(value, &report)?;
            Ok(error)
        }
        Fault::Error(_) | Fault::Timeout(_) => {
            let error = plugin_error(py, hosted, entry.unwrap_or_default(), fault)?;
            let report = Report::new(py, hosted, records, Some(error.value(py).clone().into_any().unbind()))?;
            attach(error.value(py), &report)?;
            Ok(error)
        }
    }
}

/// Puts on an error what became of the plugins, as the published records have it and in full.
fn attach(error: &Bound<'_, PyAny>, report: &Report) -> PyResult<()> {
    let py = error.py();
    error.setattr(intern!(py, "executions"), report.executions(py)?)?;
    error.setattr(intern!(py, "report"), report.lines(py)?)
}

/// The `PluginError` for a plugin's failure: its own if it raised one, else one caused by what it raised.
pub(crate) fn plugin_error(py: Python<'_>, hosted: &Hosted, entry: usize, fault: Fault) -> PyResult<PyErr> {
    let classes = classes(py)?;
    let errors = py.import(intern!(py, "cpex.framework.errors"))?;
    let name = hosted.control(entry).name(py);
    let (model, cause) = match fault {
        Fault::Error(error) if error.is_instance(py, classes.plugin_error.bind(py)) => return Ok(error),
        Fault::Error(error) | Fault::Refusal(error) | Fault::Interrupt(error) => {
            (errors.call_method1("convert_exception_to_error", (error.value(py), name))?, error)
        }
        Fault::Timeout(_) => {
            let kwargs = PyDict::new(py);
            kwargs.set_item("message", timeout_text(py, hosted.engine.get(), hosted.control(entry)))?;
            kwargs.set_item("plugin_name", name)?;
            let model = py.import("cpex.framework.models")?.getattr("PluginErrorModel")?;
            (model.call((), Some(&kwargs))?, pyo3::exceptions::PyTimeoutError::new_err(()))
        }
    };
    let error = PyErr::from_value(classes.plugin_error.bind(py).call1((model,))?);
    error.value(py).setattr(intern!(py, "__context__"), cause.value(py))?;
    error.set_cause(py, Some(cause));
    Ok(error)
}
