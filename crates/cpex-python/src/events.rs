//! What built-in plugins have to say to who runs them, such as that a Redis does not answer, in Python's logs.

use std::fmt::{self, Write};
use std::sync::Once;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::log;

/// The crate that is listened to; its modules are no concern of a reader of logs.
const SPEAKER: &str = "cpex_builtin";

const LOGGER: &str = "cpex.framework.builtin";

/// Listens from now on, for as long as the process lives.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    // An extension module has its copy of `tracing` for itself: nobody else listens.
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(Listener)));
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO && metadata.target().starts_with(SPEAKER)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let level = if *event.metadata().level() == Level::INFO { "info" } else { "warning" };
        Python::try_attach(|py| log::say(py, LOGGER, level, &format!("{}{}", text.message, text.fields)));
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
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " [{name}: {value:?}]"),
        };
    }
}
