//! A backend that writes down what happens.

use std::time::Duration;

use cpex_remote::{Backend, Call, End, Event, Failure, Json, Refusal, Reply};
use tokio::sync::watch;

use crate::probe::Probe;

/// Longer than anything here takes, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Connections.
    pub(crate) open: usize,
    /// Calls.
    pub(crate) running: usize,
    /// How calls ended.
    pub(crate) ends: Vec<End>,
    /// What was not taken.
    pub(crate) refusals: Vec<Refusal>,
    /// Files of TLS that were read anew, or why they cannot be used.
    pub(crate) renewals: Vec<Option<String>>,
    /// What connections ended of.
    pub(crate) complaints: Vec<String>,
}

/// A backend that writes down what the server tells it.
#[derive(Default)]
pub(crate) struct Witness {
    seen: watch::Sender<Seen>,
}

struct Running<'w>(&'w Witness);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.seen.send_modify(|seen| seen.running -= 1);
    }
}

impl Witness {
    /// What the server told so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Returns when the server has told this.
    pub(crate) async fn wait_for(&self, what: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        let told = tokio::time::timeout(PATIENCE, seen.wait_for(what)).await;
        assert!(told.is_ok(), "still {:?}", self.seen());
    }
}

impl Backend for Witness {
    async fn configs(&self) -> Result<Vec<Json>, Failure> {
        Probe.configs().await
    }

    async fn config(&self, name: &str) -> Result<Option<Json>, Failure> {
        Probe.config(name).await
    }

    async fn invoke(&self, call: Call) -> Result<Reply, Failure> {
        self.seen.send_modify(|seen| seen.running += 1);
        let _running = Running(self);
        Probe.invoke(call).await
    }

    fn observe(&self, event: &Event<'_>) {
        self.seen.send_modify(|seen| match event {
            Event::Opened => seen.open += 1,
            Event::Closed(problem) => {
                seen.open -= 1;
                seen.complaints.extend(problem.map(ToString::to_string));
            }
            Event::Handshake(problem) => seen.complaints.push(problem.to_string()),
            Event::Renewed(problem) => seen.renewals.push(problem.map(ToString::to_string)),
            Event::Refused(refusal) => seen.refusals.push(*refusal),
            Event::Invoked { end, .. } => seen.ends.push(*end),
            _ => {}
        });
    }
}
