//! YAML 1.1 layout for a YAML 1.2 parser.
//!
//! Inside brackets and quotes PyYAML ignores indentation; YAML 1.2 wants more of it than the block around has.
//! Leading blanks mean nothing there, so a line that the parser finds too shallow is moved to the right.

use std::collections::HashMap;

use saphyr_parser::{Marker, ScanError};

/// Lines that may be moved. Each costs one more reading of the text.
const MAX_MOVED: usize = 1000;

/// A text, some lines of it moved to the right.
pub(crate) struct Layout {
    text: String,
    /// By how much the moved lines were moved; lines count from 1.
    moved: HashMap<usize, usize>,
    /// Deeper than any block of the text.
    depth: usize,
}

impl Layout {
    pub(crate) fn new(text: &str) -> Self {
        let indentation = |line: &str| line.chars().take_while(|c| " -?:".contains(*c)).count();
        let depth = text.split(['\n', '\r']).map(indentation).max().unwrap_or(0) + 2;
        Self { text: text.to_owned(), moved: HashMap::new(), depth }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The column that a place had, from 0, before its line was moved.
    pub(crate) fn column(&self, marker: &Marker) -> usize {
        marker.col().saturating_sub(self.moved.get(&marker.line()).copied().unwrap_or(0))
    }

    /// Moves the line that the parser finds too shallow. False if that is not what it complains about.
    pub(crate) fn relax(&mut self, error: &ScanError) -> bool {
        let named = error.marker().line();
        let line = match error.info() {
            "invalid indentation" | "invalid indentation in flow construct" => named,
            // It names the line where the quotes open; one of those inside is too shallow.
            "invalid indentation in quoted scalar" => {
                let is_moved = |line: &usize| self.moved.contains_key(line);
                (named + 1..).find(|line| !is_moved(line)).unwrap_or(named)
            }
            _ => return false,
        };
        if self.moved.contains_key(&line) || self.moved.len() >= MAX_MOVED {
            return false;
        }
        let Some(start) = self.line_start(line) else { return false };
        self.text.insert_str(start, &" ".repeat(self.depth));
        self.moved.insert(line, self.depth);
        true
    }

    fn line_start(&self, line: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let is_break = |&index: &usize| match bytes[index] {
            b'\n' => true,
            b'\r' => bytes.get(index + 1) != Some(&b'\n'),
            _ => false,
        };
        match line.checked_sub(2) {
            None => Some(0),
            Some(breaks) => (0..bytes.len()).filter(is_break).nth(breaks).map(|index| index + 1),
        }
    }
}
