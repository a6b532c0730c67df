//! The plugins of an event loop, as servers know them.

use std::sync::Arc;

use cpex_remote::{Backend, Call, Event, Failure, Json, Reply};

use super::call::Answer;
use super::inbox::Inbox;
use super::meters::Meters;

/// Plugins in Python. Their configurations do not change while they are served.
pub(super) struct Plugins {
    pub(super) inbox: Arc<Inbox>,
    pub(super) configs: Vec<Served>,
    pub(super) meters: Meters,
    /// Is `/metrics` answered?
    pub(super) shows_metrics: bool,
}

/// A plugin's configuration.
pub(super) struct Served {
    /// In lower case.
    pub(super) name: String,
    pub(super) config: Json,
}

impl Backend for Plugins {
    async fn configs(&self) -> Result<Vec<Json>, Failure> {
        Ok(self.configs.iter().map(|served| served.config.clone()).collect())
    }

    async fn config(&self, name: &str) -> Result<Option<Json>, Failure> {
        let name = name.to_lowercase();
        Ok(self.configs.iter().find(|served| served.name == name).map(|served| served.config.clone()))
    }

    async fn invoke(&self, call: Call) -> Result<Reply, Failure> {
        let _running = self.meters.begin();
        let (plugin, hook) = (call.plugin.clone(), call.hook.clone());
        let answer = self.inbox.ask(call).await?;
        if let Answer::Returned { allowed: false, .. } = answer {
            self.meters.denied(&plugin, &hook);
        }
        answer.into_reply(plugin)
    }

    fn metrics(&self) -> Option<String> {
        self.shows_metrics.then(|| self.meters.text())
    }

    fn observe(&self, event: &Event<'_>) {
        self.meters.observe(event);
    }
}
