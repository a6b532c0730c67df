//! pydantic instances, read and built without going through validation.
//!
//! An instance of a pydantic model is an ordinary object with a `__dict__` and three more slots. The driver
//! fills them itself where it knows the values to be right, because it makes several instances per plugin.

use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyType};

use crate::classes::classes;

/// A model class and the fields its instances count as set.
pub(crate) struct Shape {
    pub(crate) class: Py<PyType>,
    pub(crate) fields_set: Py<PySet>,
}

/// The slots of `BaseModel` beside `__dict__`.
pub(crate) struct Slots {
    fields_set: Slot,
    extra: Slot,
    private: Slot,
}

struct Slot {
    descriptor: Py<PyAny>,
    set: ffi::descrsetfunc,
}

impl Slots {
    pub(crate) fn of(base_model: &Bound<'_, PyType>) -> PyResult<Self> {
        Ok(Self {
            fields_set: Slot::of(base_model, "__pydantic_fields_set__")?,
            extra: Slot::of(base_model, "__pydantic_extra__")?,
            private: Slot::of(base_model, "__pydantic_private__")?,
        })
    }
}

impl Slot {
    fn of(class: &Bound<'_, PyType>, name: &str) -> PyResult<Self> {
        let descriptor = class.getattr(name)?;
        // SAFETY: `descriptor` is a live object, so its type is too; `tp_descr_set` is only read.
        let set = unsafe { (*ffi::Py_TYPE(descriptor.as_ptr())).tp_descr_set };
        let set = set.ok_or_else(|| PyTypeError::new_err(format!("BaseModel.{name} is not a slot")))?;
        Ok(Self { descriptor: descriptor.unbind(), set })
    }

    fn fill(&self, instance: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: `set` is the setter of the descriptor's own type; it checks the type of the instance and
        // takes its own reference to the value. All three are live for the call.
        let failed = unsafe { (self.set)(self.descriptor.as_ptr(), instance.as_ptr(), value.as_ptr()) } < 0;
        if failed { Err(PyErr::fetch(instance.py())) } else { Ok(()) }
    }
}

impl Shape {
    /// A new instance of this shape around the values of its fields.
    pub(crate) fn build<'py>(&self, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let py = fields.py();
        let none = py.None();
        instance(
            self.class.bind(py),
            fields,
            &set_copy(self.fields_set.bind(py))?,
            none.bind(py),
            none.bind(py),
        )
    }
}

/// A new instance of a model class.
fn instance<'py>(
    class: &Bound<'py, PyType>,
    fields: &Bound<'py, PyDict>,
    fields_set: &Bound<'py, PyAny>,
    extra: &Bound<'py, PyAny>,
    private: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let slots = &classes(py)?.slots;
    // SAFETY: `class` is a model class, thus a heap type that inherits `object.__new__`, which allocates as
    // `PyType_GenericNew` does; the result is a new reference or an error. The dict is set on an object that
    // has a `__dict__`, which takes its own reference.
    let made = unsafe {
        let made = ffi::PyType_GenericNew(class.as_type_ptr(), ptr::null_mut(), ptr::null_mut());
        let made = Bound::from_owned_ptr_or_err(py, made)?;
        if ffi::PyObject_GenericSetDict(made.as_ptr(), fields.as_ptr(), ptr::null_mut()) < 0 {
            return Err(PyErr::fetch(py));
        }
        made
    };
    slots.fields_set.fill(&made, fields_set)?;
    slots.extra.fill(&made, extra)?;
    slots.private.fill(&made, private)?;
    Ok(made)
}

/// The `__dict__` of an object that has one.
pub(crate) fn fields_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    // SAFETY: returns a new reference to the instance dict, or null with an error set if there is none.
    let dict = unsafe {
        let dict = ffi::PyObject_GenericGetDict(object.as_ptr(), ptr::null_mut());
        Bound::from_owned_ptr_or_err(object.py(), dict)?
    };
    Ok(dict.cast_into::<PyDict>()?)
}

/// As `model_copy(update=…)`: the same class, the fields replaced, the extra fields too if given.
pub(crate) fn copy_with<'py>(
    model: &Bound<'py, PyAny>,
    fields: &Bound<'py, PyDict>,
    extra: Option<Bound<'py, PyDict>>,
    newly_set: &[Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let py = model.py();
    let fields_set = model.getattr(intern!(py, "__pydantic_fields_set__"))?.cast_into::<PySet>()?;
    let fields_set = set_copy(&fields_set)?;
    if !newly_set.is_empty() {
        let fields_set = fields_set.cast::<PySet>()?;
        for name in newly_set {
            fields_set.add(name)?;
        }
    }
    let extra = match extra {
        Some(extra) => extra.into_any(),
        None => copied_dict(&model.getattr(intern!(py, "__pydantic_extra__"))?)?,
    };
    let private = copied_dict(&model.getattr(intern!(py, "__pydantic_private__"))?)?;
    instance(&model.get_type(), fields, &fields_set, &extra, &private)
}

fn copied_dict<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match value.cast::<PyDict>() {
        Ok(dict) => Ok(dict.copy()?.into_any()),
        Err(_) => Ok(value.clone()),
    }
}

fn set_copy<'py>(set: &Bound<'py, PySet>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: any iterable is accepted; the result is a new reference or an error.
    unsafe { Bound::from_owned_ptr_or_err(set.py(), ffi::PySet_New(set.as_ptr())) }
}

/// Is this an instance of the class or of a class derived from it, by inheritance alone?
pub(crate) fn is_a(object: &Bound<'_, PyAny>, class: &Py<PyType>) -> bool {
    // SAFETY: both are live types.
    unsafe {
        let of = ffi::Py_TYPE(object.as_ptr());
        of == class.as_ptr().cast() || ffi::PyType_IsSubtype(of, class.as_ptr().cast()) != 0
    }
}
