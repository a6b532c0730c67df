//! A plugin in WebAssembly as a plugin of this host.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cpex_config::Step;
use cpex_remote::{Call, Reply};
use cpex_wasm::{Fault, Settings};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::{ConfigError, PluginConfig};
use crate::error::BoxError;
use crate::failure::LoadPhase;
use crate::foreign::{Absent, Attached, Foreign};
use crate::payload::Json;
use crate::plugin::{BoxFuture, Handlers, Plugin};

struct Wasm {
    entry: Arc<PluginConfig>,
    settings: Settings,
    running: OnceLock<Arc<Running>>,
}

struct Running(String, cpex_wasm::Plugin);

/// For the first instance of a plugin, unless its entry gives a call longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the plugin of an entry. It is compiled when it is initialized.
pub(crate) fn make(entry: &Arc<PluginConfig>) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    let made = wasm(entry).map_err(|error| (LoadPhase::Construct, error.into()))?;
    Ok(Arc::new(made))
}

fn wasm(entry: &Arc<PluginConfig>) -> Result<Wasm, ConfigError> {
    if entry.hooks.is_empty() {
        let problem =
            "a plugin in WebAssembly does not name its hooks: name those to attach it to".to_owned();
        return Err(entry.problem(&[Step::Key("hooks")], problem));
    }
    let settings: Settings = entry.read()?;
    settings
        .look(entry.directory())
        .map_err(|error| entry.problem(&below_config(&error.field), error.problem))?;
    Ok(Wasm { entry: entry.clone(), settings, running: OnceLock::new() })
}

impl Wasm {
    async fn run(&self) -> Result<(), BoxError> {
        let (name, settings) = (self.entry.name.clone(), self.settings.clone());
        let root = self.entry.directory().to_owned();
        let loaded = spawn_blocking(move || cpex_wasm::Plugin::load(&name, settings, &root)).await?;
        let plugin =
            loaded.map_err(|error| self.entry.problem(&below_config(&error.field), error.problem))?;
        let patience = self.entry.timeout.map_or(PATIENCE, |limit| limit.max(PATIENCE));
        match timeout(patience, plugin.start()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault @ Fault::NotStarted(_))) => {
                return Err(self.entry.problem(&below_config("config"), fault.to_string()).into());
            }
            Ok(Err(fault)) => return Err(fault.into()),
            Err(_) => return Err(format!("the plugin did not start within {patience:?}").into()),
        }
        // It is initialized once.
        let _ = self.running.set(Arc::new(Running(self.entry.name.clone(), plugin)));
        Ok(())
    }
}

fn below_config(field: &str) -> Vec<Step<'_>> {
    let field = (!field.is_empty()).then_some(Step::Key(field));
    std::iter::once(Step::Key("config")).chain(field).collect()
}

impl Plugin for Wasm {
    fn handlers(self: Arc<Self>, handlers: &mut Handlers) {
        let Some(running) = self.running.get() else { return };
        for hook in &self.entry.hooks {
            handlers.register::<Json>(&hook.as_str(), Arc::new(Attached::new(running, hook)));
        }
    }

    fn initialize(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(self.run())
    }
}

impl Foreign for Running {
    fn name(&self) -> &str {
        &self.0
    }

    fn absent(&self) -> Absent {
        Absent::IsTold
    }

    async fn ask(&self, call: &Call) -> Result<Reply, BoxError> {
        Ok(self.1.invoke(call).await?)
    }
}
