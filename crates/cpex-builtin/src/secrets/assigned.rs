//! Values that are called a secret: `password = "…"`, `{"api_key": "…"}`, `Authorization: Bearer …`.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;

use super::plausible;
use crate::finding::Confidence;

pub(super) const KINDS: [&str; 4] = ["password", "api_key", "aws_secret_key", "bearer_token"];

/// Words in names of secrets. Those of passwords come first.
const WORDS: [&str; 24] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "passcode",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "api key",
    "access_key",
    "access-key",
    "accesskey",
    "auth_key",
    "private_key",
    "encryption_key",
    "signing_key",
    "account_key",
    "accountkey",
    "client_key",
    "credential",
    "bearer",
    "basic",
];
const PASSWORDS: usize = 5;
const SCHEMES: usize = 22;

static NAMES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(WORDS)
        .expect("the words are few and short")
});

/// `Bearer …` and `Basic …`, as in the header `Authorization`.
static SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?i:bearer|basic) {1,2}([A-Za-z0-9._~+/-]{16,4096}={0,2})").expect("the pattern is valid")
});

/// Names of what belongs to a secret and is none.
static ABOUT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:^|[_.-])(?:names?|ids?|types?|counts?|urls?|uri|path|file|fields?|length|len|size|limit|policy|expir\w*|ttl|hint|prompt|label|version|arn|ref|usage|hash|digest|param\w*|manager|provider|service|endpoint|issuer|created|updated|at)$|^s$|^(?:iz|s_)")
        .expect("the pattern is valid")
});

/// Words that make the whole text a secret if the text is called so.
static CALLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!("(?i)({})([\\w.-]{{0,40}})$", WORDS.join("|"))).expect("the pattern is valid")
});

/// Notes what is assigned to a secret's name in a text, and the text if it is itself called a secret.
pub(super) fn read(text: &str, name: Option<&str>, note: &mut impl FnMut(&str, Range<usize>, Confidence)) {
    if let Some(kind) = name.and_then(|name| kind_called(name, text)) {
        note(kind, 0..text.len(), Confidence::Medium);
        return;
    }
    let mut free = 0;
    for word in NAMES.find_iter(text) {
        let start = word.start();
        if start < free {
            continue;
        }
        let pattern = word.pattern().as_usize();
        if pattern >= SCHEMES {
            if let Some(groups) = SCHEME.captures(&text[start..]) {
                let value = start + groups[0].len() - groups[1].len()..start + groups[0].len();
                if plausible::is_key(&text[value.clone()]) {
                    free = value.end;
                    note("bearer_token", value, Confidence::High);
                }
            }
            continue;
        }
        let Some((rest_of_name, value)) = assignment(text, word.end()) else { continue };
        if ABOUT.is_match(rest_of_name) {
            continue;
        }
        if let Some(kind) = kind(pattern < PASSWORDS, name_around(text, start), &text[value.clone()]) {
            free = value.end;
            note(kind, value, Confidence::Medium);
        }
    }
}

/// The rest of a name from `at` on, and the span of what is assigned to it, without its quotes.
fn assignment(text: &str, at: usize) -> Option<(&str, Range<usize>)> {
    let bytes = text.as_bytes();
    let run = |from: usize, most: usize, part: fn(u8) -> bool| {
        from + bytes[from..].iter().take(most).take_while(|byte| part(**byte)).count()
    };
    let spaces = |from| run(from, 4, |byte| matches!(byte, b' ' | b'\t'));
    let quote = |from| {
        let quoted = run(from, 1, |byte| byte == b'\\');
        run(quoted, 1, |byte| matches!(byte, b'"' | b'\'' | b'`'))
    };
    let name_end = run(at, 40, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    let sign = spaces(run(quote(name_end), 1, |byte| byte == b']'));
    let signs: [&[u8]; 7] = [b"=>", b":=", b"==", b"=", b":", b"is ", b"was "];
    let length = signs.iter().find(|wanted| bytes[sign..].starts_with(wanted))?.len();
    let start = quote(spaces(sign + length));
    let end = run(start, 512, |byte| !byte.is_ascii_whitespace() && !b"\"'`,;\\<>[{(".contains(&byte));
    let value = text.get(start..end)?.trim_end_matches(['.', ')', '}', ']', '!', '?', ':', '&']);
    Some((&text[at..name_end], start..start + value.len()))
}

/// What a whole text is if its name is that of a secret.
fn kind_called(name: &str, text: &str) -> Option<&'static str> {
    let groups = CALLED.captures(name).filter(|_| !text.contains(char::is_whitespace))?;
    let password = WORDS[..PASSWORDS].iter().any(|word| groups[1].eq_ignore_ascii_case(word));
    if ABOUT.is_match(&groups[2]) { None } else { kind(password, name, text) }
}

fn kind(password: bool, name: &str, value: &str) -> Option<&'static str> {
    if password {
        return plausible::is_password(value).then_some("password");
    }
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let aws = value.len() == 40 && value.bytes().all(base64) && name.to_ascii_lowercase().contains("aws");
    plausible::is_key(value).then_some(if aws { "aws_secret_key" } else { "api_key" })
}

/// The name that has a word in it, as far as it stands before the word.
fn name_around(text: &str, word: usize) -> &str {
    let part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let before = text.as_bytes()[..word].iter().rev().take(32).take_while(part).count();
    &text[word - before..word]
}
