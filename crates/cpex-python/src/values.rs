//! What the core's handles are in a Python host.

use std::sync::Arc;

use cpex_core::{LineUp, Values};
use pyo3::prelude::*;

use crate::control::Control;

/// Python objects behind the core's handles.
pub(crate) struct PyValues;

impl Values for PyValues {
    type Plugin = Control;
    type Payload = Py<PyAny>;
    type Extensions = Py<PyAny>;
    type Violation = Py<PyAny>;
    type Error = PyErr;
}

pub(crate) type PyLineUp = Arc<LineUp<Control>>;
pub(crate) type Invocation = cpex_core::Invocation<PyValues>;
pub(crate) type Fault = cpex_core::Fault<PyValues>;
pub(crate) type Reply = cpex_core::Reply<PyValues>;
pub(crate) type Work = cpex_core::action::Work<PyValues>;
pub(crate) type Outcome = cpex_core::Outcome<PyValues>;
pub(crate) type Record = cpex_core::Record<PyValues>;
