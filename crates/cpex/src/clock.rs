//! What time it is, for durations.

use std::sync::LazyLock;
use std::time::Duration;

use quanta::Clock;

/// The processor's counter, where there is one that runs evenly: to ask the system for the time costs as much as a
/// plugin that allows.
static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::new);

/// A reading of the clock.
#[derive(Clone, Copy)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(CLOCK.raw())
    }

    /// In nanoseconds.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        CLOCK.delta_as_nanos(earlier.0, self.0)
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_nanos(Self::now().since(self))
    }
}

/// Compares the counter with the system's clock, once in a process, which takes some milliseconds: when plugins are
/// loaded rather than when the first request comes.
pub(crate) fn calibrate() {
    LazyLock::force(&CLOCK);
}
