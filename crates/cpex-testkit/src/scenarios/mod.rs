//! Particular cases and what comes of them: data, so that every driver can be held to the same table.

use cpex_core::record::Fate;

use crate::case::Case;
use crate::run::Run;
use crate::values::Payload;

mod concurrent;
mod failures;
mod halts;
mod modes;
mod policies;
mod tiers;

/// A case, and what the semantics say of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The rule, as numbered in the semantics.
    pub cites: &'static str,
    /// What it shows.
    pub says: String,
    /// What is run.
    pub case: Case,
    /// What comes of it.
    pub expected: Expected,
}

/// What comes of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// As [`Run::ending`] puts it.
    pub ending: String,
    /// The name and the arguments of the payload handed back.
    pub payload: Option<(String, String)>,
    /// Key and last writer of the shared state.
    pub state: Vec<(&'static str, &'static str)>,
    /// Key and last writer of the metadata.
    pub metadata: Vec<(&'static str, &'static str)>,
    /// The extensions handed back.
    pub extensions: Option<String>,
    /// The delay before a retry.
    pub retry_ms: i64,
    /// Who had which end, in the order of the records.
    pub fates: Vec<(&'static str, Fate)>,
}

impl Expected {
    /// Completed, nothing changed, with these fates.
    #[must_use]
    pub fn completed(fates: &[(&'static str, Fate)]) -> Self {
        Self::ends("completed", fates)
    }

    /// This end, nothing changed, with these fates.
    #[must_use]
    pub fn ends(ending: &str, fates: &[(&'static str, Fate)]) -> Self {
        Self {
            ending: ending.to_owned(),
            payload: None,
            state: Vec::new(),
            metadata: Vec::new(),
            extensions: None,
            retry_ms: 0,
            fates: fates.to_vec(),
        }
    }

    /// With this payload.
    #[must_use]
    pub fn payload(self, name: &str, args: &str) -> Self {
        Self { payload: Some((name.to_owned(), args.to_owned())), ..self }
    }

    /// With this last writer of the key `x` of the shared state.
    #[must_use]
    pub fn state(self, writer: &'static str) -> Self {
        Self { state: vec![("x", writer)], ..self }
    }

    /// With this last writer of the key `last` of the metadata.
    #[must_use]
    pub fn metadata(self, writer: &'static str) -> Self {
        Self { metadata: vec![("last", writer)], ..self }
    }

    /// With these extensions and this delay before a retry.
    #[must_use]
    pub fn extensions(self, extensions: Option<&str>, retry_ms: i64) -> Self {
        Self { extensions: extensions.map(str::to_owned), retry_ms, ..self }
    }
}

impl From<&Run> for Expected {
    /// What came of a run, in the words of the table.
    fn from(run: &Run) -> Self {
        let text = |payload: &Payload| (payload.body().name.clone(), payload.body().args.clone());
        Self {
            ending: run.ending(),
            payload: run.outcome.payload.as_ref().map(text),
            state: run.request.state.clone().into_iter().collect(),
            metadata: run.request.metadata.clone().into_iter().collect(),
            extensions: run.outcome.extensions.as_ref().map(ToString::to_string),
            retry_ms: run.outcome.retry_delay_ms,
            fates: run.outcome.records.iter().map(|r| (run.plugin(r.entry).name, r.fate)).collect(),
        }
    }
}

/// A scenario that cites a rule.
fn rule(cites: &'static str, says: impl Into<String>, case: Case, expected: Expected) -> Scenario {
    Scenario { cites, says: says.into(), case, expected }
}

/// Every scenario.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [
        modes::table(),
        halts::table(),
        failures::table(),
        concurrent::table(),
        policies::table(),
        tiers::table(),
    ]
    .concat()
}
