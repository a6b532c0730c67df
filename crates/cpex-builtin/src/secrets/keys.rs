//! Keys of well-known formats, and long words that look random.
//!
//! A key is a long word, and prose has next to none: every word of [`LEAST`] signs covers one of the places that
//! are looked at, which lie so far apart. Only in long words is anything searched for.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};

use super::formats::{Alphabet, FORMATS, Format};
use super::plausible;
use crate::finding::Confidence;

/// The length of the shortest key, `AKIA` and sixteen signs.
const LEAST: usize = 20;

/// What words with keys in them are made of.
static SIGNS: Alphabet = Alphabet::new(true, true, true, "_-.+/=~");
/// Those of them that a key may begin behind. The others join it to a longer word, which is no key.
static JOINTS: Alphabet = Alphabet::new(false, false, false, ".+/=~");

static PREFIXES: LazyLock<(AhoCorasick, Vec<&Format>)> = LazyLock::new(|| {
    let formats = FORMATS.iter().flat_map(|format| format.prefixes.iter().map(move |_| format)).collect();
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .start_kind(StartKind::Anchored)
        .kind(Some(AhoCorasickKind::DFA))
        .build(FORMATS.iter().flat_map(|format| format.prefixes));
    (automaton.expect("the prefixes are few and short"), formats)
});

/// Compiles what keys are found by, so that no text has to wait for it.
pub(super) fn compile() {
    LazyLock::force(&PREFIXES);
}

/// Notes the keys of a text; with `random`, also the long words that look random.
pub(super) fn read(text: &str, random: bool, note: &mut impl FnMut(&'static str, Range<usize>, Confidence)) {
    let prefixes = &*PREFIXES;
    let bytes = text.as_bytes();
    for word in (LongWords { bytes, at: 0 }) {
        let mut start = word.start + escaped(bytes, word.start);
        while start + LEAST <= word.end {
            if let Some((kind, end)) = key(prefixes, text, start) {
                let sure = !plausible::is_placeholder(&text[start..end]);
                note(kind, start..end, if sure { Confidence::High } else { Confidence::Low });
                start = end;
            }
            let joint = bytes[start..word.end].iter().position(|byte| JOINTS.0[usize::from(*byte)]);
            start = joint.map_or(word.end, |joint| start + joint + 1);
        }
        if random && plausible::is_random(&text[word.clone()]) {
            note("high_entropy", word, Confidence::Low);
        }
    }
}

/// The key that begins at a place: its kind and where it ends.
fn key(
    (automaton, formats): &(AhoCorasick, Vec<&Format>),
    text: &str,
    start: usize,
) -> Option<(&'static str, usize)> {
    let prefix = automaton.find(Input::new(text).range(start..).anchored(Anchored::Yes))?;
    let format = formats[prefix.pattern().as_usize()];
    let end = format.end(text.as_bytes(), prefix.end())?;
    ends(text, end).then_some((format.kind, end))
}

/// How much of a word belongs to an escaped sign before it: `\n`, `%22`, `\u0022`.
fn escaped(bytes: &[u8], start: usize) -> usize {
    match (bytes[..start].last(), bytes[start]) {
        (Some(b'%'), _) => 2,
        (Some(b'\\'), b'n' | b'r' | b't') => 1,
        (Some(b'\\'), b'u') => 5,
        _ => 0,
    }
}

/// Whether a key may end here: not inside of a word.
fn ends(text: &str, end: usize) -> bool {
    !text.as_bytes().get(end).is_some_and(|after| after.is_ascii_alphanumeric() || *after == b'_')
}

/// The long words of a text.
struct LongWords<'a> {
    bytes: &'a [u8],
    /// No word reaches over this place.
    at: usize,
}

impl Iterator for LongWords<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let sign = |byte: &&u8| SIGNS.0[usize::from(**byte)];
        loop {
            let probe = self.at + LEAST - 1;
            let (before, after) = self.bytes.split_at_checked(probe)?;
            if !after.first().as_ref().map(sign)? {
                self.at = probe + 1;
                continue;
            }
            let start = probe - before[self.at..].iter().rev().take_while(sign).count();
            let end = probe + after.iter().take_while(sign).count();
            self.at = end;
            if end - start >= LEAST {
                return Some(start..end);
            }
        }
    }
}
