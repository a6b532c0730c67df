//! A Python payload, as built-in plugins look at it.

use std::borrow::Cow;

use cpex_builtin::plugin::{Headers, Payload, Shown, Site};
use cpex_builtin::text::{Editor, Place, TextTree, TooDeep};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use serde_json::Value;

use super::texts;
use crate::classes::classes;
use crate::model::{attribute, copy_with, fields_of, is_a};

/// A payload, whatever it is made of.
#[derive(Clone)]
pub(crate) struct Object<'py>(pub(crate) Bound<'py, PyAny>);

/// Why a payload or a request cannot be read: a failure of the plugin that asks.
#[derive(Debug)]
pub(crate) struct Unreadable(pub(crate) PyErr);

impl From<PyErr> for Unreadable {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

impl From<TooDeep> for Unreadable {
    fn from(error: TooDeep) -> Self {
        Self(PyValueError::new_err(format!("{error}, or holds itself")))
    }
}

impl TextTree for Object<'_> {
    type Error = Unreadable;

    fn edit(&self, editor: &mut dyn Editor, place: &Place<'_>) -> Result<Option<Self>, Unreadable> {
        Ok(texts::edit(&self.0, editor, place)?.map(Self))
    }
}

impl Payload for Object<'_> {
    fn text(&self, field: &str) -> Result<Option<Cow<'_, str>>, Unreadable> {
        let value = self.field(field)?.map(Bound::cast_into::<PyString>);
        Ok(value.and_then(Result::ok).map(|text| Cow::Owned(texts::shown(&text).into_owned())))
    }

    fn json(&self, field: Option<&str>) -> Result<Option<Cow<'_, Value>>, Unreadable> {
        let value = match field {
            None => to_json(&self.0, None)?,
            Some(field) if self.field(field)?.is_none() => return Ok(None),
            Some(field) => match to_json(&self.0, Some(field))? {
                Value::Object(mut fields) => fields.remove(field).unwrap_or(Value::Null),
                _ => Value::Null,
            },
        };
        Ok(Some(Cow::Owned(value)))
    }

    fn headers(&self, site: &Site) -> Result<Option<Headers>, Unreadable> {
        let Some(headers) = self.header_object(site)? else { return Ok(None) };
        let headers = plain(&headers)?;
        let mut all = Headers::new();
        for (name, value) in headers.iter() {
            all.insert(header(&name)?, header(&value)?);
        }
        Ok(Some(all))
    }

    fn with_headers(&self, site: &Site, headers: Headers) -> Result<Self, Unreadable> {
        let py = self.0.py();
        let plain = PyDict::new(py);
        for (name, value) in headers {
            plain.set_item(name, value)?;
        }
        let class = py.import("cpex.framework.hooks.http")?.getattr("HttpHeaderPayload")?;
        if site.returns_headers() {
            return Ok(Self(class.call1((plain,))?));
        }
        let Some(field) = site.headers().filter(|_| is_model(&self.0)) else {
            return Err(PyTypeError::new_err("the payload has no place for headers").into());
        };
        // A dict stays a dict, and a model of the program's own what it is.
        let made = match self.header_object(site)? {
            Some(old) if old.is_instance_of::<PyDict>() => plain.into_any(),
            Some(old) => old.get_type().call1((plain,))?,
            None => class.call1((plain,))?,
        };
        let (fields, name) = (fields_of(&self.0)?.copy()?, PyString::new(py, field).into_any());
        fields.set_item(&name, made)?;
        Ok(Self(copy_with(&self.0, &fields, None, &[name])?))
    }
}

impl Shown for Object<'_> {
    type Handle = Py<PyAny>;

    fn handle(&self) -> Py<PyAny> {
        self.0.clone().unbind()
    }

    fn is(&self, handle: &Py<PyAny>) -> bool {
        handle.is(&self.0)
    }

    fn of(&self, handle: &Py<PyAny>) -> Self {
        Self(handle.bind(self.0.py()).clone())
    }
}

impl<'py> Object<'py> {
    /// A field of a model, or an item of a dict.
    fn field(&self, field: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.0.cast::<PyDict>() {
            Ok(dict) => dict.get_item(field),
            Err(_) => attribute(&self.0, &PyString::intern(self.0.py(), field)),
        }
    }

    /// The headers, or those that a plugin has put in the place of the payload.
    fn header_object(&self, site: &Site) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(field) = site.headers() else { return Ok(None) };
        let is_headers = is_a(&self.0, &classes(self.0.py())?.root_model);
        if site.returns_headers() && is_headers {
            return Ok(Some(self.0.clone()));
        }
        Ok(self.field(field)?.filter(|headers| !headers.is_none()))
    }
}

/// The dict that headers are kept in.
fn plain<'py>(headers: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let headers = match headers.getattr_opt(intern!(headers.py(), "root"))? {
        Some(root) => root,
        None => headers.clone(),
    };
    let class = headers.get_type().name()?.to_string();
    headers.cast_into().map_err(|_| PyTypeError::new_err(format!("headers must be a dict, not {class}")))
}

fn header(text: &Bound<'_, PyAny>) -> PyResult<String> {
    match text.cast::<PyString>() {
        Ok(text) => Ok(texts::shown(text).into_owned()),
        Err(_) => Err(PyTypeError::new_err("names and values of headers must be texts")),
    }
}

/// JSON of an object, or of one of its fields, by the model's own serializer.
pub(super) fn to_json(object: &Bound<'_, PyAny>, field: Option<&str>) -> PyResult<Value> {
    let py = object.py();
    let kwargs = PyDict::new(py);
    if let Some(field) = field {
        kwargs.set_item("include", pyo3::types::PySet::new(py, [field])?)?;
    }
    let text = if is_a(object, &classes(py)?.base_model) {
        kwargs.set_item("warnings", false)?;
        let serializer = object.get_type().getattr(intern!(py, "__pydantic_serializer__"))?;
        serializer.call_method(intern!(py, "to_json"), (object,), Some(&kwargs))?
    } else {
        py.import(intern!(py, "pydantic_core"))?.call_method(
            intern!(py, "to_json"),
            (object,),
            Some(&kwargs),
        )?
    };
    let text = text.cast_into::<PyBytes>()?;
    serde_json::from_slice(text.as_bytes())
        .map_err(|_| PyValueError::new_err("the payload is no JSON, or nested too deeply"))
}

fn is_model(object: &Bound<'_, PyAny>) -> bool {
    classes(object.py()).is_ok_and(|classes| is_a(object, &classes.base_model))
}
