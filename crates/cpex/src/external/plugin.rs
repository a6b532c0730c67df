//! An external plugin as a plugin of this host.

use std::sync::{Arc, OnceLock};

use cpex_config::Step;
use serde_json::Value;

use super::config;
use super::server::Server;
use super::written::Said;
use crate::config::{ConfigError, PluginConfig, read_json};
use crate::error::BoxError;
use crate::failure::LoadPhase;
use crate::foreign::Attached;
use crate::payload::Json;
use crate::plugin::{BoxFuture, Handlers, Plugin};

struct External {
    server: Arc<Server>,
    /// Those that its entry names.
    hooks: Vec<String>,
    /// What its server says of it, once it was asked.
    said: OnceLock<Said>,
}

/// Makes the external plugin of an entry. It connects when it is initialized.
pub(crate) fn make(entry: &PluginConfig) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    let made = external(entry).map_err(|error| (LoadPhase::Construct, error.into()))?;
    Ok(Arc::new(made))
}

fn external(entry: &PluginConfig) -> Result<External, ConfigError> {
    if !entry.config.is_empty() {
        let problem = "the settings of an external plugin are its server's: set them there".to_owned();
        return Err(entry.problem(&[Step::Key("config")], problem));
    }
    let server = Arc::new(Server::new(&entry.name, config::read(entry)?));
    Ok(External { server, hooks: entry.hooks.clone(), said: OnceLock::new() })
}

impl External {
    async fn connect(&self) -> Result<(), BoxError> {
        let said = match self.server.config().await? {
            Some(said) => {
                let said: Value = serde_json::from_str(said.as_str())?;
                read_json(said, "what its server says of it")?
            }
            None => {
                tracing::warn!(plugin = self.server.plugin, "its server says nothing of it");
                Said::default()
            }
        };
        if self.hooks.is_empty() && said.hooks.as_ref().is_none_or(Vec::is_empty) {
            return Err("neither its entry nor its server names a hook".into());
        }
        // It is initialized once.
        let _ = self.said.set(said);
        Ok(())
    }
}

impl Plugin for External {
    fn handlers(self: Arc<Self>, handlers: &mut Handlers) {
        let of_server = self.said.get().and_then(|said| said.hooks.as_deref()).unwrap_or_default();
        let hooks = if self.hooks.is_empty() { of_server } else { &self.hooks };
        for hook in hooks {
            handlers.register::<Json>(&hook.as_str(), Arc::new(Attached::new(&self.server, hook)));
        }
    }

    fn initialize(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(self.connect())
    }

    fn shutdown(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async {
            self.server.balanced.close().await;
            Ok(())
        })
    }

    fn complete(&self, entry: &Arc<PluginConfig>) -> Arc<PluginConfig> {
        match self.said.get() {
            Some(said) => Arc::new(entry.completed_by(said)),
            None => entry.clone(),
        }
    }
}
