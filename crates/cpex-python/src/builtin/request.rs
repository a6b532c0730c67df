//! Who asks, as built-in plugins look at it: read from the request's context only when one of them asks.

use std::borrow::Cow;
use std::cell::Cell;

use cpex_builtin::plugin::{Fact, Keep, Keeps, Request, User};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::Value;

use super::keep;
use super::payload::{Unreadable, to_json};
use super::texts;
use crate::model::attribute;

/// A request, to one plugin.
pub(crate) struct Asking<'a, 'py> {
    /// The context of the request.
    pub(crate) request: &'a Bound<'py, PyAny>,
    /// The plugin's own context.
    pub(crate) context: &'a Bound<'py, PyAny>,
    /// What the plugin is shown of the extensions.
    pub(crate) extensions: Option<&'a Bound<'py, PyAny>>,
    /// Where to leave the keep of this call, so that it can give up what it puts.
    pub(crate) put_by: Option<&'a Cell<Option<Keep>>>,
}

impl Asking<'_, '_> {
    fn fact(&self, name: &str) -> Fact<'_, Unreadable> {
        let value = attribute(self.request, &PyString::intern(self.request.py(), name))?;
        match value.filter(|value| !value.is_none()) {
            None => Ok(None),
            Some(value) => text(&value, name).map(|text| Some(Cow::Owned(text))),
        }
    }
}

impl Request for Asking<'_, '_> {
    type Error = Unreadable;

    fn id(&self) -> Fact<'_, Unreadable> {
        self.fact("request_id")
    }

    /// The name or the record in the context, or else the identifier in its `user_context`.
    fn user(&self) -> Result<User<'_>, Unreadable> {
        let py = self.request.py();
        let user = attribute(self.request, intern!(py, "user"))?.filter(|user| !user.is_none());
        let Some(user) = user else {
            let known = attribute(self.request, intern!(py, "user_context"))?.filter(|user| !user.is_none());
            return match known {
                Some(known) => {
                    let id = known.getattr(intern!(py, "user_id"))?;
                    Ok(User::Name(Cow::Owned(text(&id, "user_context.user_id")?)))
                }
                None => Ok(User::Unknown),
            };
        };
        if user.is_instance_of::<PyDict>() {
            return match to_json(&user, None)? {
                Value::Object(record) => Ok(User::Record(Cow::Owned(record))),
                _ => Ok(User::Unknown),
            };
        }
        Ok(User::Name(Cow::Owned(text(&user, "user")?)))
    }

    fn tenant(&self) -> Fact<'_, Unreadable> {
        self.fact("tenant_id")
    }

    fn server(&self) -> Fact<'_, Unreadable> {
        self.fact("server_id")
    }

    fn header(&self, name: &str) -> Fact<'_, Unreadable> {
        let Some(extensions) = self.extensions.filter(|extensions| !extensions.is_none()) else {
            return Ok(None);
        };
        let py = extensions.py();
        let http = extensions.getattr(intern!(py, "http"))?;
        if http.is_none() {
            return Ok(None);
        }
        let headers = http.getattr(intern!(py, "headers"))?.cast_into::<PyDict>().map_err(PyErr::from)?;
        for (key, value) in headers.iter() {
            if let Ok(key) = key.cast::<PyString>()
                && texts::shown(key).eq_ignore_ascii_case(name)
            {
                return text(&value, "a header").map(|text| Some(Cow::Owned(text)));
            }
        }
        Ok(None)
    }

    /// That of the plugin's context, or else of the request: not all callers hand contexts on.
    fn keep(&self, keeps: &Keeps) -> Result<Keep, Unreadable> {
        let keep = keep::of(self.context, || Ok(self.id()?.map_or_else(Keep::default, |id| keeps.of(&id))))?;
        Ok(match self.put_by {
            Some(put_by) => {
                let keep = keep.for_call();
                put_by.set(Some(keep.clone()));
                keep
            }
            None => keep,
        })
    }
}

/// A text; what is none would be taken for somebody else, or for nobody.
fn text(value: &Bound<'_, PyAny>, what: &str) -> Result<String, Unreadable> {
    match value.cast::<PyString>() {
        Ok(text) => Ok(texts::shown(text).into_owned()),
        Err(_) => {
            let class = value.get_type().name()?.to_string();
            Err(PyTypeError::new_err(format!("{what} must be a text, not {class}")).into())
        }
    }
}
