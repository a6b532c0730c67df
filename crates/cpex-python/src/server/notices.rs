//! What the network has to tell the operator: peers that were not let in, and connections that broke.

use std::collections::HashMap;
use std::mem;
use std::time::{Duration, Instant};

/// A line is not said again for so long, only counted.
const PERIOD: Duration = Duration::from_secs(60);

/// Lines in a period: peers decide what goes wrong, and are not to fill the log with it.
const MOST: usize = 20;

/// How much a line matters: a level of Python's `logging`.
#[derive(Clone, Copy)]
pub(super) enum Level {
    Info = 20,
    Warning = 30,
}

/// Lines for the log, each only once in a while.
#[derive(Default)]
pub(super) struct Notices {
    began: Option<Instant>,
    /// How often each line came in this period beyond the first time.
    said: HashMap<String, usize>,
    /// The same of the period before.
    before: HashMap<String, usize>,
}

impl Notices {
    /// What to say now of something that happened; `None` if it was said already, or too much was.
    pub(super) fn line(&mut self, now: Instant, what: String) -> Option<String> {
        if self.began.is_none_or(|began| now.duration_since(began) >= PERIOD) {
            self.began = Some(now);
            self.before = mem::take(&mut self.said);
        }
        if let Some(more) = self.said.get_mut(&what) {
            *more += 1;
            return None;
        }
        if self.said.len() >= MOST {
            return None;
        }
        let line = match self.before.get(&what) {
            None | Some(0) => what.clone(),
            Some(more) => format!("{what} ({more} more since it was said last)"),
        };
        self.said.insert(what, 0);
        Some(line)
    }
}
