//! IP addresses.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::context::Label;
use super::reader::{Found, ends_number};
use crate::finding::Confidence;

/// Words before four numbers that are no address.
pub(super) static VERSION: Label = Label::new(
    r"v|ver|version|release|build|firmware|driver|upgrade(?:d)? to|section|chapter|clause|oid|revision",
    r"version|build|firmware|release|revision|section",
);

/// `192.0.2.1`. Surely nobody's own: loopback, unspecified, masks and versions.
pub(super) fn v4_at(text: &str, start: usize) -> Found {
    let run =
        text.as_bytes()[start..].iter().take(16).take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let end = start + text[start..start + run.count()].trim_end_matches('.').len();
    let address: Ipv4Addr = text[start..end].parse().ok()?;
    if !ends_number_or_prefix(text, end) {
        return None;
    }
    let nobody = address.is_loopback() || address.is_unspecified() || address.octets()[0] == 255;
    let sure = !nobody && !VERSION.near(text, start, None);
    Some((end, if sure { Confidence::Medium } else { Confidence::Low }))
}

/// `2001:db8::1`, found from its first colon.
pub(super) fn v6_around(text: &str, colon: usize, free: usize) -> Option<(Range<usize>, Confidence)> {
    let bytes = text.as_bytes();
    let hex = |byte: &&u8| byte.is_ascii_hexdigit();
    let start = colon - bytes[free..colon].iter().rev().take(5).take_while(hex).count();
    let before = bytes[free..start].last().copied().unwrap_or(b' ');
    if before.is_ascii_alphanumeric() || matches!(before, b'_' | b':' | b'.') {
        return None;
    }
    let run = bytes[start..]
        .iter()
        .take(46)
        .take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    let mut run = text[start..start + run.count()].trim_end_matches('.');
    if run.ends_with(':') && !run.ends_with("::") {
        run = &run[..run.len() - 1];
    }
    let (end, address) = (start + run.len(), run.parse::<Ipv6Addr>().ok()?);
    let after = bytes.get(end).copied().unwrap_or(b' ');
    if after.is_ascii_alphanumeric() || after == b'_' || after == b':' {
        return None;
    }
    // `a::b` is a path of Rust or C++ rather than an address.
    let path = !run.bytes().any(|byte| byte.is_ascii_digit());
    let sure = !path && !address.is_loopback() && !address.is_unspecified();
    Some((start..end, if sure { Confidence::Medium } else { Confidence::Low }))
}

/// An address may be followed by the length of its network's prefix, a port, or a path.
fn ends_number_or_prefix(text: &str, end: usize) -> bool {
    text.as_bytes().get(end) == Some(&b'/') || ends_number(text, end)
}
