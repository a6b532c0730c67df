//! The plugins of an event loop, as servers know them.

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;

use cpex_remote::{Backend, Call, Event, Failure, Json, Refusal, Reply};
use tokio::sync::watch;

use super::call::Answer;
use super::inbox::Inbox;
use super::meters::Meters;
use super::notices::Level;

/// Plugins in Python. Their configurations do not change while they are served.
pub(super) struct Plugins {
    pub(super) inbox: Arc<Inbox>,
    pub(super) configs: Vec<Served>,
    pub(super) meters: Meters,
    /// Is `/metrics` answered?
    pub(super) shows_metrics: bool,
    pub(super) patience: Patience,
    pub(super) stopping: watch::Receiver<bool>,
}

/// How long an event loop may stand still.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Then calls had better go elsewhere.
    pub(super) ready: Duration,
    /// Then it will not go on.
    pub(super) alive: Duration,
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

    fn is_ready(&self) -> bool {
        !*self.stopping.borrow() && self.inbox.silence() < self.patience.ready
    }

    fn is_alive(&self) -> bool {
        self.inbox.silence() < self.patience.alive
    }

    fn metrics(&self) -> Option<String> {
        self.shows_metrics.then(|| self.meters.text())
    }

    fn observe(&self, event: &Event<'_>) {
        self.meters.observe(event);
        match event {
            Event::Closed(Some(error)) => {
                self.inbox.note(Level::Info, format!("A connection ended: {}", shown(*error)));
            }
            Event::Handshake(error) => {
                self.inbox.note(Level::Warning, format!("A connection was refused: {}", shown(*error)));
            }
            Event::Renewed(None) => {
                self.inbox.note(Level::Info, "The files of TLS were read anew".to_owned());
            }
            Event::Renewed(Some(error)) => {
                let problem = shown(*error);
                let text = format!(
                    "The files of TLS have changed and cannot be used, those before are kept: {problem}"
                );
                self.inbox.note(Level::Warning, text);
            }
            Event::Refused(refusal) => self.inbox.note(Level::Warning, refused(*refusal).to_owned()),
            _ => {}
        }
    }
}

fn refused(what: Refusal) -> &'static str {
    match what {
        Refusal::Connections => "A connection was refused: as many as are allowed are open",
        Refusal::Size => "A message was refused: it is larger than allowed",
        Refusal::Sessions => "A session was refused: as many as there may be have requests under way",
        _ => "A message was refused: those under way take all the memory set aside for them",
    }
}

/// Of an error that a peer may have worded.
const SHOWN: usize = 300;

/// An error and its causes, on one line.
fn shown(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let causes = successors(error.source(), |error| (*error).source());
    for cause in causes.map(ToString::to_string) {
        // Some tell their causes themselves.
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.chars().take(SHOWN).map(|char| if char.is_control() { ' ' } else { char }).collect()
}
