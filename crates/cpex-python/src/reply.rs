//! What a plugin returned, read once. What cannot be read is a failure, never an "allow".

use cpex_core::Reply as CoreReply;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString};

use crate::classes::classes;
use crate::model::{fields_of, is_a};
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
    let classes = classes(py)?;
    let fields = if is_a(returned, &classes.plugin_result) { Some(fields_of(returned)?) } else { None };
    let get = |name: &Bound<'py, PyString>| attribute(returned, fields.as_ref(), name);
    let metadata = truthy(get(intern!(py, "metadata"))?)?;
    let violation = match truthy(get(intern!(py, "violation"))?)? {
        Some(violation) => {
            violation.setattr(intern!(py, "plugin_name"), plugin)?;
            Some(violation.unbind())
        }
        None => None,
    };
    let allow = get(intern!(py, "continue_processing"))?.is_truthy()?;
    let retry = get(intern!(py, "retry_delay_ms"))?;
    let payload = get(intern!(py, "modified_payload"))?;
    let extensions = get(intern!(py, "modified_extensions"))?;
    if !extensions.is_none() && !is_a(&extensions, &classes.extensions) {
        let class = extensions.get_type().name()?.to_string();
        return Err(PyTypeError::new_err(format!("modified_extensions must be Extensions, not {class}")));
    }
    Ok(Answer {
        reply: CoreReply {
            allow,
            violation,
            payload: some(payload).map(Bound::unbind),
            extensions: some(extensions).map(Bound::unbind),
            retry_delay_ms: retry_delay(&retry)?,
        },
        metadata,
    })
}

fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    fields: Option<&Bound<'py, PyDict>>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(fields) = fields
        && let Some(value) = fields.get_item(name)?
    {
        return Ok(value);
    }
    object.getattr(name)
}

fn some(value: Bound<'_, PyAny>) -> Option<Bound<'_, PyAny>> {
    if value.is_none() { None } else { Some(value) }
}

fn truthy(value: Bound<'_, PyAny>) -> PyResult<Option<Bound<'_, PyAny>>> {
    Ok(if !value.is_none() && value.is_truthy()? { Some(value) } else { None })
}

/// Milliseconds; more than fits is as good as forever.
fn retry_delay(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    if value.is_instance_of::<PyInt>() {
        return Ok(value.extract().unwrap_or(i64::MAX));
    }
    let class = value.get_type().name()?.to_string();
    Err(PyTypeError::new_err(format!("retry_delay_ms must be an integer, not {class}")))
}
