//! `CopyOnWriteDict`: a real dict that remembers what was written to it. (Its sibling for lists is Python:
//! PyO3 cannot derive from `list`.)
//!
//! It holds a shallow snapshot in its own storage, so that C, Rust and JSON code sees the data; nested
//! containers are shared with the original.

use std::sync::OnceLock;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PySet, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::classes::classes;

/// A dict that remembers what was written and deleted since it was made.
///
/// Hashing a key may run Python code that comes back here, so nothing is borrowed or locked while a key is tracked.
#[pyclass(extends = PyDict, subclass, frozen, mapping, module = "cpex.framework.memory")]
#[derive(Default)]
pub(crate) struct CopyOnWriteDict {
    /// The keys written, in the order of their first writing.
    written: OnceLock<Py<PyDict>>,
    deleted: OnceLock<Py<PySet>>,
}

impl CopyOnWriteDict {
    /// A tracked snapshot of a dict.
    pub(crate) fn of<'py>(original: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let made = Bound::new(original.py(), Self::default())?;
        made.as_super().update(original.as_mapping())?;
        Ok(made.into_any())
    }

    fn track_write(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        if let Some(deleted) = self.deleted.get() {
            deleted.bind(py).discard(key)?;
        }
        let written = match self.written.get() {
            Some(written) => written,
            None => {
                // Made beforehand: making it may collect garbage, which may run code that comes back here.
                let made = PyDict::new(py).unbind();
                self.written.get_or_init(|| made)
            }
        };
        written.bind(py).set_item(key, py.None())
    }

    fn track_delete(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        if let Some(written) = self.written.get() {
            let written = written.bind(py);
            if written.contains(key)? {
                written.del_item(key)?;
            }
        }
        let deleted = match self.deleted.get() {
            Some(deleted) => deleted,
            None => {
                let made = PySet::empty(py)?.unbind();
                self.deleted.get_or_init(|| made)
            }
        };
        deleted.bind(py).add(key)
    }
}

#[pymethods]
impl CopyOnWriteDict {
    #[new]
    #[pyo3(signature = (original))]
    fn new(original: &Bound<'_, PyAny>) -> Self {
        let _ = original; // filled by `dict.__init__`
        Self::default()
    }

    #[classattr]
    fn __hash__() -> Option<Py<PyAny>> {
        None
    }

    fn __setitem__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.as_super().set_item(key, value)?;
        slf.get().track_write(key)
    }

    fn __delitem__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.as_super().del_item(key)?;
        slf.get().track_delete(key)
    }

    #[pyo3(signature = (key, *args))]
    fn pop<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if args.len() > 1 {
            let given = args.len() + 1;
            return Err(PyTypeError::new_err(format!("pop() accepts 1 or 2 arguments ({given} given)")));
        }
        match slf.as_super().get_item(key)? {
            Some(value) => {
                Self::__delitem__(slf, key)?;
                Ok(value)
            }
            None if args.is_empty() => Err(pyo3::exceptions::PyKeyError::new_err(key.clone().unbind())),
            None => args.get_item(0),
        }
    }

    fn popitem<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let dict = slf.py().get_type::<PyDict>();
        let item = dict.call_method1(intern!(slf.py(), "popitem"), (slf,))?;
        slf.get().track_delete(&item.get_item(0)?)?;
        Ok(item)
    }

    fn clear(slf: &Bound<'_, Self>) -> PyResult<()> {
        let keys = slf.as_super().keys();
        slf.as_super().clear();
        keys.iter().try_for_each(|key| slf.get().track_delete(&key))
    }

    #[pyo3(signature = (other=None, **kwargs))]
    fn update(
        slf: &Bound<'_, Self>,
        other: Option<&Bound<'_, PyAny>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let added = PyDict::new(slf.py());
        if let Some(other) = other {
            added.as_any().call_method1(intern!(slf.py(), "update"), (other,))?;
        }
        if let Some(kwargs) = kwargs {
            added.update(kwargs.as_mapping())?;
        }
        added.iter().try_for_each(|(key, value)| Self::__setitem__(slf, &key, &value))
    }

    fn __ior__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::update(slf, Some(other), None)
    }

    #[pyo3(signature = (key, default=None))]
    fn setdefault<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = slf.as_super().get_item(key)? {
            return Ok(value);
        }
        let value = default.unwrap_or_else(|| slf.py().None().into_bound(slf.py()));
        Self::__setitem__(slf, key, &value)?;
        Ok(value)
    }

    fn copy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        slf.as_super().copy()
    }

    fn get_modifications<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let result = PyDict::new(py);
        if let Some(written) = slf.get().written.get() {
            for key in written.bind(py).keys() {
                if let Some(value) = slf.as_super().get_item(&key)? {
                    result.set_item(key, value)?;
                }
            }
        }
        Ok(result)
    }

    fn get_deleted<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PySet>> {
        let py = slf.py();
        match slf.get().deleted.get() {
            Some(deleted) => Ok(deleted.bind(py).call_method0(intern!(py, "copy"))?.cast_into::<PySet>()?),
            None => PySet::empty(py),
        }
    }

    fn has_modifications(slf: &Bound<'_, Self>) -> bool {
        let (py, this) = (slf.py(), slf.get());
        this.written.get().is_some_and(|written| !written.bind(py).is_empty())
            || this.deleted.get().is_some_and(|deleted| !deleted.bind(py).is_empty())
    }

    fn __eq__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let other = match other.cast::<PyDict>() {
            Ok(_) => other.clone(),
            Err(_) => match other.cast::<PyMapping>() {
                Ok(mapping) => py.get_type::<PyDict>().call1((mapping,))?,
                Err(_) => return Ok(py.NotImplemented().into_bound(py)),
            },
        };
        py.get_type::<PyDict>().call_method1(intern!(py, "__eq__"), (slf, other))
    }

    fn __ne__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let equal = Self::__eq__(slf, other)?;
        if equal.is(slf.py().NotImplemented()) {
            return Ok(equal);
        }
        Ok((!equal.is_truthy()?).into_pyobject(slf.py())?.to_owned().into_any())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("CopyOnWriteDict({})", slf.as_super().copy()?.repr()?))
    }

    fn __copy__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::restore(&slf.get_type(), &slf.as_super().copy()?, Self::tracking(slf)?)
    }

    fn __deepcopy__<'py>(slf: &Bound<'py, Self>, memo: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let deep_copy = slf.py().import("copy")?.getattr("deepcopy")?;
        let items = deep_copy.call1((slf.as_super().copy()?, memo))?;
        Self::restore(&slf.get_type(), items.cast()?, Self::tracking(slf)?)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let restore = slf.get_type().getattr(intern!(py, "_restore"))?;
        let (written, deleted) = Self::tracking(slf)?;
        (restore, (slf.as_super().copy()?, written, deleted)).into_pyobject(py)
    }

    #[classmethod]
    #[pyo3(name = "_restore")]
    fn from_parts<'py>(
        class: &Bound<'py, PyType>,
        items: &Bound<'py, PyDict>,
        written: Bound<'py, PyDict>,
        deleted: Bound<'py, PySet>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::restore(class, items, (written, deleted))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.written.get())?;
        visit.call(self.deleted.get())
    }
}

type Tracking<'py> = (Bound<'py, PyDict>, Bound<'py, PySet>);

impl CopyOnWriteDict {
    fn tracking<'py>(slf: &Bound<'py, Self>) -> PyResult<Tracking<'py>> {
        let py = slf.py();
        let written = match slf.get().written.get() {
            Some(written) => written.bind(py).copy()?,
            None => PyDict::new(py),
        };
        Ok((written, Self::get_deleted(slf)?))
    }

    fn restore<'py>(
        class: &Bound<'py, PyType>,
        items: &Bound<'py, PyDict>,
        (written, deleted): Tracking<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let made = class.call1((items,))?;
        let this = made.cast::<Self>()?.get();
        // Where making it has tracked something already, both count.
        for key in written.keys() {
            this.track_write(&key)?;
        }
        for key in deleted.try_iter()? {
            this.track_delete(&key?)?;
        }
        Ok(made)
    }
}

/// A tracked snapshot of a list.
pub(crate) fn track_list<'py>(list: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyAny>> {
    classes(list.py())?.tracked_list.bind(list.py()).call1((list,))
}

/// Wraps a dict or a list in a tracked snapshot.
///
/// # Errors
/// `TypeError` for anything else.
#[pyfunction]
pub(crate) fn copyonwrite<'py>(o: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(dict) = o.cast::<PyDict>() {
        CopyOnWriteDict::of(dict)
    } else if let Ok(list) = o.cast::<PyList>() {
        track_list(list)
    } else {
        let class = o.get_type();
        Err(PyTypeError::new_err(format!("No copy-on-write wrapper available for {}", class.repr()?)))
    }
}
