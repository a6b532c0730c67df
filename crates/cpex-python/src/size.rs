//! The payload size limit, without rendering the payload to text.
//!
//! The limit is stated in characters of `str(value)`. The walk counts what those would have at the least:
//! strings by their length, containers by their punctuation. Only what is over by that count is rendered, for
//! the exact figure of the error. Escapes that `repr` would add to nested strings are not counted.

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::model::attribute;

/// Characters; more is refused.
const LIMIT: usize = 1_000_000;

/// Deeper than this the rest is rendered: it may be a cycle.
const MAX_DEPTH: usize = 100;

/// Refuses a payload whose arguments or result are too large.
///
/// # Errors
/// `PayloadSizeError`, or what `str()` of a value raises.
pub(crate) fn check(payload: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = payload.py();
    if let Some(args) = truthy_attribute(payload, intern!(py, "args"))? {
        let values: Vec<_> = match args.cast::<PyDict>() {
            Ok(args) if sum(args.iter().map(|(_, value)| value))? <= LIMIT => return Ok(()),
            Ok(args) => args.values().iter().collect(),
            Err(_) => args.call_method0(intern!(py, "values"))?.try_iter()?.collect::<PyResult<Vec<_>>>()?,
        };
        let mut exact = 0;
        for value in &values {
            exact += value.str()?.len()?;
        }
        return refuse(py, "Payload", exact);
    }
    if let Some(result) = truthy_attribute(payload, intern!(py, "result"))? {
        if sum(std::iter::once(result.clone()))? <= LIMIT {
            return Ok(());
        }
        return refuse(py, "Result", result.str()?.len()?);
    }
    Ok(())
}

fn truthy_attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match attribute(object, name)? {
        Some(value) if value.is_truthy()? => Ok(Some(value)),
        _ => Ok(None),
    }
}

fn refuse(py: Python<'_>, what: &str, size: usize) -> PyResult<()> {
    if size <= LIMIT {
        return Ok(());
    }
    let error = py.import("cpex.framework.manager")?.getattr("PayloadSizeError")?;
    let message = format!("{what} size {size} exceeds limit of {LIMIT} bytes");
    Err(PyErr::from_value(error.call1((message,))?))
}

fn sum<'py>(values: impl Iterator<Item = Bound<'py, PyAny>>) -> PyResult<usize> {
    let mut total = 0;
    for value in values {
        total += match value.cast::<PyString>() {
            Ok(text) => text.len()?,
            Err(_) => at_least(&value, LIMIT.saturating_sub(total), 0)?,
        };
        if total > LIMIT {
            break;
        }
    }
    Ok(total)
}

/// The least number of characters of `repr(value)`; stops counting once it is over the budget.
fn at_least(value: &Bound<'_, PyAny>, budget: usize, depth: usize) -> PyResult<usize> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.len()? + 2);
    }
    if value.is_none() || value.is_instance_of::<PyBool>() {
        return Ok(4);
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(digits(value));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(3);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().len() + 3);
    }
    if depth == MAX_DEPTH {
        return value.repr()?.len();
    }
    let mut total = 2;
    let count = |total: &mut usize, item: &Bound<'_, PyAny>| -> PyResult<bool> {
        *total += 2 + at_least(item, budget.saturating_sub(*total), depth + 1)?;
        Ok(*total > budget)
    };
    if let Ok(dict) = value.cast::<PyDict>() {
        for (key, item) in dict.iter() {
            if count(&mut total, &key)? || count(&mut total, &item)? {
                break;
            }
        }
        return Ok(total.saturating_sub(2).max(2));
    }
    if let Ok(list) = value.cast::<PyList>() {
        for item in list.iter() {
            if count(&mut total, &item)? {
                break;
            }
        }
        return Ok(total.saturating_sub(2).max(2));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        for item in tuple.iter_borrowed() {
            if count(&mut total, &item)? {
                break;
            }
        }
        return Ok(total.saturating_sub(2).max(2));
    }
    value.repr()?.len()
}

fn digits(value: &Bound<'_, PyAny>) -> usize {
    let mut overflow = 0;
    // SAFETY: `value` is a live int; an overflow is reported by the flag, without an error.
    let small = unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &raw mut overflow) };
    if overflow == 0 {
        usize::try_from(small.unsigned_abs().checked_ilog10().unwrap_or(0)).map_or(1, |log| log + 1)
    } else {
        19
    }
}
