//! Whether a text can be a secret at all, or only stands where one would.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// What people write in the place of a secret.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)example|your[-_ ]?|change[-_ ]?me|placeholder|redacted|dummy|sample|insert|replace|fixme|todo|xxxx|\*\*\*|\.\.\.|…|0123456789|abcdefgh|foobar|secret_?here|not[-_]?a[-_]?real|hidden|masked",
    )
    .expect("the pattern is valid")
});

/// What refers to a secret that is elsewhere, or is code.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^[\[<({$%#@&*]|^(?:env|os|process|config|settings|self|this|vault|secrets?|kms|ssm|arn|var|local|data|null|none|nil|undefined|true|false)(?:[.:\[(/]|$)|\(|\)|\{\{|\$\{|^https?://|^[a-z]:\\|^\.{0,2}/[\w.-]+/|\.(?:py|js|ts|go|rs|json|ya?ml|txt|pem|key|crt|cfg|ini|env)$",
    )
    .expect("the pattern is valid")
});

const LEAST_ENTROPY_OF_KEY: f64 = 2.8;
const LEAST_ENTROPY_OF_PASSWORD: f64 = 2.3;
/// What long random words of letters and digits reach, and words of a language don't.
const LEAST_ENTROPY_OF_RANDOM: f64 = 4.2;

/// Whether a key of a well-known format stands for a real one, as in documentation.
pub(super) fn is_placeholder(key: &str) -> bool {
    PLACEHOLDER.is_match(key) || entropy(key) < 2.0
}

/// Whether a value can be a key or token: long, of letters and digits, and irregular.
pub(super) fn is_key(value: &str) -> bool {
    let classes = Classes::of(value);
    value.len() >= 16
        && classes.digits
        && (classes.lower || classes.upper)
        && entropy(value) >= LEAST_ENTROPY_OF_KEY
        && is_own(value)
}

/// Whether a value can be a password: of eight signs, and of more than one kind of them.
pub(super) fn is_password(value: &str) -> bool {
    let Classes { lower, upper, digits, signs } = Classes::of(value);
    let kinds = [lower, upper, digits, signs].into_iter().filter(|there| *there).count();
    let name = !digits
        && !value.contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.' | '/' | ':'));
    value.len() >= 8 && kinds >= 2 && !name && entropy(value) >= LEAST_ENTROPY_OF_PASSWORD && is_own(value)
}

fn is_own(value: &str) -> bool {
    !PLACEHOLDER.is_match(value) && !REFERENCE.is_match(value)
}

/// Words without a name or a prefix that look random: 32 or more letters, digits and signs of Base64.
pub(super) fn random_words(text: &str) -> impl Iterator<Item = Range<usize>> {
    static WORD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[A-Za-z0-9+/_-]{32,128}={0,2}").expect("the pattern is valid"));
    WORD.find_iter(text)
        .filter(|word| {
            let classes = Classes::of(word.as_str());
            classes.lower
                && classes.upper
                && classes.digits
                && entropy(word.as_str()) >= LEAST_ENTROPY_OF_RANDOM
        })
        .map(|word| word.range())
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

/// Shannon's entropy of the bytes of a text, in bits for each.
#[allow(clippy::cast_precision_loss, reason = "texts are far shorter than 2^52 bytes")]
fn entropy(text: &str) -> f64 {
    let mut counts = [0_usize; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let len = text.len() as f64;
    let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / len);
    -shares.map(|share| share * share.log2()).sum::<f64>()
}
