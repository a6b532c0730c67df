//! The texts of Python objects, seen where they are.
//!
//! Texts are `str` and what derives from it, keys of dicts, integers that may be numbers of cards or accounts, and
//! URLs, paths, decimals and IP addresses. They are looked for in dicts, lists, tuples, sets and pydantic models, in
//! enumerations, and in the attributes of other objects ([`objects`]). Binary data is no text. A model's private
//! attributes and its secrets (`SecretStr`) are left alone: neither is dumped or shown. A value that holds something
//! elsewhere, such as a generator, cannot be looked into, and is an error.
//!
//! What is changed is copied on the way up to the root, and keeps its class; all else stays the object it was. A
//! changed text is a plain `str`, whatever it was before.

use std::borrow::Cow;

use cpex_builtin::text::{Editor, Place, SHORTEST_NUMBER};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};

use super::copies;
use super::objects::{self, Attribute, Seen};
use super::payload::Unreadable;
use crate::classes::classes;
use crate::model::{copy_with, fields_of, is_a};

/// More values than this are in no payload: some hold each other many times over.
const MOST_VALUES: usize = 1_000_000;

type Edited<'py> = Result<Option<Bound<'py, PyAny>>, Unreadable>;

/// Shows the texts of an object to an editor; the object with the changes, if there are any.
pub(super) fn edit<'py>(
    object: &Bound<'py, PyAny>,
    editor: &mut dyn Editor,
    place: &Place<'_>,
) -> Edited<'py> {
    Walk { editor, left: MOST_VALUES }.value(object, place)
}

struct Walk<'e> {
    editor: &'e mut dyn Editor,
    left: usize,
}

impl Walk<'_> {
    /// The commonest kinds come first.
    fn value<'py>(&mut self, value: &Bound<'py, PyAny>, place: &Place<'_>) -> Edited<'py> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            PyValueError::new_err(format!("the payload has more than {MOST_VALUES} values, or holds itself"))
        })?;
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(self.text(text, place));
        }
        if value.is_none() || value.is_instance_of::<PyBool>() || value.is_instance_of::<PyFloat>() {
            return Ok(None);
        }
        if let Ok(number) = value.cast::<PyInt>() {
            return self.number(number, place);
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            return self.dict(dict, place);
        }
        if let Ok(list) = value.cast::<PyList>() {
            return self.list(list, place);
        }
        if is_a(value, &classes(value.py())?.base_model) {
            return self.model(value, place);
        }
        if let Ok(tuple) = value.cast::<PyTuple>() {
            let edited = self.items(tuple.iter(), place)?;
            return Ok(edited.map(|items| copies::tuple(tuple, items)).transpose()?);
        }
        if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
            let items = value.try_iter()?.collect::<PyResult<Vec<_>>>()?;
            let edited = self.items(items.into_iter(), place)?;
            return Ok(edited.map(|items| copies::set(value, items)).transpose()?);
        }
        self.rare(value, place)
    }

    fn text<'py>(&mut self, text: &Bound<'py, PyString>, place: &Place<'_>) -> Option<Bound<'py, PyAny>> {
        let edited = self.editor.text(&shown(text), place)?;
        Some(PyString::new(text.py(), &edited).into_any())
    }

    fn number<'py>(&mut self, number: &Bound<'py, PyInt>, place: &Place<'_>) -> Edited<'py> {
        let Some(number) = large(number) else { return Ok(None) };
        let (py, text) = (number.1, number.0.to_string());
        Ok(self.editor.text(&text, place).map(|edited| PyString::new(py, &edited).into_any()))
    }

    fn dict<'py>(&mut self, dict: &Bound<'py, PyDict>, place: &Place<'_>) -> Edited<'py> {
        let mut changes = Vec::new();
        let mut items = Items::of(dict);
        while let Some((key, value)) = items.next()? {
            let new_key = self.value(&key, &place.of_keys())?;
            let new_value = self.value(&value, &place.key(&name(new_key.as_ref().unwrap_or(&key)))?)?;
            if new_key.is_some() || new_value.is_some() {
                changes.push(copies::Change { key, new_key, new_value });
            }
        }
        Ok(if changes.is_empty() { None } else { Some(copies::dict(dict, changes)?) })
    }

    fn list<'py>(&mut self, list: &Bound<'py, PyList>, place: &Place<'_>) -> Edited<'py> {
        let mut changes = Vec::new();
        // Its length is looked at each time: an odd value in it may have run code of its own.
        let mut index = 0;
        while index < list.len() {
            if let Some(new) = self.value(&list.get_item(index)?, &place.index(index)?)? {
                changes.push((index, new));
            }
            index += 1;
        }
        Ok(if changes.is_empty() { None } else { Some(copies::list(list, changes)?) })
    }

    /// All items, if any of them is changed.
    fn items<'py>(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        place: &Place<'_>,
    ) -> Result<Option<Vec<Bound<'py, PyAny>>>, Unreadable> {
        let mut is_changed = false;
        let mut all = Vec::with_capacity(items.size_hint().0);
        for (index, item) in items.enumerate() {
            let edited = self.value(&item, &place.index(index)?)?;
            is_changed |= edited.is_some();
            all.push(edited.unwrap_or(item));
        }
        Ok(is_changed.then_some(all))
    }

    fn model<'py>(&mut self, model: &Bound<'py, PyAny>, place: &Place<'_>) -> Edited<'py> {
        let fields = fields_of(model)?;
        let mut changes = Vec::new();
        let mut items = Items::of(&fields);
        while let Some((field, value)) = items.next()? {
            // The names of fields are the program's, not the payload's.
            if let Some(new) = self.value(&value, &place.key(&name(&field))?)? {
                changes.push((field, new));
            }
        }
        let extra = match classes(model.py())?.slots.extra.read_if_set(model)?.map(Bound::cast_into::<PyDict>)
        {
            Some(Ok(extra)) => self.dict(&extra, place)?,
            Some(Err(_)) | None => None,
        };
        if changes.is_empty() && extra.is_none() {
            return Ok(None);
        }
        let (fields, mut names) = (fields.copy()?, Vec::with_capacity(changes.len()));
        for (field, value) in changes {
            fields.set_item(&field, value)?;
            names.push(field);
        }
        let extra = extra.map(Bound::cast_into::<PyDict>).transpose().map_err(PyErr::from)?;
        Ok(Some(copy_with(model, &fields, extra, &names)?))
    }

    fn rare<'py>(&mut self, value: &Bound<'py, PyAny>, place: &Place<'_>) -> Edited<'py> {
        let attributes = match objects::look(value)? {
            Seen::Nothing => return Ok(None),
            Seen::Text(text) => return Ok(self.text(&text, place)),
            // A level of its own: it may stand for itself.
            Seen::Value(other) => return self.value(&other, &place.index(0)?),
            Seen::Attributes(attributes) => attributes,
        };
        let mut changes = Vec::new();
        for attribute in attributes {
            if let Some(new) = self.value(&attribute.value, &place.key(&shown(&attribute.name))?)? {
                changes.push(Attribute { value: new, ..attribute });
            }
        }
        Ok(if changes.is_empty() { None } else { Some(copies::object(value, changes)?) })
    }
}

/// The items of a dict, which an odd value may change while it is walked.
struct Items<'a, 'py> {
    dict: &'a Bound<'py, PyDict>,
    length: usize,
    at: ffi::Py_ssize_t,
}

impl<'a, 'py> Items<'a, 'py> {
    fn of(dict: &'a Bound<'py, PyDict>) -> Self {
        Self { dict, length: dict.len(), at: 0 }
    }

    #[allow(clippy::type_complexity, reason = "an item is a pair")]
    fn next(&mut self) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        if self.dict.len() != self.length {
            return Err(PyRuntimeError::new_err("the payload has changed while it was read"));
        }
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: `dict` is live, and the position is checked against it at each call. Both objects are borrowed from
        // the dict; references to them are taken before anything else runs.
        unsafe {
            if ffi::PyDict_Next(self.dict.as_ptr(), &raw mut self.at, &raw mut key, &raw mut value) == 0 {
                return Ok(None);
            }
            let py = self.dict.py();
            Ok(Some((Bound::from_borrowed_ptr(py, key), Bound::from_borrowed_ptr(py, value))))
        }
    }
}

/// A text as Rust sees it: half of a surrogate pair becomes a replacement character, and the rest is still seen.
pub(super) fn shown<'a>(text: &'a Bound<'_, PyString>) -> Cow<'a, str> {
    text.to_string_lossy()
}

/// What a key is called in the place of what is below it.
fn name<'a>(key: &'a Bound<'_, PyAny>) -> Cow<'a, str> {
    if let Ok(text) = key.cast::<PyString>() {
        return shown(text);
    }
    if let Ok(Some(number)) = key.cast::<PyInt>().map(|number| number.extract::<i64>().ok()) {
        return Cow::Owned(number.to_string());
    }
    key.get_type().name().map_or(Cow::Borrowed("?"), |class| Cow::Owned(class.to_string()))
}

/// An integer that may be the number of something.
fn large<'py>(number: &Bound<'py, PyInt>) -> Option<(u64, Python<'py>)> {
    let mut overflow = 0;
    // SAFETY: `number` is a live int; an overflow is told by the flag, without an error.
    let small = unsafe { ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &raw mut overflow) };
    let value = match overflow {
        0 => u64::try_from(small).ok(),
        1 => number.extract().ok(),
        _ => None,
    };
    value.filter(|value| *value >= SHORTEST_NUMBER).map(|value| (value, number.py()))
}
