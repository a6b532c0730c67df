//! JSON text to `google.protobuf.Struct`.
//!
//! Every message of the encoding is preceded by its length, so the bytes are written from the end: when a message's
//! length is asked for, it is known. The text is first cut into a flat list of tokens that borrow from it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use crate::json::InvalidJson;

/// Keys of the fields on the wire: the field's number and its wire type.
pub(super) mod key {
    pub(in crate::wire) const STRUCT_ENTRY: u8 = 0x0a;
    pub(in crate::wire) const ENTRY_KEY: u8 = 0x0a;
    pub(in crate::wire) const ENTRY_VALUE: u8 = 0x12;
    pub(in crate::wire) const LIST_ITEM: u8 = 0x0a;
    pub(in crate::wire) const NULL: u8 = 0x08;
    pub(in crate::wire) const NUMBER: u8 = 0x11;
    pub(in crate::wire) const TEXT: u8 = 0x1a;
    pub(in crate::wire) const BOOL: u8 = 0x20;
    pub(in crate::wire) const OBJECT: u8 = 0x2a;
    pub(in crate::wire) const LIST: u8 = 0x32;
}

/// A JSON value cannot become a `Struct`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NotEncodable {
    /// A `Struct` is an object.
    #[error("a Struct must be a JSON object")]
    NotAnObject,
    /// Nested too deep, or a number beyond every double.
    #[error(transparent)]
    Invalid(#[from] InvalidJson),
}

/// Encodes the object in `text`, without the member `omit` of the outermost object.
pub(super) fn struct_bytes(text: &str, omit: Option<&str>) -> Result<Vec<u8>, NotEncodable> {
    let mut tokens = Vec::new();
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_any(Tokens { list: &mut tokens, omit }).map_err(InvalidJson::from)?;
    json.end().map_err(InvalidJson::from)?;
    match tokens.first() {
        Some(Token::Open(Container::Object)) => Ok(write_back_to_front(&tokens, text.len())),
        _ => Err(NotEncodable::NotAnObject),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    List,
}

enum Token<'t> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'t, str>),
    Key(Cow<'t, str>),
    Open(Container),
    Close(Container),
}

fn write_back_to_front(tokens: &[Token<'_>], hint: usize) -> Vec<u8> {
    let mut out = Rear::with_capacity(hint + hint / 2);
    // The containers that are open, and where each ends.
    let mut open: Vec<(Container, usize)> = Vec::new();
    // Where the value that was written last ends.
    let mut end = 0;
    for token in tokens.iter().rev() {
        match token {
            Token::Close(container) => {
                open.push((*container, out.written()));
                continue;
            }
            Token::Key(name) => {
                out.prefix(key::ENTRY_VALUE, end);
                let value = out.written();
                out.bytes(name.as_bytes());
                out.prefix(key::ENTRY_KEY, value);
                out.prefix(key::STRUCT_ENTRY, end);
                continue;
            }
            Token::Open(container) => {
                let Some((_, start)) = open.pop() else { break };
                if open.is_empty() {
                    break;
                }
                end = start;
                out.prefix(if *container == Container::Object { key::OBJECT } else { key::LIST }, end);
            }
            Token::Null => {
                end = out.written();
                out.bytes(&[key::NULL, 0]);
            }
            Token::Bool(value) => {
                end = out.written();
                out.bytes(&[key::BOOL, u8::from(*value)]);
            }
            Token::Number(value) => {
                end = out.written();
                out.bytes(&value.to_le_bytes());
                out.bytes(&[key::NUMBER]);
            }
            Token::Text(text) => {
                end = out.written();
                out.bytes(text.as_bytes());
                out.prefix(key::TEXT, end);
            }
        }
        if let Some((Container::List, _)) = open.last() {
            out.prefix(key::LIST_ITEM, end);
        }
    }
    out.finish()
}

/// A buffer that grows at its front.
struct Rear {
    buffer: Vec<u8>,
    start: usize,
}

impl Rear {
    fn with_capacity(capacity: usize) -> Self {
        Self { buffer: vec![0; capacity], start: capacity }
    }

    fn written(&self) -> usize {
        self.buffer.len() - self.start
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            let more = bytes.len() + self.buffer.len();
            let mut larger = vec![0; more + self.written()];
            larger[more..].copy_from_slice(&self.buffer[self.start..]);
            self.buffer = larger;
            self.start = more;
        }
        self.start -= bytes.len();
        self.buffer[self.start..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Writes a field's key and the length of what was written since `end`.
    fn prefix(&mut self, key: u8, end: usize) {
        let mut head = [key; 11];
        let mut rest = self.written() - end;
        let mut length = 1;
        while rest > 0x7f {
            head[length] = (rest & 0x7f) as u8 | 0x80;
            rest >>= 7;
            length += 1;
        }
        head[length] = rest as u8;
        self.bytes(&head[..=length]);
    }

    fn finish(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }
}

/// Cuts a text into tokens; `omit` holds for the outermost object only.
struct Tokens<'a, 't> {
    list: &'a mut Vec<Token<'t>>,
    omit: Option<&'a str>,
}

impl<'t> DeserializeSeed<'t> for Tokens<'_, 't> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Tokens<'_, 't> {
    fn push<E>(self, token: Token<'t>) -> Result<(), E> {
        self.list.push(token);
        Ok(())
    }
}

impl<'t> Visitor<'t> for Tokens<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.push(Token::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.push(Token::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.push(Token::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.push(Token::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.push(Token::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.push(Token::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'t str) -> Result<(), E> {
        self.push(Token::Text(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> Result<(), A::Error> {
        self.list.push(Token::Open(Container::List));
        while items.next_element_seed(Tokens { list: self.list, omit: None })?.is_some() {}
        self.push(Token::Close(Container::List))
    }

    fn visit_map<A: MapAccess<'t>>(self, mut members: A) -> Result<(), A::Error> {
        self.list.push(Token::Open(Container::Object));
        while let Some(Name(name)) = members.next_key()? {
            if self.omit.is_some_and(|omit| omit == name) {
                members.next_value::<de::IgnoredAny>()?;
                continue;
            }
            self.list.push(Token::Key(name));
            members.next_value_seed(Tokens { list: self.list, omit: None })?;
        }
        self.push(Token::Close(Container::Object))
    }
}

/// A member's name, borrowed unless it is escaped in the text.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'t>(#[serde(borrow)] Cow<'t, str>);
