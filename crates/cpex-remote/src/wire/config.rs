//! Configurations, and what two peers know of each other.

use super::{
    GetPluginConfigResponse, GetPluginConfigsResponse, InvalidStruct, NotEncodable, Numbers, Struct,
};
use crate::json::Json;

/// The names of what this crate understands beyond CPEX 0.1.x, as a server announces them.
pub const FEATURES: [&str; 3] = ["json", "context", "extensions"];

/// What a peer understands beyond CPEX 0.1.x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Payloads and results as JSON text.
    pub json: bool,
    /// Contexts as JSON text.
    pub context: bool,
    /// The extensions of a call.
    pub extensions: bool,
}

impl Features {
    /// What a peer that announces these names understands.
    pub(crate) fn announced<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Self {
        let announces = |feature| names.clone().any(|name| name == feature);
        let [json, context, extensions] = FEATURES.map(announces);
        Self { json, context, extensions }
    }

    /// What a message may be written with, the fullest first. Texts that say what other fields say as well are left out
    /// of a message that is too large; extensions are not, for nothing else says them.
    #[cfg(any(feature = "grpc", feature = "unix"))]
    pub(crate) fn down_to_size(self) -> impl Iterator<Item = Self> {
        let shorter = Self { json: false, ..self };
        let shortest = Self { context: false, ..shorter };
        let all =
            [Some(self), (shorter != self).then_some(shorter), (shortest != shorter).then_some(shortest)];
        all.into_iter().flatten()
    }
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
        Features::announced(self.features.iter().map(String::as_str))
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
