//! Who stands where in a line-up, and how plans change.

use std::sync::Arc;

use cpex_core::{LineUp, Phase, Plan};
use cpex_testkit::{Case, Plugin, When};
use proptest::prelude::*;

fn names(line_up: &LineUp<Plugin>) -> Vec<&'static str> {
    line_up.entries().iter().map(|entry| entry.plugin.name).collect()
}

#[test]
fn phase_comes_before_priority_and_priority_before_registration() {
    let plugins = [
        Plugin::new("f", Phase::FireAndForget).priority(-9),
        Plugin::new("b", Phase::Sequential).priority(5),
        Plugin::new("c", Phase::Sequential).priority(5),
        Plugin::new("a", Phase::Sequential).priority(-1),
        Plugin::new("t", Phase::Transform).priority(0),
    ];
    assert_eq!(names(&Case::of(&plugins).line_up()), ["a", "b", "c", "t", "f"]);
}

#[test]
fn a_line_up_tells_what_a_driver_needs_to_prepare() {
    let plain = Case::of(&[Plugin::new("a", Phase::Sequential)]).line_up();
    assert!(!plain.is_conditional() && plain.has(Phase::Sequential) && !plain.has(Phase::Concurrent));
    const NORTH: &[When] = &[When::tenant("north")];
    let conditional = Plugin::new("a", Phase::Sequential).when(NORTH);
    assert!(Case::of(&[conditional]).line_up().is_conditional());
}

#[test]
fn a_plan_is_changed_by_making_another() {
    let line_up = Case::of(&[]).line_up();
    let old = Plan::default();
    let new = old.with("tool_pre_invoke", Arc::clone(&line_up));
    assert!(old.line_up("tool_pre_invoke").is_none());
    assert!(new.line_up("tool_pre_invoke").is_some_and(|found| Arc::ptr_eq(found, &line_up)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_line_up_is_sorted_and_keeps_everyone(case in cpex_testkit::generate::cases()) {
        let line_up = case.line_up();
        let key = |plugin: &Plugin| {
            let registered = case.plugins.iter().position(|other| other.name == plugin.name);
            (plugin.phase, plugin.priority, registered)
        };
        prop_assert_eq!(line_up.entries().len(), case.plugins.len());
        prop_assert!(line_up.entries().iter().map(|entry| key(&entry.plugin)).is_sorted());
    }
}
