//! Time as the machines see it.

use std::ops::Add;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment, in microseconds since an epoch that whoever tells the time has chosen.
///
/// ```
/// use cpex_builtin::limits::moment::Moment;
/// use std::time::Duration;
///
/// let start = Moment::from_micros(5_000_000);
/// assert_eq!((start + Duration::from_secs(1)).since(start), Duration::from_secs(1));
/// assert_eq!(start.since(start + Duration::from_secs(1)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// So many microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier`; nothing if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// By a clock that never goes back. Its epoch is the first reading in this process.
    #[must_use]
    pub fn monotonic() -> Self {
        static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
        Self(micros(EPOCH.elapsed()))
    }

    /// By the calendar's clock, since 1970.
    #[must_use]
    pub fn wall() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

/// Whole microseconds; those of more than half a million years count as that.
pub(super) fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(duration.subsec_micros().into())
}
