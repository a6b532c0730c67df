//! The messages as bytes.
//!
//! gRPC and the Unix socket carry the messages of `proto/cpex.proto`. Their dynamic parts are
//! `google.protobuf.Struct`, whose numbers are doubles; [`Struct`] keeps one as encoded bytes and goes to and from
//! JSON text in one pass, without a tree.
//!
//! Two peers of ours additionally send the same parts as JSON text, so that no number is rounded and no part of a
//! context gets lost. A server announces that it understands these fields ([`FEATURES`]); an older peer never sees
//! them, and the `Struct` fields are always filled, so a call means the same to a server that was replaced by an
//! older one in the meantime.

#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic)]
#[rustfmt::skip]
mod cpex;

/// The descriptors of the messages and services of `proto/cpex.proto`, encoded.
#[cfg(feature = "grpc")]
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!("cpex.fds");

mod decode;
mod encode;
mod structs;

mod config;
mod context;
mod denial;
mod invoke;

pub use config::{Announced, FEATURES, Features};
pub use cpex::*;
pub use decode::{InvalidStruct, Numbers};
pub use encode::NotEncodable;
pub use invoke::{InvalidReply, InvalidRequest, Unreadable};
pub use structs::Struct;
