//! Who may still call a plugin: it is shut down once nobody may.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

/// The right to use the plugins of a plan. Whatever calls one of them holds it until it has ended; a plan that is no
/// longer in force hands out no more.
pub(crate) struct Lease {
    _plugins: Box<[Arc<InUse>]>,
}

/// Held by every lease on a plugin, by its entry, and by its methods on the blocking pool, which outlive their caller. Tells when the last of them is gone.
pub(crate) struct InUse {
    gone: CancellationToken,
}

impl Lease {
    pub(crate) fn new(plugins: impl Iterator<Item = Arc<InUse>>) -> Self {
        Self { _plugins: plugins.collect() }
    }
}

impl InUse {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { gone: CancellationToken::new() })
    }

    /// What is cancelled when nobody uses the plugin any more.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}
