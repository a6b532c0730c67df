//! When a connection is tried again.

use std::io;
use std::path::Path;
use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder, ExponentialBuilder, Retryable};
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::error::RemoteError;

/// The longest wait between two attempts to connect, jitter aside.
pub(crate) const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(5);
/// The wait of who stands in a full queue.
const QUEUE_DELAY: Duration = Duration::from_millis(10);

/// The waits before the second attempt to connect, the third and so on: longer and longer, and never in step with
/// other clients of the same server.
pub(crate) fn delays(attempts: usize, first: Duration) -> impl Iterator<Item = Duration> + Send {
    backoff(attempts, first).build()
}

fn backoff(attempts: usize, first: Duration) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(MAX_RECONNECT_DELAY)
        .with_max_times(attempts)
        .with_jitter()
}

/// Why a try of a client came to nothing.
pub(crate) enum Failed {
    /// No server was reached.
    Unreached(io::Error),
    /// One was, or none could do better.
    Ended(RemoteError),
}

/// Tries again as long as no server is reached, up to so many times.
pub(crate) async fn until_reached<T, F: Future<Output = Result<T, Failed>>>(
    attempts: usize,
    first: Duration,
    target: impl FnOnce() -> String,
    attempt: impl FnMut() -> F,
) -> Result<T, RemoteError> {
    let tried = attempt
        .retry(backoff(attempts, first))
        .sleep(sleep)
        .when(|failed| matches!(failed, Failed::Unreached(_)))
        .await;
    tried.map_err(|failed| match failed {
        Failed::Unreached(source) => {
            RemoteError::Reconnect { target: target(), attempts: attempts + 1, source }
        }
        Failed::Ended(error) => error,
    })
}

/// Connects to a socket, however long its server takes to let those in who came before: where TCP waits, a socket
/// with a full queue refuses (`EAGAIN`, `connect(2)`). The caller sets the deadline.
pub(crate) async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let queue = ConstantBuilder::default().with_delay(QUEUE_DELAY).without_max_times();
    (|| UnixStream::connect(path))
        .retry(queue)
        .sleep(sleep)
        .when(|error| error.kind() == io::ErrorKind::WouldBlock)
        .await
}
