//! Puts what happens in a pipeline into words, for the log.

use cpex_core::extensions::{Enforcement, Refusal};
use cpex_core::host::Event;
use cpex_core::payload::Discard;
use cpex_core::{Phase, Slot};
use pyo3::prelude::*;

use crate::host::Hosted;
use crate::log;
use crate::report::refused_texts;
use crate::values::{Fault, PyValues};

/// Tells of one plugin of one invocation.
pub(crate) struct Narrator<'a, 'py> {
    py: Python<'py>,
    hosted: &'a Hosted,
    entry: usize,
    name: String,
}

impl<'a, 'py> Narrator<'a, 'py> {
    pub(crate) fn new(py: Python<'py>, hosted: &'a Hosted, entry: usize) -> Self {
        let name = hosted.control(entry).name(py).to_string_lossy().into_owned();
        Self { py, hosted, entry, name }
    }

    pub(crate) fn tell(&self, event: Event<'_, PyValues>) {
        let (py, name) = (self.py, &self.name);
        match event {
            Event::Denied(violation) => self.denied(violation),
            Event::Halted(violation) => self.halted(violation),
            Event::Suppressed(violation) => self.suppressed(violation),
            Event::Discarded(why, proposed) => self.discarded(why, proposed),
            Event::Trimmed(fields) => {
                let fields = fields.iter().map(|f| format!("'{f}'")).collect::<Vec<_>>().join(", ");
                let text = format!("Policy rejected modifications to non-writable fields: [{fields}]");
                log::warning_of(py, "cpex.framework.hooks.policies", &text);
            }
            Event::Refused(refused) => self.refused(refused),
            Event::Ignored(fault) | Event::Disabled(fault) | Event::Raised(fault) => match fault {
                Fault::Error(error) => {
                    let text = error.value(py).str().map_or_else(|_| error.to_string(), |t| t.to_string());
                    log::failure(py, &format!("Plugin {name} failed with error: {text}"), error);
                }
                Fault::Timeout(_) => {
                    let limit = self.time_limit();
                    log::error(py, &format!("Plugin {name} timed out after {limit}s"));
                }
                Fault::Refusal(_) | Fault::Interrupt(_) => {}
            },
        }
    }

    fn time_limit(&self) -> String {
        if let Some(own) = self.hosted.control(self.entry).timeout_s {
            return own.to_string();
        }
        // Whole seconds, as the published package has it.
        let limit = self.hosted.engine.get().time_limit(self.py, None);
        limit.extract::<f64>().map_or_else(|_| limit.to_string(), |seconds| seconds.trunc().to_string())
    }

    fn mode(&self) -> &'static str {
        match self.hosted.phase(self.entry) {
            Phase::Sequential => "sequential",
            Phase::Transform => "transform",
            Phase::Audit => "audit",
            Phase::Concurrent => "concurrent",
            Phase::FireAndForget => "fire_and_forget",
        }
    }

    fn denied(&self, violation: Option<&Py<PyAny>>) {
        let (py, name, mode) = (self.py, &self.name, self.mode());
        let why = match violation.map(|violation| Parts::of(violation.bind(py))) {
            Some(p) => format!("— violation [{}] {}: {}", p.code, p.reason, p.description),
            None => "(no violation details)".to_owned(),
        };
        log::warning(py, &format!("Plugin {name} blocked request in {mode} mode {why}"));
    }

    fn halted(&self, violation: Option<&Py<PyAny>>) {
        if self.hosted.raise_denials {
            return;
        }
        let (py, name, mode) = (self.py, &self.name, self.mode().to_uppercase());
        let why = violation.map(|violation| Parts::of(violation.bind(py)));
        let why = why.map_or_else(String::new, |p| format!(": [{}] {}", p.code, p.reason));
        let next = match self.hosted.phase(self.entry) {
            Phase::Concurrent => format!("cancelling {} pending task(s)", self.hosted.pending),
            _ => "scheduling fire-and-forget tasks".to_owned(),
        };
        let hook = self.hosted.hook.bind(py);
        log::warning(py, &format!("Pipeline halted by {mode} plugin {name} on hook {hook}{why}; {next}"));
    }

    fn suppressed(&self, violation: Option<&Py<PyAny>>) {
        let (py, name, mode) = (self.py, &self.name, self.mode());
        let text = match violation.map(|violation| Parts::of(violation.bind(py))) {
            Some(p) => format!(
                "Plugin {name} ({mode}) raised violation — pipeline continues: [{}] {} — {}",
                p.code, p.reason, p.description
            ),
            None => format!(
                "Plugin {name} ({mode}) returned continue_processing=False without a violation — pipeline continues"
            ),
        };
        log::warning(py, &text);
    }

    fn refused(&self, refused: &[(Slot, Refusal)]) {
        let hook = self.hosted.hook.bind(self.py);
        let said = |text: String| format!("Plugin {} changed extensions on hook {hook}; {text}", self.name);
        let texts = refused_texts(refused).join("; ");
        if refused.iter().all(|(_, why)| *why == Refusal::Phase) {
            return log::debug(self.py, || said(format!("not taken: {texts}")));
        }
        let what = match self.hosted.enforcement {
            Enforcement::Warn => "against the rules",
            Enforcement::Enforce | Enforcement::Off => "not taken",
        };
        log::warning(self.py, &said(format!("{what}: {texts}")));
    }

    fn discarded(&self, why: Discard, proposed: &Py<PyAny>) {
        let (py, name, hook) = (self.py, &self.name, self.hosted.hook.bind(self.py));
        match why {
            Discard::Phase => log::debug(py, || {
                let because = match self.hosted.phase(self.entry) {
                    Phase::Concurrent => "concurrent plugins cannot modify payloads",
                    _ => "audit is observe-only",
                };
                let mode = self.mode().to_uppercase();
                format!(
                    "{mode} plugin {name} returned modified_payload on hook {hook}; discarding ({because})"
                )
            }),
            Discard::DefaultDeny => log::warning(
                py,
                &format!(
                    "Plugin {name} attempted payload modification on hook {hook} but no policy is defined and default is deny"
                ),
            ),
            Discard::Foreign => {
                let class = proposed.bind(py).get_type();
                let class = class.name().map_or_else(|_| String::new(), |name| name.to_string());
                let text = format!(
                    "Plugin {name} returned unexpected type {class} on hook {hook}; ignoring modification"
                );
                log::warning(py, &text);
            }
            Discard::Denied | Discard::NothingWritable | Discard::Unchanged => {}
        }
    }
}

/// The parts of a violation that a log line names.
struct Parts {
    code: String,
    reason: String,
    description: String,
}

impl Parts {
    fn of(violation: &Bound<'_, PyAny>) -> Self {
        let part = |name: &str| violation.getattr(name).map_or_else(|_| String::new(), |v| v.to_string());
        Self { code: part("code"), reason: part("reason"), description: part("description") }
    }
}
