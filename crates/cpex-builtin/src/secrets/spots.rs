//! What a fixed text gives away: blocks of private keys, passwords in URLs, and credentials behind a word.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;

use super::{assigned, plausible};
use crate::finding::Confidence;

/// What the fixed texts stand before.
#[derive(Clone, Copy)]
enum Spot {
    Block,
    Authority,
    Scheme,
    Flag,
    Verb,
}

const SPOTS: [(&str, Spot); 14] = [
    ("-----BEGIN ", Spot::Block),
    ("://", Spot::Authority),
    ("Bearer ", Spot::Scheme),
    ("bearer ", Spot::Scheme),
    ("BEARER ", Spot::Scheme),
    ("Basic ", Spot::Scheme),
    ("basic ", Spot::Scheme),
    ("--", Spot::Flag),
    (" is ", Spot::Verb),
    (" was ", Spot::Verb),
    (" ist ", Spot::Verb),
    (" es ", Spot::Verb),
    (" est ", Spot::Verb),
    (" to ", Spot::Verb),
];

static AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(SPOTS.map(|(text, _)| text))
        .expect("the texts are few and short")
});

/// Compiles what spots are found by, so that no text has to wait for it.
pub(super) fn compile() {
    LazyLock::force(&AUTOMATON);
    LazyLock::force(&PRIVATE_KEY);
}

/// Notes what the fixed texts in a text give away.
pub(super) fn read(text: &str, note: &mut impl FnMut(&'static str, Range<usize>, Confidence)) {
    for found in AUTOMATON.find_iter(text) {
        match SPOTS[found.pattern().as_usize()].1 {
            Spot::Block => {
                if let Some(block) = private_key(text, found.start()) {
                    note("private_key", block, Confidence::High);
                }
            }
            Spot::Authority => {
                if let Some((password, confidence)) = password_in_url(text, found.end()) {
                    note("password_in_url", password, confidence);
                }
            }
            Spot::Scheme => {
                if let Some(token) = bearer_token(text, found.end()) {
                    note("bearer_token", token, Confidence::High);
                }
            }
            Spot::Flag => assigned::flag(text, found.end(), note),
            Spot::Verb => assigned::said(text, found.range(), note),
        }
    }
}

/// The longest name and password in a URL, in bytes.
const LONGEST_USERINFO: usize = 384;
const SHORTEST_PASSWORD: usize = 3;
const LONGEST_TOKEN: usize = 4096;

/// The whole block; of one that was cut off, the lines that there are.
static PRIVATE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    let header = "-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----";
    let whole = "(?:[^-]|-[^-])*-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----";
    let lines = r"(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{40,})*";
    Regex::new(&format!("^{header}(?:{whole}|{lines})")).expect("the pattern is valid")
});

/// The block of a private key that begins at `start`.
fn private_key(text: &str, start: usize) -> Option<Range<usize>> {
    PRIVATE_KEY.find(&text[start..]).map(|block| start..start + block.end())
}

/// The password in the authority that begins at `start`: `name:password@host`.
fn password_in_url(text: &str, start: usize) -> Option<(Range<usize>, Confidence)> {
    let bytes = &text.as_bytes()[start..];
    let part = |byte: &&u8| !byte.is_ascii_whitespace() && !b"/?#\"'<>".contains(byte);
    let authority = &bytes[..bytes.iter().take(LONGEST_USERINFO).take_while(part).count()];
    let userinfo = &authority[..authority.iter().rposition(|byte| *byte == b'@')?];
    let password = userinfo.iter().position(|byte| *byte == b':')? + 1..userinfo.len();
    let host = bytes
        .get(userinfo.len() + 1)
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"[-${".contains(byte));
    if !host || password.len() < SHORTEST_PASSWORD {
        return None;
    }
    let span = start + password.start..start + password.end;
    let sure = !plausible::stands_for_another(text.get(span.clone())?);
    Some((span, if sure { Confidence::High } else { Confidence::Low }))
}

/// The credentials behind the name of a scheme, as in the header `Authorization`.
fn bearer_token(text: &str, start: usize) -> Option<Range<usize>> {
    let sign = |byte: &&u8| byte.is_ascii_alphanumeric() || b"._~+/=-".contains(byte);
    let token = start..start + text.as_bytes()[start..].iter().take(LONGEST_TOKEN).take_while(sign).count();
    plausible::is_key(&text[token.clone()]).then_some(token)
}
