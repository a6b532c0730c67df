//! What holds for every run, whatever the plugins and the driver do: one function a law.

use core::time::Duration;
use std::collections::BTreeSet;

use cpex_core::extensions::Enforcement;
use cpex_core::payload::{Discard, Isolation, Rule};
use cpex_core::record::{Fate, Skip};
use cpex_core::{End, OnError, Phase, Slot};

use crate::chain;
use crate::extensions::Extensions;
use crate::oracle::{
    Ender, accepted, always, both_concurrent, cancels, counted, end_of_pipeline, entries, fails, halted,
    is_detached, may_modify, rank, started_after_the_end, yes_entries, yeses,
};
use crate::plugin::Proposal;
use crate::request::Note;
use crate::run::{How, Run, Started, Step};
use crate::values::{Kind, Payload};

/// A law and its name.
pub type Law = (&'static str, fn(&Run) -> bool);

macro_rules! all {
    ($($law:ident,)*) => {
        /// Every law.
        pub const ALL: &[Law] = &[$((stringify!($law), $law)),*];
    };
}

all! {
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

/// A phase begins when the one before has ended, and serial plugins run alone.
#[must_use]
pub fn phases_never_run_out_of_order(run: &Run) -> bool {
    always(run, |running, step| match step {
        Step::Started(s) => running.iter().all(|other| both_concurrent(run, *other, s.entry)),
        _ => true,
    })
}

/// By phase, then priority, then registration.
#[must_use]
pub fn plugins_start_in_order(run: &Run) -> bool {
    run.started().map(|s| rank(run, s.entry)).is_sorted()
}

/// Each entry of the line-up starts at most once.
#[must_use]
pub fn no_plugin_starts_twice(run: &Run) -> bool {
    run.started().map(|s| s.entry).is_sorted_by(|a, b| a < b)
}

/// Who is disabled, or has conditions of which none matches, does not start, and its record says so.
#[must_use]
pub fn only_the_selected_start(run: &Run) -> bool {
    entries(run).all(|entry| {
        let skipped = matches!(run.fate(entry), Some(Fate::Skipped(Skip::Disabled | Skip::Condition(_))));
        skipped != run.case.selects(&run.plugin(entry))
    })
}

/// After a halt only detached plugins start, and after a failure nothing.
#[must_use]
pub fn nothing_starts_after_a_halt_but_the_detached(run: &Run) -> bool {
    started_after_the_end(run).all(|s| is_detached(run, s) && halted(run))
}

/// After a denial that the caller gets as an error nothing starts.
#[must_use]
pub fn nothing_starts_after_a_raised_denial(run: &Run) -> bool {
    !run.case.raise_denials || started_after_the_end(run).next().is_none()
}

/// After the caller gave up nothing starts.
#[must_use]
pub fn nothing_starts_after_giving_up(run: &Run) -> bool {
    let mut steps = run.steps.iter().skip_while(|step| !matches!(step, Step::Aborted));
    !steps.any(|step| matches!(step, Step::Started(_)))
}

/// The first plugin that denies or fails where it counts decides; an interruption always does.
#[must_use]
pub fn the_first_to_end_it_decides(run: &Run) -> bool {
    let is_interruption = |step: &&Step| matches!(step, Step::Aborted | Step::CopyInterrupted);
    if let Some(last) = run.steps.iter().rfind(is_interruption) {
        let aborted = matches!(last, Step::Aborted);
        return matches!(run.outcome.end, End::Raised { entry, .. } if entry.is_none() == aborted);
    }
    match (end_of_pipeline(run).map(|(_, ender)| ender), &run.outcome.end) {
        (None, End::Completed) => true,
        (Some(Ender::Denial(by)), End::Halted { entry, .. }) => by == *entry,
        (Some(Ender::Failure(by)), End::Raised { entry: Some(entry), .. }) => by == *entry,
        _ => false,
    }
}

/// Only sequential and concurrent plugins block.
#[must_use]
pub fn transform_and_audit_cannot_block(run: &Run) -> bool {
    match run.outcome.end {
        End::Halted { entry, .. } => {
            matches!(run.plugin(entry).phase, Phase::Sequential | Phase::Concurrent)
        }
        End::Completed | End::Raised { .. } => true,
    }
}

/// Only sequential and transform plugins modify.
#[must_use]
pub fn audit_and_concurrent_cannot_modify(run: &Run) -> bool {
    accepted(run).all(|entry| may_modify(run, entry))
}

/// Each entry of the line-up has one record.
#[must_use]
pub fn one_record_per_entry(run: &Run) -> bool {
    let recorded: BTreeSet<_> = run.outcome.records.iter().map(|record| record.entry).collect();
    recorded.len() == run.outcome.records.len() && recorded.into_iter().eq(entries(run))
}

/// A record says that its plugin was started if and only if it was.
#[must_use]
pub fn records_tell_who_was_started(run: &Run) -> bool {
    let started: BTreeSet<_> = run.started().map(|s| s.entry).collect();
    run.outcome.records.iter().all(|record| record.started() == started.contains(&record.entry))
}

/// The records of awaited plugins are in the order of their ends.
#[must_use]
pub fn records_are_in_the_order_of_the_ends(run: &Run) -> bool {
    let awaited = run.outcome.records.iter().filter(|r| r.started() && r.fate != Fate::Detached);
    awaited.map(|record| record.entry).eq(run.ended().map(|(entry, _)| entry))
}

/// Each started call ends once; a detached one does not end here.
#[must_use]
pub fn every_started_call_is_answered_or_cancelled(run: &Run) -> bool {
    run.started().all(|s| {
        let ends = run.ended().filter(|(entry, _)| *entry == s.entry).count();
        ends == usize::from(!is_detached(run, s))
    })
}

/// Only what runs is cancelled, only after the end of the pipeline, and only once.
#[must_use]
pub fn only_the_running_are_cancelled_and_only_once(run: &Run) -> bool {
    let end = end_of_pipeline(run).map_or(run.steps.len(), |(at, _)| at);
    let cancelled: BTreeSet<_> = cancels(run).map(|(_, entry)| entry).collect();
    cancelled.len() == cancels(run).count()
        && cancels(run).all(|(at, _)| at > end)
        && always(run, |running, step| !matches!(step, Step::Cancel(entry) if !running.contains(entry)))
}

/// Before anything else is asked for after the end, all that runs has been cancelled.
#[must_use]
pub fn whatever_runs_at_the_end_is_cancelled(run: &Run) -> bool {
    let Some((end, _)) = end_of_pipeline(run) else { return true };
    let mut cancelled = BTreeSet::new();
    let mut at = 0..;
    always(run, |running, step| {
        if let Step::Cancel(entry) = step {
            cancelled.insert(*entry);
        }
        let asks = matches!(step, Step::Wait | Step::Done | Step::Started(_));
        at.next() < Some(end) || !asks || running.is_subset(&cancelled)
    })
}

/// It waits only for what runs, and is done only when nothing does.
#[must_use]
pub fn it_waits_for_something(run: &Run) -> bool {
    always(run, |running, step| match step {
        Step::Wait => !running.is_empty(),
        Step::Done => running.is_empty(),
        _ => true,
    })
}

/// A failure of a plugin with `on_error: fail` ends the pipeline with an error.
#[must_use]
pub fn no_failure_is_read_as_allow(run: &Run) -> bool {
    counted(run).filter(|(entry, how)| fails(run, *entry, *how)).all(|(entry, _)| {
        run.plugin(entry).on_error != OnError::Fail || matches!(run.outcome.end, End::Raised { .. })
    })
}

/// A failure that is passed over is recorded as one, with what failed, and disables where it should.
#[must_use]
pub fn a_failure_passed_over_is_recorded(run: &Run) -> bool {
    counted(run).filter(|(entry, how)| fails(run, *entry, *how)).all(|(entry, _)| {
        let on_error = run.plugin(entry).on_error;
        let (Some(Fate::Failed { disabled } | Fate::TimedOut { disabled }), Some(record)) =
            (run.fate(entry), run.record(entry))
        else {
            return false;
        };
        record.fault().is_some() == (on_error != OnError::Fail)
            && disabled == (on_error == OnError::Disable)
            && disabled == run.request.disabled.contains(&entry)
    })
}

/// Who did not answer leaves no state and no metadata.
#[must_use]
pub fn a_fault_leaves_no_trace(run: &Run) -> bool {
    run.ended().filter(|(_, how)| !matches!(how, How::Replied { .. })).all(|(entry, _)| {
        !run.request.merged_state.contains(&entry) && !run.request.merged_metadata.contains(&entry)
    })
}

/// Who failed changes no payload and no extensions, whether it answered or not.
#[must_use]
pub fn a_failure_changes_no_payload(run: &Run) -> bool {
    run.outcome.records.iter().filter(|record| record.fault().is_some()).all(|record| {
        !record.payload_modified
            && !record.extensions_modified
            && run.outcome.decided_by != Some(record.entry)
    })
}

/// The delay is the longest that a plugin asked for whose answer counted as a yes.
#[must_use]
pub fn retry_is_the_longest_asked_for(run: &Run) -> bool {
    let longest = yeses(run).map(|plugin| plugin.answer().retry_ms).fold(0, i64::max);
    halted(run) || run.outcome.retry_delay_ms == longest
}

/// The extensions handed back are the caller's with every write that was allowed, or none if there was none.
#[must_use]
pub fn the_extensions_are_what_allowed_writes_make_of_them(run: &Run) -> bool {
    let after = chain::links(run).into_iter().rev().find_map(|link| link.after);
    halted(run) || run.outcome.extensions == after
}

/// A record tells of extensions if a write of the plugin was allowed, or if it observes and returned some.
#[must_use]
pub fn records_tell_of_extensions(run: &Run) -> bool {
    let links = chain::links(run);
    let changed: BTreeSet<_> =
        links.iter().filter(|link| link.after.is_some()).map(|link| link.entry).collect();
    let tells = |entry: &usize| {
        let plugin = run.plugin(*entry);
        changed.contains(entry) || plugin.phase == Phase::Audit && plugin.answer().extensions.is_some()
    };
    let recorded = run.outcome.records.iter().filter(|record| record.extensions_modified);
    recorded.map(|record| record.entry).eq(yes_entries(run).filter(tells))
}

/// A plugin is shown a slot only if everybody may read it, or with a capability to read or write it.
#[must_use]
pub fn no_plugin_sees_what_it_was_not_granted(run: &Run) -> bool {
    run.started().all(|s| {
        let plugin = run.plugin(s.entry);
        s.shown.iter().flat_map(Extensions::slots).all(|slot| chain::may_read(plugin, slot))
    })
}

/// What a plugin is shown is all it may see of the caller's extensions with every write allowed until then; the
/// detached are shown the caller's.
#[must_use]
pub fn each_sees_what_the_chain_has_made_of_the_extensions(run: &Run) -> bool {
    let links = chain::links(run);
    let mut ended = BTreeSet::new();
    always(run, |_, step| {
        if let Step::Ended(entry, _) = step {
            ended.insert(*entry);
        }
        let Step::Started(s) = step else { return true };
        let goes_on = run.case.enforcement == Enforcement::Enforce && !is_detached(run, s);
        let before = links.iter().rev().filter(|link| goes_on && ended.contains(&link.entry));
        let current = before.filter_map(|link| link.after.as_ref()).next().or(run.case.extensions.as_ref());
        s.shown == current.and_then(|current| chain::seen(run.plugin(s.entry), current))
    })
}

/// A slot that none of the plugins may write is as the caller passed it.
#[must_use]
pub fn nobody_changes_what_nobody_may_write(run: &Run) -> bool {
    let Some(after) = enforced(run) else { return true };
    Slot::ALL.into_iter().all(|slot| {
        let somebody =
            run.started().any(|s| may_modify(run, s.entry) && chain::may_write(run.plugin(s.entry), slot));
        somebody || after.members(slot) == before(run, slot)
    })
}

/// No label and no hop of a delegation is ever lost, shown or hidden.
#[must_use]
pub fn what_may_only_grow_only_grows(run: &Run) -> bool {
    let Some(after) = enforced(run) else { return true };
    let labels = after.members(Slot::Labels);
    before(run, Slot::Labels).iter().all(|label| labels.contains(label))
        && after.members(Slot::Delegation).starts_with(before(run, Slot::Delegation))
}

/// A change of a slot is taken, or its refusal is in the record and was told, or it failed the plugin.
#[must_use]
pub fn no_write_is_dropped_in_silence(run: &Run) -> bool {
    let is_off = run.case.enforcement == Enforcement::Off;
    chain::links(run).iter().all(|link| {
        let Some(record) = run.record(link.entry) else { return false };
        let refused: Vec<_> = record.refused().iter().map(|(slot, _)| *slot).collect();
        let told = run.request.notes.contains(&(link.entry, Note::Refused));
        is_off || refused == link.forbidden && told != refused.is_empty()
    })
}

/// Where the rules are off, no change is refused.
#[must_use]
pub fn what_is_off_refuses_nothing(run: &Run) -> bool {
    run.case.enforcement != Enforcement::Off
        || run.request.breaches.is_empty() && run.outcome.records.iter().all(|r| r.refused().is_empty())
}

/// The extensions handed back, if the rules were enforced.
fn enforced(run: &Run) -> Option<&Extensions> {
    run.outcome.extensions.as_ref().filter(|_| run.case.enforcement == Enforcement::Enforce)
}

/// The members of a slot that the caller passed.
fn before(run: &Run, slot: Slot) -> &[&'static str] {
    run.case.extensions.as_ref().map_or(&[], |extensions| extensions.members(slot))
}

/// A halt leaves no retry and no extensions.
#[must_use]
pub fn a_halt_leaves_no_retry_and_no_extensions(run: &Run) -> bool {
    !halted(run) || (run.outcome.retry_delay_ms, &run.outcome.extensions) == (0, &None)
}

/// Never more concurrent plugins at once than the pool has places.
#[must_use]
pub fn the_pool_is_never_exceeded(run: &Run) -> bool {
    always(run, |running, step| match (step, run.case.pool) {
        (Step::Started(s), Some(pool)) if !is_detached(run, s) => running.len() < pool.get(),
        _ => true,
    })
}

/// A plugin may take as long as it says itself, or else as long as any.
#[must_use]
pub fn each_has_its_own_limit_or_that_of_all(run: &Run) -> bool {
    let limit_ms = |s: &Started| run.plugin(s.entry).timeout_ms.or(run.case.timeout_ms);
    run.started().all(|s| s.limit == limit_ms(s).map(Duration::from_millis))
}

/// A detached plugin is given a copy of what the caller passed.
#[must_use]
pub fn the_detached_get_a_copy_of_the_original(run: &Run) -> bool {
    run.started()
        .filter(|s| is_detached(run, s))
        .all(|s| s.payload.isolated && s.payload.body() == run.original.body())
}

/// Every other plugin is given what the pipeline has made of the caller's payload so far.
#[must_use]
pub fn the_awaited_get_the_current_payload(run: &Run) -> bool {
    run.started().filter(|s| !is_detached(run, s)).all(|s| s.payload.body() == s.current.body())
}

/// Under a policy, or where isolation is asked for, no plugin is given the object itself.
#[must_use]
pub fn a_policy_isolates(run: &Run) -> bool {
    let case = &run.case;
    let shares = case.rule == Rule::Open && case.isolation == Isolation::Observers && !case.open_container;
    shares || run.started().all(|s| s.payload.isolated && !s.payload.is(&s.current))
}

/// Who may not modify is never given the object itself.
#[must_use]
pub fn observers_are_isolated(run: &Run) -> bool {
    run.started().all(|s| may_modify(run, s.entry) || s.payload.isolated)
}

/// The payload handed back is the last that was accepted, and it is said whose it is.
#[must_use]
pub fn the_last_accepted_change_wins(run: &Run) -> bool {
    run.outcome.decided_by == accepted(run).last()
        && run.outcome.decided_by.is_some() == run.outcome.payload.is_some()
}

/// Who hands back the very object that another plugin left has changed nothing.
#[must_use]
pub fn handing_on_the_same_object_is_no_change(run: &Run) -> bool {
    let hands_on = |s: &&Started| {
        run.plugin(s.entry).answer().proposal == Proposal::Same
            && s.payload.is(&s.current)
            && !s.current.is(&run.original)
    };
    run.started().filter(hands_on).all(|s| run.record(s.entry).is_some_and(|r| !r.payload_modified))
}

/// Under a policy a payload of the same kind changes only in its writable fields.
#[must_use]
pub fn a_policy_keeps_what_is_not_writable(run: &Run) -> bool {
    let kept = |payload: &Payload| {
        payload.body().kind == Kind::Other || payload.body().name == run.original.body().name
    };
    run.case.rule != Rule::Writable || run.outcome.payload.as_ref().is_none_or(kept)
}

/// Where nothing may be changed, nothing is.
#[must_use]
pub fn a_closed_hook_changes_nothing(run: &Run) -> bool {
    run.case.rule != Rule::Closed || run.outcome.payload.is_none()
}

/// A proposed payload that differs is taken or discarded for a reason.
#[must_use]
pub fn no_proposal_is_dropped_in_silence(run: &Run) -> bool {
    let answered = |(entry, how): &(usize, How)| {
        let proposal = run.plugin(*entry).answer().proposal;
        matches!(how, How::Replied { .. })
            && !fails(run, *entry, *how)
            && !matches!(proposal, Proposal::Nothing | Proposal::Same)
    };
    counted(run)
        .filter(answered)
        .filter_map(|(entry, _)| run.record(entry))
        .all(|record| record.payload_modified != record.discarded.is_some())
}

/// A denial's payload is discarded for that reason.
#[must_use]
pub fn a_denial_changes_nothing(run: &Run) -> bool {
    run.outcome
        .records
        .iter()
        .filter(|record| record.fate == Fate::Denied)
        .all(|record| !record.payload_modified && matches!(record.discarded, None | Some(Discard::Denied)))
}
