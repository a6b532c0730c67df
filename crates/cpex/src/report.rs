//! What became of each plugin.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use cpex_core::record::Fate;
use cpex_core::{Buffers, Record};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::Mode;
use crate::host::RustValues;
use crate::memory;
use crate::narrator;
use crate::plan::{HookPlan, Plan};

/// What became of each plugin of a hook, those that did not run included.
///
/// It borrows names from the manager's line-up, so that a call need copy none of them. One that is kept keeps that
/// line-up in memory, though no plugin running, and a few that are kept on a thread make its next calls a little slower:
/// what is to last is better made of the [lines](Self::lines), for instance as JSON.
///
/// ```
/// use cpex::{Context, Hook, Json, Manager, PluginContext};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// const PING: Hook<Json> = Hook::new("ping");
/// let manager = Manager::builder().on(&PING, "looks", |_: &Json, _: &mut PluginContext| ()).start().await?;
/// let outcome = manager.invoke(&PING, &Json::default(), &Context::new("1")).await?;
/// let line = outcome.report.lines().next().unwrap();
/// assert_eq!((line.plugin, line.outcome), ("looks", "ran"));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Report {
    /// None if no plugin answers the hook.
    journal: Option<Box<Journal>>,
    denial_metadata: Map<String, Value>,
}

/// What an invocation leaves, in memory that serves one after another.
#[derive(Default)]
pub(crate) struct Journal {
    /// The hook, in the plan that was carried out.
    of: Option<(Guard<Arc<Plan>>, usize)>,
    records: Vec<Record<RustValues>>,
    buffers: Buffers<RustValues>,
    /// What ended the pipeline with an error: by which entry, and how it was put.
    raised: Option<(usize, Box<str>)>,
}

/// What became of one plugin.
///
/// ```
/// # fn print(report: &cpex::Report) {
/// for line in report.lines() {
///     println!("{} {}: {} {}", line.hook, line.plugin, line.outcome, line.detail.unwrap_or_default());
/// }
/// # }
/// # print(&cpex::Report::default());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line<'a> {
    /// Name of the plugin.
    pub plugin: &'a str,
    /// The hook that was invoked.
    pub hook: &'a str,
    /// The mode the plugin is configured with.
    pub mode: Mode,
    /// `ran`, `denied`, `suppressed`, `failed`, `timed_out`, `cancelled`, `detached`, `skipped`, `disabled` or
    /// `not_loaded`.
    pub outcome: &'static str,
    /// Which condition failed, the error, or why it is not there.
    pub detail: Option<Cow<'a, str>>,
    /// Payload fields whose change the hook's policy dropped.
    pub trimmed_fields: Vec<&'a str>,
    /// Why a payload change was not taken as a whole.
    pub discarded: Option<&'static str>,
    /// Slots of the extensions whose change was not taken, and why.
    pub refused_extensions: Vec<(&'static str, String)>,
    /// Whether a payload change was taken.
    pub payload_modified: bool,
    /// From the call to the answer; zero if it did not run or was not awaited.
    #[serde(serialize_with = "nanos", rename = "duration_ns")]
    pub duration: Duration,
}

impl Report {
    /// One line per plugin: those that did not take part first, then all others as they ended, then those that are
    /// configured and not there.
    ///
    /// ```
    /// assert_eq!(cpex::Report::default().lines().count(), 0);
    /// ```
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let hook = self.hook();
        let records = self.journal.iter().flat_map(|journal| &journal.records);
        let ran = records.filter_map(move |record| Some(self.line(hook?, record)));
        let missing = hook.into_iter().flat_map(|hook| {
            hook.missing.iter().map(|missing| Line {
                detail: Some(missing.why.as_str().into()),
                ..Line::new(hook, &missing.config.name, missing.config.mode, "not_loaded")
            })
        });
        ran.chain(missing)
    }

    /// What the plugin that denied says for records that leave the process: at most 16 flags and numbers, under names of
    /// at most 64 ASCII letters, digits, `.`, `_` and `-`. Whatever else it said there is left out.
    ///
    /// ```
    /// # fn count(report: &cpex::Report) {
    /// for (name, value) in report.denial_metadata() {
    ///     println!("{name}: {value}");
    /// }
    /// # }
    /// # count(&cpex::Report::default());
    /// ```
    #[must_use]
    pub const fn denial_metadata(&self) -> &Map<String, Value> {
        &self.denial_metadata
    }

    /// A plugin has denied, and said this.
    pub(crate) fn denied(&mut self, metadata: Map<String, Value>) {
        self.denial_metadata = metadata;
    }

    /// The same, of a pipeline that this has ended with an error.
    pub(crate) fn raised(mut self, entry: Option<usize>, failure: &crate::Failure) -> Self {
        if let Some(journal) = &mut self.journal {
            journal.raised = entry.map(|entry| (entry, failure.to_string().into()));
        }
        self
    }

    /// The name of the plugin of an entry.
    pub(crate) fn plugin(&self, entry: Option<usize>) -> &str {
        match (self.hook(), entry) {
            (Some(hook), Some(entry)) => hook.line_up.entries()[entry].plugin.plugin.name(),
            _ => "",
        }
    }

    pub(crate) fn raises_denials(&self) -> bool {
        self.hook().is_some_and(|hook| hook.settings.raise_denials)
    }

    fn hook(&self) -> Option<&HookPlan> {
        let (plan, hook) = self.journal.as_ref()?.of.as_ref()?;
        Some(plan.hook(*hook))
    }

    fn line<'a>(&'a self, hook: &'a HookPlan, record: &'a Record<RustValues>) -> Line<'a> {
        let config = &hook.line_up.entries()[record.entry].plugin.plugin.config;
        let refused = record.refused().iter().map(|(slot, why)| (slot.policy().path, why.text(*slot)));
        Line {
            detail: self.detail(record),
            trimmed_fields: record.trimmed().iter().map(AsRef::as_ref).collect(),
            discarded: record.discarded.map(cpex_core::payload::Discard::text),
            refused_extensions: refused.collect(),
            payload_modified: record.payload_modified,
            duration: Duration::from_nanos(record.duration_ns),
            ..Line::new(hook, &config.name, config.mode, record.fate.word())
        }
    }

    fn detail<'a>(&'a self, record: &'a Record<RustValues>) -> Option<Cow<'a, str>> {
        match (record.fate, record.fault(), record.violation()) {
            (Fate::Skipped(skip), _, _) => Some(skip.text().into()),
            (_, Some(fault), _) => Some(narrator::cause(fault).into()),
            (Fate::Suppressed, _, Some(violation)) => {
                Some(format!("[{}] {}", violation.code, violation.reason).into())
            }
            _ => {
                let (entry, text) = self.journal.as_ref()?.raised.as_ref()?;
                (*entry == record.entry).then(|| (&**text).into())
            }
        }
    }
}

impl<'a> Line<'a> {
    fn new(hook: &'a HookPlan, plugin: &'a str, mode: Mode, outcome: &'static str) -> Self {
        Self {
            plugin,
            hook: &hook.name,
            mode,
            outcome,
            detail: None,
            trimmed_fields: Vec::new(),
            discarded: None,
            refused_extensions: Vec::new(),
            payload_modified: false,
            duration: Duration::ZERO,
        }
    }
}

impl Journal {
    /// Memory to start in.
    pub(crate) fn buffers(&mut self) -> Buffers<RustValues> {
        mem::take(&mut self.buffers)
    }

    /// Fills it in.
    pub(crate) fn report(
        mut self: Box<Self>,
        plan: Guard<Arc<Plan>>,
        hook: usize,
        records: Vec<Record<RustValues>>,
        buffers: Buffers<RustValues>,
    ) -> Report {
        self.of = Some((plan, hook));
        self.records = records;
        self.buffers = buffers;
        Report { journal: Some(self), denial_metadata: Map::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.of = None;
        self.raised = None;
        self.buffers.keep(mem::take(&mut self.records));
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(journal) = self.journal.take() {
            memory::give_back(journal);
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

fn nanos<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}
