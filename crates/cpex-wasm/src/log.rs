//! What plugins write into the host's log: bounded, one line each.

use std::fmt::Write;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::guest::{State, bindings};

/// Lines a second and plugin, and at once.
const LINES: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Characters of a line.
const LENGTH: usize = 2048;

/// The log of one plugin.
pub(crate) struct Log {
    plugin: String,
    lines: DefaultDirectRateLimiter,
    lost: AtomicU64,
}

impl Log {
    pub(crate) fn new(plugin: &str) -> Arc<Self> {
        let lines = RateLimiter::direct(Quota::per_second(LINES));
        Arc::new(Self { plugin: plugin.to_owned(), lines, lost: AtomicU64::new(0) })
    }

    fn write(&self, level: bindings::Level, message: &str) {
        if self.lines.check().is_err() {
            self.lost.fetch_add(1, Relaxed);
            return;
        }
        let plugin = &*self.plugin;
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            tracing::warn!(plugin, "a plugin logs too much: {lost} lines are left out");
        }
        let line = one_line(message);
        match level {
            bindings::Level::Debug => tracing::debug!(plugin, "{line}"),
            bindings::Level::Info => tracing::info!(plugin, "{line}"),
            bindings::Level::Warning => tracing::warn!(plugin, "{line}"),
            bindings::Level::Error => tracing::error!(plugin, "{line}"),
        }
    }
}

impl bindings::cpex::plugin::log::Host for State {
    fn write(&mut self, level: bindings::Level, message: String) {
        self.log.write(level, &message);
    }
}

/// What a plugin says, as far as people read it: it forges no line of somebody else, and commands no terminal.
pub(crate) fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len().min(LENGTH));
    let mut characters = message.chars();
    for character in characters.by_ref().take(LENGTH) {
        if character.is_control() {
            // Writing to a string does not fail.
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
    if characters.next().is_some() {
        line.push('…');
    }
    line
}
