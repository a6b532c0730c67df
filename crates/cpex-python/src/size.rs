//! The payload size limit, without rendering the payload to text.
//!
//! The limit is stated in characters of `str(value)`. The walk counts what those would have at the least:
//! strings by their length, containers by their punctuation. Only what is over by that count is rendered, for
//! the exact figure of the error. Escapes that `repr` would add to nested strings are not counted.

use std::ptr;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

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
            Ok(args) => {
                // A list of our own: rendering a value may run code that writes into the arguments.
                let values = args.values();
                if sum(values.iter())? <= LIMIT {
                    return Ok(());
                }
                values.iter().collect()
            }
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
        // Quotes are only around nested strings.
        let quotes = if value.is_instance_of::<PyString>() { 2 } else { 0 };
        total += at_least(&value, LIMIT.saturating_sub(total), 0)? - quotes;
        if total > LIMIT {
            break;
        }
    }
    Ok(total)
}

/// The least number of characters of `repr(value)`; stops counting once it is over the budget.
///
/// Written for speed: it looks at every value of every payload.
fn at_least(value: &Bound<'_, PyAny>, budget: usize, depth: usize) -> PyResult<usize> {
    let object = value.as_ptr();
    // SAFETY: `object` is live; the checks read its type. The unchecked accesses are to what the check before
    // them found. Items are borrowed from a container that is held, and nothing in between runs Python code
    // but `repr` of a value of another type, to which a reference is taken first.
    unsafe {
        if ffi::PyUnicode_Check(object) != 0 {
            return Ok(length(ffi::PyUnicode_GetLength(object)) + 2);
        }
        if object == ffi::Py_None() || ffi::PyBool_Check(object) != 0 {
            return Ok(4);
        }
        if ffi::PyLong_Check(object) != 0 {
            return Ok(digits(value));
        }
        if ffi::PyFloat_Check(object) != 0 {
            return Ok(3);
        }
        if ffi::PyBytes_Check(object) != 0 {
            return Ok(length(ffi::PyBytes_Size(object)) + 3);
        }
        if depth == MAX_DEPTH {
            return value.repr()?.len();
        }
        let py = value.py();
        let mut counted = Counted { total: 0, budget, depth };
        if ffi::PyDict_Check(object) != 0 {
            let (mut at, mut key, mut item) = (0, ptr::null_mut(), ptr::null_mut());
            while ffi::PyDict_Next(object, &raw mut at, &raw mut key, &raw mut item) != 0 {
                let (key, item) = (Bound::from_borrowed_ptr(py, key), Bound::from_borrowed_ptr(py, item));
                if counted.add(&key)? || counted.add(&item)? {
                    break;
                }
            }
        } else if ffi::PyList_Check(object) != 0 {
            let mut at = 0;
            while at < ffi::PyList_GET_SIZE(object) {
                if counted.add(&Bound::from_borrowed_ptr(py, ffi::PyList_GET_ITEM(object, at)))? {
                    break;
                }
                at += 1;
            }
        } else if ffi::PyTuple_Check(object) != 0 {
            for at in 0..ffi::PyTuple_GET_SIZE(object) {
                if counted.add(&Bound::from_borrowed_ptr(py, ffi::PyTuple_GET_ITEM(object, at)))? {
                    break;
                }
            }
        } else {
            return value.repr()?.len();
        }
        // Brackets, and between the items a comma or colon and a blank.
        Ok(counted.total.max(2))
    }
}

/// The running count of a container.
struct Counted {
    total: usize,
    budget: usize,
    depth: usize,
}

impl Counted {
    /// Adds an item and what separates it. True if the budget is spent.
    fn add(&mut self, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.total += 2 + at_least(item, self.budget.saturating_sub(self.total), self.depth + 1)?;
        Ok(self.total > self.budget)
    }
}

fn length(size: ffi::Py_ssize_t) -> usize {
    usize::try_from(size).unwrap_or_default()
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
