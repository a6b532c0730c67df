//! Phone numbers.

use std::sync::LazyLock;

use regex::Regex;

use super::context::{Label, head};
use super::reader::{Found, ends_number};
use crate::finding::Confidence::{self, High, Low, Medium};

/// What a pattern is shown, in bytes: some engines of patterns take a time that grows with the whole text.
const LONGEST: usize = 64;

static LABEL: Label = Label::new(
    r"(?:tele)?phone(?: (?:number|no))?|tel|call|mobile|cell|fax|whats ?app|sms|text|dial|ring|reach(?:ed)?|hotline|contact|handy|(?:my|his|her|our|their) number|telefon\w*|teléfono|téléphone|telefoon|telemóvel|móvil|mobil|mobiel|celular|cellulare|numer|numéro|appel(?:er|ez)|joindre|llam(?:ar|a|e)|llámame|llámeme|anrufen|erreich\w+|unter|chiam(?:ami|are|i)|bellen|ring(?:a|en)|dzwoni\w*|zadzwo\w+|volej\w*|ligue",
    r"phone|mobile|fax|whatsapp|(?:^|_)(?:tel|cell|sms)(?:$|_)|telefon",
);

/// Words before numbers that only look like a phone's.
static OTHER: Label = Label::new(
    r"order|invoice|ticket|part|sku|isbn|issn|ref|reference|tracking|serial|case|case (?:no|number)|id|patent|model|version|doi|rfc|account|acct",
    r"order|invoice|ticket|sku|isbn|tracking|serial",
);

/// The ways numbers are written, with how sure each is without a label and with one.
static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let form = |begins, pattern: &str, digits, plain, labelled| Form {
        begins,
        regex: Regex::new(pattern).expect("the forms are valid patterns"),
        digits,
        plain,
        labelled,
    };
    vec![
        // +1 (415) 555-2671, 001-415-555-2671
        form(
            "+0",
            r"^(?:\+|00)1[ .-]?\(?[2-9][0-9]{2}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}(?:x[0-9]{2,6})?",
            11..=19,
            Some(High),
            High,
        ),
        // +44 20 7946 0958, +49 (0)30 1234567
        form(
            "+",
            r"^\+[2-9][0-9]{0,2}(?:[ .-]?\([0-9]{1,5}\))?(?:[ .-]?[0-9]{1,12}){1,6}",
            8..=15,
            Some(High),
            High,
        ),
        // 00420 606 847 381; in one group it may be any number with zeros before
        form("0", r"^00[2-9][0-9]{0,2}(?:[ .-][0-9]{1,12}){1,6}", 10..=17, Some(Medium), High),
        // (030) 1234567, (020) 7946 0958
        form("(", r"^\(0[0-9]{1,5}\)[ -]?[0-9]{3,9}(?:[ -][0-9]{2,6}){0,4}", 8..=13, Some(Medium), High),
        // (415) 555-2671, 415-555-2671x12, 1-800-555-0199
        form(
            "(1",
            r"^(?:1[ .-])?\([2-9][0-9]{2}\)[ -]?[0-9]{3}[ .-][0-9]{4}(?:x[0-9]{2,6})?",
            10..=17,
            Some(High),
            High,
        ),
        form(
            "123456789",
            r"^(?:1-)?[2-9][0-9]{2}-[0-9]{3}-[0-9]{4}(?:x[0-9]{2,6})?",
            10..=17,
            Some(Medium),
            High,
        ),
        // 415.555.2671, 415 555 2671
        form(
            "123456789",
            r"^(?:1[ .])?[2-9][0-9]{2}(?:\.[2-9][0-9]{2}\.|[ -][2-9][0-9]{2}[ -])[0-9]{4}(?:x[0-9]{2,6})?",
            10..=17,
            Some(Medium),
            High,
        ),
        // 020 7946 0958, (030) 123456, 06 12 34 56 78, 0044 20 7946 0958
        form("(0", r"^\(?0[0-9]{1,5}\)?(?:[ ./-]?[0-9]{2,8}){1,6}", 8..=16, Some(Low), Medium),
        // 13812345678, 98765 43210, 602 751 826
        form("(123456789", r"^\(?[1-9][0-9]{1,11}\)?(?:[ .-][0-9]{2,6}){0,4}", 8..=12, None, Medium),
        // 555-0199
        form("23456789", r"^[2-9][0-9]{2}[ .-][0-9]{4}", 7..=7, None, Medium),
    ]
});

/// Compiles the patterns, so that no text has to wait for it.
pub(super) fn compile() {
    LazyLock::force(&FORMS);
    LABEL.compile();
    OTHER.compile();
}

struct Form {
    /// The signs that it can begin with.
    begins: &'static str,
    regex: Regex,
    digits: std::ops::RangeInclusive<usize>,
    /// `None`: it is no phone number without a label.
    plain: Option<Confidence>,
    labelled: Confidence,
}

/// A phone number that begins at `start`, in the first form that fits.
pub(super) fn at(text: &str, start: usize, name: Option<&str>) -> Found {
    let (first, next) = (text.as_bytes()[start], text.as_bytes().get(start + 1));
    // Brackets are common, and few of them are around a number.
    if !first.is_ascii_digit() && !next.is_some_and(u8::is_ascii_digit)
        || first == b'+' && text[..start].ends_with(|before: char| before.is_alphanumeric())
    {
        return None;
    }
    let mut forms = FORMS.iter().filter(|form| form.begins.as_bytes().contains(&first));
    forms.find_map(|form| form.at(text, start, name))
}

impl Form {
    fn at(&self, text: &str, start: usize, name: Option<&str>) -> Found {
        let end = start + self.regex.find(head(&text[start..], LONGEST))?.end();
        let digits = text[start..end].bytes().filter(u8::is_ascii_digit).count();
        if !self.digits.contains(&digits) || !ends_number(text, end) {
            return None;
        }
        let confidence = if LABEL.near(text, start, name) {
            self.labelled
        } else if self.plain? < High && OTHER.near(text, start, name) {
            Low
        } else {
            self.plain?
        };
        Some((end, confidence))
    }
}
