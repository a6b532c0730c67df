//! What time it is, for durations.

use std::sync::LazyLock;
use std::time::Duration;

use quanta::Clock;

/// The processor's counter, where there is one that runs evenly: to ask the system for the time costs as much as a
/// plugin that allows.
static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::new);

/// A reading of the clock.
#[derive(Clone, Copy, Debug)]
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

    /// The same for a timer of the runtime: nothing if its clock stands still.
    pub(crate) fn elapsed_for_timer(self) -> Duration {
        if is_paused() { Duration::ZERO } else { self.elapsed() }
    }
}

/// Whether time passes only when a test lets it pass, as with [`tokio::time::pause`]: then the system's clock is not
/// between two readings of the runtime's.
fn is_paused() -> bool {
    let before = tokio::time::Instant::now().into_std();
    let between = std::time::Instant::now();
    let after = tokio::time::Instant::now().into_std();
    between < before || after < between
}

/// Compares the counter with the system's clock, once in a process, which takes some milliseconds: when plugins are
/// loaded rather than when the first request comes.
pub(crate) fn calibrate() {
    LazyLock::force(&CLOCK);
}
