//! What built-in plugins, the clients of external ones and the workers of isolated ones have to say to who runs them, such
//! as that a Redis or a server does not answer, in Python's logs.

use std::fmt::{self, Write};
use std::sync::Once;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::log;

/// Who is listened to, from which level on, and under which name: the built-in plugins, what sends their OpenTelemetry
/// logs, and what looks after the servers of external plugins and the workers of isolated ones. The modules are no concern
/// of a reader of logs.
const SPEAKERS: [(&str, Level, &str); 5] = [
    ("cpex_builtin", Level::INFO, BUILTIN),
    ("opentelemetry", Level::WARN, BUILTIN),
    ("cpex_remote::balance", Level::INFO, "cpex.framework.external"),
    // What a plugin logs; its process sends no more than is listened to.
    ("cpex_isolated::worker::said", Level::TRACE, ISOLATED),
    ("cpex_isolated", Level::INFO, ISOLATED),
];

const BUILTIN: &str = "cpex.framework.builtin";
const ISOLATED: &str = "cpex.framework.isolated";

/// How somebody is listened to.
fn speaker(metadata: &Metadata<'_>) -> Option<&'static (&'static str, Level, &'static str)> {
    SPEAKERS.iter().find(|(speaker, ..)| metadata.target().starts_with(speaker))
}

/// Listens from now on, for as long as the process lives.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    // An extension module has its copy of `tracing` for itself: nobody else listens.
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(Listener)));
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && speaker(metadata).is_some_and(|(_, least, _)| metadata.level() <= least)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let level = if *event.metadata().level() == Level::INFO { "info" } else { "warning" };
        // Those of OpenTelemetry have a name, and a message only if the name does not say it.
        let message = if text.message.is_empty() { event.metadata().name() } else { &text.message };
        let Some((.., logger)) = speaker(event.metadata()) else { return };
        let line = format!("{message}{}", text.fields);
        Python::try_attach(|py| match &text.logger {
            Some(name) => log::pass_on(py, logger, text.levelno, name, &line, text.traceback.as_deref()),
            None => log::say(py, logger, level, &line),
        });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An event as a line: the message, and the fields in brackets.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    /// Of a record of another process: its level, logger and traceback.
    levelno: u64,
    logger: Option<String>,
    traceback: Option<String>,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "logger" => self.logger = Some(value.to_owned()),
            "traceback" => self.traceback = Some(value.to_owned()),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "levelno" => self.levelno = value,
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "name" => Ok(()),
            name => write!(self.fields, " [{name}: {value:?}]"),
        };
    }
}
