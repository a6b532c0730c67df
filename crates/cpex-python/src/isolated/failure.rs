//! What a caller is told when there is no answer. Nothing here shows a payload, a context or a setting.

use cpex_isolated::worker::{LastWords, WorkerError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::external::failure::{INTERNAL, raise};

/// The plugin failed in its worker; `error` is an error model, as JSON, with a traceback.
pub(super) fn plugin_failed(py: Python<'_>, plugin: &str, error: &[u8]) -> PyErr {
    let failures = py.import(intern!(py, "cpex.framework.isolated._failure"));
    let raised = failures.and_then(|failures| {
        failures.call_method1(intern!(py, "plugin_error_of"), (PyBytes::new(py, error),))
    });
    raised.map_or_else(|_| no_reply(py, plugin), PyErr::from_value)
}

/// What the worker sent is neither a result nor an error.
pub(super) fn no_reply(py: Python<'_>, plugin: &str) -> PyErr {
    error(py, plugin, "Received invalid response from its worker", "INVALID_RESPONSE")
}

/// A call has no answer.
pub(super) fn no_answer(py: Python<'_>, plugin: &str, failure: &WorkerError) -> PyErr {
    match failure {
        WorkerError::Load(model) => plugin_failed(py, plugin, model),
        failure => {
            let raised = error(py, plugin, &format!("Isolated plugin '{plugin}': {failure}"), failure.code());
            if let Some(words) = failure.last_words().filter(|words| **words != LastWords::default()) {
                raised.set_cause(py, Some(last_words(py, words).unwrap_or_else(|error| error)));
            }
            raised
        }
    }
}

/// What a process has said before it ended. Not a detail of the error, for those travel to whoever called: it may be about
/// the calls of others.
fn last_words(py: Python<'_>, words: &LastWords) -> PyResult<PyErr> {
    let output = py
        .import(intern!(py, "cpex.framework.isolated._failure"))?
        .getattr(intern!(py, "WorkerOutput"))?
        .call1((&words.stdout, &words.stderr))?;
    Ok(PyErr::from_value(output))
}

fn error(py: Python<'_>, plugin: &str, text: &str, code: &str) -> PyErr {
    raise(py, text, plugin, code, None, INTERNAL).unwrap_or_else(|error| error)
}
