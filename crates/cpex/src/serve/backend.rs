//! What the servers of all transports serve.

use cpex_remote::{Backend, Call, Event, Failure, Json, Reply};

use super::one::Plugins;
use super::report;
use crate::metrics::{self, InFlight};

/// Renders what was measured.
pub(super) type Render = Box<dyn Fn() -> String + Send + Sync>;

pub(super) struct Served {
    pub(super) plugins: Plugins,
    pub(super) metrics: Option<Render>,
}

impl Backend for Served {
    async fn configs(&self) -> Result<Vec<Json>, Failure> {
        let singles = self.plugins.singles()?;
        let configs =
            singles.plugins().into_iter().map(|(plugin, hooks)| report::config(&plugin.config, &hooks));
        configs.collect::<Result<_, _>>().map_err(unwritten)
    }

    async fn config(&self, name: &str) -> Result<Option<Json>, Failure> {
        let singles = self.plugins.singles()?;
        let called = |plugin: &str| plugin.to_lowercase() == name.to_lowercase();
        let found = singles.plugins().into_iter().find(|(plugin, _)| called(plugin.name()));
        let config = found.map(|(plugin, hooks)| report::config(&plugin.config, &hooks));
        config.transpose().map_err(unwritten)
    }

    async fn invoke(&self, call: Call) -> Result<Reply, Failure> {
        let _in_flight = InFlight::begin();
        self.plugins.invoke(call).await
    }

    fn is_ready(&self) -> bool {
        self.plugins.is_running()
    }

    fn metrics(&self) -> Option<String> {
        self.metrics.as_ref().map(|render| render())
    }

    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Closed(Some(error)) | Event::Handshake(error) => {
                tracing::debug!(%error, "a connection ended");
            }
            Event::Renewed(None) => tracing::info!("the files of TLS were read anew"),
            Event::Renewed(Some(error)) => {
                tracing::warn!(%error, "the files of TLS have changed and cannot be used: those before are kept");
            }
            Event::Refused(refusal) => tracing::warn!(?refusal, "refused"),
            _ => {}
        }
        let is_known = |plugin: &str, hook: &str| {
            self.plugins.singles().is_ok_and(|singles| singles.find(plugin, hook).is_some())
        };
        metrics::served(event, is_known);
    }
}

fn unwritten(error: serde_json::Error) -> Failure {
    Failure(format!("the configuration has no JSON: {error}"))
}
