//! What the pipeline says in the logs: through Python's `logging`, under the names of the modules.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

const DEBUG: i32 = 10;

/// The logger of the manager, looked up at each call, for tests replace it.
fn manager(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import(intern!(py, "cpex.framework.manager"))?.getattr(intern!(py, "logger"))
}

/// Logging never fails a pipeline: what goes wrong in a handler is the handler's to say.
fn emit(py: Python<'_>, level: &Bound<'_, PyString>, text: &str) {
    if let Err(error) = manager(py).and_then(|logger| logger.call_method1(level, ("%s", text))) {
        error.write_unraisable(py, None);
    }
}

pub(crate) fn warning(py: Python<'_>, text: &str) {
    emit(py, intern!(py, "warning"), text);
}

pub(crate) fn error(py: Python<'_>, text: &str) {
    emit(py, intern!(py, "error"), text);
}

/// A line for debugging; the text is only made if somebody listens.
pub(crate) fn debug(py: Python<'_>, text: impl FnOnce() -> String) {
    let listens = manager(py)
        .and_then(|logger| logger.call_method1(intern!(py, "isEnabledFor"), (DEBUG,)))
        .and_then(|enabled| enabled.is_truthy());
    if listens.unwrap_or(false) {
        emit(py, intern!(py, "debug"), &text());
    }
}

/// A warning under the name of another module.
pub(crate) fn warning_of(py: Python<'_>, logger: &str, text: &str) {
    say(py, logger, "warning", text);
}

/// A line under the name of another module.
pub(crate) fn say(py: Python<'_>, logger: &str, level: &str, text: &str) {
    let said = py
        .import("logging")
        .and_then(|logging| logging.call_method1("getLogger", (logger,)))
        .and_then(|logger| logger.call_method1(level, ("%s", text)));
    if let Err(error) = said {
        error.write_unraisable(py, None);
    }
}
