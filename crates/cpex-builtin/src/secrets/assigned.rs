//! Values that are called a secret: `password = "…"`, `{"api_key": "…"}`, `--token …`, `<password>…</password>`.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memchr3_iter;
use regex::bytes::Regex;

use super::plausible;
use crate::finding::Confidence;

pub(super) const KINDS: [&str; 4] = ["password", "api_key", "aws_secret_key", "bearer_token"];

const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 512;
const MOST_SPACES: usize = 4;

/// Words in names of passwords, and of other secrets.
const PASSWORDS: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "passcode",
    "passwort",
    "kennwort",
    "contraseña",
    "contrasena",
    "senha",
    "wachtwoord",
    "hasło",
    "lösenord",
    "heslo",
    "пароль",
    "密码",
];
const SECRETS: [&str; 4] = ["secret", "token", "credential", "bearer"];
/// Words that make a key a secret one, with any separator between.
const KEYS: [&str; 14] = [
    "api",
    "access",
    "auth",
    "private",
    "encryption",
    "signing",
    "account",
    "client",
    "secret",
    "master",
    "shared",
    "subscription",
    "app",
    "storage",
];
/// Names of passwords that are parts of other words, and so must be a whole part of a name.
const SHORT: [&str; 5] = ["pass", "passe", "pw", "psw", "mdp"];

static NAMES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let keys = KEYS
        .iter()
        .flat_map(|word| ["key", "_key", "-key", " key", ".key"].map(|key| format!("{word}{key}")));
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(PASSWORDS.iter().chain(&SECRETS).map(ToString::to_string).chain(keys))
        .expect("the words are few and short")
});

/// Ends of names of what belongs to a secret and is none: `token_type`, `passwordHash`.
static ABOUT: LazyLock<Regex> = LazyLock::new(|| {
    let words = "names?|ids?|types?|counts?|urls?|uri|path|file|fields?|length|len|size|limit|policy|expir[a-z]*|ttl|hint|prompt|label|version|arn|ref|usage|hash|digest|param[a-z]*|manager|provider|service|endpoint|issuer|created|updated|at";
    let capitals = "Names?|Ids?|ID|Types?|Counts?|Urls?|URL|Uri|Path|File|Fields?|Length|Size|Limit|Policy|Expir[a-z]*|Hint|Label|Version|Hash|Digest|At";
    Regex::new(&format!("(?i-u)(?:^|[_.-])(?:{words})$|(?-i:[a-z0-9](?:{capitals}))$|^s$|^(?:iz|s_)"))
        .expect("the pattern is valid")
});

/// Compiles what names are known by, so that no text has to wait for it.
pub(super) fn compile() {
    LazyLock::force(&NAMES);
    LazyLock::force(&ABOUT);
}

/// Whether a name is that of a secret, whatever its value.
pub(super) fn is_secret_name(name: &str) -> bool {
    Nature::of(name.as_bytes()).is_some()
}

/// What a whole text is if its name is that of a secret.
pub(super) fn called(name: &str, text: &str) -> Option<&'static str> {
    let nature = Nature::of(name.as_bytes())?;
    if text.contains(char::is_whitespace) { None } else { nature.kind(name.as_bytes(), text) }
}

/// Notes what is assigned to the name of a secret with a sign.
pub(super) fn read(text: &str, note: &mut impl FnMut(&'static str, Range<usize>, Confidence)) {
    let bytes = text.as_bytes();
    for sign in memchr3_iter(b'=', b':', b'>', bytes) {
        let after = sign + 1;
        let next = bytes.get(after).copied().unwrap_or_default();
        let name = match (bytes[sign], next) {
            (b':', b'=' | b'/' | b':') => continue,
            (b'=', _) => before(bytes, sign - usize::from(bytes[..sign].ends_with(b":"))),
            (b'>', _) => tag(bytes, sign),
            _ => before(bytes, sign),
        };
        let Some(name) = name else { continue };
        let name = owner(bytes, name, bytes[sign]);
        let double = usize::from(bytes[sign] == b'=' && matches!(next, b'=' | b'>'));
        let query = name.start.checked_sub(1).is_some_and(|before| matches!(bytes[before], b'?' | b'&'));
        assigned(text, name, after + double, query, note);
    }
}

/// Notes what somebody says that a secret is: `the password is …`. The verb stands between spaces.
pub(super) fn said(
    text: &str,
    verb: Range<usize>,
    note: &mut impl FnMut(&'static str, Range<usize>, Confidence),
) {
    if let Some(name) = before(text.as_bytes(), verb.start) {
        assigned(text, name, verb.end, false, note);
    }
}

/// Notes the value of an option of a command, `--token …`, whose name begins at `start`.
pub(super) fn flag(text: &str, start: usize, note: &mut impl FnMut(&'static str, Range<usize>, Confidence)) {
    let bytes = text.as_bytes();
    if !bytes.get(start).is_some_and(u8::is_ascii_alphabetic) {
        return;
    }
    let end = start + bytes[start..].iter().take(LONGEST_NAME).take_while(|byte| in_name(**byte)).count();
    if bytes[end..].starts_with(b" ") {
        assigned(text, start..end, end + 1, false, note);
    }
}

fn assigned(
    text: &str,
    name: Range<usize>,
    after: usize,
    query: bool,
    note: &mut impl FnMut(&'static str, Range<usize>, Confidence),
) {
    let name = &text.as_bytes()[name];
    let Some(nature) = Nature::of(name) else { return };
    let Some(value) = value(text, after, query) else { return };
    if let Some(kind) = nature.kind(name, &text[value.clone()]) {
        note(kind, value, Confidence::Medium);
    }
}

const fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
}

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// The name that ends before a place, past spaces, a bracket and a quote; two words if the second is `key`.
fn before(bytes: &[u8], end: usize) -> Option<Range<usize>> {
    let back = |from: usize, most: usize, part: fn(u8) -> bool| {
        from - bytes[..from].iter().rev().take(most).take_while(|byte| part(**byte)).count()
    };
    let end = back(end, MOST_SPACES, |byte| matches!(byte, b' ' | b'\t'));
    let end = back(end, 1, |byte| byte == b']');
    let end = back(back(end, 1, is_quote), 1, |byte| byte == b'\\');
    let start = back(end, LONGEST_NAME, in_name);
    if bytes[start..end].eq_ignore_ascii_case(b"key") && bytes[..start].ends_with(b" ") {
        return Some(back(start - 1, LONGEST_NAME, in_name)..end);
    }
    (start < end).then_some(start..end)
}

/// The name of the tag that ends at a place.
fn tag(bytes: &[u8], end: usize) -> Option<Range<usize>> {
    let name = bytes[..end].iter().rev().take(LONGEST_NAME).take_while(|byte| in_name(**byte)).count();
    (name > 0 && bytes[..end - name].ends_with(b"<")).then_some(end - name..end)
}

/// The name of what is assigned, if `name` is that of its type (`password: str = …`) or only says that it is a value
/// (`{"name": "PASSWORD", "value": …}`).
fn owner(bytes: &[u8], name: Range<usize>, sign: u8) -> Range<usize> {
    let back = |part: fn(u8) -> bool| {
        bytes[..name.start].iter().rev().take(24).take_while(|byte| part(**byte)).count()
    };
    let owner = if bytes[name.clone()].eq_ignore_ascii_case(b"value") {
        let between =
            back(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b'\\') || is_quote(byte));
        (between > 0).then(|| before(bytes, name.start - between)).flatten()
    } else if sign == b'=' {
        let colon = name.start - back(|byte| matches!(byte, b' ' | b'&'));
        bytes[..colon].ends_with(b":").then(|| before(bytes, colon - 1)).flatten()
    } else {
        None
    };
    owner.unwrap_or(name)
}

/// The value that begins after a place, without its quotes. In the query of a URL, `&` and `#` end it.
fn value(text: &str, after: usize, query: bool) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let run = |from: usize, most: usize, part: &dyn Fn(u8) -> bool| {
        from + bytes[from..].iter().take(most).take_while(|byte| part(**byte)).count()
    };
    let start = run(after, MOST_SPACES, &|byte| matches!(byte, b' ' | b'\t'));
    let open = run(start, 2, &|byte| matches!(byte, b'b' | b'f' | b'r' | b'u' | b'@' | b'\\'));
    if let Some(quote) = bytes.get(open).copied().filter(|byte| is_quote(*byte)) {
        let end = run(open + 1, LONGEST_VALUE, &|byte| byte != quote && !byte.is_ascii_whitespace());
        if bytes.get(end) == Some(&quote) {
            // In JSON within a text the quotes have a backslash before them.
            let escaped = bytes[..open].ends_with(b"\\") && bytes[..end].ends_with(b"\\");
            return Some(open + 1..end - usize::from(escaped));
        }
    }
    let start = run(start, 2, &|byte| byte == b'\\' || is_quote(byte));
    let part = |byte: u8| {
        let ends = byte.is_ascii_whitespace() || b"\"'`,;\\<>".contains(&byte);
        !(ends || query && matches!(byte, b'&' | b'#'))
    };
    let end = run(start, LONGEST_VALUE, &part);
    let value = text.get(start..end)?;
    if plausible::is_code(value) {
        return None;
    }
    Some(start..start + value.trim_end_matches(['.', ')', ']', '}', ':']).len())
}

/// What a name says of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    Password,
    Key,
}

impl Nature {
    /// `None` if the value is no secret: the name has no such word, or is that of something about a secret.
    fn of(name: &[u8]) -> Option<Self> {
        let Some(word) = NAMES.find_iter(name).last() else {
            return is_short(name).then_some(Self::Password);
        };
        let rest = &name[word.end()..];
        let about = !rest.is_empty() && ABOUT.is_match(rest);
        let password = word.pattern().as_usize() < PASSWORDS.len();
        (!about).then_some(if password { Self::Password } else { Self::Key })
    }

    /// What a value is, if it can be a secret.
    fn kind(self, name: &[u8], value: &str) -> Option<&'static str> {
        match self {
            Self::Password => plausible::is_password(value).then_some("password"),
            Self::Key if !plausible::is_key(value) => None,
            Self::Key if is_of_aws(name, value) => Some("aws_secret_key"),
            Self::Key => Some("api_key"),
        }
    }
}

fn is_short(name: &[u8]) -> bool {
    let last = name.rsplit(|byte| matches!(byte, b'_' | b'-' | b'.')).next().unwrap_or_default();
    SHORT.iter().any(|short| last.eq_ignore_ascii_case(short.as_bytes())) || last.ends_with(b"Pass")
}

fn is_of_aws(name: &[u8], value: &str) -> bool {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let named = ["aws", "secret_access", "secretaccess"].iter().any(|part| name.contains(part));
    named && value.len() == 40 && value.bytes().all(base64)
}
