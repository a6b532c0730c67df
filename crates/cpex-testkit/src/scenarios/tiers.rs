//! What plugins see of the extensions, and what they make of them (X2, X3, X5, X6, B9).

use cpex_core::Capability::{
    self, AppendDelegation, AppendLabels, ReadAgent, ReadClaims, ReadDelegation, ReadHeaders, ReadLabels,
    ReadPermissions, ReadRoles, ReadSubject, ReadTeams, WriteHeaders,
};
use cpex_core::Phase::{Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::extensions::Enforcement;
use cpex_core::record::Fate::{Denied, Detached, Failed, Ran, Suppressed};
use cpex_core::{OnError, Slot};

use super::Driver::Tokio;
use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::extensions::{Edit, Extensions};
use crate::plugin::Plugin;

pub(super) fn table() -> Vec<Scenario> {
    [shown(), taken(), refused(), breaches(), switched()].concat()
}

const ADD: Edit = Edit::Add(Slot::Labels, "B");
const MERGED: &str = "request: r; security.labels: A B; delegation: h";
const PUBLIC: &str = "request: r";
const LABELLED: &str = "request: r; security.labels: A";

/// Why nothing but what is custom can be emptied in Rust.
const NOT_MENTIONED: &str = "a slot that is `None` is one that is not mentioned in Rust";

fn case(plugins: &[Plugin]) -> Case {
    let extensions: [(Slot, &[&str]); 3] =
        [(Slot::Request, &["r"]), (Slot::Labels, &["A"]), (Slot::Delegation, &["h"])];
    Case { extensions: Some(Extensions::of(&extensions)), ..Case::of(plugins) }
}

fn labeller() -> Plugin {
    Plugin::new("a", Sequential).granted(&[AppendLabels]).writes(ADD)
}

/// What a plugin with one capability sees.
fn shown() -> Vec<Scenario> {
    let everything = Extensions::of(&[
        (Slot::Request, &["r"]),
        (Slot::Agent, &["g"]),
        (Slot::Subject, &["s"]),
        (Slot::SubjectRoles, &["role"]),
        (Slot::SubjectTeams, &["team"]),
        (Slot::SubjectClaims, &["claim"]),
        (Slot::SubjectPermissions, &["may"]),
        (Slot::Classification, &["secret"]),
        (Slot::Labels, &["A"]),
        (Slot::Http, &["accept"]),
        (Slot::Delegation, &["h"]),
        (Slot::Custom, &["k"]),
    ]);
    let case = |plugin| Case { extensions: Some(everything.clone()), ..Case::of(&[plugin]) };
    let sees = |says: String, plugin, shown: &str| {
        rule("X2, X3", says, case(plugin), Expected::completed(&[("a", Ran)]).shown(&[("a", shown)]))
    };
    let with = |before: &str, after: &str| {
        let parts = ["request: r", before, "security.classification: secret", after, "custom: k"];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    };
    let granted = |capability: Capability, before, after| {
        let plugin = Plugin::new("a", Sequential).granted(&[capability]);
        sees(format!("what {} shows", capability.name()), plugin, &with(before, after))
    };
    let mut scenarios = vec![
        sees("what all are shown".to_owned(), Plugin::new("a", Sequential), &with("", "")),
        granted(ReadAgent, "agent: g", ""),
        granted(ReadSubject, "security.subject: s", ""),
        granted(ReadRoles, "security.subject: s; security.subject.roles: role", ""),
        granted(ReadTeams, "security.subject: s; security.subject.teams: team", ""),
        granted(ReadClaims, "security.subject: s; security.subject.claims: claim", ""),
        granted(ReadPermissions, "security.subject: s; security.subject.permissions: may", ""),
        granted(ReadLabels, "", "security.labels: A"),
        granted(AppendLabels, "", "security.labels: A"),
        granted(ReadHeaders, "", "http: accept"),
        granted(WriteHeaders, "", "http: accept"),
        granted(ReadDelegation, "", "delegation: h"),
        granted(AppendDelegation, "", "delegation: h"),
    ];
    let blind = case(Plugin::new("a", Sequential).granted(&[ReadLabels]).blind());
    let says = "whose method takes no extensions is shown none";
    scenarios.push(rule("X2", says, blind, Expected::completed(&[("a", Ran)])));
    scenarios
}

fn taken() -> Vec<Scenario> {
    let ran = |extensions| Expected::completed(&[("a", Ran)]).extensions(extensions);
    let header = Plugin::new("b", Transform).granted(&[WriteHeaders]).writes(Edit::Put(Slot::Http, "x"));
    let reads = |name, phase| Plugin::new(name, phase).granted(&[ReadLabels, ReadDelegation]);
    let hop = Plugin::new("a", Sequential).granted(&[AppendDelegation]);
    vec![
        rule(
            "X6",
            "its label beside that of the caller",
            case(&[labeller()]),
            ran(MERGED).shown(&[("a", LABELLED)]),
        ),
        rule(
            "B9",
            "a label of one that was shown none, beside that of the caller",
            case(&[labeller().blind()]),
            ran(MERGED),
        ),
        rule(
            "B9",
            "the writes of both",
            case(&[labeller(), header]),
            Expected::completed(&[("a", Ran), ("b", Ran)])
                .extensions("request: r; security.labels: A B; http: x; delegation: h")
                .shown(&[("a", LABELLED), ("b", PUBLIC)]),
        ),
        rule(
            "X6",
            "a hop after the last",
            case(&[hop.writes(Edit::Add(Slot::Delegation, "i"))]),
            ran("request: r; security.labels: A; delegation: h i")
                .shown(&[("a", "request: r; delegation: h")]),
        ),
        rule(
            "X6",
            "a first hop, and a first label, where the caller passed nothing",
            Case::of(&[hop.writes(Edit::Add(Slot::Delegation, "i")), Plugin { name: "b", ..labeller() }]),
            Expected::completed(&[("a", Ran), ("b", Ran)]).extensions("security.labels: B; delegation: i"),
        ),
        rule(
            "X6",
            "anything that is custom",
            Case::of(&[Plugin::new("a", Sequential).extends("k")]),
            ran("custom: k"),
        ),
        rule(
            "B9",
            "what is custom can be emptied",
            Case {
                extensions: Some(Extensions::of(&[(Slot::Request, &["r"]), (Slot::Custom, &["k"])])),
                ..Case::of(&[Plugin::new("a", Sequential).writes(Edit::Empty(Slot::Custom))])
            },
            ran(PUBLIC).shown(&[("a", "request: r; custom: k")]),
        ),
        rule(
            "B9",
            "the next are shown what is taken, the background what the caller passed",
            case(&[
                labeller(),
                reads("t", Transform),
                reads("u", Audit),
                reads("c", Concurrent),
                reads("f", FireAndForget),
            ]),
            Expected::completed(&[("a", Ran), ("t", Ran), ("u", Ran), ("c", Ran), ("f", Detached)])
                .extensions(MERGED)
                .shown(&[
                    ("a", LABELLED),
                    ("t", MERGED),
                    ("u", MERGED),
                    ("c", MERGED),
                    ("f", "request: r; security.labels: A; delegation: h"),
                ]),
        ),
    ]
}

fn refused() -> Vec<Scenario> {
    let stranger = |edit| Plugin::new("a", Sequential).writes(edit);
    let says = "nothing is taken of";
    let ran = || Expected::completed(&[("a", Ran)]);
    let no_phase = [("a", "security.labels: this mode cannot modify extensions")];
    let halted = Expected::ends("halted by a: no", &[("a", Denied)]);
    let denying = |phase| Plugin { phase, ..labeller() }.denies("no");
    vec![
        rule(
            "B9",
            format!("{says} a slot that nobody may write"),
            case(&[stranger(Edit::Put(Slot::Request, "x"))]),
            ran()
                .shown(&[("a", PUBLIC)])
                .remarks(&[("a", "request: slot has no write capability and cannot be modified")]),
        ),
        rule(
            "B9",
            format!("{says} a plugin without the capability"),
            case(&[stranger(ADD)]),
            ran()
                .shown(&[("a", PUBLIC)])
                .remarks(&[("a", "security.labels: plugin lacks 'append_labels' capability")]),
        ),
        rule(
            "B9",
            format!("{says} a plugin that may only read"),
            case(&[stranger(Edit::Put(Slot::Http, "x")).granted(&[ReadHeaders])]),
            ran().shown(&[("a", PUBLIC)]).remarks(&[("a", "http: plugin lacks 'write_headers' capability")]),
        ),
        rule(
            "X5",
            format!("{says} an auditor"),
            case(&[Plugin { phase: Audit, ..labeller() }]),
            ran().shown(&[("a", LABELLED)]).remarks(&no_phase),
        ),
        rule(
            "X5",
            format!("{says} a concurrent plugin"),
            case(&[Plugin { phase: Concurrent, ..labeller() }]),
            ran().shown(&[("a", LABELLED)]).remarks(&no_phase),
        ),
        rule(
            "P5",
            format!("{says} a denial"),
            case(&[denying(Sequential)]),
            halted.shown(&[("a", LABELLED)]),
        ),
        rule(
            "P6",
            format!("{says} a suppressed denial"),
            case(&[denying(Transform)]),
            Expected::completed(&[("a", Suppressed)]).shown(&[("a", LABELLED)]),
        ),
    ]
}

fn breaches() -> Vec<Scenario> {
    let forger = Plugin::new("a", Sequential).granted(&[AppendDelegation, AppendLabels]);
    let rewrites = forger.writes(Edit::Put(Slot::Delegation, "x"));
    let failed = |disabled| ("a", Failed { disabled });
    let seen = |expected: Expected| expected.shown(&[("a", "request: r; security.labels: A; delegation: h")]);
    let raised = || seen(Expected::ends("raised by a: breach", &[failed(false)]));
    vec![
        rule("B9", "a hop that is rewritten is a failure", case(&[rewrites]), raised()),
        rule(
            "B9",
            "a label that is taken away is a failure",
            case(&[forger.writes(Edit::Put(Slot::Labels, "x"))]),
            raised(),
        ),
        rule(
            "B9",
            "a failure that is passed over changes nothing",
            case(&[rewrites.on_error(OnError::Ignore)]),
            seen(Expected::completed(&[failed(false)])),
        ),
        rule(
            "B9",
            "and takes it out of service where it should",
            case(&[rewrites.on_error(OnError::Disable)]),
            seen(Expected::completed(&[failed(true)])),
        ),
        rule(
            "X5, B9",
            "what an observer takes away is not taken, and no failure",
            case(&[Plugin { phase: Audit, ..rewrites }]),
            seen(Expected::completed(&[("a", Ran)]))
                .remarks(&[("a", "delegation: this mode cannot modify extensions")]),
        ),
        rule(
            "B9",
            "a chain that is left out altogether is kept",
            case(&[forger.writes(Edit::Omit(Slot::Delegation))]),
            seen(Expected::completed(&[("a", Ran)])),
        ),
        rule(
            "B9",
            "a chain that is set to nothing is kept, and that is told",
            case(&[forger.writes(Edit::Empty(Slot::Delegation))]),
            seen(Expected::completed(&[("a", Ran)])).remarks(&[("a", "delegation: slot cannot be emptied")]),
        )
        .unsaid(Tokio, NOT_MENTIONED),
        rule(
            "B9",
            "who was not shown the chain cannot begin another",
            case(&[rewrites.blind()]),
            Expected::completed(&[("a", Ran)])
                .remarks(&[("a", "delegation: plugin was not shown what it would replace")]),
        ),
    ]
}

fn switched() -> Vec<Scenario> {
    [raw(), unchained()].concat()
}

/// Each is shown what the caller passed, and the last to return extensions wins.
fn unchained() -> Vec<Scenario> {
    let adds = |name, member| {
        Plugin::new(name, Sequential).granted(&[AppendLabels]).writes(Edit::Add(Slot::Labels, member))
    };
    [Enforcement::Warn, Enforcement::Off]
        .map(|enforcement| {
            let case = Case { enforcement, ..case(&[adds("a", "B"), adds("b", "C")]) };
            let expected = Expected::completed(&[("a", Ran), ("b", Ran)])
                .extensions("request: r; security.labels: A C")
                .shown(&[("a", LABELLED), ("b", LABELLED)]);
            rule("X5", format!("{enforcement:?} shows nobody what another wrote"), case, expected)
        })
        .to_vec()
}

fn raw() -> Vec<Scenario> {
    let plugin = Plugin::new("a", Sequential).writes(Edit::Put(Slot::Request, "x"));
    let told = [("a", "request: slot has no write capability and cannot be modified")];
    [(Enforcement::Warn, &told[..]), (Enforcement::Off, &[])]
        .map(|(enforcement, remarks)| {
            let case = Case { enforcement, ..case(&[plugin]) };
            // What was hidden from it is lost, as in CPEX 0.1.4.
            let expected =
                Expected::completed(&[("a", Ran)]).extensions("request: x").shown(&[("a", PUBLIC)]);
            let says = format!("{enforcement:?} takes what is returned as it is");
            rule("X5, B9", says, case, expected.remarks(remarks))
        })
        .to_vec()
}
