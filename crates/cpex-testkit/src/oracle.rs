//! What the laws ask of a run, worked out from what happened and never from what the pipeline made of it.

use std::collections::BTreeSet;

use cpex_core::payload::Rule;
use cpex_core::phase::Runs;
use cpex_core::verdict::Ending;
use cpex_core::{OnError, Phase};

use crate::chain;
use crate::plugin::{Plugin, Proposal, Unreadable};
use crate::run::{How, Run, Started, Step};

/// Who ended the pipeline.
#[derive(Clone, Copy)]
pub(crate) enum Ender {
    Denial(usize),
    Failure(usize),
    Interruption,
}

pub(crate) fn entries(run: &Run) -> core::ops::Range<usize> {
    0..run.line_up.entries().len()
}

/// Does it hold at every step? It is asked with what runs just before the step.
pub(crate) fn always(run: &Run, mut holds: impl FnMut(&BTreeSet<usize>, &Step) -> bool) -> bool {
    let mut running = BTreeSet::new();
    run.steps.iter().all(|step| {
        let held = holds(&running, step);
        match step {
            Step::Started(s) if !is_detached(run, s) => drop(running.insert(s.entry)),
            Step::Ended(entry, _) => drop(running.remove(entry)),
            _ => {}
        }
        held
    })
}

pub(crate) fn both_concurrent(run: &Run, a: usize, b: usize) -> bool {
    [a, b].iter().all(|entry| run.plugin(*entry).phase == Phase::Concurrent)
}

pub(crate) fn is_detached(run: &Run, started: &Started) -> bool {
    run.plugin(started.entry).phase.rules().runs == Runs::Detached
}

pub(crate) fn rank(run: &Run, entry: usize) -> (Phase, i64, Option<usize>) {
    let Plugin { name, phase, priority, .. } = run.plugin(entry);
    (phase, priority, run.case.plugins.iter().position(|plugin| plugin.name == name))
}

pub(crate) fn cancels(run: &Run) -> impl Iterator<Item = (usize, usize)> {
    run.steps.iter().enumerate().filter_map(|(at, step)| match step {
        Step::Cancel(entry) => Some((at, *entry)),
        _ => None,
    })
}

/// The entries whose change was taken, in order, as the records have it.
pub(crate) fn accepted(run: &Run) -> impl Iterator<Item = usize> {
    run.outcome.records.iter().filter(|record| record.payload_modified).map(|record| record.entry)
}

pub(crate) fn halted(run: &Run) -> bool {
    matches!(end_of_pipeline(run), Some((_, Ender::Denial(_))))
}

/// The first step that ends the pipeline, and by whom.
pub(crate) fn end_of_pipeline(run: &Run) -> Option<(usize, Ender)> {
    run.steps.iter().enumerate().find_map(|(at, step)| {
        let ender = match step {
            Step::Ended(entry, how) => ends_it(run, *entry, *how)?,
            Step::CopyInterrupted | Step::Aborted => Ender::Interruption,
            _ => return None,
        };
        Some((at, ender))
    })
}

pub(crate) fn ends_it(run: &Run, entry: usize, how: How) -> Option<Ender> {
    let plugin = run.plugin(entry);
    if matches!(how, How::Failed(Ending::Refused | Ending::Interrupted)) {
        return Some(Ender::Failure(entry));
    }
    if fails(run, entry, how) {
        return (plugin.on_error == OnError::Fail).then_some(Ender::Failure(entry));
    }
    let blocks = matches!(plugin.phase, Phase::Sequential | Phase::Concurrent);
    (how == How::Replied { allow: false } && blocks).then_some(Ender::Denial(entry))
}

/// Did it fail, or answer something that cannot be read?
pub(crate) fn fails(run: &Run, entry: usize, how: How) -> bool {
    let plugin = run.plugin(entry);
    let answer = plugin.answer();
    match how {
        How::Failed(ending) => matches!(ending, Ending::Failed | Ending::TimedOut),
        How::Cancelled => false,
        // A denial that counts stands, whatever else of the answer is unreadable.
        How::Replied { allow: false } if matches!(plugin.phase, Phase::Sequential | Phase::Concurrent) => {
            false
        }
        How::Replied { allow } => {
            let compared = match plugin.phase {
                Phase::Sequential => allow,
                Phase::Transform => true,
                Phase::Audit | Phase::Concurrent | Phase::FireAndForget => false,
            };
            (answer.unreadable == Some(Unreadable::State) && plugin.phase != Phase::Audit)
                || answer.unreadable == Some(Unreadable::Metadata)
                || (answer.proposal == Proposal::Incomparable && run.case.rule == Rule::Writable && compared)
                || (allow && chain::breaches(run, entry))
        }
    }
}

/// The ends that count: those up to the end of the pipeline.
pub(crate) fn counted(run: &Run) -> impl Iterator<Item = (usize, How)> {
    let last = end_of_pipeline(run).map_or(run.steps.len(), |(at, _)| at + 1);
    run.steps[..last].iter().filter_map(|step| match step {
        Step::Ended(entry, how) => Some((*entry, *how)),
        _ => None,
    })
}

/// The plugins whose answer counted as a yes, in the order of their ends.
pub(crate) fn yeses(run: &Run) -> impl Iterator<Item = Plugin> {
    yes_entries(run).map(|entry| run.plugin(entry))
}

/// Their entries.
pub(crate) fn yes_entries(run: &Run) -> impl Iterator<Item = usize> {
    let yes = |(entry, how): &(usize, How)| *how == How::Replied { allow: true } && !fails(run, *entry, *how);
    counted(run).filter(yes).map(|(entry, _)| entry)
}

pub(crate) fn started_after_the_end(run: &Run) -> impl Iterator<Item = &Started> {
    let end = end_of_pipeline(run).map_or(run.steps.len(), |(at, _)| at);
    run.steps[end..].iter().filter_map(|step| match step {
        Step::Started(started) => Some(started),
        _ => None,
    })
}

pub(crate) fn may_modify(run: &Run, entry: usize) -> bool {
    matches!(run.plugin(entry).phase, Phase::Sequential | Phase::Transform)
}
