//! What the caller of a hook gets: a result and the contexts, or an exception.

use cpex_core::End;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::classes::classes;
use crate::host::Hosted;
use crate::report::{self, Report};
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
    let detail = hosted.engine.get().detail();
    let fields = PyDict::new(py);
    let violation = match end {
        End::Completed => None,
        End::Halted { entry, violation } if hosted.raise_denials => {
            return Err(denial(py, hosted, entry, violation.as_ref(), records)?);
        }
        End::Halted { violation, .. } => Some(violation),
        End::Raised { entry, fault } => return Err(failure(py, hosted, entry, fault, records)?),
    };
    if let Some(entry) = decided_by
        && hosted.hook.bind(py) == "http_auth_check_permission"
    {
        hosted.metadata.bind(py).set_item(intern!(py, "_decision_plugin"), hosted.control(entry).name(py))?;
    }
    let (shape, allowed) = match &violation {
        None => (&classes.result, true),
        Some(_) => (&classes.halted, false),
    };
    let denial = violation.flatten().map(|violation| violation.into_bound(py));
    let executions = report::executions(py, hosted, &records, denial.as_ref(), detail)?;
    fields.set_item(intern!(py, "continue_processing"), allowed)?;
    fields.set_item(intern!(py, "modified_payload"), payload)?;
    fields.set_item(intern!(py, "modified_extensions"), extensions)?;
    fields.set_item(intern!(py, "violation"), denial)?;
    fields.set_item(intern!(py, "metadata"), &hosted.metadata)?;
    fields.set_item(intern!(py, "denial_metadata"), py.None())?;
    fields.set_item(intern!(py, "background_tasks"), background.unwrap_or_else(|| PyList::empty(py)))?;
    fields.set_item(intern!(py, "http_headers"), py.None())?;
    fields.set_item(intern!(py, "retry_delay_ms"), retry_delay_ms)?;
    fields.set_item(intern!(py, "executions"), executions)?;
    let result = shape.build(&fields)?;
    attach_report(py, hosted, &result, records)?;
    Ok(PyTuple::new(py, [&result, hosted.table.bind(py).as_any()])?.into_any())
}

/// What a hook without plugins answers.
pub(crate) fn nothing<'py>(
    py: Python<'py>,
    not_loaded: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item(intern!(py, "continue_processing"), true)?;
    fields.set_item(intern!(py, "modified_payload"), py.None())?;
    fields.set_item(intern!(py, "modified_extensions"), py.None())?;
    fields.set_item(intern!(py, "violation"), py.None())?;
    fields.set_item(intern!(py, "metadata"), PyDict::new(py))?;
    fields.set_item(intern!(py, "denial_metadata"), py.None())?;
    fields.set_item(intern!(py, "background_tasks"), PyList::empty(py))?;
    fields.set_item(intern!(py, "http_headers"), py.None())?;
    fields.set_item(intern!(py, "retry_delay_ms"), 0)?;
    fields.set_item(intern!(py, "executions"), PyList::empty(py))?;
    let result = classes(py)?.nothing.build(&fields)?;
    if let Some(not_loaded) = not_loaded {
        result.setattr(intern!(py, "_report"), not_loaded)?;
    }
    Ok(result)
}

fn attach_report<'py>(
    py: Python<'py>,
    hosted: &Hosted,
    to: &Bound<'py, PyAny>,
    records: Vec<Record>,
) -> PyResult<()> {
    to.setattr(intern!(py, "_report"), Report::new(py, hosted, records)?.into_pyobject(py)?)
}

/// A denial, for a caller who wants exceptions.
fn denial<'py>(
    py: Python<'py>,
    hosted: &Hosted,
    entry: usize,
    violation: Option<&Py<PyAny>>,
    records: Vec<Record>,
) -> PyResult<PyErr> {
    let answer = hosted.seats[entry].as_ref().and_then(|seat| seat.answer.as_ref());
    let error = violation_error(py, hosted, entry, violation, answer.map(|answer| answer.bind(py)))?;
    let violation = violation.map(|violation| violation.bind(py));
    let executions = report::executions(py, hosted, &records, violation, hosted.engine.get().detail())?;
    if let Some(record) = records.iter().find(|record| record.entry == entry)
        && let Some(execution) =
            report::execution(py, hosted, record, violation, hosted.engine.get().detail())?
    {
        error.call_method1(intern!(py, "attach_denial_outcome"), (execution,))?;
    }
    error.setattr(intern!(py, "executions"), executions)?;
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
fn failure<'py>(
    py: Python<'py>,
    hosted: &Hosted,
    entry: Option<usize>,
    fault: Fault,
    records: Vec<Record>,
) -> PyResult<PyErr> {
    let detail = hosted.engine.get().detail();
    match fault {
        Fault::Interrupt(error) => Ok(error),
        Fault::Refusal(error) => {
            let value = error.value(py);
            let executions = report::executions(py, hosted, &records, Some(value.as_any()), detail)?;
            value.setattr(intern!(py, "executions"), executions)?;
            Ok(error)
        }
        Fault::Error(_) | Fault::Timeout(_) => {
            let error = plugin_error(py, hosted, entry.unwrap_or_default(), fault)?;
            let value = error.value(py);
            value.setattr(
                intern!(py, "executions"),
                report::executions(py, hosted, &records, None, detail)?,
            )?;
            let report = Report::new(py, hosted, records)?.into_pyobject(py)?;
            value.setattr(intern!(py, "report"), report.call0()?)?;
            Ok(error)
        }
    }
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
            kwargs.set_item("message", report::timeout_text(py, hosted, entry))?;
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
