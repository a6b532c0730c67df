//! What the end of a plugin call means for the pipeline: one total match.

use crate::phase::Phase;

/// What a plugin's failure means, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The pipeline ends with the error.
    Fail,
    /// The pipeline goes on.
    Ignore,
    /// The pipeline goes on; the plugin does not run again.
    Disable,
}

/// How a plugin call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It answered: go on.
    Allowed,
    /// It answered: stop.
    Denied,
    /// It raised an error or answered with something that cannot be read.
    Failed,
    /// It took too long.
    TimedOut,
    /// It raised a violation instead of returning it.
    Refused,
    /// It raised what no plugin may swallow: a cancellation, an exit.
    Interrupted,
}

/// What the pipeline does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer counts; go on.
    Proceed,
    /// The denial counts; stop with a violation.
    Halt,
    /// The denial does not count in this phase; go on.
    Suppress,
    /// The failure is noted; go on as if the plugin had not run.
    Ignore,
    /// As `Ignore`, and do not run the plugin again.
    Disable,
    /// Stop with the error.
    Raise,
}

/// Judges the end of a call.
///
/// A detached plugin has nobody left to raise to: its `Fail` means `Ignore`, its violations are failures, and
/// an interruption ends nothing but itself.
// Where the ending is known beforehand, so is most of the verdict.
#[inline(always)]
#[must_use]
pub const fn judge(phase: Phase, on_error: OnError, ending: Ending) -> Verdict {
    match (ending, phase, on_error) {
        (Ending::Allowed, _, _) => Verdict::Proceed,
        (Ending::Denied, _, _) if phase.rules().may_block => Verdict::Halt,
        (Ending::Denied, _, _) => Verdict::Suppress,
        (Ending::Interrupted, Phase::FireAndForget, _) => Verdict::Ignore,
        (Ending::Refused, Phase::FireAndForget, OnError::Disable)
        | (Ending::Failed | Ending::TimedOut, _, OnError::Disable) => Verdict::Disable,
        (Ending::Refused | Ending::Failed | Ending::TimedOut, Phase::FireAndForget, _)
        | (Ending::Failed | Ending::TimedOut, _, OnError::Ignore) => Verdict::Ignore,
        (
            Ending::Failed | Ending::TimedOut,
            Phase::Sequential | Phase::Transform | Phase::Audit | Phase::Concurrent,
            OnError::Fail,
        )
        | (
            Ending::Refused | Ending::Interrupted,
            Phase::Sequential | Phase::Transform | Phase::Audit | Phase::Concurrent,
            _,
        ) => Verdict::Raise,
    }
}
