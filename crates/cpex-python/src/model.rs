//! pydantic instances, read and built without going through validation.
//!
//! An instance of a pydantic model is an ordinary object with a `__dict__` and three more slots. The driver
//! fills them itself where it knows the values to be right, because it makes several instances per plugin.

use std::ptr;

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString, PyType};

use crate::classes::classes;

/// A model class and the fields its instances count as set.
pub(crate) struct Shape {
    pub(crate) class: Py<PyType>,
    pub(crate) fields_set: Py<PySet>,
}

/// The slots of `BaseModel` beside `__dict__`, and the class of an object.
pub(crate) struct Slots {
    pub(crate) fields_set: Slot,
    pub(crate) extra: Slot,
    pub(crate) private: Slot,
    class: Slot,
}

/// A data descriptor, past the attributes of the instance's own class.
pub(crate) struct Slot {
    descriptor: Py<PyAny>,
    get: ffi::descrgetfunc,
    set: ffi::descrsetfunc,
}

impl Slots {
    pub(crate) fn of(base_model: &Bound<'_, PyType>) -> PyResult<Self> {
        let slot = |name| Slot::of(base_model.getattr(name)?);
        let object = base_model.py().import("builtins")?.getattr("object")?;
        Ok(Self {
            fields_set: slot("__pydantic_fields_set__")?,
            extra: slot("__pydantic_extra__")?,
            private: slot("__pydantic_private__")?,
            class: Slot::of(object.getattr("__dict__")?.get_item("__class__")?)?,
        })
    }
}

impl Slot {
    pub(crate) fn of(descriptor: Bound<'_, PyAny>) -> PyResult<Self> {
        // SAFETY: `descriptor` is a live object, so its type is too, whose slots are only read.
        let (get, set) = unsafe {
            let class = ffi::Py_TYPE(descriptor.as_ptr());
            ((*class).tp_descr_get, (*class).tp_descr_set)
        };
        let (Some(get), Some(set)) = (get, set) else {
            return Err(PyTypeError::new_err(format!("{descriptor} is not a slot")));
        };
        Ok(Self { descriptor: descriptor.unbind(), get, set })
    }

    pub(crate) fn fill(&self, instance: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: `set` is the setter of the descriptor's own type; it checks the type of the instance and
        // takes its own reference to the value. All three are live for the call.
        let failed = unsafe { (self.set)(self.descriptor.as_ptr(), instance.as_ptr(), value.as_ptr()) } < 0;
        if failed { Err(PyErr::fetch(instance.py())) } else { Ok(()) }
    }

    pub(crate) fn read<'py>(&self, instance: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: `get` is the getter of the descriptor's own type; it checks the type of the instance and
        // returns a new reference, or null with an error set. All pointers are live for the call.
        unsafe {
            let class = ffi::Py_TYPE(instance.as_ptr()).cast();
            let value = (self.get)(self.descriptor.as_ptr(), instance.as_ptr(), class);
            Bound::from_owned_ptr_or_err(instance.py(), value)
        }
    }
}

impl Slot {
    /// The value, unless nothing was ever put there: a `RootModel` has neither extra nor private attributes.
    pub(crate) fn read_if_set<'py>(
        &self,
        instance: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.read(instance) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_instance_of::<PyAttributeError>(instance.py()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Shape {
    /// A new instance of this shape around the values of its fields.
    pub(crate) fn build<'py>(&self, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let py = fields.py();
        instance(self.class.bind(py), fields, &set_copy(self.fields_set.bind(py))?)
    }
}

/// A new instance of a class around the values of its fields, of which these count as set.
pub(crate) fn instance<'py>(
    class: &Bound<'py, PyType>,
    fields: &Bound<'py, PyDict>,
    fields_set: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let made = bare(class)?;
    set_fields(&made, fields)?;
    fill_slots(&made, fields_set)?;
    Ok(made)
}

/// Makes an unfinished instance into one of this shape.
pub(crate) fn fill(instance: &Bound<'_, PyAny>, shape: &Shape, fields: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = instance.py();
    let slots = &classes(py)?.slots;
    set_fields(instance, fields)?;
    fill_slots(instance, &set_copy(shape.fields_set.bind(py))?)?;
    slots.class.fill(instance, shape.class.bind(py))
}

/// A new instance of a class with nothing in it.
pub(crate) fn bare<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: `class` is a model class, thus a heap type that inherits `object.__new__`, which allocates as
    // `PyType_GenericNew` does; the result is a new reference or an error.
    unsafe {
        let made = ffi::PyType_GenericNew(class.as_type_ptr(), ptr::null_mut(), ptr::null_mut());
        Bound::from_owned_ptr_or_err(class.py(), made)
    }
}

/// Gives an instance its `__dict__`.
pub(crate) fn set_fields(instance: &Bound<'_, PyAny>, fields: &Bound<'_, PyDict>) -> PyResult<()> {
    // SAFETY: the dict is set on an object that has a `__dict__`, which takes its own reference.
    let failed =
        unsafe { ffi::PyObject_GenericSetDict(instance.as_ptr(), fields.as_ptr(), ptr::null_mut()) < 0 };
    if failed { Err(PyErr::fetch(instance.py())) } else { Ok(()) }
}

fn fill_slots(instance: &Bound<'_, PyAny>, fields_set: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = instance.py();
    let slots = &classes(py)?.slots;
    slots.fields_set.fill(instance, fields_set)?;
    slots.extra.fill(instance, py.None().bind(py))?;
    slots.private.fill(instance, py.None().bind(py))
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

/// A value of a dict with plain string keys, without taking a reference to it.
pub(crate) fn item<'a, 'py>(
    dict: &'a Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
) -> Option<Borrowed<'a, 'py, PyAny>> {
    // SAFETY: both are live. The result is borrowed from the dict, which nothing changes as long as the caller
    // holds it without running Python code. An error (a key that cannot be compared) counts as absence.
    unsafe {
        let value = ffi::PyDict_GetItemWithError(dict.as_ptr(), key.as_ptr());
        if value.is_null() {
            ffi::PyErr_Clear();
        }
        Borrowed::from_ptr_or_opt(dict.py(), value)
    }
}

/// An attribute, straight from the `__dict__` if it is a model that has it there. `None`: there is none.
pub(crate) fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if is_a(object, &classes(object.py())?.base_model)
        && let Some(value) = item(&fields_of(object)?, name)
    {
        return Ok(Some(value.to_owned()));
    }
    object.getattr_opt(name)
}

/// As `model_copy(update=…)`: the same class, the fields replaced, the extra fields too if given.
pub(crate) fn copy_with<'py>(
    model: &Bound<'py, PyAny>,
    fields: &Bound<'py, PyDict>,
    extra: Option<Bound<'py, PyDict>>,
    newly_set: &[Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let py = model.py();
    let slots = &classes(py)?.slots;
    let fields_set = slots.fields_set.read_if_set(model)?;
    let fields_set =
        fields_set.map(|set| set_copy(&set)?.cast_into::<PySet>().map_err(PyErr::from)).transpose()?;
    for name in newly_set {
        if let Some(set) = &fields_set {
            set.add(name)?;
        }
    }
    let extra = match extra {
        Some(extra) => Some(extra.into_any()),
        None => slots.extra.read_if_set(model)?.map(|extra| copied_dict(&extra)).transpose()?,
    };
    let private = slots.private.read_if_set(model)?.map(|private| copied_dict(&private)).transpose()?;
    let made = bare(&model.get_type())?;
    set_fields(&made, fields)?;
    // A model that was made without its constructor may lack it; its copy does, too.
    if let Some(fields_set) = fields_set {
        slots.fields_set.fill(&made, &fields_set)?;
    }
    if let Some(extra) = extra {
        slots.extra.fill(&made, &extra)?;
    }
    if let Some(private) = private {
        slots.private.fill(&made, &private)?;
    }
    Ok(made)
}

fn copied_dict<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match value.cast::<PyDict>() {
        Ok(dict) => Ok(dict.copy()?.into_any()),
        Err(_) => Ok(value.clone()),
    }
}

fn set_copy<'py>(set: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
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
