//! Copies of containers with some of their content changed. Each keeps its class.
//!
//! A class of the program's own is copied by `copy.copy` and written to by its own methods: one that refuses is an
//! error. The tracked containers of the framework stand for plain ones, and become such.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple};

use super::objects::{Attribute, dict_of};
use crate::classes::classes;
use crate::copy_on_write::CopyOnWriteDict;
use crate::model::is_a;

/// What becomes of one item of a dict.
pub(super) struct Change<'py> {
    pub(super) key: Bound<'py, PyAny>,
    pub(super) new_key: Option<Bound<'py, PyAny>>,
    pub(super) new_value: Option<Bound<'py, PyAny>>,
}

/// A dict with some items changed, in the order of the original.
///
/// A changed key that meets another of its name gets a number: nothing is lost.
pub(super) fn dict<'py>(dict: &Bound<'py, PyDict>, changes: Vec<Change<'py>>) -> PyResult<Bound<'py, PyAny>> {
    let is_plain = dict.is_exact_instance_of::<PyDict>() || dict.is_instance_of::<CopyOnWriteDict>();
    let copy = if is_plain { dict.copy()?.into_any() } else { shallow(dict)? };
    if changes.iter().all(|change| change.new_key.is_none()) {
        for Change { key, new_value, .. } in changes {
            copy.set_item(key, new_value)?;
        }
        return Ok(copy);
    }
    let items: Vec<_> = dict.iter().collect();
    copy.call_method0(intern!(dict.py(), "clear"))?;
    let mut changes = changes.into_iter().peekable();
    for (old_key, old_value) in items {
        let Some(Change { new_key, new_value, .. }) = changes.next_if(|change| change.key.is(&old_key))
        else {
            copy.set_item(old_key, old_value)?;
            continue;
        };
        let key = match new_key {
            Some(wanted) => free_key(wanted, dict, &copy)?,
            None => old_key,
        };
        copy.set_item(key, new_value.unwrap_or(old_value))?;
    }
    if changes.next().is_some() {
        return Err(PyRuntimeError::new_err("the payload has changed while it was read"));
    }
    Ok(copy)
}

fn free_key<'py>(
    wanted: Bound<'py, PyAny>,
    before: &Bound<'py, PyDict>,
    after: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut key = wanted.clone();
    let mut number = 2;
    while before.contains(&key)? || after.contains(&key)? {
        key = PyString::new(key.py(), &format!("{wanted} ({number})")).into_any();
        number += 1;
    }
    Ok(key)
}

/// A list with some items changed.
pub(super) fn list<'py>(
    list: &Bound<'py, PyList>,
    changes: Vec<(usize, Bound<'py, PyAny>)>,
) -> PyResult<Bound<'py, PyAny>> {
    let is_plain = list.is_exact_instance_of::<PyList>() || is_a(list, &classes(list.py())?.tracked_list);
    let copy = if is_plain { list.get_slice(0, list.len()).into_any() } else { shallow(list)? };
    for (index, value) in changes {
        copy.set_item(index, value)?;
    }
    Ok(copy)
}

/// A tuple of these items. One of a derived class, a named one for example, is made without its constructor.
pub(super) fn tuple<'py>(
    tuple: &Bound<'py, PyTuple>,
    items: Vec<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = tuple.py();
    let plain = PyTuple::new(py, items)?;
    if tuple.is_exact_instance_of::<PyTuple>() {
        return Ok(plain.into_any());
    }
    let made = py.get_type::<PyTuple>().call_method1(intern!(py, "__new__"), (tuple.get_type(), plain))?;
    if let Some(attributes) = tuple.getattr_opt(intern!(py, "__dict__"))? {
        made.getattr(intern!(py, "__dict__"))?.call_method1(intern!(py, "update"), (attributes,))?;
    }
    Ok(made)
}

/// A set of these items. One of a derived class is made by its constructor.
pub(super) fn set<'py>(
    set: &Bound<'py, PyAny>,
    items: Vec<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = set.py();
    if set.is_exact_instance_of::<PySet>() {
        return Ok(PySet::new(py, items)?.into_any());
    }
    if set.is_exact_instance_of::<PyFrozenSet>() {
        return Ok(PyFrozenSet::new(py, items)?.into_any());
    }
    set.get_type().call1((PyList::new(py, items)?,))
}

/// An object with some attributes changed, frozen or not.
///
/// # Errors
/// `TypeError` if its class makes no copies of its instances.
pub(super) fn object<'py>(
    object: &Bound<'py, PyAny>,
    changes: Vec<Attribute<'py>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let copy = shallow(object)?;
    let dict = dict_of(&copy)?;
    let shares = match (&dict, dict_of(object)?) {
        (Some(copied), Some(original)) => copied.is(&original),
        _ => false,
    };
    if copy.is(object) || shares || !copy.get_type().is(object.get_type()) {
        return Err(PyTypeError::new_err(format!("{} cannot be copied", object.get_type().name()?)));
    }
    for Attribute { name, value, slot } in changes {
        match (slot, &dict) {
            (Some(slot), _) => drop(slot.call_method1(intern!(py, "__set__"), (&copy, value))?),
            (None, Some(dict)) => dict.set_item(name, value)?,
            (None, None) => {
                return Err(PyTypeError::new_err(format!(
                    "{} loses attributes as it is copied",
                    copy.get_type().name()?
                )));
            }
        }
    }
    Ok(copy)
}

fn shallow<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    py.import(intern!(py, "copy"))?.call_method1(intern!(py, "copy"), (object,))
}
