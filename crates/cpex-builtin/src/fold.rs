//! Texts as people read them: signs without width left out, digits and signs of other forms made plain.

use std::borrow::Cow;
use std::iter::from_fn;
use std::ops::Range;

use crate::finding::Finding;

/// A text whose letters, digits and signs are plain, and where each of them stood.
pub(crate) struct Folded<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Places in the folded text from which on the distance to the original is another, with the original place.
    steps: Vec<(usize, usize)>,
}

/// Folds a text. One of ASCII is borrowed as it is.
pub(crate) fn fold(text: &str) -> Folded<'_> {
    let (mut folded, mut steps, mut end) = (String::new(), Vec::new(), 0);
    for (at, character) in beyond_ascii(text) {
        let seen = plain(character);
        if seen != Some(character) {
            folded.push_str(&text[end..at]);
            folded.extend(seen);
            end = at + character.len_utf8();
            steps.push((folded.len(), end));
        }
    }
    if steps.is_empty() {
        return Folded { text: Cow::Borrowed(text), steps };
    }
    folded.push_str(&text[end..]);
    Folded { text: Cow::Owned(folded), steps }
}

/// The signs of a text that are not ASCII, with their places.
fn beyond_ascii(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut at = 0;
    from_fn(move || {
        at += ascii(&text.as_bytes()[at..]);
        let (place, character) = (at, text[at..].chars().next()?);
        at += character.len_utf8();
        Some((place, character))
    })
}

/// How many bytes of ASCII there are at the beginning. Most texts have nothing else: they are read by the block.
fn ascii(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let blocks = bytes.chunks_exact(BLOCK).take_while(|block| block.is_ascii()).count() * BLOCK;
    blocks + bytes[blocks..].iter().take_while(|byte| byte.is_ascii()).count()
}

impl Folded<'_> {
    /// Turns spans in the folded text into those in the original.
    pub(crate) fn place(&self, findings: &mut [Finding]) {
        if !self.steps.is_empty() {
            findings.iter_mut().for_each(|finding| finding.span = self.original(&finding.span));
        }
    }

    fn original(&self, span: &Range<usize>) -> Range<usize> {
        let original = |place: usize, steps: &[(usize, usize)]| {
            let (folded, original) = steps.last().copied().unwrap_or_default();
            original + (place - folded)
        };
        let upto = |place: usize| &self.steps[..self.steps.partition_point(|(folded, _)| *folded <= place)];
        original(span.start, upto(span.start))..original(span.end, upto(span.end))
    }
}

/// What a sign is read as, `None` if it is not seen.
fn plain(character: char) -> Option<char> {
    if character.is_ascii() {
        return Some(character);
    }
    Some(match character {
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => return None,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' => '-',
        '\u{fe6b}' => '@',
        '\u{3002}' => '.',
        // Letters of Europe are many, and before all other digits.
        ..'\u{660}' => character,
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0)?,
        _ => digit(character).unwrap_or(character),
    })
}

/// The digits of Arabic, Persian, the Indic scripts, Thai, and those in mathematical letters.
fn digit(character: char) -> Option<char> {
    const ZEROS: [char; 18] = [
        '\u{660}',
        '\u{6f0}',
        '\u{966}',
        '\u{9e6}',
        '\u{a66}',
        '\u{ae6}',
        '\u{b66}',
        '\u{be6}',
        '\u{c66}',
        '\u{ce6}',
        '\u{d66}',
        '\u{e50}',
        '\u{ed0}',
        '\u{1d7ce}',
        '\u{1d7d8}',
        '\u{1d7e2}',
        '\u{1d7ec}',
        '\u{1d7f6}',
    ];
    let zero = *ZEROS[..ZEROS.partition_point(|zero| *zero <= character)].last()?;
    char::from_digit(u32::from(character) - u32::from(zero), 10)
}
