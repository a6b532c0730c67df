//! `pii_redactor`: e-mail addresses, phone numbers, cards, IBANs, social security numbers, IP addresses, and patterns of
//! one's own.
//!
//! A text is read once. Only where a digit, an `@`, a `+`, a `(` or a `:` stands is anything tried, and what is
//! tried there is bounded in length: time is linear in the text.

mod card;
mod context;
mod email;
mod iban;
mod ip;
mod number;
mod phone;
mod reader;
mod ssn;

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde::Deserialize;

use crate::action::Action;
use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report, without_overlaps};
use crate::fold::fold;
use crate::inspect::Detector;
use crate::redact::{RedactConfig, Redactor};
use crate::text::Place;
use crate::vault::{MemoryVault, Vault};

pub use card::is_card_number;
pub use iban::is_iban;

/// The configuration of `pii_redactor`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PiiConfig {
    /// What is looked for.
    pub entities: Vec<Entity>,
    /// Patterns of one's own, by their names.
    pub custom: BTreeMap<String, String>,
    /// Texts that are none, such as the address of the support desk. Compared without case.
    pub allow: Vec<String>,
    /// The least sure findings that count.
    pub min_confidence: Confidence,
    /// What happens to a finding.
    pub action: Action,
    /// What takes the place of a finding.
    pub redact: RedactConfig,
    /// What takes the place of findings of some kinds.
    pub redact_kinds: BTreeMap<String, RedactConfig>,
}

impl Default for PiiConfig {
    fn default() -> Self {
        Self {
            entities: Entity::ALL.to_vec(),
            custom: BTreeMap::new(),
            allow: Vec::new(),
            min_confidence: Confidence::Medium,
            action: Action::Redact,
            redact: RedactConfig::default(),
            redact_kinds: BTreeMap::new(),
        }
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// E-mail addresses.
    Email,
    /// Phone numbers.
    Phone,
    /// Numbers of payment cards, by issuer and Luhn's checksum.
    Card,
    /// International bank account numbers, by country, length and checksum.
    Iban,
    /// Social security numbers of the United States.
    Ssn,
    /// IP addresses, of version 4 and 6.
    Ip,
}

impl Entity {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Email, Self::Phone, Self::Card, Self::Iban, Self::Ssn, Self::Ip];

    const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ssn => "ssn",
            Self::Ip => "ip",
        }
    }
}

/// Finds personal data.
pub struct Pii {
    kinds: [Option<Arc<str>>; Entity::ALL.len()],
    custom: Vec<(Arc<str>, Regex)>,
    allow: Vec<String>,
    min_confidence: Confidence,
    action: Action,
    redactor: Redactor,
}

impl Pii {
    /// Compiles the configuration. Tokens are kept in the memory of this process.
    ///
    /// # Errors
    /// There is nothing to look for, a pattern is no regular expression, or a strategy lacks its key.
    pub fn new(config: PiiConfig) -> Result<Self, ConfigError> {
        Self::with_vault(config, Arc::new(MemoryVault::default()))
    }

    /// The same with a vault of the host's.
    ///
    /// # Errors
    /// There is nothing to look for, a pattern is no regular expression, or a strategy lacks its key.
    pub fn with_vault(config: PiiConfig, vault: Arc<dyn Vault>) -> Result<Self, ConfigError> {
        if config.entities.is_empty() && config.custom.is_empty() {
            return Err(ConfigError::new(
                "entities",
                "expected some here, or patterns in custom: nothing would be found",
            ));
        }
        let wanted = |entity: Entity| config.entities.contains(&entity).then(|| entity.name().into());
        let custom =
            config.custom.iter().map(|(name, pattern)| custom(name, pattern)).collect::<Result<_, _>>()?;
        let known = |kind: &String| {
            config.custom.contains_key(kind) || Entity::ALL.iter().any(|entity| entity.name() == kind)
        };
        if let Some(kind) = config.redact_kinds.keys().find(|kind| !known(kind)) {
            return Err(ConfigError::new(format!("redact_kinds.{kind}"), "there is no such kind"));
        }
        reader::compile();
        Ok(Self {
            kinds: Entity::ALL.map(wanted),
            custom,
            allow: config.allow.iter().map(|text| text.to_lowercase()).collect(),
            min_confidence: config.min_confidence,
            action: config.action,
            redactor: Redactor::with_kinds(config.redact, config.redact_kinds, &vault)?,
        })
    }

    /// What there is in a text called `name`, in order and without overlaps.
    #[must_use]
    pub fn find(&self, text: &str, name: Option<&str>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let folded = fold(text);
        reader::read(&folded.text, name, |entity, span, confidence| {
            let Some(kind) = &self.kinds[entity as usize] else { return false };
            let counts = confidence >= self.min_confidence && !self.allowed(&folded.text[span.clone()]);
            if counts {
                findings.push(Finding::new(kind.clone(), span, confidence));
            }
            counts
        });
        folded.place(&mut findings);
        if !self.custom.is_empty() {
            for (kind, regex) in &self.custom {
                let found =
                    regex.find_iter(text).filter(|found| !found.is_empty() && !self.allowed(found.as_str()));
                findings
                    .extend(found.map(|found| Finding::new(kind.clone(), found.range(), Confidence::High)));
            }
            without_overlaps(&mut findings);
        }
        findings
    }

    fn allowed(&self, found: &str) -> bool {
        !self.allow.is_empty() && self.allow.contains(&found.to_lowercase())
    }
}

impl Detector for Pii {
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        let findings = self.find(text, place.name());
        self.action.carry_out(text, findings, &self.redactor, place, report)
    }

    fn conclude(&self, report: &mut Report) {
        self.action.conclude(report, "PII_DETECTED", "the payload has personal data");
    }

    fn rewrites(&self) -> bool {
        self.action == Action::Redact
    }
}

fn custom(name: &str, pattern: &str) -> Result<(Arc<str>, Regex), ConfigError> {
    let problem = |problem: String| ConfigError::new(format!("custom.{name}"), problem);
    let regex = Regex::new(pattern).map_err(|error| problem(error.to_string()))?;
    Ok((name.into(), regex))
}
