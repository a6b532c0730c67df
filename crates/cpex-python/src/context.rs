//! The contexts plugins get, and what of their writing goes back into the request's.
//!
//! A plugin sees snapshots of the request's state and metadata, nested containers included. Afterwards the
//! keys it added, changed or deleted are written back, and no others: nobody's newer value is overwritten.

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::classes::{GLOBAL_CONTEXT_FIELDS, classes};
use crate::model::{fields_of, is_a};
use crate::payload::{copy_dict, copy_nested};

/// The context one plugin was given, and what it looked like then.
pub(crate) struct Given {
    pub(crate) context: Py<PyAny>,
    state: Snapshot,
    metadata: Snapshot,
}

/// What a dict looked like. `None`: it was empty.
struct Snapshot(Option<Py<PyDict>>);

/// The context of the request.
pub(crate) struct RequestContext {
    pub(crate) object: Py<PyAny>,
    request_id: Py<PyString>,
}

impl RequestContext {
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let request_id = object.getattr(intern!(object.py(), "request_id"))?.cast_into::<PyString>()?;
        Ok(Self { object: object.clone().unbind(), request_id: request_id.unbind() })
    }

    /// The key of a plugin's context in the table of contexts.
    pub(crate) fn key<'py>(&self, py: Python<'py>, uuid: &Py<PyString>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: both are live strings; returns a new reference or sets an error.
        unsafe {
            Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_Concat(self.request_id.as_ptr(), uuid.as_ptr()))
        }
    }

    /// A context for one plugin; an earlier one of the same request is used again, with a new view of the
    /// request.
    pub(crate) fn give<'py>(&self, py: Python<'py>, earlier: Option<Bound<'py, PyAny>>) -> PyResult<Given> {
        let classes = classes(py)?;
        let (global, state, metadata) = self.view(py)?;
        let context = match earlier {
            Some(context) => {
                context.setattr(intern!(py, "global_context"), global)?;
                context
            }
            None => {
                let fields = PyDict::new(py);
                fields.set_item(intern!(py, "state"), PyDict::new(py))?;
                fields.set_item(intern!(py, "global_context"), global)?;
                fields.set_item(intern!(py, "metadata"), PyDict::new(py))?;
                classes.context.build(&fields)?
            }
        };
        Ok(Given { context: context.unbind(), state, metadata })
    }

    /// A new `GlobalContext` with snapshots of state and metadata.
    fn view<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Snapshot, Snapshot)> {
        let classes = classes(py)?;
        let object = self.object.bind(py);
        let fields = if is_a(object, &classes.global_context.class) {
            fields_of(object)?.copy()?
        } else {
            let fields = PyDict::new(py);
            for name in GLOBAL_CONTEXT_FIELDS {
                fields.set_item(name, object.getattr(name)?)?;
            }
            fields
        };
        let state = replace_with_snapshot(&fields, intern!(py, "state"))?;
        let metadata = replace_with_snapshot(&fields, intern!(py, "metadata"))?;
        Ok((classes.global_context.build(&fields)?, state, metadata))
    }

    /// Writes back what a plugin added, changed and, unless the old rules hold, deleted.
    pub(crate) fn write_back(&self, py: Python<'_>, given: &Given, deletions: bool) -> PyResult<()> {
        let global = given.context.bind(py).getattr(intern!(py, "global_context"))?;
        let request = self.object.bind(py);
        for (name, before) in
            [(intern!(py, "state"), &given.state), (intern!(py, "metadata"), &given.metadata)]
        {
            let after = global.getattr(name)?;
            let after = match after.cast_into::<PyDict>() {
                Ok(after) => after,
                Err(error) => py.get_type::<PyDict>().call1((error.into_inner(),))?.cast_into::<PyDict>()?,
            };
            if before.0.is_none() && after.is_empty() {
                continue;
            }
            let into = request.getattr(name)?;
            before.write_changes(py, &after, &into, deletions)?;
        }
        Ok(())
    }
}

fn replace_with_snapshot<'py>(
    fields: &Bound<'py, PyDict>,
    name: &Bound<'py, PyString>,
) -> PyResult<Snapshot> {
    let py = fields.py();
    let original = match fields.get_item(name)? {
        Some(value) => value.cast_into::<PyDict>()?,
        None => PyDict::new(py),
    };
    if original.is_empty() {
        fields.set_item(name, PyDict::new(py))?;
        return Ok(Snapshot(None));
    }
    let given = copy_dict(&original, 0)?;
    let before = copy_dict(&original, 0)?;
    fields.set_item(name, given)?;
    Ok(Snapshot(Some(before.unbind())))
}

impl Snapshot {
    fn write_changes(
        &self,
        py: Python<'_>,
        after: &Bound<'_, PyDict>,
        into: &Bound<'_, PyAny>,
        deletions: bool,
    ) -> PyResult<()> {
        let before = self.0.as_ref().map(|before| before.bind(py));
        for (key, value) in after.iter() {
            let old = match before {
                Some(before) => before.get_item(&key)?,
                None => None,
            };
            if old.is_none_or(|old| differs(&old, &value)) {
                into.set_item(&key, copy_nested(&value, 0)?)?;
            }
        }
        if deletions && let Some(before) = before {
            for key in before.keys() {
                if !after.contains(&key)? && into.contains(&key)? {
                    into.del_item(&key)?;
                }
            }
        }
        Ok(())
    }
}

/// Values that cannot be compared count as changed.
fn differs(old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> bool {
    if old.is(new) {
        return false;
    }
    !(old.get_type().is(&new.get_type()) && old.eq(new).unwrap_or(false))
}
