//! Which fields of a proposed payload are taken: the comparison behind a hook's policy.

use cpex_core::host::Restriction;
use cpex_core::payload::Relation;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::classes::classes;
use crate::model::{copy_with, fields_of, is_a};
use crate::payload::{deep_copy, untracked};

/// Applies the changes of writable fields to `apply_to`, or to the original.
///
/// Returns the result, `None` if no change is taken, and the names of the fields whose change was dropped.
#[pyfunction]
#[pyo3(signature = (original, modified, writable_fields, apply_to=None))]
pub(crate) fn apply_policy<'py>(
    original: &Bound<'py, PyAny>,
    modified: &Bound<'py, PyAny>,
    writable_fields: &Bound<'py, PyAny>,
    apply_to: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Option<Bound<'py, PyAny>>, Vec<String>)> {
    let (accepted, dropped) = compare(original, modified, writable_fields, None)?;
    Ok((apply(apply_to.unwrap_or(original), &accepted)?, dropped))
}

/// As [`apply_policy`], in the terms of the core. `shown` is the copy of the target that the plugin was given.
pub(crate) fn restrict(
    target: &Bound<'_, PyAny>,
    proposed: &Bound<'_, PyAny>,
    writable_fields: &Bound<'_, PyAny>,
    shown: Option<&Bound<'_, PyAny>>,
) -> PyResult<Restriction<Py<PyAny>>> {
    let (accepted, dropped) = compare(target, proposed, writable_fields, shown)?;
    Ok(Restriction {
        payload: apply(target, &accepted)?.map(Bound::unbind),
        trimmed: dropped.into_iter().map(String::into_boxed_str).collect(),
    })
}

/// How a proposal relates to the payload it would replace.
pub(crate) fn relation(target: &Bound<'_, PyAny>, proposed: &Bound<'_, PyAny>) -> Relation {
    let py = target.py();
    let Ok(classes) = classes(py) else { return Relation::Foreign };
    if is_a(target, &classes.base_model) && is_a(proposed, &target.get_type().unbind()) {
        Relation::SameKind
    } else if is_a(proposed, &classes.plugin_payload) || proposed.is_instance_of::<PyDict>() {
        Relation::OtherPayload
    } else {
        Relation::Foreign
    }
}

type Changes<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

fn compare<'py>(
    original: &Bound<'py, PyAny>,
    modified: &Bound<'py, PyAny>,
    writable_fields: &Bound<'py, PyAny>,
    shown: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Changes<'py>, Vec<String>)> {
    let py = original.py();
    let declared = modified.get_type().getattr(intern!(py, "__pydantic_fields__"))?.cast_into::<PyDict>()?;
    let before = fields_of(original)?;
    let after = fields_of(modified)?;
    let shown = shown.map(fields_of).transpose()?;
    let mut accepted = Vec::new();
    let mut dropped = Vec::new();
    for name in declared.keys() {
        let Some(new) = after.get_item(&name)? else { continue };
        if let Some(old) = before.get_item(&name)?
            && (is_equal(&old, &new)? || is_handed_back(shown.as_ref(), &name, &old, &new)?)
        {
            continue;
        }
        if writable_fields.contains(&name)? {
            accepted.push((name, untracked(new)?));
        } else {
            dropped.push(name.cast::<PyString>()?.to_string());
        }
    }
    Ok((accepted, dropped))
}

/// Is this what the plugin was given, of a kind whose copies never equal the original?
///
/// Such a value holds something that is only equal to itself. For any other, being different from the original means
/// that it was edited in place.
fn is_handed_back(
    shown: Option<&Bound<'_, PyDict>>,
    name: &Bound<'_, PyAny>,
    old: &Bound<'_, PyAny>,
    new: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let given = shown.map(|shown| shown.get_item(name)).transpose()?.flatten();
    Ok(given.is_some_and(|given| given.is(new)) && !is_equal(old, &deep_copy(old)?)?)
}

fn is_equal(old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<bool> {
    if old.is(new) {
        return Ok(true);
    }
    let base_model = &classes(old.py())?.base_model;
    if is_a(old, base_model) && is_a(new, base_model) {
        let dump = intern!(old.py(), "model_dump");
        return old.call_method0(dump)?.eq(new.call_method0(dump)?);
    }
    old.eq(new)
}

fn apply<'py>(target: &Bound<'py, PyAny>, changes: &Changes<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if changes.is_empty() {
        return Ok(None);
    }
    let fields = fields_of(target)?.copy()?;
    let mut names = Vec::with_capacity(changes.len());
    for (name, value) in changes {
        fields.set_item(name, value)?;
        names.push(name.clone());
    }
    copy_with(target, &fields, None, &names).map(Some)
}
