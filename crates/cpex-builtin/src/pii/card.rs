//! Numbers of payment cards.

use std::ops::RangeInclusive;

use super::context::Label;
use super::number::Groups;
use super::reader::{Found, ends_number};
use crate::finding::Confidence;

/// How the digits of cards are grouped: by fours, and as American Express and Diners Club do.
const SHAPES: [&[usize]; 7] =
    [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 4, 4, 1], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 2], &[4, 4, 4]];

pub(super) static LABEL: Label = Label::new(
    r"card|credit|debit|pan|visa|mastercard|maestro|amex|cc|karte|kartennummer|carte|tarjeta|carta|karta|kort",
    r"card|(?:^|_)(?:pan|cc)(?:$|_)|karte|tarjeta",
);

/// Numbers of so many digits in one group are codes of goods or times far more often than cards, which few issuers
/// made so short, and a tenth of them has Luhn's digit by chance.
const SHORT: RangeInclusive<usize> = 12..=13;

/// A card number in groups, or 12 to 19 digits in one.
pub(super) fn at(text: &str, groups: &Groups, name: Option<&str>) -> Found {
    let single = groups.single(12..=19);
    let grouped = SHAPES.iter().filter_map(|shape| Some(groups.shaped(shape)?.0));
    let end = single
        .into_iter()
        .chain(grouped)
        .find(|end| ends_number(text, *end) && is_card_number(&text[groups.start()..*end]))?;
    let sure = groups.single(SHORT) != Some(end) || LABEL.near(text, groups.start(), name);
    Some((end, if sure { Confidence::High } else { Confidence::Low }))
}

/// Whether digits, with any separators, are a card number: an issuer's prefix, its length, and Luhn's checksum.
///
/// ```
/// use cpex_builtin::pii::is_card_number;
///
/// assert!(is_card_number("4111 1111 1111 1111"));
/// assert!(!is_card_number("4111 1111 1111 1112"));
/// ```
#[must_use]
pub fn is_card_number(text: &str) -> bool {
    let mut digits = [0; 19];
    let mut len = 0;
    for byte in text.bytes().filter(u8::is_ascii_digit) {
        let Some(digit) = digits.get_mut(len) else { return false };
        *digit = byte - b'0';
        len += 1;
    }
    issued(&digits, len) && luhn(&digits[..len])
}

/// Whether an issuer has numbers with these first digits and this length.
fn issued(digits: &[u8; 19], len: usize) -> bool {
    let prefix = digits[..6].iter().fold(0, |prefix, digit| prefix * 10 + u32::from(*digit));
    match prefix {
        // Visa
        400_000..=499_999 => matches!(len, 13 | 16 | 19),
        // Mastercard
        222_100..=272_099 | 510_000..=559_999 => len == 16,
        // American Express
        340_000..=349_999 | 370_000..=379_999 => len == 15,
        // Diners Club
        300_000..=305_999 | 360_000..=369_999 | 380_000..=399_999 => (14..=19).contains(&len),
        // JCB
        213_100..=213_199 | 180_000..=180_099 => len == 15,
        352_800..=358_999 => (16..=19).contains(&len),
        // Discover, UnionPay, RuPay
        601_100..=601_199 | 644_000..=659_999 | 620_000..=629_999 | 810_000..=817_199 | 600_000..=600_999 => {
            (16..=19).contains(&len)
        }
        // Mir
        220_000..=220_499 => (16..=19).contains(&len),
        // Maestro
        500_000..=509_999 | 560_000..=589_999 | 630_000..=639_999 | 670_000..=679_999 => {
            (12..=19).contains(&len)
        }
        _ => false,
    }
}

/// Luhn's checksum: every second digit from the right counts twice, and the sum of digits ends in zero.
fn luhn(digits: &[u8]) -> bool {
    let weighed = digits.iter().rev().enumerate().map(|(index, digit)| match digit << (index % 2) {
        twice @ 10.. => twice - 9,
        once => once,
    });
    weighed.map(u32::from).sum::<u32>() % 10 == 0
}
