//! What happens when something is found: the one rule that the detectors share.

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Report};
use crate::redact::Redactor;
use crate::text::Place;

/// What happens when something is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made unreadable, and the payload goes on.
    #[default]
    Redact,
    /// The payload goes no further.
    Deny,
    /// It is reported, nothing more.
    Report,
}

impl Action {
    /// Notes findings, which are in order and do not overlap, and redacts them if that is the action.
    pub(crate) fn carry_out(
        self,
        text: &str,
        findings: Vec<Finding>,
        redactor: &Redactor,
        place: &Place<'_>,
        report: &mut Report,
    ) -> Option<String> {
        if findings.is_empty() {
            return None;
        }
        let redacted = (self == Self::Redact).then(|| redactor.redact(text, &findings));
        for finding in findings {
            report.add(finding, place);
        }
        redacted
    }

    /// Denies a payload with findings if that is the action.
    pub(crate) fn conclude(self, report: &mut Report, code: &'static str, reason: &str) {
        if self == Self::Deny && !report.counts().is_empty() {
            report.deny(code, reason);
        }
    }
}
