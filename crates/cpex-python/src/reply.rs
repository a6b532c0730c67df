//! What a plugin returned, read once. What cannot be read is a failure, never an "allow".

use cpex_core::Reply as CoreReply;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use crate::classes::classes;
use crate::model::{fields_of, is_a};
use crate::values::Reply;

/// A plugin's answer and the object it came in.
pub(crate) struct Answer<'py> {
    pub(crate) reply: Reply,
    pub(crate) metadata: Option<Bound<'py, PyAny>>,
}

/// The attributes of an answer.
struct Parts<'py> {
    metadata: Bound<'py, PyAny>,
    violation: Bound<'py, PyAny>,
    allow: Bound<'py, PyAny>,
    retry: Bound<'py, PyAny>,
    payload: Bound<'py, PyAny>,
    extensions: Bound<'py, PyAny>,
}

impl<'py> Parts<'py> {
    fn of(returned: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = returned.py();
        let names = [
            intern!(py, "metadata"),
            intern!(py, "violation"),
            intern!(py, "continue_processing"),
            intern!(py, "retry_delay_ms"),
            intern!(py, "modified_payload"),
            intern!(py, "modified_extensions"),
        ];
        let mut found = [const { None }; 6];
        if is_a(returned, &classes(py)?.plugin_result) {
            // The keys of a model's dict are interned: one walk finds them all by identity.
            for (key, value) in fields_of(returned)?.iter() {
                if let Some(at) = names.iter().position(|name| key.is(*name)) {
                    found[at] = Some(value);
                }
            }
        }
        for (found, name) in found.iter_mut().zip(names) {
            if found.is_none() {
                *found = Some(returned.getattr(name)?);
            }
        }
        let [Some(metadata), Some(violation), Some(allow), Some(retry), Some(payload), Some(extensions)] =
            found
        else {
            return Err(PyTypeError::new_err("a plugin's answer lacks an attribute"));
        };
        Ok(Self { metadata, violation, allow, retry, payload, extensions })
    }
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
    let Parts { metadata, violation, allow, retry, payload, extensions } = Parts::of(returned)?;
    let violation = match truthy(violation)? {
        Some(violation) => {
            violation.setattr(intern!(py, "plugin_name"), plugin)?;
            Some(violation.unbind())
        }
        None => None,
    };
    if !extensions.is_none() && !is_a(&extensions, &classes(py)?.extensions) {
        let class = extensions.get_type().name()?.to_string();
        return Err(PyTypeError::new_err(format!("modified_extensions must be Extensions, not {class}")));
    }
    Ok(Answer {
        reply: CoreReply {
            allow: allow.is_truthy()?,
            violation,
            payload: some(payload).map(Bound::unbind),
            extensions: some(extensions).map(Bound::unbind),
            retry_delay_ms: retry_delay(&retry)?,
        },
        metadata: truthy(metadata)?,
    })
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
