//! What a worker has said and the log has not: told no faster than a log may grow, and of what is too much the last part.
//!
//! It reads no clock: what depends on the time is told it, counted from a beginning that is the caller's choice.

use std::collections::VecDeque;
use std::time::Duration;

/// Lines that are told in a period, and lines that wait to be told; those before them are left out.
const LINES: usize = 100;

const PERIOD: Duration = Duration::from_secs(1);

/// From one word on how much was left out to the next.
const PAUSE: Duration = Duration::from_secs(10);

/// Lines that are kept to explain an end.
const KEPT: usize = 20;

/// One line, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) bytes: Vec<u8>,
    pub(super) cut: bool,
}

/// What is to be told now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Lines that were left out, if that is to be told.
    pub(super) left_out: Option<u64>,
    pub(super) lines: Vec<Heard>,
}

#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Heard>,
    tail: VecDeque<Heard>,
    /// When this period began, and how much was told in it.
    since: Duration,
    told: usize,
    left_out: u64,
    /// When the last word on it was.
    warned: Option<Duration>,
}

impl Backlog {
    pub(super) fn hear(&mut self, line: &[u8], cut: bool) {
        let mut heard = Heard::default();
        if self.waiting.len() == LINES {
            self.left_out += 1;
            // A flood is not to cost memory for each line.
            heard = self.waiting.pop_front().unwrap_or_default();
            heard.bytes.clear();
        }
        heard.bytes.extend_from_slice(line);
        heard.cut = cut;
        self.waiting.push_back(heard);
    }

    /// What is to be told now: all that there is if there is no more to come.
    pub(super) fn take(&mut self, now: Duration, is_all: bool) -> Batch {
        if now.saturating_sub(self.since) >= PERIOD {
            (self.since, self.told) = (now, 0);
        }
        let may = if is_all { LINES } else { LINES - self.told.min(LINES) };
        let lines: Vec<_> = self.waiting.drain(..may.min(self.waiting.len())).collect();
        self.told += lines.len();
        self.tail.extend(lines[lines.len().saturating_sub(KEPT)..].iter().cloned());
        self.tail.drain(..self.tail.len().saturating_sub(KEPT));
        let is_due = is_all || self.warned.is_none_or(|warned| now.saturating_sub(warned) >= PAUSE);
        let left_out = (self.left_out > 0 && is_due).then(|| std::mem::take(&mut self.left_out));
        if left_out.is_some() {
            self.warned = Some(now);
        }
        Batch { left_out, lines }
    }

    /// For how long nothing is to be told; `None`: until more is heard.
    pub(super) fn rest(&self, now: Duration) -> Option<Duration> {
        let until = |time: Duration| time.saturating_sub(now);
        let lines = (!self.waiting.is_empty()).then(|| match self.told {
            0..LINES => Duration::ZERO,
            _ => until(self.since + PERIOD),
        });
        let left_out =
            (self.left_out > 0).then(|| self.warned.map_or(Duration::ZERO, |at| until(at + PAUSE)));
        [lines, left_out].into_iter().flatten().min()
    }

    /// The last lines, told or not, the very last one first.
    pub(super) fn last(&self) -> impl Iterator<Item = &Heard> {
        self.tail.iter().chain(&self.waiting).rev().take(KEPT)
    }
}

#[cfg(test)]
mod tests;
