//! What plugins log, in Python's logs.

use std::fmt::{self, Write};
use std::sync::Once;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const LOGGER: &str = "cpex.framework.wasm";

/// Listens from now on, for as long as the process lives.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    // An extension module has its copy of `tracing` for itself: nobody else listens.
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(Listener)));
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("cpex_wasm")
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let method = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        };
        Python::try_attach(|py| {
            let said = py
                .import("logging")
                .and_then(|logging| logging.call_method1("getLogger", (LOGGER,)))
                .and_then(|logger| logger.call_method1(method, ("%s: %s", &text.plugin, &text.message)));
            if let Err(error) = said {
                error.write_unraisable(py, None);
            }
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

#[derive(Default)]
struct Text {
    plugin: String,
    message: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "plugin" => write!(self.plugin, "{value:?}"),
            "message" => write!(self.message, "{value:?}"),
            _ => Ok(()),
        };
    }
}
