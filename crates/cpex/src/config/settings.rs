use std::fmt;

use cpex_core::extensions::Enforcement;
use serde::de::{IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer};

use super::environment;
use super::error::ConfigError;

/// Switches of the pipeline: `plugin_settings` of a file. Those that only concern the Python host are checked and
/// have no effect: here, plugins never share a payload that they could change, and the report is always full.
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
    isolation: Isolation,
    execution_detail: ExecutionDetail,
}

/// What is made of extensions that a plugin may not write.
///
/// ```
/// assert_eq!(cpex::config::Tiers::default(), cpex::config::Tiers::Enforce);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tiers {
    /// They are not taken, and told; taking away from what may only grow is a failure of the plugin.
    #[default]
    Enforce,
    /// It is told; what the plugin returned is taken as it is.
    Warn,
    /// What the plugin returned is taken as it is.
    Off,
}

/// Of the Python host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Isolation {
    #[default]
    Default,
    Always,
}

/// Of the Python host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExecutionDetail {
    #[default]
    Default,
    Full,
}

impl PluginSettings {
    /// The same, with the variables of the environment over it.
    ///
    /// # Errors
    /// If one says something it cannot: what is meant to protect must not be misspelt in silence.
    pub(crate) fn with_environment(self) -> Result<Self, ConfigError> {
        Ok(Self {
            extension_tiers: environment::word("PLUGINS_EXTENSION_TIERS")?.unwrap_or(self.extension_tiers),
            isolation: environment::word("PLUGINS_ISOLATION")?.unwrap_or(self.isolation),
            execution_detail: environment::word("PLUGINS_EXECUTION_DETAIL")?.unwrap_or(self.execution_detail),
        })
    }
}

impl<'de> Deserialize<'de> for Tiers {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Word {
            Default,
            Enforce,
            Warn,
            Off,
        }

        struct Written;

        impl Visitor<'_> for Written {
            type Value = Tiers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one of: default, enforce, warn, off")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Tiers, E> {
                Ok(match Word::deserialize(word.into_deserializer())? {
                    Word::Default | Word::Enforce => Tiers::Enforce,
                    Word::Warn => Tiers::Warn,
                    Word::Off => Tiers::Off,
                })
            }

            /// How YAML reads `off` without quotes.
            fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<Tiers, E> {
                if on {
                    Err(E::custom("expected one of: default, enforce, warn, off"))
                } else {
                    Ok(Tiers::Off)
                }
            }
        }

        reader.deserialize_any(Written)
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
