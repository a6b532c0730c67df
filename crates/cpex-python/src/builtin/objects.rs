//! What there is to see in objects that are no plain values, containers or models.
//!
//! Nothing is passed over by accident: an object is a text, known to hold none, walked by all of its attributes, or an
//! error.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyByteArray, PyBytes, PyCFunction, PyDict, PyFunction, PyInt, PyMemoryView, PyString, PyTuple, PyType,
};

/// What an object is to whoever looks for texts.
pub(super) enum Seen<'py> {
    Nothing,
    Text(Bound<'py, PyString>),
    /// It stands for another value.
    Value(Bound<'py, PyAny>),
    Attributes(Vec<Attribute<'py>>),
}

/// An attribute of an object that has a value.
pub(super) struct Attribute<'py> {
    pub(super) name: Bound<'py, PyString>,
    pub(super) value: Bound<'py, PyAny>,
    /// Where it is kept, unless in `__dict__`.
    pub(super) slot: Option<Bound<'py, PyAny>>,
}

/// The classes that are told apart. pydantic has imported them all, except perhaps its own.
struct Known {
    enumeration: Py<PyAny>,
    texts: Py<PyTuple>,
    without_text: Py<PyTuple>,
    namespace: Py<PyAny>,
    member: Py<PyAny>,
}

static KNOWN: PyOnceLock<Known> = PyOnceLock::new();

impl Known {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let class = |module: &str, name: &str| py.import(module)?.getattr(name);
        let all = |names: &[(&str, &str)]| -> PyResult<Py<PyTuple>> {
            let classes: PyResult<Vec<_>> = names.iter().map(|(module, name)| class(module, name)).collect();
            Ok(PyTuple::new(py, classes?)?.unbind())
        };
        Ok(Self {
            enumeration: class("enum", "Enum")?.unbind(),
            texts: all(&[
                ("pathlib", "PurePath"),
                ("decimal", "Decimal"),
                ("pydantic", "AnyUrl"),
                ("pydantic_core", "Url"),
                ("pydantic_core", "MultiHostUrl"),
                ("ipaddress", "_IPAddressBase"),
            ])?,
            without_text: all(&[
                ("datetime", "date"),
                ("datetime", "time"),
                ("datetime", "timedelta"),
                ("datetime", "tzinfo"),
                ("uuid", "UUID"),
                ("numbers", "Number"),
                ("pydantic", "Secret"),
                ("pydantic", "SecretStr"),
                ("pydantic", "SecretBytes"),
                ("types", "MethodType"),
            ])?,
            namespace: class("types", "SimpleNamespace")?.unbind(),
            member: class("types", "MemberDescriptorType")?.unbind(),
        })
    }
}

/// Looks at an object.
///
/// # Errors
/// `TypeError` if it cannot be looked into, by the name of its class.
pub(super) fn look<'py>(value: &Bound<'py, PyAny>) -> PyResult<Seen<'py>> {
    let py = value.py();
    let known = KNOWN.get_or_try_init(py, || Known::new(py))?;
    if is_binary(value) || is_code(value) {
        return Ok(Seen::Nothing);
    }
    if value.is_instance(known.enumeration.bind(py))? {
        return Ok(Seen::Value(value.getattr(intern!(py, "_value_"))?));
    }
    if value.is_instance(known.texts.bind(py))? {
        return Ok(Seen::Text(value.str()?));
    }
    // Such as an integer of numpy.
    if let Some(number) = index(value)? {
        return Ok(Seen::Value(number.into_any()));
    }
    if value.is_instance(known.without_text.bind(py))? {
        return Ok(Seen::Nothing);
    }
    let is_dataclass = value.get_type().hasattr(intern!(py, "__dataclass_fields__"))?;
    if gives_others(value) && !is_dataclass {
        return Err(cannot(value)?);
    }
    Ok(Seen::Attributes(attributes(value, known)?))
}

/// All that an object holds, if that is its attributes.
fn attributes<'py>(value: &Bound<'py, PyAny>, known: &Known) -> PyResult<Vec<Attribute<'py>>> {
    let py = value.py();
    let mut found = Vec::new();
    for class in value.get_type().mro().iter() {
        let class = class.cast_into::<PyType>().map_err(PyErr::from)?;
        let own = class.getattr(intern!(py, "__dict__"))?;
        let mut room = 0;
        for member in own.call_method0(intern!(py, "items"))?.try_iter()? {
            let (name, slot): (Bound<'py, PyString>, Bound<'py, PyAny>) = member?.extract()?;
            if name == "__dict__" || name == "__weakref__" {
                room += 1;
            } else if slot.is_instance(known.member.bind(py))? {
                room += 1;
                // A slot may be unset.
                match slot.call_method1(intern!(py, "__get__"), (value,)) {
                    Ok(value) => found.push(Attribute { name, value, slot: Some(slot) }),
                    Err(error) if error.is_instance_of::<pyo3::exceptions::PyAttributeError>(py) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if size_of_own(&class) > room * size_of::<usize>() && !class.is(known.namespace.bind(py)) {
            return Err(cannot(value)?);
        }
    }
    if let Some(dict) = dict_of(value)? {
        for (name, value) in dict.iter() {
            let name = name.cast_into::<PyString>().map_err(PyErr::from)?;
            found.push(Attribute { name, value, slot: None });
        }
    }
    Ok(found)
}

/// How much an instance of a class has more than one of its base. What is not in slots is out of sight.
fn size_of_own(class: &Bound<'_, PyType>) -> usize {
    // SAFETY: both types are live, and only read.
    unsafe {
        let class = class.as_type_ptr();
        let base = (*class).tp_base;
        if base.is_null() {
            return 0;
        }
        usize::try_from((*class).tp_basicsize - (*base).tp_basicsize).unwrap_or(0)
            + usize::try_from((*class).tp_itemsize).unwrap_or(0)
    }
}

/// The attributes of an object that are in no slots.
pub(super) fn dict_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let py = value.py();
    // SAFETY: `value` is live; the answer is a new reference, or null with an error set.
    let dict = unsafe {
        Bound::from_owned_ptr_or_err(py, ffi::PyObject_GenericGetDict(value.as_ptr(), std::ptr::null_mut()))
    };
    match dict {
        Ok(dict) => Ok(Some(dict.cast_into().map_err(PyErr::from)?)),
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyAttributeError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

fn cannot(value: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let class = value.get_type().name()?;
    Ok(PyTypeError::new_err(format!("the payload cannot be read: {class} cannot be looked into")))
}

fn is_binary(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>()
}

fn is_code(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyType>()
        || value.is_instance_of::<PyFunction>()
        || value.is_instance_of::<PyCFunction>()
}

/// The integer that an object stands for.
fn index<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyInt>>> {
    // SAFETY: `value` is live; the answer is a new reference, or null with an error set.
    unsafe {
        if ffi::PyIndex_Check(value.as_ptr()) == 0 {
            return Ok(None);
        }
        let number = Bound::from_owned_ptr_or_err(value.py(), ffi::PyNumber_Index(value.as_ptr()))?;
        Ok(Some(number.cast_into().map_err(PyErr::from)?))
    }
}

/// Can other values be taken from it, or waited for?
fn gives_others(value: &Bound<'_, PyAny>) -> bool {
    // SAFETY: `value` is live, so its type is, whose slots are only read.
    unsafe {
        let class = ffi::Py_TYPE(value.as_ptr());
        let waits = (*class).tp_as_async;
        (*class).tp_iter.is_some()
            || ffi::PyIter_Check(value.as_ptr()) != 0
            || !waits.is_null() && ((*waits).am_aiter.is_some() || (*waits).am_await.is_some())
    }
}
