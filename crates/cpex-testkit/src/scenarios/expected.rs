//! What comes of a case, in words that every driver can say.

use std::collections::BTreeSet;

use cpex_core::payload::Discard;
use cpex_core::record::Fate;
use cpex_core::verdict::{Verdict, judge};
use cpex_core::{Phase, Record};

use crate::case::Case;
use crate::plugin::Plugin;
use crate::run::Run;
use crate::values::{Kind, Payload, Sim};

/// What comes of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// As [`Run::ending`] puts it: whether it was completed, or who ended it and why.
    pub ending: String,
    /// Who had which end, in the words and the order of the report.
    pub fates: Vec<(&'static str, &'static str)>,
    /// What else the report says of a plugin.
    pub remarks: BTreeSet<(&'static str, String)>,
    /// Who was started, in order, and with which payload.
    pub given: Vec<(&'static str, String)>,
    /// What each that was started was shown of the extensions, if anything.
    pub shown: Vec<(&'static str, String)>,
    /// Who was given a copy of the payload that nobody else can reach.
    pub isolated: Vec<&'static str>,
    /// Whose change of the payload was taken.
    pub changed_by: Vec<&'static str>,
    /// The payload handed back.
    pub payload: Option<String>,
    /// The extensions handed back.
    pub extensions: Option<String>,
    /// Key and last writer of the shared state.
    pub state: Vec<(&'static str, &'static str)>,
    /// Key and last writer of the metadata.
    pub metadata: Vec<(&'static str, &'static str)>,
    /// The delay before a retry.
    pub retry_ms: i64,
    /// Who is out of service from then on, when the background has ended.
    pub disabled: BTreeSet<&'static str>,
    /// How long it took.
    pub took_ms: u64,
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
        let is_disabled =
            |fate| matches!(fate, Fate::Failed { disabled: true } | Fate::TimedOut { disabled: true });
        Self {
            ending: ending.to_owned(),
            fates: fates.iter().map(|(name, fate)| (*name, fate.word())).collect(),
            remarks: fates
                .iter()
                .filter_map(|(name, fate)| Some((*name, reason(*fate)?.to_owned())))
                .collect(),
            disabled: fates.iter().filter(|(_, fate)| is_disabled(*fate)).map(|(name, _)| *name).collect(),
            ..Self::default()
        }
    }

    /// With this payload, and those who changed it.
    #[must_use]
    pub fn payload(self, payload: &str, changed_by: &[&'static str]) -> Self {
        Self { payload: Some(payload.to_owned()), changed_by: changed_by.to_vec(), ..self }
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

    /// With these extensions.
    #[must_use]
    pub fn extensions(self, extensions: &str) -> Self {
        Self { extensions: Some(extensions.to_owned()), ..self }
    }

    /// With this delay before a retry.
    #[must_use]
    pub fn retry_ms(self, retry_ms: i64) -> Self {
        Self { retry_ms, ..self }
    }

    /// Where the payload that a plugin is given is not the caller's: all that are started, in order.
    #[must_use]
    pub fn given(self, given: &[(&'static str, &str)]) -> Self {
        Self { given: texts(given), ..self }
    }

    /// Those that are shown some of the extensions.
    #[must_use]
    pub fn shown(self, shown: &[(&'static str, &str)]) -> Self {
        Self { shown: texts(shown), ..self }
    }

    /// With these remarks beside those that follow from the fates.
    #[must_use]
    pub fn remarks(mut self, remarks: &[(&'static str, &str)]) -> Self {
        self.remarks.extend(texts(remarks));
        self
    }

    /// Where a denial hands no payload on that could be taken or discarded.
    #[must_use]
    pub(super) fn without_payload(mut self) -> Self {
        self.remarks.retain(|(_, text)| text != Discard::Denied.text() && text != Discard::Phase.text());
        if self.fates.iter().any(|(name, word)| self.changed_by == [*name] && *word == "suppressed") {
            (self.payload, self.changed_by) = (None, Vec::new());
        }
        self
    }

    /// With this one out of service.
    #[must_use]
    pub fn disabled(mut self, name: &'static str) -> Self {
        self.disabled.insert(name);
        self
    }

    /// Taking this long.
    #[must_use]
    pub fn took_ms(self, took_ms: u64) -> Self {
        Self { took_ms, ..self }
    }

    /// What follows from the case: who was out of service before; and, where nothing was said of it, that those
    /// that were not skipped were started in the order of the line-up and given what the caller passed.
    pub(super) fn of(mut self, case: &Case) -> Self {
        self.disabled.extend(case.plugins.iter().filter(|plugin| plugin.disabled).map(|plugin| plugin.name));
        if self.given.is_empty() {
            let mut started: Vec<_> = case.plugins.iter().filter(|plugin| self.starts(plugin.name)).collect();
            started.sort_by_key(|plugin| (plugin.phase, plugin.priority));
            let original = text(&Payload::original());
            self.given = started.iter().map(|plugin| (plugin.name, original.clone())).collect();
        }
        let isolates = |name: &str| case.plugins.iter().any(|p| p.name == name && case.isolates(p));
        self.isolated = self.given.iter().map(|(name, _)| *name).filter(|name| isolates(name)).collect();
        self
    }

    fn starts(&self, plugin: &str) -> bool {
        self.fates.iter().any(|(name, word)| *name == plugin && !matches!(*word, "skipped" | "disabled"))
    }
}

impl From<&Run> for Expected {
    /// What came of a run, in the words of the table.
    fn from(run: &Run) -> Self {
        let name = |entry: usize| run.plugin(entry).name;
        let records = || run.outcome.records.iter();
        let started = || run.started().map(|started| (name(started.entry), started));
        let extensions = |shown: &crate::extensions::Extensions| shown.to_string();
        Self {
            ending: run.ending(),
            fates: records().map(|record| (name(record.entry), record.fate.word())).collect(),
            remarks: records().flat_map(|record| remarks(name(record.entry), record)).collect(),
            given: started().map(|(name, started)| (name, text(&started.payload))).collect(),
            shown: started()
                .filter_map(|(name, started)| Some((name, started.shown.as_ref().map(extensions)?)))
                .filter(|(_, shown)| !shown.is_empty())
                .collect(),
            isolated: started()
                .filter(|(_, started)| started.payload.isolated)
                .map(|(name, _)| name)
                .collect(),
            changed_by: records().filter(|r| r.payload_modified).map(|r| name(r.entry)).collect(),
            payload: run.outcome.payload.as_ref().map(text),
            extensions: run.outcome.extensions.as_ref().map(extensions),
            state: run.request.state.clone().into_iter().collect(),
            metadata: run.request.metadata.clone().into_iter().collect(),
            retry_ms: run.outcome.retry_delay_ms,
            disabled: disabled(run),
            took_ms: run.took_ms,
        }
    }
}

/// Those that were out of service before, that this run took out, and that failed in the background.
fn disabled(run: &Run) -> BTreeSet<&'static str> {
    let before = run.case.plugins.iter().filter(|plugin| plugin.disabled).map(|plugin| plugin.name);
    let failed = |(entry, ending): &(usize, _)| {
        let Plugin { name, on_error, .. } = run.plugin(*entry);
        (judge(Phase::FireAndForget, on_error, *ending) == Verdict::Disable).then_some(name)
    };
    let background = run.background.iter().filter_map(failed);
    before.chain(run.request.disabled.iter().map(|entry| run.plugin(*entry).name)).chain(background).collect()
}

fn remarks(name: &'static str, record: &Record<Sim>) -> Vec<(&'static str, String)> {
    let skipped = reason(record.fate).map(str::to_owned);
    let discarded = record.discarded.map(|why| why.text().to_owned());
    let trimmed = record.trimmed().iter().map(|field| format!("{field} is not writable"));
    let refused =
        record.refused().iter().map(|(slot, why)| format!("{}: {}", slot.policy().path, why.text(*slot)));
    skipped.into_iter().chain(discarded).chain(trimmed).chain(refused).map(|text| (name, text)).collect()
}

/// Why it did not run.
fn reason(fate: Fate) -> Option<&'static str> {
    match fate {
        Fate::Skipped(skip) => Some(skip.text()),
        _ => None,
    }
}

fn text(payload: &Payload) -> String {
    let body = payload.body();
    let kind = match body.kind {
        Kind::Base => "",
        Kind::Sub => "sub ",
        Kind::Incomparable => "incomparable ",
        Kind::Other => "other ",
        Kind::Foreign => "foreign ",
    };
    let separator = if body.args.is_empty() { "" } else { "/" };
    format!("{kind}{}{separator}{}", body.name, body.args)
}

fn texts(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    pairs.iter().map(|(name, text)| (*name, (*text).to_owned())).collect()
}
