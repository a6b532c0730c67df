//! What built-in plugins answer, as the pipeline and as Python code see it.

use std::sync::{Mutex, PoisonError};

use cpex_builtin::Denial;
use cpex_builtin::plugin::{Decision, Reply};
use cpex_core::Reply as CoreReply;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyString};
use serde_json::{Map, Value};

use super::payload::Object;
use crate::classes::classes;
use crate::reply;

/// An answer that was waited for, on its way to the pipeline.
#[pyclass(frozen)]
pub(crate) struct Answered(Mutex<Option<Reply<std::convert::Infallible>>>);

impl Answered {
    pub(super) fn new(reply: Reply<std::convert::Infallible>) -> Self {
        Self(Mutex::new(Some(reply)))
    }

    /// The answer, once.
    pub(crate) fn take<'py>(&self, plugin: &Bound<'py, PyString>) -> PyResult<reply::Answer<'py>> {
        let reply = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reply = reply.ok_or_else(|| PyRuntimeError::new_err("the answer was taken before"))?;
        read(reply.about(), plugin)
    }
}

/// An answer, as the core takes it.
pub(super) fn read<'py>(
    reply: Reply<Object<'py>>,
    plugin: &Bound<'py, PyString>,
) -> PyResult<reply::Answer<'py>> {
    let py = plugin.py();
    let Reply { decision, metadata, retry_after } = reply;
    let metadata = metadata.map(|found| told(py, plugin, found)).transpose()?.map(Bound::into_any);
    let retry_delay_ms = retry_after.map_or(0, |after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
    let (allow, payload, violation) = match decision {
        Decision::Allow => (true, None, None),
        Decision::Modify(Object(payload)) => (true, Some(payload.unbind()), None),
        Decision::Deny(denial) => {
            let violation = violation(py, *denial)?;
            violation.setattr(intern!(py, "plugin_name"), plugin)?;
            (false, None, Some(violation.unbind()))
        }
    };
    let reply = CoreReply { allow, violation, payload, extensions: None, retry_delay_ms };
    Ok(reply::Answer { reply, metadata })
}

/// An answer as a `PluginResult`.
pub(super) fn result<'py>(
    reply: Reply<Object<'py>>,
    plugin: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = plugin.py();
    let reply::Answer { reply, metadata } = read(reply, plugin)?;
    let fields = PyDict::new(py);
    fields.set_item("continue_processing", reply.allow)?;
    fields.set_item("modified_payload", reply.payload)?;
    fields.set_item("violation", reply.violation)?;
    fields.set_item("retry_delay_ms", reply.retry_delay_ms)?;
    if let Some(metadata) = metadata {
        fields.set_item("metadata", metadata)?;
    }
    classes(py)?.plugin_result.bind(py).call((), Some(&fields))
}

/// Metadata, below the name of the plugin.
fn told<'py>(
    py: Python<'py>,
    plugin: &Bound<'py, PyString>,
    found: Map<String, Value>,
) -> PyResult<Bound<'py, PyDict>> {
    let metadata = PyDict::new(py);
    metadata.set_item(plugin, from_json(py, &Value::Object(found))?)?;
    Ok(metadata)
}

fn violation(py: Python<'_>, denial: Denial) -> PyResult<Bound<'_, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("http_status_code", denial.http_status)?;
    if !denial.http_headers.is_empty() {
        fields.set_item("http_headers", denial.http_headers.into_py_dict(py)?)?;
    }
    fields.set_item("reason", &denial.reason)?;
    fields.set_item("description", &denial.reason)?;
    fields.set_item("code", denial.code)?;
    fields.set_item("details", from_json(py, &Value::Object(denial.details))?)?;
    py.import(intern!(py, "cpex.framework.models"))?
        .getattr(intern!(py, "PluginViolation"))?
        .call((), Some(&fields))
}

fn from_json<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    let text = value.to_string();
    py.import(intern!(py, "pydantic_core"))?.call_method1(intern!(py, "from_json"), (text,))
}
