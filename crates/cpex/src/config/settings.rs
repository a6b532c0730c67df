use std::env;

use cpex_core::extensions::Enforcement;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::error::ConfigError;

/// Switches of the pipeline: `plugin_settings` of a file. Those that only concern the Python host are read and have
/// no effect: here, plugins never share a payload that they could change, and the report is always full.
///
/// ```
/// use cpex::config::{Config, Tiers};
///
/// let config = Config::parse("plugin_settings:\n  extension_tiers: warn\n", "plugins.yaml")?;
/// assert_eq!(config.plugin_settings.extension_tiers, Tiers::Warn);
/// # Ok::<(), cpex::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PluginSettings {
    /// What is made of extensions that a plugin may not write.
    pub extension_tiers: Tiers,
}

/// What is made of extensions that a plugin may not write.
///
/// ```
/// assert_eq!(cpex::config::Tiers::default(), cpex::config::Tiers::Enforce);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tiers {
    /// They are not taken, and told; taking away from what may only grow is a failure of the plugin.
    #[default]
    #[serde(alias = "default")]
    Enforce,
    /// It is told; what the plugin returned is taken as it is.
    Warn,
    /// What the plugin returned is taken as it is.
    Off,
}

impl PluginSettings {
    /// The same, with the variables of the environment over it.
    ///
    /// # Errors
    /// If one says something it cannot: what is meant to protect must not be misspelt in silence.
    pub(crate) fn with_environment(mut self) -> Result<Self, ConfigError> {
        const NAME: &str = "PLUGINS_EXTENSION_TIERS";
        let chosen = env::var(NAME).unwrap_or_default().trim().to_lowercase();
        if !chosen.is_empty() {
            let reader: StrDeserializer<'_, Error> = chosen.as_str().into_deserializer();
            self.extension_tiers = Tiers::deserialize(reader).map_err(|_| ConfigError {
                place: None,
                path: NAME.to_owned(),
                message: "expected one of: enforce, warn, off".to_owned(),
            })?;
        }
        Ok(self)
    }
}

impl From<Tiers> for Enforcement {
    fn from(tiers: Tiers) -> Self {
        match tiers {
            Tiers::Enforce => Self::Enforce,
            Tiers::Warn => Self::Warn,
            Tiers::Off => Self::Off,
        }
    }
}

/// Is a variable of the environment set to something that means yes?
pub(crate) fn is_true(variable: &str) -> bool {
    let value = env::var(variable).unwrap_or_default();
    matches!(value.trim().to_lowercase().as_str(), "1" | "true" | "yes" | "on")
}
