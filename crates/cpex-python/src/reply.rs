//! What a plugin returned, read once. What cannot be read is a failure, never an "allow".

use cpex_core::Reply as CoreReply;
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use crate::builtin::Answered;
use crate::classes::classes;
use crate::model::{fields_of, is_a, item};
use crate::values::Reply;

/// A plugin's answer and the object it came in.
pub(crate) struct Answer<'py> {
    pub(crate) reply: Reply,
    pub(crate) metadata: Option<Bound<'py, PyAny>>,
}

/// Reads the attributes of a `PluginResult`, or of anything that has them.
///
/// # Errors
/// `AttributeError` or `TypeError` if it lacks one, or one has the wrong type.
pub(crate) fn read<'py>(
    returned: &Bound<'py, PyAny>,
    plugin: &Bound<'py, PyString>,
) -> PyResult<Answer<'py>> {
    let py = returned.py();
    if let Ok(answered) = returned.cast_exact::<Answered>() {
        return answered.get().take(plugin);
    }
    let fields = if is_a(returned, &classes(py)?.plugin_result) { Some(fields_of(returned)?) } else { None };
    let part = |name: &Bound<'py, PyString>| match fields.as_ref().and_then(|fields| item(fields, name)) {
        Some(value) => Ok(some(value.to_owned())),
        None => returned.getattr(name).map(some).map_err(|error| explained(returned, error)),
    };
    let metadata = truthy(part(intern!(py, "metadata"))?)?;
    let violation = match truthy(part(intern!(py, "violation"))?)? {
        Some(violation) => {
            violation.setattr(intern!(py, "plugin_name"), plugin)?;
            Some(violation.unbind())
        }
        None => None,
    };
    let allow = part(intern!(py, "continue_processing"))?.map_or(Ok(false), |allow| allow.is_truthy())?;
    let payload = part(intern!(py, "modified_payload"))?;
    // A denial is not asked for what only counts beside an "allow": a failure to read it may be passed over.
    let (extensions, retry_delay_ms) = if allow {
        let retry = part(intern!(py, "retry_delay_ms"))?;
        let extensions = part(intern!(py, "modified_extensions"))?;
        if let Some(extensions) = &extensions
            && !is_a(extensions, &classes(py)?.extensions)
        {
            let class = extensions.get_type().name()?.to_string();
            return Err(PyTypeError::new_err(format!("modified_extensions must be Extensions, not {class}")));
        }
        (extensions, retry_delay(retry.as_ref())?)
    } else {
        (None, 0)
    };
    Ok(Answer {
        reply: CoreReply {
            allow,
            violation,
            payload: payload.map(Bound::unbind),
            extensions: extensions.map(Bound::unbind),
            retry_delay_ms,
        },
        metadata,
    })
}

/// Says that what a plugin returned is no result, if that is why a part is missing.
fn explained(returned: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = returned.py();
    if !error.is_instance_of::<PyAttributeError>(py) {
        return error;
    }
    let class =
        returned.get_type().name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
    let text = format!("{}; the plugin must return a PluginResult, not {class}", error.value(py));
    let explained = PyAttributeError::new_err(text);
    explained.set_cause(py, Some(error));
    explained
}

fn some(value: Bound<'_, PyAny>) -> Option<Bound<'_, PyAny>> {
    if value.is_none() { None } else { Some(value) }
}

fn truthy(value: Option<Bound<'_, PyAny>>) -> PyResult<Option<Bound<'_, PyAny>>> {
    match value {
        Some(value) if value.is_truthy()? => Ok(Some(value)),
        _ => Ok(None),
    }
}

/// Milliseconds; more than fits is as good as forever.
fn retry_delay(value: Option<&Bound<'_, PyAny>>) -> PyResult<i64> {
    match value {
        Some(value) if value.is_instance_of::<PyInt>() => match value.extract() {
            Ok(delay) => Ok(delay),
            Err(_) if value.lt(0)? => Ok(0),
            Err(_) => Ok(i64::MAX),
        },
        Some(value) => {
            let class = value.get_type().name()?.to_string();
            Err(PyTypeError::new_err(format!("retry_delay_ms must be an integer, not {class}")))
        }
        None => Err(PyTypeError::new_err("retry_delay_ms must be an integer, not None")),
    }
}
