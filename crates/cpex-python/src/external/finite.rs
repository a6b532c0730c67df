//! Numbers that JSON does not have.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};

use crate::model::fields_of;

/// What is deeper is not looked at: pydantic does not write it.
const MAX_DEPTH: usize = 255;

/// Tells whether no number in a value is NaN or infinite. Pydantic writes `null` in its place, without a word.
///
/// # Errors
/// If a container cannot be looked into.
#[pyfunction]
pub(crate) fn is_finite(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    walk(value, 0)
}

fn walk(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
    // Most of what there is, and looked at for every call.
    let is_plain = value.is_none()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyBool>();
    if is_plain || depth == MAX_DEPTH {
        return Ok(true);
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(value.extract::<f64>()?.is_finite());
    }
    if value.is_instance_of::<PyDict>() {
        return fields(value.cast::<PyDict>()?, depth);
    }
    let is_sequence = value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PySet>()
        || value.is_instance_of::<PyFrozenSet>();
    if is_sequence {
        for item in value.try_iter()? {
            if !walk(&item?, depth + 1)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    // Of other objects only models are written with what they hold.
    let Some(extra) = value.getattr_opt(intern!(value.py(), "__pydantic_extra__"))? else { return Ok(true) };
    Ok(fields(&fields_of(value)?, depth)? && walk(&extra, depth + 1)?)
}

fn fields(dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<bool> {
    // A list of our own: what is asked of a value may run code that writes into the dict.
    for value in dict.values() {
        if !walk(&value, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}
