//! From a place in the rendered text back to the place in the source text.

use crate::position::Position;

/// Rendered text, and where each run of it stood in the source.
pub(crate) struct SourceMap {
    /// From this character of the rendered text on, the text stood at this source position.
    anchors: Vec<(usize, Position)>,
    /// The index of the first character of each rendered line.
    lines: Vec<usize>,
    length: usize,
    after_return: bool,
}

impl SourceMap {
    pub(crate) fn new() -> Self {
        Self { anchors: vec![(0, Position::START)], lines: vec![0], length: 0, after_return: false }
    }

    /// The map of a text that is its own source.
    pub(crate) fn identity(text: &str) -> Self {
        let mut map = Self::new();
        map.append(text, Position::START);
        map
    }

    /// Says that the rendered text goes on with a run that stood at a source position.
    pub(crate) fn append(&mut self, run: &str, at: Position) {
        self.anchors.push((self.length, at));
        for c in run.chars() {
            if self.after_return && c == '\n' {
                self.lines.pop();
            }
            self.length += 1;
            self.after_return = c == '\r';
            if is_break(c) {
                self.lines.push(self.length);
            }
        }
    }

    /// The source position of a rendered line (from 1) and column (from 0).
    pub(crate) fn position(&self, line: usize, column: usize) -> Position {
        let index = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0) + column;
        let known = self.anchors.partition_point(|&(anchor, _)| anchor <= index) - 1;
        let (anchor, at) = self.anchors[known];
        let first_line = self.lines.partition_point(|&start| start <= anchor);
        let last_line = self.lines.partition_point(|&start| start <= index);
        if first_line == last_line {
            return Position { line: at.line, column: at.column + index - anchor };
        }
        Position { line: at.line + last_line - first_line, column: index - self.lines[last_line - 1] + 1 }
    }
}

/// The position of a byte offset into a text.
pub(crate) fn position_of(text: &str, offset: usize) -> Position {
    let mut at = Position::START;
    let mut chars = text.get(..offset).unwrap_or(text).chars().peekable();
    while let Some(c) = chars.next() {
        if is_break(c) && !(c == '\r' && chars.peek() == Some(&'\n')) {
            at = Position { line: at.line + 1, column: 1 };
        } else {
            at.column += 1;
        }
    }
    at
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r')
}
