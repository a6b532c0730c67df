//! One message a line.

#[cfg(test)]
mod tests;

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// What is on it.
    Text(Vec<u8>),
    /// More than is taken; it is not kept.
    TooLong,
}

/// Takes bytes as they come and gives lines.
#[derive(Debug)]
pub(super) struct Lines {
    limit: usize,
    begun: Vec<u8>,
    skipping: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, begun: Vec::new(), skipping: false }
    }

    /// The lines that end in these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.extend(piece);
            if pieces.peek().is_some() {
                lines.extend(self.end());
            }
        }
        lines
    }

    /// The line that no newline ended, if there is one.
    pub(super) fn finish(&mut self) -> Option<Line> {
        self.end()
    }

    fn extend(&mut self, piece: &[u8]) {
        if self.begun.len() + piece.len() > self.limit {
            self.skipping = true;
            self.begun = Vec::new();
        }
        if !self.skipping {
            self.begun.extend_from_slice(piece);
        }
    }

    /// The line that ends here; an empty one is none.
    fn end(&mut self) -> Option<Line> {
        let mut line = std::mem::take(&mut self.begun);
        if std::mem::take(&mut self.skipping) {
            return Some(Line::TooLong);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        (!line.is_empty()).then_some(Line::Text(line))
    }
}
