//! `google.protobuf.Struct` to JSON text.
//!
//! Where a field occurs twice, its last occurrence counts. A `Value` without any is `null`.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use serde::Serialize;
use thiserror::Error;

/// How deep a value may nest: as deep as the JSON reader allows.
const MAX_DEPTH: usize = 127;

/// Beyond it, a double does not say which integer was meant.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What becomes of a double without a fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// Within ±2^53 it is an integer: `5.0` arrives as `5`.
    #[default]
    Integers,
    /// It stays one: `5` arrives as `5.0`, as in CPEX 0.1.x.
    Floats,
}

/// Bytes that are not a `Struct` which JSON can express. `path` says where, as `args.list[3]`; empty: at the top.
#[derive(Debug, Error)]
#[error("invalid value at '{path}': {problem}")]
pub struct InvalidStruct {
    path: String,
    problem: Problem,
}

#[derive(Debug, Error)]
enum Problem {
    #[error("not a protobuf message")]
    Malformed,
    #[error("text is not UTF-8")]
    NotUtf8,
    #[error("{0} is not a finite number")]
    NotFinite(f64),
    #[error("nested too deep")]
    TooDeep,
}

impl From<prost::DecodeError> for Problem {
    fn from(_: prost::DecodeError) -> Self {
        Self::Malformed
    }
}

impl<P: Into<Problem>> From<P> for InvalidStruct {
    fn from(problem: P) -> Self {
        Self { path: String::new(), problem: problem.into() }
    }
}

impl InvalidStruct {
    pub(super) fn malformed() -> Self {
        Problem::Malformed.into()
    }

    /// Says that the fault lies below the member `name`.
    fn below(mut self, name: &str) -> Self {
        self.put_before(name);
        self
    }

    /// Says that the fault lies below an item of a list.
    fn below_item(mut self, index: usize) -> Self {
        self.put_before(&format!("[{index}]"));
        self
    }

    fn put_before(&mut self, step: &str) {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path.insert_str(0, dot);
        self.path.insert_str(0, step);
    }
}

/// The JSON text of an encoded `Struct`.
pub(super) fn json_text(bytes: &[u8], numbers: Numbers) -> Result<String, InvalidStruct> {
    let mut writer = Writer { out: Vec::with_capacity(bytes.len() * 3 / 2 + 2), numbers };
    writer.object(bytes, 0)?;
    String::from_utf8(writer.out).map_err(|_| Problem::NotUtf8.into())
}

struct Writer {
    out: Vec<u8>,
    numbers: Numbers,
}

impl Writer {
    fn object(&mut self, bytes: &[u8], depth: usize) -> Result<(), InvalidStruct> {
        self.out.push(b'{');
        let first = self.out.len();
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            if let Field::Bytes(1, entry) = field {
                if self.out.len() > first {
                    self.out.push(b',');
                }
                self.member(entry, depth)?;
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn member(&mut self, entry: &[u8], depth: usize) -> Result<(), InvalidStruct> {
        let (mut name, mut value) = (&[][..], &[][..]);
        let mut fields = Fields(entry);
        while let Some(field) = fields.next()? {
            match field {
                Field::Bytes(1, bytes) => name = bytes,
                Field::Bytes(2, bytes) => value = bytes,
                _ => {}
            }
        }
        let name = utf8(name)?;
        self.write(name)?;
        self.out.push(b':');
        self.value(value, depth).map_err(|error| error.below(name))
    }

    fn list(&mut self, bytes: &[u8], depth: usize) -> Result<(), InvalidStruct> {
        self.out.push(b'[');
        let mut index = 0;
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            if let Field::Bytes(1, item) = field {
                if index > 0 {
                    self.out.push(b',');
                }
                self.value(item, depth).map_err(|error| error.below_item(index))?;
                index += 1;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn value(&mut self, bytes: &[u8], depth: usize) -> Result<(), InvalidStruct> {
        let mut last = None;
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            if matches!(field, Field::Varint(1 | 4, _) | Field::Double(2, _) | Field::Bytes(3 | 5 | 6, _)) {
                last = Some(field);
            }
        }
        if depth == MAX_DEPTH {
            return Err(Problem::TooDeep.into());
        }
        match last {
            Some(Field::Varint(4, flag)) => self.write(flag != 0)?,
            Some(Field::Double(_, number)) => self.number(number)?,
            Some(Field::Bytes(3, text)) => self.write(utf8(text)?)?,
            Some(Field::Bytes(5, object)) => self.object(object, depth + 1)?,
            Some(Field::Bytes(6, list)) => self.list(list, depth + 1)?,
            _ => self.write(())?,
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), InvalidStruct> {
        if !number.is_finite() {
            return Err(Problem::NotFinite(number).into());
        }
        let negative_zero = number == 0.0 && number.is_sign_negative();
        if self.numbers == Numbers::Integers
            && number.fract() == 0.0
            && number.abs() <= EXACT
            && !negative_zero
        {
            self.write(number as i64)
        } else {
            self.write(number)
        }
    }

    fn write(&mut self, value: impl Serialize + Copy) -> Result<(), InvalidStruct> {
        serde_json::to_writer(&mut self.out, &value).map_err(|_| Problem::Malformed.into())
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, InvalidStruct> {
    std::str::from_utf8(bytes).map_err(|_| Problem::NotUtf8.into())
}

/// A field of a message: its number and its content.
enum Field<'b> {
    Varint(u32, u64),
    Double(u32, f64),
    Bytes(u32, &'b [u8]),
    Other,
}

/// The fields of a message, one after the other.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn next(&mut self) -> Result<Option<Field<'b>>, Problem> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (tag, wire_type) = decode_key(&mut self.0)?;
        Ok(Some(match wire_type {
            WireType::Varint => Field::Varint(tag, decode_varint(&mut self.0)?),
            WireType::SixtyFourBit => {
                let (number, rest) = self.0.split_first_chunk().ok_or(Problem::Malformed)?;
                self.0 = rest;
                Field::Double(tag, f64::from_le_bytes(*number))
            }
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut self.0)?).unwrap_or(usize::MAX);
                let (content, rest) = self.0.split_at_checked(length).ok_or(Problem::Malformed)?;
                self.0 = rest;
                Field::Bytes(tag, content)
            }
            _ => {
                skip_field(wire_type, tag, &mut self.0, DecodeContext::default())?;
                Field::Other
            }
        }))
    }
}
