//! A walk over the texts of anything that serde can serialize.
//!
//! The same walk looks and builds: looking allocates nothing; building makes JSON, with the changes of the editor.
//! What is shown is what JSON would have as text: texts, keys of maps, and whole numbers long enough for a card or an
//! account. Names of fields are code, and are not shown.

use std::fmt::Display;

use cpex_builtin::text::{Editor, Place, SHORTEST_NUMBER, rename};
use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Map, Value};

use super::texts::Unreadable;

/// A walk that has come to some value.
pub(super) struct Walk<'w> {
    editor: &'w mut dyn Editor,
    place: &'w Place<'w>,
    task: &'w mut Task,
}

/// What a walk is for.
enum Task {
    Look,
    /// Builds JSON. How many changes there were, and in which fields of the outermost value.
    Build {
        changes: usize,
        touched: Vec<String>,
    },
}

/// What a walk has built.
pub(super) struct Walked {
    pub(super) json: Value,
    /// The fields of the outermost value with changes in them.
    pub(super) touched: Vec<String>,
}

impl Walk<'_> {
    /// Shows every text to an editor.
    pub(super) fn look(
        editor: &mut dyn Editor,
        value: &impl Serialize,
        place: &Place<'_>,
    ) -> Result<(), Unreadable> {
        value.serialize(Walk { editor, place, task: &mut Task::Look }).map(drop)
    }

    /// Shows every text to an editor and makes its changes.
    pub(super) fn build(
        editor: &mut dyn Editor,
        value: &impl Serialize,
        place: &Place<'_>,
    ) -> Result<Walked, Unreadable> {
        let mut task = Task::Build { changes: 0, touched: Vec::new() };
        let json = value.serialize(Walk { editor, place, task: &mut task })?;
        let touched = match task {
            Task::Build { touched, .. } => touched,
            Task::Look => Vec::new(),
        };
        Ok(Walked { json, touched })
    }

    /// Shows a text; what stands there in JSON.
    fn show(self, text: &str, json: impl FnOnce() -> Value) -> Value {
        let edited = self.editor.text(text, self.place);
        match (self.task, edited) {
            (Task::Look, _) => Value::Null,
            (Task::Build { changes, .. }, Some(edited)) => {
                *changes += 1;
                Value::String(edited)
            }
            (Task::Build { .. }, None) => json(),
        }
    }

    fn number(self, number: u128, json: impl FnOnce() -> Value) -> Value {
        if number < u128::from(SHORTEST_NUMBER) { json() } else { self.show(&number.to_string(), json) }
    }
}

impl Task {
    fn changes(&self) -> usize {
        match self {
            Self::Look => 0,
            Self::Build { changes, .. } => *changes,
        }
    }

    /// Notes the fields of a value that had changes since; those of the outermost value are noted last.
    fn note(&mut self, since: usize, place: &Place<'_>, fields: [&str; 2]) {
        if let Self::Build { changes, touched } = self
            && *changes > since
            && place.is_root()
        {
            touched.extend(fields.map(str::to_owned));
        }
    }
}

/// The items of a list.
pub(super) struct Items<'w> {
    walk: Walk<'w>,
    index: usize,
    built: Vec<Value>,
    variant: Option<&'static str>,
}

/// The entries of a map, or the fields of a struct.
pub(super) struct Entries<'w> {
    walk: Walk<'w>,
    /// The key that was read last.
    key: Key,
    built: Vec<(String, Option<String>, Value)>,
    variant: Option<&'static str>,
}

/// A key of a map, its new name, and how many changes there were before it.
#[derive(Default)]
struct Key {
    name: String,
    new: Option<String>,
    since: usize,
}

impl<'w> Items<'w> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        let Walk { editor, place, task } = &mut self.walk;
        let place = place.index(self.index)?;
        let json = value.serialize(Walk { editor: *editor, place: &place, task })?;
        self.index += 1;
        if matches!(self.walk.task, Task::Build { .. }) {
            self.built.push(json);
        }
        Ok(())
    }

    fn finish(self) -> Value {
        tagged(self.variant, Value::Array(self.built))
    }
}

impl<'w> Entries<'w> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unreadable> {
        let Walk { editor, place, task } = &mut self.walk;
        self.key.since = task.changes();
        self.key.name.clear();
        let mut reader = KeyReader { editor: *editor, name: &mut self.key.name, new: None };
        key.serialize(Walk { editor: &mut reader, place: &place.of_keys(), task })?;
        self.key.new = reader.new;
        if self.key.name.is_empty() {
            // It is no text, or an empty one: as `serde_json` would write it.
            self.key.name = match serde_json::to_value(key)? {
                Value::String(text) => text,
                other => other.to_string(),
            };
        }
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        let Key { name, new, since } = &mut self.key;
        let shown = new.as_deref().unwrap_or(name);
        let Walk { editor, place, task } = &mut self.walk;
        let json = value.serialize(Walk { editor: *editor, place: &place.key(shown)?, task })?;
        task.note(*since, place, [name, shown]);
        if matches!(task, Task::Build { .. }) {
            self.built.push((name.clone(), new.take(), json));
        }
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unreadable> {
        let Walk { editor, place, task } = &mut self.walk;
        let since = task.changes();
        let json = value.serialize(Walk { editor: *editor, place: &place.key(name)?, task })?;
        task.note(since, place, [name, name]);
        if matches!(task, Task::Build { .. }) {
            self.built.push((name.to_owned(), None, json));
        }
        Ok(())
    }

    fn finish(self) -> Value {
        tagged(self.variant, Value::Object(rename(self.built)))
    }
}

/// Shows a key, and notes what it is called and what it is to be called.
struct KeyReader<'a> {
    editor: &'a mut dyn Editor,
    name: &'a mut String,
    new: Option<String>,
}

impl Editor for KeyReader<'_> {
    fn text(&mut self, text: &str, place: &Place<'_>) -> Option<String> {
        self.name.push_str(text);
        self.new = self.editor.text(text, place);
        self.new.clone()
    }
}

fn tagged(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Object(Map::from_iter([(variant.to_owned(), value)])),
        None => value,
    }
}

impl<'w> Serializer for Walk<'w> {
    type Ok = Value;
    type Error = Unreadable;
    type SerializeSeq = Items<'w>;
    type SerializeTuple = Items<'w>;
    type SerializeTupleStruct = Items<'w>;
    type SerializeTupleVariant = Items<'w>;
    type SerializeMap = Entries<'w>;
    type SerializeStruct = Entries<'w>;
    type SerializeStructVariant = Entries<'w>;

    fn serialize_bool(self, value: bool) -> Result<Value, Unreadable> {
        Ok(value.into())
    }

    fn serialize_i8(self, value: i8) -> Result<Value, Unreadable> {
        Ok(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Value, Unreadable> {
        Ok(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Value, Unreadable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Value, Unreadable> {
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => Ok(value.into()),
        }
    }

    fn serialize_i128(self, value: i128) -> Result<Value, Unreadable> {
        let json = serde_json::to_value(value)?;
        Ok(match u128::try_from(value) {
            Ok(value) => self.number(value, || json),
            Err(_) => json,
        })
    }

    fn serialize_u8(self, value: u8) -> Result<Value, Unreadable> {
        Ok(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Value, Unreadable> {
        Ok(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Value, Unreadable> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Value, Unreadable> {
        Ok(self.number(value.into(), || value.into()))
    }

    fn serialize_u128(self, value: u128) -> Result<Value, Unreadable> {
        let json = serde_json::to_value(value)?;
        Ok(self.number(value, || json))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Unreadable> {
        Ok(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Unreadable> {
        Ok(value.into())
    }

    fn serialize_char(self, value: char) -> Result<Value, Unreadable> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<Value, Unreadable> {
        Ok(self.show(text, || text.into()))
    }

    /// Bytes may be text. In JSON they are a list of numbers, so that a change of them cannot be read back.
    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, Unreadable> {
        Ok(self.show(&String::from_utf8_lossy(bytes), || bytes.into()))
    }

    fn serialize_none(self) -> Result<Value, Unreadable> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Unreadable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Unreadable> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Unreadable> {
        Ok(Value::Null)
    }

    /// Names of variants are code.
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Unreadable> {
        Ok(if matches!(self.task, Task::Build { .. }) { variant.into() } else { Value::Null })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Unreadable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Unreadable> {
        let place = self.place.key(variant)?;
        let is_built = matches!(self.task, Task::Build { .. });
        let json = value.serialize(Walk { editor: self.editor, place: &place, task: self.task })?;
        Ok(tagged(is_built.then_some(variant), json))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'w>, Unreadable> {
        Ok(Items { walk: self, index: 0, built: Vec::new(), variant: None })
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'w>, Unreadable> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Items<'w>, Unreadable> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'w>, Unreadable> {
        Ok(Items { variant: Some(variant), ..self.serialize_seq(None)? })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'w>, Unreadable> {
        Ok(Entries { walk: self, key: Key::default(), built: Vec::new(), variant: None })
    }

    /// Features of `serde_json` can make numbers of it, and JSON that nobody has looked at.
    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Entries<'w>, Unreadable> {
        if name.starts_with("$serde_json::private::") {
            return Err(Unreadable::custom(
                "arbitrary_precision and raw_value of serde_json are not supported",
            ));
        }
        self.serialize_map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Entries<'w>, Unreadable> {
        Ok(Entries { variant: Some(variant), ..self.serialize_map(Some(length))? })
    }
}

/// The traits that a list has of serde, which differ in names only.
macro_rules! items {
    ($($list:ident :: $add:ident),*) => {$(
        impl $list for Items<'_> {
            type Ok = Value;
            type Error = Unreadable;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
                self.item(value)
            }

            fn end(self) -> Result<Value, Unreadable> {
                Ok(self.finish())
            }
        }
    )*};
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

impl SerializeMap for Entries<'_> {
    type Ok = Value;
    type Error = Unreadable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unreadable> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        self.value(value)
    }

    fn end(self) -> Result<Value, Unreadable> {
        Ok(self.finish())
    }
}

/// The same for fields.
macro_rules! fields {
    ($($fields:ident),*) => {$(
        impl $fields for Entries<'_> {
            type Ok = Value;
            type Error = Unreadable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Unreadable> {
                self.field(name, value)
            }

            fn end(self) -> Result<Value, Unreadable> {
                Ok(self.finish())
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl Error for Unreadable {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }
}
