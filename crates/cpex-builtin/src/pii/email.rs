//! E-mail addresses.

use std::ops::Range;

use super::context::tail;
use crate::finding::Confidence;

/// The longest part before the `@`, in bytes, RFC 5321.
const LONGEST_LOCAL: usize = 64;
/// The longest domain, in bytes, RFC 1035.
const LONGEST_DOMAIN: usize = 253;

/// Endings of file names, none of which is a top-level domain: `icon@2x.png` is a picture.
const FILES: [&str; 14] =
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "ico", "css", "js", "json", "html", "pdf", "ts"];

/// The address around the `@` at a place. It begins at `free` or later.
pub(super) fn around(text: &str, at: usize, free: usize) -> Option<(Range<usize>, Confidence)> {
    let local = local_before(&text[free..at])?;
    let domain = domain_after(&text[at + 1..])?;
    let span = at - local..at + 1 + domain;
    let sure = !in_userinfo(&text[..span.start]) && !is_remote(&text[span.end..]);
    Some((span, if sure { Confidence::High } else { Confidence::Low }))
}

/// The length of the part before the `@`.
fn local_before(text: &str) -> Option<usize> {
    let part = |character: &char| letter_or_digit(*character) || "._%+-'".contains(*character);
    let long: usize = text.chars().rev().take_while(part).map(char::len_utf8).sum();
    let local = text[text.len() - long..].trim_start_matches(['.', '-', '\'', '%', '+']);
    let fits =
        !local.is_empty() && local.len() <= LONGEST_LOCAL && !local.ends_with('.') && !local.contains("..");
    fits.then_some(local.len())
}

/// The length of the domain, which has at least two labels, the last of them of letters.
fn domain_after(text: &str) -> Option<usize> {
    let long: usize = (text.chars().take(LONGEST_DOMAIN + 1))
        .take_while(|c| letter_or_digit(*c) || matches!(c, '.' | '-'))
        .map(char::len_utf8)
        .sum();
    let domain = text[..long].trim_end_matches(['.', '-']);
    let domain = domain.split_once("..").map_or(domain, |(first, _)| first);
    let (rest, top) = domain.rsplit_once('.')?;
    let labels =
        rest.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    let named = top.chars().count() >= 2 && (top.chars().all(char::is_alphabetic) || top.starts_with("xn--"));
    let file = FILES.iter().any(|file| top.eq_ignore_ascii_case(file));
    (labels && named && !file && domain.len() <= LONGEST_DOMAIN).then_some(domain.len())
}

/// Letters of alphabets that write with spaces between words; in others an address has no visible beginning.
fn letter_or_digit(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || (('\u{c0}'..='\u{52f}').contains(&character) && character.is_alphabetic())
}

/// Whether what follows is the host of a URL, as in `https://name:password@host.example/`.
fn in_userinfo(before: &str) -> bool {
    if !before.ends_with([':', '/']) {
        return false;
    }
    let word = tail(before, 2 * LONGEST_LOCAL).rsplit(char::is_whitespace).next().unwrap_or_default();
    word.rsplit_once("://").is_some_and(|(_, authority)| !authority.contains(['/', '?', '#']))
}

/// Whether a path follows, as in `git@host.example:group/project.git`.
fn is_remote(after: &str) -> bool {
    after
        .strip_prefix(':')
        .is_some_and(|path| path.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'))
}
