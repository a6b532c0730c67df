//! A plugin, from its settings to its replies.

use std::path::Path;
use std::sync::Arc;

use cpex_remote::{Call, Reply};
use serde_json::Value;

use crate::engine;
use crate::error::{ConfigError, Fault};
use crate::guest::{Guest, PluginPre, State};
use crate::limits::Limits;
use crate::log::Log;
use crate::module;
use crate::pool::Pool;
use crate::settings::Settings;

/// A plugin whose code is compiled. Shared by whoever calls it; nothing of it is left when the last is gone.
pub struct Plugin {
    name: String,
    settings: String,
    code: PluginPre<State>,
    log: Arc<Log>,
    limits: Limits,
    pool: Pool,
}

impl Plugin {
    /// Reads and compiles the code of the plugin called `name`. A relative path begins at `root`. It blocks: a
    /// small plugin takes some milliseconds, a large one seconds.
    ///
    /// # Errors
    /// If the file cannot be read, is not the expected one, is no plugin, or imports what no plugin gets.
    pub fn load(name: &str, settings: Settings, root: &Path) -> Result<Self, ConfigError> {
        let bytes = module::read(&root.join(&settings.module), settings.sha256)?;
        Self::of_bytes(name, settings, &bytes)
    }

    /// The same of a file that was read before: where it is, and what its SHA-256 must be, is not looked at.
    ///
    /// # Errors
    /// If it is no plugin, or imports what no plugin gets.
    pub fn of_bytes(name: &str, settings: Settings, bytes: &[u8]) -> Result<Self, ConfigError> {
        let Settings { fuel, memory, instances, reuse, config, .. } = settings;
        let code = module::compile(engine::engine(fuel.is_some())?, bytes)?;
        Ok(Self {
            name: name.to_owned(),
            settings: Value::Object(config).to_string(),
            code,
            log: Log::new(name),
            limits: Limits { fuel, memory },
            pool: Pool::new(instances.get(), reuse),
        })
    }

    /// Has one instance start: a plugin that cannot work with its settings is better known now than at the first call.
    /// Like a call, it lasts until its future is dropped.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(&self) -> Result<(), Fault> {
        let place = self.pool.place().await;
        let guest = self.guest().await?;
        place.leave(guest);
        Ok(())
    }

    /// Runs a hook. It is run where the future is polled, which lasts for about a millisecond at most; dropping the
    /// future ends it.
    ///
    /// # Errors
    /// If there is no answer that can be read. A plugin that says that it has failed answers.
    pub async fn invoke(&self, call: &Call) -> Result<Reply, Fault> {
        let place = self.pool.place().await;
        let mut guest = match place.used() {
            Some(guest) => guest,
            None => self.guest().await?,
        };
        let reply = guest.invoke(call).await?;
        place.leave(guest);
        Ok(reply)
    }

    async fn guest(&self) -> Result<Guest, Fault> {
        Guest::start(&self.code, &self.log, self.limits, (&self.name, &self.settings)).await
    }
}
