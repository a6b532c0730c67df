//! Where the counts are kept.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};

use serde::{Deserialize, Serialize};

use super::span::Span;

/// Where the counts are kept: in this process, or in Redis for all hosts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StoreConfig {
    /// In this process, for itself alone.
    Memory(MemoryConfig),
    /// In Redis or Valkey.
    #[cfg(feature = "redis")]
    Redis(RedisConfig),
}

/// Counts in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// How many keys are remembered. At the bound, the one nearest to being as good as new is forgotten.
    pub max_keys: NonZeroUsize,
}

/// Counts in Redis or Valkey.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://[user:password@]host[:port][/database]`; `rediss://` for TLS; `redis+unix:///path` for a socket.
    pub url: Secret,
    /// Before every key. Hosts share their limits if this and the plugin's name are the same.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// How long a decision may take.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// How long Redis is left alone once it has failed three times in a row.
    #[serde(default = "retry_every")]
    pub retry_every: Span,
    /// What a decision is while Redis does not answer.
    #[serde(default)]
    pub when_away: WhenAway,
}

/// What a decision is while Redis does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WhenAway {
    /// No.
    #[default]
    FailClosed,
    /// Yes, uncounted.
    FailOpen,
    /// This process counts for itself, and takes its share of each limit.
    Local {
        /// Among how many hosts the limits are divided.
        hosts: NonZeroU32,
        /// How many keys are remembered.
        #[serde(default = "max_keys")]
        max_keys: NonZeroUsize,
    },
}

impl StoreConfig {
    /// What the names of a guard in Redis begin with.
    pub(super) fn root(&self, guard: &str, name: &str) -> String {
        match self {
            Self::Memory(_) => format!("{guard}:{name}"),
            #[cfg(feature = "redis")]
            Self::Redis(config) => format!("{}:{guard}:{name}", config.prefix),
        }
    }
}

/// Text that is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one who needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self::Memory(MemoryConfig::default())
    }
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { max_keys: max_keys() }
    }
}

const fn max_keys() -> NonZeroUsize {
    const { NonZeroUsize::new(100_000).unwrap() }
}

fn prefix() -> String {
    "cpex".to_owned()
}

const fn timeout() -> Span {
    Span::millis(100)
}

const fn retry_every() -> Span {
    Span::seconds(1)
}
