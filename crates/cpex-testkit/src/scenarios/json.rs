//! The table as JSON, one scenario a line, for drivers that are not written in Rust.
//!
//! What is not mentioned is as [`Plugin::new`], [`Case::of`] and a completed invocation that changed nothing have it.

use std::collections::{BTreeMap, BTreeSet};

use cpex_core::extensions::Enforcement;
use cpex_core::payload::{Isolation, Rule};
use cpex_core::{Capability, OnError, Phase};
use serde::Serialize;

use super::{Driver, Expected, Scenario, all};
use crate::case::Case;
use crate::extensions::{Edit, Extensions};
use crate::plugin::{Answer, Does, Plugin, Proposal, Unreadable};
use crate::when::{Asked, When};

/// The table: an array with one scenario a line.
///
/// # Panics
/// Never: all of it is plain text and numbers.
#[must_use]
pub fn json() -> String {
    let lines: Vec<_> = all().iter().map(|scenario| to_json(&ScenarioRow::from(scenario))).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn to_json(row: &ScenarioRow<'_>) -> String {
    serde_json::to_string(row).unwrap_or_else(|error| unreachable!("{error}"))
}

type Pairs<'a> = Vec<(&'a str, &'a str)>;

#[derive(Serialize)]
struct ScenarioRow<'a> {
    cites: &'a str,
    says: &'a str,
    case: CaseRow,
    expected: ExpectedRow<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    differs: BTreeMap<&'static str, DifferenceRow<'a>>,
}

#[derive(Serialize)]
struct DifferenceRow<'a> {
    because: &'a str,
    expected: Option<ExpectedRow<'a>>,
}

#[derive(Serialize)]
struct CaseRow {
    plugins: Vec<PluginRow>,
    #[serde(skip_serializing_if = "is_default")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    isolation: Option<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    extensions: Option<BTreeMap<&'static str, Vec<&'static str>>>,
    #[serde(skip_serializing_if = "is_default")]
    extension_tiers: Option<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    pool: Option<usize>,
    #[serde(skip_serializing_if = "is_default")]
    raise_denials: bool,
    #[serde(skip_serializing_if = "is_default")]
    asked: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "is_default")]
    state: &'static [&'static str],
    #[serde(skip_serializing_if = "is_default")]
    open_container: bool,
    #[serde(skip_serializing_if = "is_default")]
    aborts_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    copies: Option<usize>,
}

#[derive(Serialize)]
struct PluginRow {
    name: &'static str,
    mode: &'static str,
    #[serde(skip_serializing_if = "is_default")]
    priority: Option<i64>,
    #[serde(skip_serializing_if = "is_default")]
    on_error: Option<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    conditions: Vec<BTreeMap<&'static str, [&'static str; 1]>>,
    #[serde(skip_serializing_if = "is_default")]
    capabilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    disabled: bool,
    #[serde(skip_serializing_if = "is_default")]
    takes_ms: u64,
    #[serde(skip_serializing_if = "is_default")]
    does: Option<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    denies: bool,
    #[serde(skip_serializing_if = "is_default")]
    violation: Option<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    proposes: Option<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    writes_extensions: Vec<(&'static str, &'static str, Option<&'static str>)>,
    #[serde(skip_serializing_if = "is_default")]
    retry_ms: i64,
    #[serde(skip_serializing_if = "is_default")]
    unreadable: Option<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    writes_state: &'static [&'static str],
    #[serde(skip_serializing_if = "is_default")]
    drops_state: &'static [&'static str],
    #[serde(skip_serializing_if = "is_default")]
    writes_metadata: &'static [&'static str],
    #[serde(skip_serializing_if = "is_default")]
    resists: bool,
    #[serde(skip_serializing_if = "is_default")]
    blind: bool,
}

#[derive(Serialize)]
struct ExpectedRow<'a> {
    ending: &'a str,
    fates: &'a [(&'static str, &'static str)],
    given: Pairs<'a>,
    #[serde(skip_serializing_if = "is_default")]
    isolated: &'a [&'static str],
    #[serde(skip_serializing_if = "is_default")]
    shown: Pairs<'a>,
    #[serde(skip_serializing_if = "is_default")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "is_default")]
    changed_by: &'a [&'static str],
    #[serde(skip_serializing_if = "is_default")]
    extensions: Option<&'a str>,
    #[serde(skip_serializing_if = "is_default")]
    state: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "is_default")]
    metadata: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "is_default")]
    retry_ms: i64,
    #[serde(skip_serializing_if = "is_default")]
    remarks: Pairs<'a>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    disabled: &'a BTreeSet<&'static str>,
    #[serde(skip_serializing_if = "is_default")]
    took_ms: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<'a> From<&'a Scenario> for ScenarioRow<'a> {
    fn from(scenario: &'a Scenario) -> Self {
        let differs = scenario.differs.iter().map(|difference| {
            let expected = difference.expected.as_ref().map(ExpectedRow::from);
            (driver(difference.driver), DifferenceRow { because: difference.because, expected })
        });
        Self {
            cites: scenario.cites,
            says: &scenario.says,
            case: CaseRow::from(&scenario.case),
            expected: ExpectedRow::from(&scenario.expected),
            differs: differs.collect(),
        }
    }
}

impl From<&Case> for CaseRow {
    fn from(case: &Case) -> Self {
        Self {
            plugins: case.plugins.iter().map(PluginRow::from).collect(),
            rule: match case.rule {
                Rule::Open => None,
                Rule::Closed => Some("closed"),
                Rule::Writable => Some("writable"),
            },
            isolation: (case.isolation == Isolation::Always).then_some("always"),
            extensions: case.extensions.as_ref().map(members),
            extension_tiers: match case.enforcement {
                Enforcement::Enforce => None,
                Enforcement::Warn => Some("warn"),
                Enforcement::Off => Some("off"),
            },
            timeout_ms: case.timeout_ms,
            pool: case.pool.map(core::num::NonZeroUsize::get),
            raise_denials: case.raise_denials,
            asked: asked(case.asked),
            state: case.state,
            open_container: case.open_container,
            aborts_at_ms: case.aborts_at_ms,
            copies: case.copies,
        }
    }
}

impl From<&Plugin> for PluginRow {
    fn from(plugin: &Plugin) -> Self {
        let Answer { allow, violation, proposal, extensions, retry_ms, unreadable } = plugin.answer();
        let edits = extensions.iter().flat_map(|writing| writing.0).flatten();
        Self {
            name: plugin.name,
            mode: mode(plugin.phase),
            priority: (plugin.priority != 100).then_some(plugin.priority),
            on_error: match plugin.on_error {
                OnError::Fail => None,
                OnError::Ignore => Some("ignore"),
                OnError::Disable => Some("disable"),
            },
            timeout_ms: plugin.timeout_ms,
            conditions: plugin.when.iter().map(condition).collect(),
            capabilities: Capability::ALL
                .into_iter()
                .filter(|capability| plugin.capabilities.contains(*capability))
                .map(Capability::name)
                .collect(),
            disabled: plugin.disabled,
            takes_ms: plugin.takes_ms,
            does: match plugin.does {
                Does::Answer(_) => None,
                Does::Fail => Some("fail"),
                Does::Refuse => Some("refuse"),
                Does::Interrupt => Some("interrupt"),
                Does::Hang => Some("hang"),
            },
            denies: !allow,
            violation,
            proposes: proposes(proposal),
            writes_extensions: edits.map(edit).collect(),
            retry_ms,
            unreadable: unreadable.map(|part| match part {
                Unreadable::State => "state",
                Unreadable::Metadata => "metadata",
            }),
            writes_state: plugin.writes_state,
            drops_state: plugin.drops_state,
            writes_metadata: plugin.writes_metadata,
            resists: plugin.resists,
            blind: plugin.blind,
        }
    }
}

impl<'a> From<&'a Expected> for ExpectedRow<'a> {
    fn from(expected: &'a Expected) -> Self {
        let text = |(name, text): &'a (&'static str, String)| (*name, text.as_str());
        Self {
            ending: &expected.ending,
            fates: &expected.fates,
            given: expected.given.iter().map(text).collect(),
            isolated: &expected.isolated,
            shown: expected.shown.iter().map(text).collect(),
            payload: expected.payload.as_deref(),
            changed_by: &expected.changed_by,
            extensions: expected.extensions.as_deref(),
            state: expected.state.iter().copied().collect(),
            metadata: expected.metadata.iter().copied().collect(),
            retry_ms: expected.retry_ms,
            remarks: expected.remarks.iter().map(text).collect(),
            disabled: &expected.disabled,
            took_ms: expected.took_ms,
        }
    }
}

const fn driver(driver: Driver) -> &'static str {
    match driver {
        Driver::Tokio => "tokio",
        Driver::Asyncio => "asyncio",
    }
}

const fn mode(phase: Phase) -> &'static str {
    match phase {
        Phase::Sequential => "sequential",
        Phase::Transform => "transform",
        Phase::Audit => "audit",
        Phase::Concurrent => "concurrent",
        Phase::FireAndForget => "fire_and_forget",
    }
}

const fn proposes(proposal: Proposal) -> Option<&'static str> {
    Some(match proposal {
        Proposal::Nothing => return None,
        Proposal::Same => "same",
        Proposal::Name => "name",
        Proposal::Args => "args",
        Proposal::NameAndArgs => "name_and_args",
        Proposal::Subtype => "subtype",
        Proposal::Other => "other",
        Proposal::Foreign => "foreign",
        Proposal::Incomparable => "incomparable",
    })
}

const fn edit(edit: Edit) -> (&'static str, &'static str, Option<&'static str>) {
    match edit {
        Edit::Add(slot, member) => ("add", slot.policy().path, Some(member)),
        Edit::Put(slot, member) => ("put", slot.policy().path, Some(member)),
        Edit::Shorten(slot) => ("shorten", slot.policy().path, None),
        Edit::Empty(slot) => ("empty", slot.policy().path, None),
        Edit::Omit(slot) => ("omit", slot.policy().path, None),
    }
}

fn members(extensions: &Extensions) -> BTreeMap<&'static str, Vec<&'static str>> {
    extensions.slots().map(|slot| (slot.policy().path, extensions.members(slot).to_vec())).collect()
}

/// The parts that are there, under the names of the request context.
fn asked(asked: Asked) -> BTreeMap<&'static str, &'static str> {
    let Asked { server_id, tenant_id, content_type, user } = asked;
    let parts =
        [("server_id", server_id), ("tenant_id", tenant_id), ("content_type", content_type), ("user", user)];
    parts.into_iter().filter_map(|(name, part)| Some((name, part?))).collect()
}

/// The parts that are there, under the names of a configuration.
fn condition(when: &When) -> BTreeMap<&'static str, [&'static str; 1]> {
    let When { server_id, tenant_id, content_type, user_pattern, tool } = *when;
    let parts = [
        ("server_ids", server_id),
        ("tenant_ids", tenant_id),
        ("content_types", content_type),
        ("user_patterns", user_pattern),
        ("tools", tool),
    ];
    parts.into_iter().filter_map(|(name, part)| Some((name, [part?]))).collect()
}
