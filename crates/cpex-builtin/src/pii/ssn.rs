//! Social security numbers of the United States.

use super::context::Label;
use super::number::Groups;
use super::reader::{Found, ends_number};
use crate::finding::Confidence;

pub(super) static LABEL: Label =
    Label::new(r"ssn|social security|soc\.? sec|taxpayer id|itin|tin", r"ssn|social_?sec|tax_?id|itin");

/// Numbers printed in advertisements, which were never anybody's.
const ADVERTISED: [&str; 2] = ["078051120", "219099999"];

/// `123-45-6789`; with spaces or in one group only where a label says what it is.
pub(super) fn at(text: &str, groups: &Groups, name: Option<&str>) -> Found {
    let (end, hyphens) = match groups.shaped(&[3, 2, 4]) {
        Some((end, separator)) => (end, separator == b'-'),
        None => (groups.single(9..=9)?, false),
    };
    if !ends_number(text, end) || !issued(&text[groups.start()..end]) {
        return None;
    }
    let confidence = match LABEL.near(text, groups.start(), name) {
        true => Confidence::High,
        false if hyphens => Confidence::Medium,
        false => Confidence::Low,
    };
    Some((end, confidence))
}

/// Whether such a number can have been issued.
fn issued(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (area, rest) = digits.split_at(3);
    let (group, serial) = rest.split_at(2);
    let never = matches!(area, "000" | "666") || area.starts_with('9') || group == "00" || serial == "0000";
    !never && !ADVERTISED.contains(&digits.as_str())
}
