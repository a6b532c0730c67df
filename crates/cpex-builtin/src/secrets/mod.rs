//! `secrets_detector`: keys of well-known formats, private keys, passwords in URLs, and values that are called a secret.
//!
//! Three passes, each of which skips what can be no secret: keys are looked for in long words only, names only before
//! the signs of an assignment, and a few fixed texts by their bytes. What is tried at a place is bounded in length, so
//! time is linear in the text.

mod assigned;
mod formats;
mod keys;
mod plausible;
mod spots;

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;

use crate::action::Action;
use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report, without_overlaps};
use crate::fold::fold;
use crate::inspect::Detector;
use crate::redact::{RedactConfig, Redactor};
use crate::text::Place;

/// The configuration of `secrets_detector`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SecretsConfig {
    /// Kinds that are not looked for. The reference lists them all.
    pub ignore: BTreeSet<String>,
    /// Texts that are no secrets, such as a key of the tests. Compared as a whole.
    pub allow: BTreeSet<String>,
    /// The least sure findings that count: `high` leaves the values that only their names make secrets.
    pub min_confidence: Confidence,
    /// What happens to a payload with a secret.
    pub action: Action,
    /// What takes the place of a secret.
    pub redact: RedactConfig,
}

impl Default for SecretsConfig {
    fn default() -> Self {
        Self {
            ignore: BTreeSet::new(),
            allow: BTreeSet::new(),
            min_confidence: Confidence::Medium,
            action: Action::Deny,
            redact: RedactConfig::default(),
        }
    }
}

/// Finds secrets.
pub struct Secrets {
    ignore: BTreeSet<String>,
    allow: BTreeSet<String>,
    min_confidence: Confidence,
    action: Action,
    redactor: Redactor,
}

impl Secrets {
    /// Checks the configuration.
    ///
    /// # Errors
    /// An ignored kind does not exist, or a strategy lacks its key.
    pub fn new(config: SecretsConfig) -> Result<Self, ConfigError> {
        let known: BTreeSet<&str> = kinds().collect();
        if let Some(kind) = config.ignore.iter().find(|kind| !known.contains(kind.as_str())) {
            return Err(ConfigError::new("ignore", format!("there is no kind {kind:?}")));
        }
        keys::compile();
        spots::compile();
        assigned::compile();
        plausible::compile();
        Ok(Self {
            ignore: config.ignore,
            allow: config.allow,
            min_confidence: config.min_confidence,
            action: config.action,
            redactor: Redactor::new(config.redact, "redact")?,
        })
    }

    /// What there is in a text called `name`, in order and without overlaps.
    #[must_use]
    pub fn find(&self, text: &str, name: Option<&str>) -> Vec<Finding> {
        let folded = fold(text);
        let text = &*folded.text;
        let mut findings = Vec::new();
        let mut note = |kind: &'static str, span: Range<usize>, confidence: Confidence| {
            let counts = confidence >= self.min_confidence
                && !self.ignore.contains(kind)
                && !self.allow.contains(&text[span.clone()]);
            if counts {
                findings.push(Finding::new(kind, span, confidence));
            }
        };
        keys::read(text, self.min_confidence == Confidence::Low, &mut note);
        spots::read(text, &mut note);
        match name.and_then(|name| assigned::called(name, text)) {
            Some(kind) => note(kind, 0..text.len(), Confidence::Medium),
            None => assigned::read(text, &mut note),
        }
        without_overlaps(&mut findings);
        folded.place(&mut findings);
        findings
    }
}

impl Detector for Secrets {
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        let name = if place.is_key() { None } else { place.name() };
        self.action.carry_out(text, self.find(text, name), &self.redactor, place, report)
    }

    fn conclude(&self, report: &mut Report) {
        self.action.conclude(report, "SECRET_DETECTED", "the payload has secrets");
    }

    fn rewrites(&self) -> bool {
        self.action == Action::Redact
    }
}

/// Whether a name is that of a secret, such as `client_secret`, `pwd` or `x-api-key`, whatever its value.
pub(crate) fn is_secret_name(name: &str) -> bool {
    assigned::is_secret_name(name)
}

/// All kinds that can be found.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    let formats = formats::FORMATS.iter().map(|format| format.kind);
    formats.chain(["private_key", "password_in_url", "high_entropy"]).chain(assigned::KINDS)
}
