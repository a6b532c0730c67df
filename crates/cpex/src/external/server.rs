//! The servers of one plugin, and what they say of it.

use std::time::Duration;

use cpex_remote::balance::{BalanceConfig, BalanceError, Balanced, Observer};
use cpex_remote::{Call, Delivery, Json, Reply};

use super::Unanswered;
use super::config::Reach;
use crate::error::BoxError;
use crate::foreign::{Absent, Foreign};
use crate::metrics;

pub(super) struct Server {
    pub(super) plugin: String,
    pub(super) balanced: Balanced,
    absent: Absent,
    first: First,
}

/// How a server is first reached, and what it has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// It may still be starting, and must know the plugin.
    Patient,
    /// It is there, and need not say what it knows.
    AtOnce,
}

/// Before the second and the third attempt to reach a server for the first time.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

impl Server {
    pub(super) fn new(plugin: &str, reach: Reach) -> Self {
        let Reach { endpoints, balance, absent, first } = reach;
        let name = plugin.to_owned();
        let observer = Observer::new(move |event| metrics::balanced(&name, event));
        let balance = BalanceConfig { observer: Some(observer), ..balance };
        let balanced = Balanced::with(plugin, endpoints, balance);
        Self { plugin: plugin.to_owned(), balanced, absent, first }
    }

    /// The plugin's configuration there; `None` if the server has none and need not have.
    pub(super) async fn config(&self) -> Result<Option<Json>, BoxError> {
        let waits: &[Duration] = if self.first == First::Patient { &WAITS } else { &[] };
        let mut waits = waits.iter();
        let mut attempts = 1;
        loop {
            let error = match self.balanced.plugin_config().await {
                Ok(None) if self.first == First::Patient => {
                    return Err("its server has no plugin of this name".into());
                }
                Ok(config) => return Ok(config),
                Err(error) => error,
            };
            match waits.next() {
                Some(wait) if may_come_up(&error) => tokio::time::sleep(*wait).await,
                None if may_come_up(&error) => {
                    let times =
                        if attempts == 1 { String::new() } else { format!(" after {attempts} attempts") };
                    return Err(format!("connection failed{times}: {error}: is the server running?").into());
                }
                _ => return Err(format!("connection failed: {error}").into()),
            }
            attempts += 1;
        }
    }
}

impl Foreign for Server {
    fn name(&self) -> &str {
        &self.plugin
    }

    fn absent(&self) -> Absent {
        self.absent
    }

    /// Dropped, it is given up on the server, too.
    async fn ask(&self, call: &Call) -> Result<Reply, BoxError> {
        Ok(self.balanced.invoke(call).await.map_err(Unanswered::from)?)
    }
}

/// Could the server still be starting?
fn may_come_up(error: &BalanceError) -> bool {
    matches!(error.delivery(), Delivery::NotDelivered | Delivery::Unknown)
}
