//! The contexts plugins get, and what of their writing goes back into the request's.
//!
//! A plugin sees snapshots of the request's state and metadata, nested containers included. Afterwards the
//! keys it added, changed or deleted are written back, and no others: nobody's newer value is overwritten.
//!
//! A context is given as a [`Seed`], which several plugins share as long as nothing changes; it grows into a
//! real one when the plugin first looks at it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{PyTraverseError, PyVisit};

use crate::classes::{GLOBAL_CONTEXT_FIELDS, classes};
use crate::model::{attribute, bare, fields_of};
use crate::payload::{Nested, copy_dict, copy_nested};

/// What the context of a request looked like at one moment. Plugins get copies of it.
#[pyclass(frozen)]
pub(crate) struct Seed {
    fields: Py<PyDict>,
    /// `None`: it is no dict.
    user: Option<Py<PyDict>>,
    /// `None`: it was empty.
    state: Option<Py<PyDict>>,
    metadata: Option<Py<PyDict>>,
    /// The copies of state and metadata that grew from this.
    copies: Mutex<Vec<Py<PyDict>>>,
}

/// The context one plugin was given, and what it grows from.
pub(crate) struct Given {
    pub(crate) context: Py<PyAny>,
    seed: Py<Seed>,
}

/// The context of the request.
pub(crate) struct RequestContext {
    pub(crate) object: Py<PyAny>,
    request_id: Py<PyString>,
    seed: Option<Py<Seed>>,
}

impl Given {
    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.context)?;
        visit.call(&self.seed)
    }
}

impl RequestContext {
    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)?;
        visit.call(&self.seed)
    }

    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let name = intern!(object.py(), "request_id");
        let request_id = match attribute(object, name)? {
            Some(request_id) => request_id.cast_into::<PyString>()?,
            None => {
                let class = object.get_type().name()?;
                return Err(PyAttributeError::new_err(format!(
                    "the context of a request has a request_id; pass a GlobalContext, not {class}"
                )));
            }
        };
        Ok(Self { object: object.clone().unbind(), request_id: request_id.unbind(), seed: None })
    }

    /// The key of a plugin's context in the table of contexts.
    pub(crate) fn key<'py>(&self, py: Python<'py>, uuid: &Py<PyString>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: both are live strings; returns a new reference or sets an error.
        unsafe {
            Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_Concat(self.request_id.as_ptr(), uuid.as_ptr()))
        }
    }

    /// Others may have run: the next plugin gets a new snapshot.
    pub(crate) fn refresh(&mut self) {
        self.seed = None;
    }

    /// A context for one plugin; an earlier one of the same request is used again, with a new view of the
    /// request.
    pub(crate) fn give<'py>(
        &mut self,
        py: Python<'py>,
        earlier: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Given> {
        let classes = classes(py)?;
        let seed = match &self.seed {
            Some(seed) => seed.clone_ref(py),
            None => self.seed.insert(Py::new(py, Seed::of(self.object.bind(py))?)?).clone_ref(py),
        };
        let context = match earlier {
            Some(context) if !classes.context.is(&context) => {
                context.setattr(intern!(py, "global_context"), seed.get().global_context(py)?)?;
                context
            }
            earlier => {
                let context = match earlier {
                    Some(context) => context,
                    None => bare(classes.context.class.bind(py))?,
                };
                classes.slots.private.fill(&context, seed.bind(py).as_any())?;
                context
            }
        };
        Ok(Given { context: context.unbind(), seed })
    }

    /// Writes back what a plugin added, changed and, unless the old rules hold, deleted.
    pub(crate) fn write_back(&mut self, py: Python<'_>, given: &Given, deletions: bool) -> PyResult<()> {
        let context = given.context.bind(py);
        if classes(py)?.context.is(context) {
            return Ok(());
        }
        let global = context.getattr(intern!(py, "global_context"))?;
        if global.is_none() {
            return Ok(());
        }
        let seed = given.seed.get();
        for (name, before) in [(intern!(py, "state"), &seed.state), (intern!(py, "metadata"), &seed.metadata)]
        {
            let after = global.getattr(name)?;
            let after = match after.cast_into::<PyDict>() {
                Ok(after) => after,
                Err(error) => py.get_type::<PyDict>().call1((error.into_inner(),))?.cast_into::<PyDict>()?,
            };
            if before.is_some() || !after.is_empty() {
                let before = before.as_ref().map(|before| before.bind(py));
                let into = self.object.bind(py).getattr(name)?;
                // A dict that the plugin put in its place says nothing about the keys it lacks.
                write_changes(before, &after, &into, deletions && seed.gave(&after))?;
                self.seed = None;
            }
        }
        Ok(())
    }
}

#[pymethods]
impl Seed {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fields)?;
        visit.call(&self.user)?;
        visit.call(&self.state)?;
        visit.call(&self.metadata)?;
        match self.copies.try_lock() {
            Ok(copies) => copies.iter().try_for_each(|copy| visit.call(copy)),
            Err(_) => Ok(()),
        }
    }
}

impl Seed {
    fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let fields = if object.get_type().is(&classes(py)?.global_context.class) {
            fields_of(object)?.copy()?
        } else {
            let fields = PyDict::new(py);
            for name in GLOBAL_CONTEXT_FIELDS {
                fields.set_item(name, object.getattr(name)?)?;
            }
            fields
        };
        let user = match fields.get_item(intern!(py, "user"))?.map(Bound::cast_into::<PyDict>) {
            Some(Ok(user)) => Some(copy_dict(&user, Nested::Copied, 0)?.unbind()),
            Some(Err(_)) | None => None,
        };
        let state = snapshot(&fields, intern!(py, "state"))?;
        let metadata = snapshot(&fields, intern!(py, "metadata"))?;
        Ok(Self { fields: fields.unbind(), user, state, metadata, copies: Mutex::default() })
    }

    fn copies(&self) -> MutexGuard<'_, Vec<Py<PyDict>>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is this one of the dicts that grew from this, and not one that a plugin made?
    fn gave(&self, dict: &Bound<'_, PyDict>) -> bool {
        self.copies().iter().any(|copy| copy.is(dict))
    }

    /// The fields of a `PluginContext` grown from this.
    pub(crate) fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(py);
        fields.set_item(intern!(py, "state"), PyDict::new(py))?;
        fields.set_item(intern!(py, "global_context"), self.global_context(py)?)?;
        fields.set_item(intern!(py, "metadata"), PyDict::new(py))?;
        Ok(fields)
    }

    /// A new `GlobalContext` with copies of state and metadata, and of a user record.
    fn global_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let fields = self.fields.bind(py).copy()?;
        if let Some(user) = &self.user {
            fields.set_item(intern!(py, "user"), copy_dict(user.bind(py), Nested::Copied, 0)?)?;
        }
        for (name, snapshot) in
            [(intern!(py, "state"), &self.state), (intern!(py, "metadata"), &self.metadata)]
        {
            let copy = match snapshot {
                Some(snapshot) => {
                    let copy = copy_dict(snapshot.bind(py), Nested::Copied, 0)?;
                    self.copies().push(copy.clone().unbind());
                    copy
                }
                None => PyDict::new(py),
            };
            fields.set_item(name, copy)?;
        }
        classes(py)?.global_context.build(&fields)
    }
}

fn snapshot(fields: &Bound<'_, PyDict>, name: &Bound<'_, PyString>) -> PyResult<Option<Py<PyDict>>> {
    let Some(value) = fields.get_item(name)? else { return Ok(None) };
    let original = value.cast_into::<PyDict>()?;
    if original.is_empty() { Ok(None) } else { Ok(Some(copy_dict(&original, Nested::Copied, 0)?.unbind())) }
}

fn write_changes(
    before: Option<&Bound<'_, PyDict>>,
    after: &Bound<'_, PyDict>,
    into: &Bound<'_, PyAny>,
    deletions: bool,
) -> PyResult<()> {
    // A copy, for comparing values may run code that writes into the plugin's.
    for (key, value) in after.copy()?.iter() {
        let old = match before {
            Some(before) => before.get_item(&key)?,
            None => None,
        };
        if old.is_none_or(|old| differs(&old, &value)) {
            into.set_item(&key, copy_nested(&value, Nested::Copied, 0)?)?;
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

/// Values that cannot be compared count as changed.
fn differs(old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> bool {
    if old.is(new) {
        return false;
    }
    !(old.get_type().is(new.get_type()) && old.eq(new).unwrap_or(false))
}
