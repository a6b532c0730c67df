//! Configurations, and what two peers know of each other.

use super::{
    GetPluginConfigResponse, GetPluginConfigsResponse, InvalidStruct, NotEncodable, Numbers, Struct,
};
use crate::json::Json;

/// The names of what this crate understands beyond CPEX 0.1.x, as a server announces them.
pub const FEATURES: [&str; 2] = ["json", "context"];

/// What a peer understands beyond CPEX 0.1.x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Payloads and results as JSON text.
    pub json: bool,
    /// Contexts as JSON text.
    pub context: bool,
}

/// A server's answer about one plugin.
#[derive(Clone, Debug, Default)]
pub struct Announced {
    /// The plugin's configuration; `None` if the server has no such plugin.
    pub config: Option<Json>,
    /// What the server understands.
    pub features: Features,
}

impl GetPluginConfigResponse {
    /// A server's answer. A plugin that was not found is an empty message, as in CPEX 0.1.x.
    ///
    /// # Errors
    /// If the configuration is not an object.
    pub fn from_config(config: Option<&Json>) -> Result<Self, NotEncodable> {
        let Some(config) = config else { return Ok(Self::default()) };
        Ok(Self {
            found: true,
            config: Some(Struct::from_json(config)?),
            features: FEATURES.map(String::from).to_vec(),
        })
    }

    /// What the server understands.
    #[must_use]
    pub fn features(&self) -> Features {
        let announces = |name| self.features.iter().any(|feature| feature == name);
        Features { json: announces(FEATURES[0]), context: announces(FEATURES[1]) }
    }

    /// What the server said.
    ///
    /// # Errors
    /// If the configuration cannot be read.
    pub fn into_announced(self, numbers: Numbers) -> Result<Announced, InvalidStruct> {
        Ok(Announced {
            config: match (self.found, &self.config) {
                (true, Some(config)) => Some(config.to_json(numbers)?),
                _ => None,
            },
            features: self.features(),
        })
    }
}

impl GetPluginConfigsResponse {
    /// A server's answer about all plugins.
    ///
    /// # Errors
    /// If a configuration is not an object.
    pub fn from_configs(configs: &[Json]) -> Result<Self, NotEncodable> {
        Ok(Self { configs: configs.iter().map(Struct::from_json).collect::<Result<_, _>>()? })
    }

    /// The configurations.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn into_configs(self, numbers: Numbers) -> Result<Vec<Json>, InvalidStruct> {
        self.configs.iter().map(|config| config.to_json(numbers)).collect()
    }
}
