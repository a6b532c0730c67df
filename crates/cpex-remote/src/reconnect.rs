//! How long to wait before a connection is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The longest wait between two attempts to connect, jitter aside.
pub(crate) const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(5);

/// The waits before the second attempt to connect, the third and so on: longer and longer, and never in step with
/// other clients of the same server.
pub(crate) fn delays(attempts: usize, first: Duration) -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(MAX_RECONNECT_DELAY)
        .with_max_times(attempts)
        .with_jitter()
        .build()
}
