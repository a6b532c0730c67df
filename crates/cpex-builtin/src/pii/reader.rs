//! The one pass over a text: where something may begin, what is tried there, and in which order.

use std::ops::Range;

use super::number::Groups;
use super::{Entity, card, email, iban, ip, phone, ssn};
use crate::finding::Confidence;

/// What a recogniser found at a place: where it ends and how sure it is.
pub(super) type Found = Option<(usize, Confidence)>;

/// Where something may begin.
static TRIGGERS: [bool; 256] = {
    let mut triggers = [false; 256];
    let mut index = 0;
    while index < 256 {
        triggers[index] = matches!(index as u8, b'0'..=b'9' | b'@' | b'+' | b'(' | b':');
        index += 1;
    }
    triggers
};

/// Compiles all patterns, so that no text has to wait for it.
pub(super) fn compile() {
    phone::compile();
    for label in [&card::LABEL, &ip::VERSION, &ssn::LABEL] {
        label.compile();
    }
}

/// Reads a text called `name`. `take` says whether it takes what is offered; if not, the next is tried.
pub(super) fn read(
    text: &str,
    name: Option<&str>,
    take: impl FnMut(Entity, Range<usize>, Confidence) -> bool,
) {
    let mut reader = Reader { text, name, take, free: 0 };
    let mut at = 0;
    while let Some(skipped) = text.as_bytes()[at..].iter().position(|byte| TRIGGERS[usize::from(*byte)]) {
        at = reader.try_at(at + skipped);
    }
}

struct Reader<'a, F> {
    text: &'a str,
    name: Option<&'a str>,
    take: F,
    /// Where the last finding ended: nothing reaches back before it.
    free: usize,
}

impl<F: FnMut(Entity, Range<usize>, Confidence) -> bool> Reader<'_, F> {
    /// Tries what may begin around a trigger and returns where to go on.
    fn try_at(&mut self, at: usize) -> usize {
        let text = self.text;
        let found = match text.as_bytes()[at] {
            b'@' => email::around(text, at, self.free)
                .is_some_and(|(span, confidence)| self.offer(Entity::Email, span, confidence)),
            b':' => ip::v6_around(text, at, self.free)
                .is_some_and(|(span, sure)| self.offer(Entity::Ip, span, sure)),
            b'+' | b'(' => self.offer_from(at, Entity::Phone, phone::at(text, at, self.name)),
            _ => self.number(at),
        };
        if found { self.free } else { after(text.as_bytes(), at) }
    }

    fn number(&mut self, at: usize) -> bool {
        let text = self.text;
        if let Some(start) = iban::start_before(text, at, self.free) {
            return self.offer_from(start, Entity::Iban, iban::at(text, start));
        }
        if !begins_number(text.as_bytes(), at) {
            return false;
        }
        let groups = Groups::read(text, at);
        (groups.digits() >= 12 && self.offer_from(at, Entity::Card, card::at(text, &groups, self.name)))
            || (groups.digits() >= 9 && self.offer_from(at, Entity::Ssn, ssn::at(text, &groups, self.name)))
            || (groups.len() >= 4 && self.offer_from(at, Entity::Ip, ip::v4_at(text, at)))
            || (groups.digits() >= 7 && self.offer_from(at, Entity::Phone, phone::at(text, at, self.name)))
    }

    fn offer_from(&mut self, start: usize, entity: Entity, found: Found) -> bool {
        found.is_some_and(|(end, confidence)| self.offer(entity, start..end, confidence))
    }

    fn offer(&mut self, entity: Entity, span: Range<usize>, confidence: Confidence) -> bool {
        let end = span.end;
        let taken = (self.take)(entity, span, confidence);
        if taken {
            self.free = end;
        }
        taken
    }
}

/// The end of the run of digits at a place, or the next byte.
fn after(bytes: &[u8], at: usize) -> usize {
    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    at + digits.max(1)
}

/// Whether a number may begin here: not inside of a word, nor behind a part of the same number.
fn begins_number(bytes: &[u8], at: usize) -> bool {
    match bytes[..at] {
        [.., before, b'-' | b'.' | b'/'] => !before.is_ascii_alphanumeric(),
        [.., before] => !before.is_ascii_alphanumeric() && before != b'_',
        [] => true,
    }
}

/// Whether a number may end here: not inside of a word, nor before a part of the same number.
pub(super) fn ends_number(text: &str, end: usize) -> bool {
    match text.as_bytes()[end..] {
        [b'-' | b'.' | b'/', next, ..] => !next.is_ascii_digit(),
        [next, ..] => !next.is_ascii_alphanumeric() && next != b'_',
        [] => true,
    }
}
