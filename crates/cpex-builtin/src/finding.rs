//! What detectors find, and the report of one detector about one payload.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::denial::Denial;
use crate::text::Place;

/// Findings are counted without an end, but only so many are kept with their places.
const KEPT: usize = 100;

/// Something found in a text. It never holds the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is, such as `email` or `aws_access_key`.
    pub kind: Arc<str>,
    /// Where in the text, in bytes, on character boundaries.
    pub span: Range<usize>,
    /// How sure the detector is.
    pub confidence: Confidence,
    /// Whether the span has grown over findings that overlapped it. Its end may be that of another kind, so none of it
    /// stays readable.
    pub grown: bool,
}

impl Finding {
    /// A finding as a detector makes it.
    pub fn new(kind: impl Into<Arc<str>>, span: Range<usize>, confidence: Confidence) -> Self {
        Self { kind: kind.into(), span, confidence, grown: false }
    }
}

/// How sure a detector is of a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It has the shape, as many other things do.
    Low,
    /// It has the shape, and its surroundings or its parts speak for it.
    #[default]
    Medium,
    /// A checksum, a fixed prefix or a label says so.
    High,
}

/// A finding with the place of the text it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The finding.
    pub finding: Finding,
    /// A JSON pointer to the text.
    pub place: String,
}

/// What one detector has to say about one payload.
#[derive(Clone, Debug, Default)]
pub struct Report {
    counts: BTreeMap<Arc<str>, usize>,
    sightings: Vec<Sighting>,
    /// Why the payload must not go on.
    pub denial: Option<Denial>,
    /// What a detector adds up over all texts, such as their length.
    pub total: usize,
    /// What else it has to say for the metadata of the outcome. Never a text of the payload.
    pub notes: Map<String, Value>,
}

impl Report {
    /// Notes a finding.
    pub fn add(&mut self, finding: Finding, place: &Place<'_>) {
        *self.counts.entry(finding.kind.clone()).or_default() += 1;
        if self.sightings.len() < KEPT {
            self.sightings.push(Sighting { finding, place: place.to_string() });
        }
    }

    /// How many findings there are of each kind.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<Arc<str>, usize> {
        &self.counts
    }

    /// The first findings, with their places.
    #[must_use]
    pub fn sightings(&self) -> &[Sighting] {
        &self.sightings
    }

    /// Denies the payload because of the findings so far, whose kinds and counts become the details.
    pub fn deny(&mut self, code: &'static str, reason: impl Into<String>) {
        let counts = self.counts.iter().map(|(kind, count)| (kind.to_string(), (*count).into())).collect();
        self.denial = Some(Denial { details: counts, ..Denial::new(code, reason) });
    }
}

/// Leaves of overlapping findings the one that begins first, and of those the surer and then the longer one. It grows
/// over the others: what was found stays covered.
pub fn without_overlaps(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        (a.span.start.cmp(&b.span.start))
            .then(b.confidence.cmp(&a.confidence))
            .then(b.span.end.cmp(&a.span.end))
    });
    findings.dedup_by(|next, kept| {
        let overlaps = next.span.start < kept.span.end;
        if overlaps && next.span.end > kept.span.end {
            kept.span.end = next.span.end;
            kept.grown = true;
        }
        overlaps
    });
}
