//! What this machine can do.

use serde::Serialize;

/// What this system supports, as tried, not as its version says.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Support {
    /// The system and its version.
    pub system: String,
    /// Version of the Landlock ABI; 0: none.
    pub landlock: u32,
}

impl Support {
    /// Asks this system. The first call tries things out (milliseconds), later ones remember.
    pub fn probe() -> &'static Self {
        crate::system::support()
    }
}
