//! Copies of payloads that a plugin may write into.
//!
//! Containers in declared fields become `CopyOnWriteDict` and `CopyOnWriteList`, one level deep, as
//! plugins know them. For its own isolation the pipeline also copies what is nested in them, and the extra
//! fields of models, so that no write reaches the original.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};

use crate::classes::classes;
use crate::copy_on_write::{CopyOnWriteDict, track_list};
use crate::model::{copy_with, fields_of, is_a};

/// Deeper than this, `copy.deepcopy` takes over: it may be a cycle.
const MAX_DEPTH: usize = 50;

/// What becomes of containers inside containers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nested {
    /// They are shared with the original.
    Shared,
    /// They are copied.
    Copied,
    /// All are copied, as what they are: none is tracked.
    Plain,
}

/// Wraps the mutable fields of a payload in tracked snapshots.
#[pyfunction]
pub(crate) fn wrap_payload_for_isolation<'py>(payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    wrap_model(payload, Nested::Shared, 0)
}

/// A copy of a payload of any kind that shares nothing mutable with it.
pub(crate) fn isolate<'py>(payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if is_a(payload, &classes(payload.py())?.base_model) {
        wrap_model(payload, Nested::Copied, 0)
    } else {
        deep_copy(payload)
    }
}

/// Is this a value that cannot be changed?
fn is_atom(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBytes>()
}

fn wrap_model<'py>(model: &Bound<'py, PyAny>, nested: Nested, depth: usize) -> PyResult<Bound<'py, PyAny>> {
    if depth == MAX_DEPTH {
        return deep_copy(model);
    }
    // A copy of our own is walked: copying a value may run code that writes into the model.
    let fields = fields_of(model)?.copy()?;
    let mut wrapped_names = Vec::new();
    for (name, value) in fields.iter() {
        if is_atom(&value) {
            continue;
        }
        let wrapped = match nested {
            Nested::Plain => copy_nested(&value, nested, depth)?,
            Nested::Shared | Nested::Copied => wrap_value(&value, nested, depth)?,
        };
        // The outermost payload is a new object as soon as it holds anything but plain values.
        if depth == 0 || !wrapped.is(&value) {
            fields.set_item(&name, wrapped)?;
            wrapped_names.push(name);
        }
    }
    let extra = match nested {
        Nested::Shared => None,
        Nested::Copied | Nested::Plain => copied_extra(model, nested, depth)?,
    };
    if wrapped_names.is_empty() && extra.is_none() && (nested == Nested::Shared || is_frozen(model)?) {
        return Ok(model.clone());
    }
    // What is tracked counts as set.
    copy_with(model, &fields, extra, if nested == Nested::Plain { &[] } else { &wrapped_names })
}

/// Can no field be assigned to, and none be added?
fn is_frozen(model: &Bound<'_, PyAny>) -> PyResult<bool> {
    let config = model.get_type().getattr(intern!(model.py(), "model_config"))?.cast_into::<PyDict>()?;
    config.get_item(intern!(model.py(), "frozen"))?.map_or(Ok(false), |frozen| frozen.is_truthy())
}

fn copied_extra<'py>(
    model: &Bound<'py, PyAny>,
    nested: Nested,
    depth: usize,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let extra = classes(model.py())?.slots.extra.read_if_set(model)?;
    match extra.map(Bound::cast_into::<PyDict>) {
        Some(Ok(extra)) if !extra.is_empty() => Ok(Some(copy_dict(&extra, nested, depth)?)),
        _ => Ok(None),
    }
}

fn wrap_value<'py>(value: &Bound<'py, PyAny>, nested: Nested, depth: usize) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(dict) = value.cast::<PyDict>() {
        return match nested {
            Nested::Copied if holds_containers(dict.values().iter()) => {
                CopyOnWriteDict::of(&copy_dict(dict, nested, depth)?)
            }
            _ => CopyOnWriteDict::of(dict),
        };
    }
    if let Ok(list) = value.cast::<PyList>() {
        return match nested {
            Nested::Copied if holds_containers(list.iter()) => track_list(&copy_list(list, nested, depth)?),
            _ => track_list(list),
        };
    }
    if is_a(value, &classes(value.py())?.base_model) {
        return wrap_model(value, nested, depth + 1);
    }
    if is_left_alone(value)? {
        return Ok(value.clone());
    }
    deep_copy(value)
}

/// Weak proxies and exceptions are handed on as they are.
fn is_left_alone(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let weakref = value.py().import("weakref")?;
    Ok(value.is_instance_of::<pyo3::exceptions::PyBaseException>()
        || value.get_type().is(&weakref.getattr("ProxyType")?)
        || value.get_type().is(&weakref.getattr("CallableProxyType")?))
}

fn holds_containers<'py>(mut values: impl Iterator<Item = Bound<'py, PyAny>>) -> bool {
    values.any(|value| !is_atom(&value))
}

/// A copy of a value inside a container: containers and models are copied, other objects are shared.
pub(crate) fn copy_nested<'py>(
    value: &Bound<'py, PyAny>,
    nested: Nested,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    if is_atom(value) {
        return Ok(value.clone());
    }
    if depth == MAX_DEPTH {
        return deep_copy(value);
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return Ok(copy_dict(dict, nested, depth)?.into_any());
    }
    if let Ok(list) = value.cast::<PyList>() {
        return Ok(copy_list(list, nested, depth)?.into_any());
    }
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        if !holds_containers(tuple.iter()) {
            return Ok(value.clone());
        }
        let items = tuple.iter().map(|item| copy_nested(&item, nested, depth + 1));
        return Ok(PyTuple::new(value.py(), items.collect::<PyResult<Vec<_>>>()?)?.into_any());
    }
    if value.is_exact_instance_of::<PySet>() {
        return value.call_method0(intern!(value.py(), "copy"));
    }
    if value.is_exact_instance_of::<PyFrozenSet>() {
        return Ok(value.clone());
    }
    if is_a(value, &classes(value.py())?.base_model) {
        return wrap_model(value, nested, depth + 1);
    }
    if value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PySet>()
        || value.is_instance_of::<PyByteArray>()
    {
        return deep_copy(value);
    }
    Ok(value.clone())
}

/// A plain dict with copies of what is nested in it.
pub(crate) fn copy_dict<'py>(
    dict: &Bound<'py, PyDict>,
    nested: Nested,
    depth: usize,
) -> PyResult<Bound<'py, PyDict>> {
    // What is walked is ours alone: copying a value may run code that writes into the original.
    let copy = dict.copy()?;
    for (key, value) in copy.iter() {
        let copied = copy_nested(&value, nested, depth + 1)?;
        if !copied.is(&value) {
            copy.set_item(key, copied)?;
        }
    }
    Ok(copy)
}

fn copy_list<'py>(list: &Bound<'py, PyList>, nested: Nested, depth: usize) -> PyResult<Bound<'py, PyList>> {
    let items = list.iter().map(|item| copy_nested(&item, nested, depth + 1));
    PyList::new(list.py(), items.collect::<PyResult<Vec<_>>>()?)
}

/// A deep copy; what cannot be copied is shared, and said so.
pub(crate) fn deep_copy<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if is_atom(value) {
        return Ok(value.clone());
    }
    let py = value.py();
    py.import(intern!(py, "cpex.framework.memory"))?.call_method1(intern!(py, "_safe_deepcopy"), (value,))
}

/// Plain storage for a value that leaves the pipeline: a tracked snapshot becomes the container it stands for.
pub(crate) fn untracked<'py>(value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(dict) = value.cast::<CopyOnWriteDict>() {
        return Ok(dict.as_super().copy()?.into_any());
    }
    if is_a(&value, &classes(value.py())?.tracked_list) {
        return value.call_method0(intern!(value.py(), "copy"));
    }
    Ok(value)
}

/// Does the type of this payload make it an open container, such as a model that is a dict?
pub(crate) fn is_root_model(payload: &Bound<'_, PyAny>) -> bool {
    classes(payload.py()).is_ok_and(|classes| is_a(payload, &classes.root_model))
}
