//! What the core's handles are in a Python host.

use cpex_core::{End, Values};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

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

pub(crate) type Invocation = cpex_core::Invocation<PyValues>;
pub(crate) type Fault = cpex_core::Fault<PyValues>;
pub(crate) type Reply = cpex_core::Reply<PyValues>;
pub(crate) type Work = cpex_core::action::Work<PyValues>;
pub(crate) type Outcome = cpex_core::Outcome<PyValues>;
pub(crate) type Record = cpex_core::Record<PyValues>;

/// For the garbage collector: what an outcome holds. Errors can't be shown to it.
pub(crate) fn traverse(outcome: &Outcome, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    visit.call(&outcome.payload)?;
    visit.call(&outcome.extensions)?;
    if let End::Halted { violation, .. } = &outcome.end {
        visit.call(violation)?;
    }
    outcome.records.iter().try_for_each(|record| visit.call(record.violation()))
}
