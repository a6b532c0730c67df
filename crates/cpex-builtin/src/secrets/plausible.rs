//! Whether a text can be a secret at all, or only stands where one would.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;

/// What people write in the place of a secret.
const PLACEHOLDERS: [&str; 31] = [
    "example",
    "your",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "redacted",
    "dummy",
    "sample",
    "insert",
    "replace",
    "fixme",
    "todo",
    "xxxx",
    "****",
    "....",
    "…",
    "0123456789",
    "abcdefgh",
    "foobar",
    "secret_here",
    "secrethere",
    "token_here",
    "key_here",
    "notareal",
    "not-a-real",
    "not_a_real",
    "hidden",
    "masked",
    "deadbeef",
    "test-token",
];

static PLACEHOLDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .prefilter(false)
        .build(PLACEHOLDERS)
        .expect("the words are few and short")
});

/// What refers to a secret that is elsewhere.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^\$(?:[{(]|[a-z_]+$|(?-i:[A-Z0-9_]+)$)|^%(?:\w+%$|[(s])|^<.*>?$|^\[.*\]$|^\{.*\}$|^[*&@#][a-z_./-]+$|^(?:env|os|process|config|settings|self|this|vault|secrets?|kms|ssm|arn|var|local|data|null|none|nil|undefined|true|false)(?:[.:\[(/]|$)|\{\{|\$\{|^https?://|^[a-z]:\\|^(?:\.{1,2}|~|/(?:etc|var|run|home|usr|opt|tmp|root|mnt|app|data|srv|secrets?|keys?))/|\.(?:py|js|ts|go|rs|json|ya?ml|txt|pem|key|crt|cfg|ini|env)$",
    )
    .expect("the pattern is valid")
});

/// Compiles what tells a secret from what only stands for one, so that no text has to wait for it.
pub(super) fn compile() {
    LazyLock::force(&PLACEHOLDER);
    LazyLock::force(&REFERENCE);
    LazyLock::force(&BITS);
}

const LEAST_ENTROPY_OF_KEY: f64 = 2.8;
const LEAST_ENTROPY_OF_PASSWORD: f64 = 2.3;
/// What long random words of letters and digits reach, and words of a language don't.
const LEAST_ENTROPY_OF_RANDOM: f64 = 4.2;

/// Whether a key of a well-known format stands for a real one, as in documentation.
pub(super) fn is_placeholder(key: &str) -> bool {
    PLACEHOLDER.is_match(key) || entropy(key) < 2.0
}

/// Whether a text only stands where a secret would: a placeholder, or a reference to where it is.
pub(super) fn stands_for_another(value: &str) -> bool {
    PLACEHOLDER.is_match(value) || REFERENCE.is_match(value)
}

/// Whether a value that no quotes are around is code: a call, an index or a template.
pub(super) fn is_code(value: &str) -> bool {
    let rest = value.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':'));
    rest.len() < value.len()
        && !value.starts_with(|c: char| c.is_ascii_digit())
        && rest.starts_with(['(', '[', '{'])
}

/// Whether a value can be a key or token: long, of letters and digits or of very irregular letters.
pub(super) fn is_key(value: &str) -> bool {
    let Classes { lower, upper, digits, .. } = Classes::of(value);
    let least = if digits { LEAST_ENTROPY_OF_KEY } else { LEAST_ENTROPY_OF_RANDOM };
    value.len() >= 16
        && (lower || upper)
        && (digits || lower && upper)
        && entropy(value) >= least
        && !stands_for_another(value)
}

/// Whether a value can be a password: of eight signs, and of more than one kind of them.
pub(super) fn is_password(value: &str) -> bool {
    let Classes { lower, upper, digits, signs } = Classes::of(value);
    let kinds = [lower, upper, digits, signs].into_iter().filter(|there| *there).count();
    let name = !digits
        && !value.contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.' | '/' | ':'));
    value.len() >= 8
        && kinds >= 2
        && !name
        && entropy(value) >= LEAST_ENTROPY_OF_PASSWORD
        && !stands_for_another(value)
}

/// Whether a word without a name or a prefix looks random: 32 or more letters, digits and signs of Base64.
pub(super) fn is_random(word: &str) -> bool {
    let word = word.trim_matches('=');
    let classes = Classes::of(word);
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-');
    (32..=128).contains(&word.len())
        && classes.lower
        && classes.upper
        && classes.digits
        && word.bytes().all(base64)
        && entropy(word) >= LEAST_ENTROPY_OF_RANDOM
}

#[derive(Clone, Copy, Default)]
struct Classes {
    lower: bool,
    upper: bool,
    digits: bool,
    signs: bool,
}

impl Classes {
    fn of(text: &str) -> Self {
        let mut classes = Self::default();
        for character in text.chars() {
            match character {
                'a'..='z' => classes.lower = true,
                'A'..='Z' => classes.upper = true,
                '0'..='9' => classes.digits = true,
                _ => classes.signs = true,
            }
        }
        classes
    }
}

/// `bits` of small counts.
static BITS: LazyLock<[f64; 128]> = LazyLock::new(|| std::array::from_fn(|count| bits(count as u32)));

/// Shannon's entropy of the bytes of a text, in bits for each.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u16; 256];
    let count = |byte: u8| counts[usize::from(byte)] = counts[usize::from(byte)].saturating_add(1);
    text.bytes().for_each(count);
    let sum = |count: u32| BITS.get(count as usize).copied().unwrap_or_else(|| bits(count));
    let len = u32::try_from(text.len()).unwrap_or(u32::MAX).max(1);
    // Each byte is taken once. Texts are short: most bytes are not in it.
    let repeated: f64 =
        text.bytes().map(|byte| sum(std::mem::take(&mut counts[usize::from(byte)]).into())).sum();
    (sum(len) - repeated) / f64::from(len)
}

/// `n · log2 n`.
fn bits(count: u32) -> f64 {
    let count = f64::from(count);
    if count > 1.0 { count * count.log2() } else { 0.0 }
}
