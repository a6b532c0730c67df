//! What a caller is told when there is no answer. Nothing here shows a payload, a context or a setting.

use cpex_isolated::worker::WorkerError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::classes::classes;
use crate::external::failure::{INTERNAL, raise};

/// The plugin failed in its worker; `error` is an error model, as JSON.
pub(super) fn plugin_failed(py: Python<'_>, plugin: &str, error: &[u8]) -> PyErr {
    let raised = || -> PyResult<PyErr> {
        let model =
            py.import(intern!(py, "cpex.framework.models"))?.getattr(intern!(py, "PluginErrorModel"))?;
        let model = model.call_method1(intern!(py, "model_validate_json"), (PyBytes::new(py, error),))?;
        Ok(PyErr::from_value(classes(py)?.plugin_error.bind(py).call1((model,))?))
    };
    raised().unwrap_or_else(|_| no_reply(py, plugin))
}

/// What the worker sent is neither a result nor an error.
pub(super) fn no_reply(py: Python<'_>, plugin: &str) -> PyErr {
    error(py, plugin, "Received invalid response from its worker", "INVALID_RESPONSE")
}

/// A call has no answer.
pub(super) fn no_answer(py: Python<'_>, plugin: &str, failure: &WorkerError) -> PyErr {
    match failure {
        WorkerError::Load(model) => plugin_failed(py, plugin, model),
        failure => error(py, plugin, &format!("Isolated plugin '{plugin}': {failure}"), failure.code()),
    }
}

fn error(py: Python<'_>, plugin: &str, text: &str, code: &str) -> PyErr {
    raise(py, text, plugin, code, None, INTERNAL).unwrap_or_else(|error| error)
}
