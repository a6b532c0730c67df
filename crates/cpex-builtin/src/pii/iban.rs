//! International bank account numbers, ISO 13616.

use super::reader::Found;
use crate::finding::Confidence;

/// The length in each country, sorted by country.
const LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The start of an account number whose first digit stands at `digit`: its country's two letters before.
pub(super) fn start_before(text: &str, digit: usize, free: usize) -> Option<usize> {
    let start = digit.checked_sub(2).filter(|start| *start >= free)?;
    let bytes = text.as_bytes();
    let alone = start == 0 || !(bytes[start - 1].is_ascii_alphanumeric() || bytes[start - 1] == b'_');
    (alone && length(&bytes[start..digit]).is_some()).then_some(start)
}

/// An account number in one piece, or in groups of four with spaces or hyphens between them.
pub(super) fn at(text: &str, start: usize) -> Found {
    let bytes = &text.as_bytes()[start..];
    let wanted = length(bytes)?;
    let (mut read, mut end) = (0, 0);
    while read < wanted {
        match bytes.get(end)? {
            byte if byte.is_ascii_alphanumeric() => read += 1,
            b' ' | b'-' if read % 4 == 0 && bytes[end - 1].is_ascii_alphanumeric() => {}
            _ => return None,
        }
        end += 1;
    }
    let ends = !bytes.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (ends && remainder(&bytes[..end]) == 1).then_some((start + end, Confidence::High))
}

/// Whether a text, with or without separators, is an account number: country, length and checksum.
///
/// ```
/// use cpex_builtin::pii::is_iban;
///
/// assert!(is_iban("GB82 WEST 1234 5698 7654 32"));
/// assert!(!is_iban("GB83 WEST 1234 5698 7654 32"));
/// ```
#[must_use]
pub fn is_iban(text: &str) -> bool {
    at(text, 0).is_some_and(|(end, _)| end == text.len())
}

fn length(country: &[u8]) -> Option<usize> {
    let country = country.get(..2)?;
    LENGTHS.binary_search_by(|(code, _)| code.as_slice().cmp(country)).ok().map(|index| LENGTHS[index].1)
}

/// ISO 7064 mod 97-10: the first four go to the end, a letter is two digits.
fn remainder(iban: &[u8]) -> u32 {
    let signs = || iban.iter().filter(|byte| byte.is_ascii_alphanumeric());
    signs().skip(4).chain(signs().take(4)).fold(0, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        letter => (remainder * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    })
}
