//! Plugins that could not be loaded.

use std::error::Error;
use std::fmt;

use crate::config::{ConfigError, PluginConfig};

/// A configured plugin that is not running, and why. Names no secret of its configuration.
///
/// ```
/// use cpex::config::Config;
/// use cpex::lifecycle::LoadPhase;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let config = Config::parse("plugins: [{name: guard, kind: no.Such}]", "plugins.yaml")?;
/// let manager = cpex::Manager::builder().config(config).start().await?;
/// let failure = &manager.load_failures().await[0];
/// assert_eq!((&*failure.name, failure.phase), ("guard", LoadPhase::Find));
/// assert_eq!(failure.place.as_deref(), Some("plugins.yaml:1:31"));
/// # Ok::<(), cpex::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadFailure {
    /// Name of the plugin.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How far it came.
    pub phase: LoadPhase,
    /// Why it came no further.
    pub error: String,
    /// File, line and column of what is wrong, or of its entry; `None` if it was not read from a file.
    pub place: Option<String>,
}

/// How far the loading of a plugin came.
///
/// ```
/// assert_eq!(cpex::lifecycle::LoadPhase::Initialize.to_string(), "initialize");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPhase {
    /// There is no such kind.
    Find,
    /// Its factory failed.
    Construct,
    /// Its `initialize` failed.
    Initialize,
    /// It does not fit the hooks it is meant for.
    Register,
}

impl LoadFailure {
    pub(crate) fn new(
        config: &PluginConfig,
        phase: LoadPhase,
        error: &(dyn Error + Send + Sync + 'static),
    ) -> Self {
        let of_entry = || config.origin.as_ref().map(crate::config::Origin::place);
        let (place, error) = match error.downcast_ref::<ConfigError>() {
            Some(wrong) => (wrong.place.clone().or_else(of_entry), wrong.without_place()),
            None => (of_entry(), error.to_string()),
        };
        Self { name: config.name.clone(), kind: config.kind.clone(), phase, error, place }
    }
}

impl fmt::Display for LoadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "plugin {:?} cannot be loaded: {}", self.name, self.error)
    }
}

impl Error for LoadFailure {}

impl LoadPhase {
    /// As it stands in logs and metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Construct => "construct",
            Self::Initialize => "initialize",
            Self::Register => "register",
        }
    }
}

impl fmt::Display for LoadPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
