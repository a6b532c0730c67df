//! The laws of the pipeline, each over random plans, replies, timeouts and cancellations.

use cpex_testkit::{fuzz, generate, laws, world};
use proptest::prelude::*;

macro_rules! laws {
    ($($law:ident),* $(,)?) => {
        $(#[test]
        fn $law() {
            check(laws::$law);
        })*

        #[test]
        fn every_law_is_tested() {
            let tested = [$(stringify!($law)),*];
            assert!(laws::ALL.iter().map(|(name, _)| *name).eq(tested));
        }
    };
}

fn check(law: fn(&cpex_testkit::Run) -> bool) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(case in generate::cases(), ops in generate::ops())| {
        for run in [world::run(&case), fuzz::play(&case, &ops)] {
            prop_assert!(law(&run), "{}", run.digest());
        }
    });
}

laws! {
    phases_never_run_out_of_order,
    plugins_start_in_order,
    no_plugin_starts_twice,
    only_the_selected_start,
    nothing_starts_after_a_halt_but_the_detached,
    nothing_starts_after_a_raised_denial,
    nothing_starts_after_giving_up,
    the_first_to_end_it_decides,
    transform_and_audit_cannot_block,
    audit_and_concurrent_cannot_modify,
    one_record_per_entry,
    records_tell_who_was_started,
    records_are_in_the_order_of_the_ends,
    every_started_call_is_answered_or_cancelled,
    only_the_running_are_cancelled_and_only_once,
    whatever_runs_at_the_end_is_cancelled,
    it_waits_for_something,
    no_failure_is_read_as_allow,
    a_failure_passed_over_is_recorded,
    a_fault_leaves_no_trace,
    a_failure_changes_no_payload,
    retry_is_the_longest_asked_for,
    the_extensions_are_what_allowed_writes_make_of_them,
    records_tell_of_extensions,
    no_plugin_sees_what_it_was_not_granted,
    each_sees_what_the_chain_has_made_of_the_extensions,
    nobody_changes_what_nobody_may_write,
    what_may_only_grow_only_grows,
    no_write_is_dropped_in_silence,
    what_is_off_refuses_nothing,
    a_halt_leaves_no_retry_and_no_extensions,
    the_pool_is_never_exceeded,
    each_has_its_own_limit_or_that_of_all,
    the_detached_get_a_copy_of_the_original,
    the_awaited_get_the_current_payload,
    a_policy_isolates,
    observers_are_isolated,
    the_last_accepted_change_wins,
    handing_on_the_same_object_is_no_change,
    a_policy_keeps_what_is_not_writable,
    a_closed_hook_changes_nothing,
    no_proposal_is_dropped_in_silence,
    a_denial_changes_nothing,
}
