//! What the pipeline says in the logs: through Python's `logging`, under the names of the modules.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

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

/// An error of a plugin; with its traceback if somebody listens who debugs.
pub(crate) fn failure(py: Python<'_>, text: &str, raised: &PyErr) {
    let said = || -> PyResult<()> {
        let logger = manager(py)?;
        let debugs = logger.call_method1(intern!(py, "isEnabledFor"), (DEBUG,))?.is_truthy()?;
        let more = PyDict::new(py);
        if debugs {
            more.set_item(intern!(py, "exc_info"), raised.value(py))?;
        }
        logger.call_method(intern!(py, "error"), ("%s", text), Some(&more)).map(drop)
    };
    if let Err(error) = said() {
        error.write_unraisable(py, None);
    }
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

/// A record of another process, under the name that it has there. It goes the way of this logger, whose level and handlers
/// decide: names that another process chooses are not to become loggers of this one.
pub(crate) fn pass_on(
    py: Python<'_>,
    logger: &str,
    level: u64,
    name: &str,
    text: &str,
    traceback: Option<&str>,
) {
    let passed = || -> PyResult<()> {
        let logging = py.import("logging")?;
        let logger = logging.call_method1("getLogger", (logger,))?;
        if !logger.call_method1("isEnabledFor", (level,))?.is_truthy()? {
            return Ok(());
        }
        let none = py.None();
        let record = logger.call_method1("makeRecord", (name, level, "", 0, "%s", (text,), none))?;
        record.setattr("exc_text", traceback)?;
        logger.call_method1("handle", (record,)).map(drop)
    };
    if let Err(error) = passed() {
        error.write_unraisable(py, None);
    }
}
