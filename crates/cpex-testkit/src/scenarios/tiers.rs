//! What plugins make of the extensions (X5, X6, B9).

use cpex_core::Capability::{AppendDelegation, AppendLabels, WriteHeaders};
use cpex_core::Phase::{Audit, Concurrent, Sequential, Transform};
use cpex_core::extensions::Enforcement;
use cpex_core::record::Fate::{Denied, Failed, Ran, Suppressed};
use cpex_core::{OnError, Slot};

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::extensions::{Edit, Extensions};
use crate::plugin::Plugin;

pub(super) fn table() -> Vec<Scenario> {
    [taken(), refused(), breaches(), switched()].concat()
}

const ADD: Edit = Edit::Add(Slot::Labels, "B");
const CUT: Edit = Edit::Shorten(Slot::Delegation);
const MERGED: &str = "request: r; security.labels: A B; delegation: h";

fn case(plugins: &[Plugin]) -> Case {
    let extensions: [(Slot, &[&str]); 3] =
        [(Slot::Request, &["r"]), (Slot::Labels, &["A"]), (Slot::Delegation, &["h"])];
    Case { extensions: Some(Extensions::of(&extensions)), ..Case::of(plugins) }
}

fn labeller() -> Plugin {
    Plugin::new("a", Sequential).granted(&[AppendLabels]).writes(ADD)
}

fn taken() -> Vec<Scenario> {
    let ran = || Expected::completed(&[("a", Ran)]);
    let header = Plugin::new("b", Transform).granted(&[WriteHeaders]).writes(Edit::Put(Slot::Http, "x"));
    let both = Expected::completed(&[("a", Ran), ("b", Ran)]);
    vec![
        rule(
            "X6",
            "its label beside that of the caller",
            case(&[labeller()]),
            ran().extensions(Some(MERGED), 0),
        ),
        rule(
            "B9",
            "a label of one that was shown none, beside that of the caller",
            case(&[labeller().blind()]),
            ran().extensions(Some(MERGED), 0),
        ),
        rule(
            "B9",
            "the writes of both",
            case(&[labeller(), header]),
            both.extensions(Some("request: r; security.labels: A B; http: x; delegation: h"), 0),
        ),
    ]
}

fn refused() -> Vec<Scenario> {
    let stranger = |edit| Plugin::new("a", Sequential).writes(edit);
    let says = "nothing is taken of";
    let halted = Expected::ends("halted by a: no", &[("a", Denied)]);
    let denying = |phase| Plugin { phase, ..labeller() }.denies("no");
    vec![
        rule(
            "B9",
            format!("{says} a slot that nobody may write"),
            case(&[stranger(Edit::Put(Slot::Request, "x"))]),
            Expected::completed(&[("a", Ran)]),
        ),
        rule(
            "B9",
            format!("{says} a plugin without the capability"),
            case(&[stranger(ADD)]),
            Expected::completed(&[("a", Ran)]),
        ),
        rule(
            "X5",
            format!("{says} an auditor"),
            case(&[Plugin { phase: Audit, ..labeller() }]),
            Expected::completed(&[("a", Ran)]),
        ),
        rule(
            "X5",
            format!("{says} a concurrent plugin"),
            case(&[Plugin { phase: Concurrent, ..labeller() }]),
            Expected::completed(&[("a", Ran)]),
        ),
        rule("P5", format!("{says} a denial"), case(&[denying(Sequential)]), halted),
        rule(
            "P6",
            format!("{says} a suppressed denial"),
            case(&[denying(Transform)]),
            Expected::completed(&[("a", Suppressed)]),
        ),
    ]
}

fn breaches() -> Vec<Scenario> {
    let forger = Plugin::new("a", Sequential).granted(&[AppendDelegation, AppendLabels]);
    let rewrites = forger.writes(Edit::Put(Slot::Delegation, "x"));
    let failed = |disabled| ("a", Failed { disabled });
    let raised = Expected::ends("raised by a: breach", &[failed(false)]);
    vec![
        rule("B9", "a hop that is rewritten is a failure", case(&[rewrites]), raised.clone()),
        rule(
            "B9",
            "a label that is taken away is a failure",
            case(&[forger.writes(Edit::Put(Slot::Labels, "x"))]),
            raised,
        ),
        rule(
            "B9",
            "a failure that is passed over changes nothing",
            case(&[rewrites.on_error(OnError::Ignore)]),
            Expected::completed(&[failed(false)]),
        ),
        rule(
            "B9",
            "and takes it out of service where it should",
            case(&[rewrites.on_error(OnError::Disable)]),
            Expected::completed(&[failed(true)]),
        ),
        rule(
            "B9",
            "a chain that is left out altogether is kept",
            case(&[forger.writes(CUT)]),
            Expected::completed(&[("a", Ran)]),
        ),
    ]
}

fn switched() -> Vec<Scenario> {
    let plugin = Plugin::new("a", Sequential).writes(Edit::Put(Slot::Request, "x"));
    [Enforcement::Warn, Enforcement::Off]
        .map(|enforcement| {
            let case = Case { enforcement, ..case(&[plugin]) };
            // What was hidden from it is lost, as in CPEX 0.1.4.
            let expected = Expected::completed(&[("a", Ran)]).extensions(Some("request: x"), 0);
            rule("X5, B9", format!("{enforcement:?} takes what is returned as it is"), case, expected)
        })
        .to_vec()
}
