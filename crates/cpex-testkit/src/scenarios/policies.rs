//! Which part of a changed payload is taken (I7, I11).

use cpex_core::payload::Rule::{self, Closed, Open, Writable};
use cpex_core::record::Fate::{Failed, Ran};
use cpex_core::{OnError, Phase};

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::Plugin;
use crate::plugin::Proposal::{self, Args, Foreign, Incomparable, Name, NameAndArgs, Other, Same, Subtype};

pub(super) fn table() -> Vec<Scenario> {
    let unchanged = || Expected::completed(&[("a", Ran)]);
    let args = || unchanged().payload("t", "a");
    let same = || unchanged().payload("t", "");
    [
        (Open, Name, unchanged().payload("ta", "")),
        (Open, Same, same()),
        (Open, Other, same()),
        (Open, Foreign, same()),
        (Writable, Args, args()),
        (Writable, Name, unchanged()),
        (Writable, NameAndArgs, args()),
        (Writable, Subtype, args()),
        (Writable, Same, unchanged()),
        (Writable, Other, same()),
        (Writable, Foreign, unchanged()),
        (Writable, Incomparable, Expected::completed(&[("a", Failed { disabled: false })])),
        (Closed, Args, unchanged()),
        (Closed, Same, unchanged()),
        (Closed, Other, unchanged()),
        (Closed, Foreign, unchanged()),
        (Closed, Incomparable, unchanged()),
    ]
    .map(|(policy, proposal, expected)| scenario(policy, proposal, expected))
    .to_vec()
}

fn scenario(policy: Rule, proposal: Proposal, expected: Expected) -> Scenario {
    let plugin = Plugin::new("a", Phase::Sequential).proposes(proposal).on_error(OnError::Ignore);
    let case = Case { rule: policy, ..Case::of(&[plugin]) };
    rule("I7, I11", format!("{proposal:?} under {policy:?}"), case, expected)
}
