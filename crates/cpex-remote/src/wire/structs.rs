//! `google.protobuf.Struct` without a tree.

use std::fmt;

use prost::DecodeError;
use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, bytes, skip_field};

use super::decode::{InvalidStruct, Numbers, json_text};
use super::encode::{NotEncodable, struct_bytes};
use crate::json::Json;

/// The only field of a `Struct`: its entries.
const FIELDS: u32 = 1;

/// A `google.protobuf.Struct`, as the bytes of its encoding.
///
/// What came from a peer is looked at only by [`to_json`](Self::to_json). `Debug` shows the size alone.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Struct(Vec<u8>);

impl Struct {
    /// Encodes a JSON object. Integers beyond 2^53 lose precision: a `Struct` knows only doubles.
    ///
    /// # Errors
    /// If the value is not an object, nests too deep or holds a number that no double can hold.
    pub fn from_json(json: &Json) -> Result<Self, NotEncodable> {
        struct_bytes(json.as_str(), None).map(Self)
    }

    /// As [`from_json`](Self::from_json), without one member of the outermost object.
    pub(super) fn from_json_without(json: &Json, member: &str) -> Result<Self, NotEncodable> {
        struct_bytes(json.as_str(), Some(member)).map(Self)
    }

    /// Decodes to a JSON object.
    ///
    /// # Errors
    /// If the bytes are not a `Struct`, nest too deep or hold a number that JSON has no word for.
    pub fn to_json(&self, numbers: Numbers) -> Result<Json, InvalidStruct> {
        json_text(&self.0, numbers).map(Json::trusted)
    }

    /// Has it no entries?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl prost::Message for Struct {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != FIELDS {
            return skip_field(wire_type, tag, buf, ctx);
        }
        let mut entry = Bytes::new();
        bytes::merge(wire_type, &mut entry, buf, ctx)?;
        bytes::encode(FIELDS, &entry, &mut self.0);
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl fmt::Debug for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Struct({} bytes)", self.0.len())
    }
}
