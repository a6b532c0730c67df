//! The only machine: one payload on its way through the plugins of one hook.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::ops::Deref;

use crate::action::{Action, Fault, Reply, Settings, Work};
use crate::buffers::{Buffers, State};
use crate::condition::Facts;
use crate::error::Misuse;
use crate::extensions::{self, Acceptance, Enforcement};
use crate::host::{Event, Host, Values};
use crate::outcome::{End, Outcome};
use crate::payload;
use crate::phase::{Phase, Runs};
use crate::plan::{Entry, LineUp};
use crate::record::{Fate, Record, Skip};
use crate::verdict::{Ending, Verdict, judge};

enum Ended {
    /// Nothing else has happened.
    Counts { duration_ns: u64 },
    /// The pipeline has ended meanwhile, but the plugin had not been told to stop.
    Overtaken { duration_ns: u64 },
    /// The plugin had been told to stop.
    Cancelled { duration_ns: u64 },
}

/// One payload on its way through the plugins of one hook. `L` is how it holds on to them.
pub struct Invocation<V: Values, L = Arc<LineUp<<V as Values>::Plugin>>> {
    line_up: L,
    settings: Settings,
    states: Vec<State>,
    cursor: usize,
    running: usize,
    /// How those that are running were started.
    runs: Runs,
    stopping: bool,
    /// The host knows that a denial has halted the pipeline.
    told_of_halt: bool,
    now_ns: u64,
    original: V::Payload,
    extensions: Option<V::Extensions>,
    outcome: Outcome<V>,
}

impl<V: Values, L: Deref<Target = LineUp<V::Plugin>>> Invocation<V, L> {
    /// Chooses who takes part, by the caller's payload and context as they are now.
    #[must_use]
    pub fn start(
        line_up: L,
        settings: Settings,
        payload: V::Payload,
        extensions: Option<V::Extensions>,
        facts: &Facts<'_>,
        is_disabled: impl FnMut(&V::Plugin) -> bool,
        now_ns: u64,
    ) -> Self {
        Self::start_in(Buffers::default(), line_up, settings, payload, extensions, facts, is_disabled, now_ns)
    }

    /// As [`start`](Self::start), in the memory of an earlier invocation.
    #[must_use]
    pub fn start_in(
        buffers: Buffers<V>,
        line_up: L,
        settings: Settings,
        payload: V::Payload,
        extensions: Option<V::Extensions>,
        facts: &Facts<'_>,
        mut is_disabled: impl FnMut(&V::Plugin) -> bool,
        now_ns: u64,
    ) -> Self {
        let Buffers { mut states, mut records } = buffers;
        let entries = line_up.entries();
        states.clear();
        states.resize(entries.len(), State::Due);
        records.clear();
        records.reserve(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            if let Some(skip) = entry.skip(facts, &mut is_disabled) {
                states[index] = State::Over;
                records.push(Record::new(index, Fate::Skipped(skip)));
            }
        }
        Self {
            line_up,
            settings,
            states,
            cursor: 0,
            running: 0,
            runs: Runs::Serial,
            stopping: false,
            told_of_halt: false,
            now_ns,
            original: payload,
            extensions,
            outcome: Outcome::empty(records),
        }
    }

    /// The line-up this invocation runs.
    #[must_use]
    pub const fn line_up(&self) -> &L {
        &self.line_up
    }

    /// The payload the caller gave.
    #[must_use]
    pub const fn original(&self) -> &V::Payload {
        &self.original
    }

    /// What has come of it so far.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome<V> {
        &self.outcome
    }

    /// The payload as the next plugin of a chain would see it.
    #[must_use]
    pub fn payload(&self) -> &V::Payload {
        self.outcome.payload.as_ref().unwrap_or(&self.original)
    }

    /// The extensions the caller gave.
    #[must_use]
    pub const fn extensions(&self) -> Option<&V::Extensions> {
        self.extensions.as_ref()
    }

    /// What to do next. Call it again after every answer but [`Action::Wait`] and [`Action::Done`].
    pub fn poll(&mut self, host: &mut impl Host<V>) -> Action<V> {
        if !self.told_of_halt
            && let End::Halted { entry, violation } = &self.outcome.end
        {
            self.told_of_halt = true;
            host.observe(*entry, Event::Halted(violation.as_ref()));
        }
        loop {
            if self.stopping
                && let Some(entry) = self.next_to_cancel()
            {
                return Action::Cancel(entry);
            }
            let Some(phase) = self.line_up.entries().get(self.cursor).map(|entry| entry.phase) else {
                return if self.running == 0 { Action::Done } else { Action::Wait };
            };
            let runs = phase.rules().runs;
            if !self.has_room_for(runs) {
                return Action::Wait;
            }
            let entry = self.cursor;
            self.cursor += 1;
            if self.states[entry] != State::Due {
                continue;
            }
            let launched = match runs {
                Runs::Serial => self.launch(host, entry, phase).map(Action::Call),
                Runs::Parallel => self.launch(host, entry, phase).map(Action::Spawn),
                Runs::Detached => self.detach(host, entry, phase).map(Action::Detach),
            };
            match launched {
                Ok(action) => return action,
                Err(error) => self.raise(Some(entry), Fault::Interrupt(error)),
            }
        }
    }

    /// A plugin answered.
    ///
    /// # Errors
    /// [`Misuse`] if it was not running.
    // Part of the driver's loop: there a reply that only allows is known to say nothing else.
    #[inline(always)]
    pub fn handle_reply(
        &mut self,
        host: &mut impl Host<V>,
        entry: usize,
        reply: Reply<V>,
        now_ns: u64,
    ) -> Result<(), Misuse> {
        match self.end_of(entry, now_ns)? {
            Ended::Counts { duration_ns } => {
                let mut record = Record { duration_ns, ..Record::new(entry, Fate::Ran) };
                match self.take_reply(host, &mut record, reply) {
                    Ok(()) => {
                        let denied = record.fate == Fate::Denied;
                        self.outcome.records.push(record);
                        if denied {
                            self.halt();
                        }
                    }
                    Err(error) => self.take_fault(host, record, Fault::Error(error)),
                }
            }
            Ended::Overtaken { duration_ns } => self.pass_over(host, entry, &reply, duration_ns),
            Ended::Cancelled { duration_ns } => self.record(entry, Fate::Cancelled, duration_ns),
        }
        Ok(())
    }

    /// It ran to its end before it could be stopped: what it wrote is kept, what it decided is not.
    #[cold]
    fn pass_over(&mut self, host: &mut impl Host<V>, entry: usize, reply: &Reply<V>, duration_ns: u64) {
        if !reply.allow && self.kind_of(entry).0.rules().may_block {
            host.observe(entry, Event::Denied(reply.violation.as_ref()));
        }
        let _ = self.merge(host, entry);
        self.record(entry, Fate::Cancelled, duration_ns);
    }

    /// A plugin ended without an answer.
    ///
    /// # Errors
    /// [`Misuse`] if it was not running.
    pub fn handle_fault(
        &mut self,
        host: &mut impl Host<V>,
        entry: usize,
        fault: Fault<V>,
        now_ns: u64,
    ) -> Result<(), Misuse> {
        match self.end_of(entry, now_ns)? {
            Ended::Counts { duration_ns } => {
                let record = Record { duration_ns, ..Record::new(entry, Fate::Ran) };
                self.take_fault(host, record, fault);
            }
            Ended::Overtaken { duration_ns } => {
                // As with a reply: its failure is noted, and still takes it out of service.
                let (phase, on_error) = self.kind_of(entry);
                if judge(phase, on_error, fault.ending()) == Verdict::Disable {
                    host.observe(entry, Event::Disabled(&fault));
                    host.disable(entry);
                } else {
                    host.observe(entry, Event::Ignored(&fault));
                }
                self.record(entry, Fate::Cancelled, duration_ns);
            }
            Ended::Cancelled { duration_ns } => self.record(entry, Fate::Cancelled, duration_ns),
        }
        Ok(())
    }

    /// A plugin has been cancelled because the pipeline has ended, asked for by [`Action::Cancel`] or not.
    ///
    /// # Errors
    /// [`Misuse`] if it was not running, or if nothing has ended the pipeline: a guard that was stopped for no
    /// reason has not said yes.
    pub fn handle_cancelled(&mut self, entry: usize, now_ns: u64) -> Result<(), Misuse> {
        if !self.stopping && matches!(self.states.get(entry), Some(State::Running { .. })) {
            return Err(Misuse::NotCancelled(entry));
        }
        match self.end_of(entry, now_ns)? {
            Ended::Counts { duration_ns }
            | Ended::Overtaken { duration_ns }
            | Ended::Cancelled { duration_ns } => self.record(entry, Fate::Cancelled, duration_ns),
        }
        Ok(())
    }

    /// The caller gave up, or something outside the plugins went wrong: whatever runs is cancelled.
    pub fn handle_abort(&mut self, fault: Fault<V>) {
        self.raise(None, fault);
    }

    /// What came of it. Call it after [`Action::Done`].
    #[must_use]
    pub fn into_outcome(mut self) -> Outcome<V> {
        self.take_outcome()
    }

    /// As [`into_outcome`](Self::into_outcome), for a driver that cannot give the invocation away.
    pub fn take_outcome(&mut self) -> Outcome<V> {
        mem::replace(&mut self.outcome, Outcome::empty(Vec::new()))
    }

    /// As [`into_outcome`](Self::into_outcome), with memory for the next invocation.
    #[must_use]
    pub fn into_parts(self) -> (Outcome<V>, Buffers<V>) {
        (self.outcome, Buffers { states: self.states, records: Vec::new() })
    }

    fn has_room_for(&self, runs: Runs) -> bool {
        self.running == 0
            || runs == Runs::Parallel
                && self.runs == Runs::Parallel
                && self.settings.pool.is_none_or(|pool| self.running < pool.get())
    }

    // This and `launch` stay one with the driver's loop: work that goes through memory costs more than making it.
    #[inline(always)]
    fn work(&mut self, host: &mut impl Host<V>, entry: usize, phase: Phase) -> Result<Work<V>, V::Error> {
        let Entry { timeout, shown, .. } = &self.line_up.entries()[entry];
        let timeout = timeout.or(self.settings.timeout);
        let extensions = match self.extensions_for(phase) {
            Some(extensions) if !shown.is_empty() => Some(host.show(extensions, *shown)?),
            _ => None,
        };
        let shown = if phase == Phase::FireAndForget { &self.original } else { self.payload() };
        let payload = if payload::needs_isolation(host, &self.settings, phase, shown) {
            host.isolate(entry, shown)?
        } else {
            host.share(shown)
        };
        Ok(Work { entry, payload, extensions, timeout })
    }

    /// What the plugins of a phase are shown some slots of: what the chain has made of the extensions, if what it
    /// makes is checked, or else what the caller gave.
    fn extensions_for(&self, phase: Phase) -> Option<&V::Extensions> {
        let chain = self.outcome.extensions.as_ref();
        let goes_on = self.settings.enforcement == Enforcement::Enforce && phase != Phase::FireAndForget;
        chain.filter(|_| goes_on).or(self.extensions.as_ref())
    }

    #[inline(always)]
    fn launch(&mut self, host: &mut impl Host<V>, entry: usize, phase: Phase) -> Result<Work<V>, V::Error> {
        let work = self.work(host, entry, phase)?;
        if let Some(state) = self.states.get_mut(entry) {
            *state = State::Running { since_ns: self.now_ns };
        }
        self.running += 1;
        self.runs = phase.rules().runs;
        Ok(work)
    }

    #[inline(never)]
    fn detach(&mut self, host: &mut impl Host<V>, entry: usize, phase: Phase) -> Result<Work<V>, V::Error> {
        let work = self.work(host, entry, phase)?;
        self.states[entry] = State::Over;
        self.outcome.records.push(Record::new(entry, Fate::Detached));
        Ok(work)
    }

    /// Notes that a running entry has ended, and whether its end still counts.
    #[inline]
    fn end_of(&mut self, entry: usize, now_ns: u64) -> Result<Ended, Misuse> {
        let state = self.states.get_mut(entry).ok_or(Misuse::NotRunning(entry))?;
        let (since_ns, told) = match *state {
            State::Running { since_ns } => (since_ns, false),
            State::Cancelling { since_ns } => (since_ns, true),
            State::Due | State::Over => return Err(Misuse::NotRunning(entry)),
        };
        *state = State::Over;
        self.running -= 1;
        self.now_ns = now_ns;
        let duration_ns = now_ns.saturating_sub(since_ns);
        Ok(match (self.stopping, told) {
            (_, true) => Ended::Cancelled { duration_ns },
            (true, false) => Ended::Overtaken { duration_ns },
            (false, false) => Ended::Counts { duration_ns },
        })
    }

    // Of those that were stopped; the others are recorded where they are judged.
    #[cold]
    fn record(&mut self, entry: usize, fate: Fate, duration_ns: u64) {
        self.outcome.records.push(Record { duration_ns, ..Record::new(entry, fate) });
    }

    // As `handle_reply`.
    #[inline(always)]
    fn take_reply(
        &mut self,
        host: &mut impl Host<V>,
        record: &mut Record<V>,
        reply: Reply<V>,
    ) -> Result<(), V::Error> {
        let (phase, on_error) = self.kind_of(record.entry);
        let merged = self.merge(host, record.entry);
        let ending = if reply.allow { Ending::Allowed } else { Ending::Denied };
        let verdict = judge(phase, on_error, ending);
        // The answer of most: there is nothing to take.
        if verdict == Verdict::Proceed && reply.is_bare() {
            return merged;
        }
        match verdict {
            // A denial stands, whatever else of the answer is unreadable.
            Verdict::Halt => {
                host.observe(record.entry, Event::Denied(reply.violation.as_ref()));
                record.fate = Fate::Denied;
                record.discarded = reply.payload.is_some().then_some(payload::Discard::Denied);
                self.outcome.end = End::Halted { entry: record.entry, violation: reply.violation };
            }
            Verdict::Suppress => {
                merged?;
                host.observe(record.entry, Event::Suppressed(reply.violation.as_ref()));
                record.fate = Fate::Suppressed;
                record.said(reply.violation);
                if let Some(proposed) = reply.payload {
                    self.take_payload(host, record, phase, proposed)?;
                }
            }
            Verdict::Proceed | Verdict::Ignore | Verdict::Disable | Verdict::Raise => {
                merged?;
                record.said(reply.violation);
                let returned = reply.extensions.is_some();
                let extensions = match reply.extensions {
                    Some(written) => self.accept_extensions(host, record, phase, written)?,
                    None => None,
                };
                if let Some(proposed) = reply.payload {
                    self.take_payload(host, record, phase, proposed)?;
                }
                self.outcome.retry_delay_ms = self.outcome.retry_delay_ms.max(reply.retry_delay_ms);
                // An observer that returns extensions is recorded as if they had been taken, as published.
                record.extensions_modified = extensions.is_some() || phase == Phase::Audit && returned;
                if extensions.is_some() {
                    self.outcome.extensions = extensions;
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn merge(&mut self, host: &mut impl Host<V>, entry: usize) -> Result<(), V::Error> {
        let rules = self.kind_of(entry).0.rules();
        if rules.merges_state {
            host.merge_state(entry)?;
        }
        if rules.merges_metadata {
            host.merge_metadata(entry)?;
        }
        Ok(())
    }

    fn take_payload(
        &mut self,
        host: &mut impl Host<V>,
        record: &mut Record<V>,
        phase: Phase,
        proposed: V::Payload,
    ) -> Result<(), V::Error> {
        let payload::Acceptance { payload, trimmed } =
            payload::accept(host, self.settings.rule, phase, self.payload(), proposed)?;
        if !trimmed.is_empty() {
            host.observe(record.entry, Event::Trimmed(&trimmed));
            record.notes().trimmed = trimmed;
        }
        match payload {
            Ok(payload) => {
                let unchanged = self.outcome.payload.as_ref().is_some_and(|old| host.is_same(old, &payload));
                record.payload_modified = !unchanged;
                if !unchanged {
                    self.outcome.payload = Some(payload);
                    self.outcome.decided_by = Some(record.entry);
                }
            }
            Err((why, proposed)) => {
                record.discarded = Some(why);
                host.observe(record.entry, Event::Discarded(why, &proposed));
            }
        }
        Ok(())
    }

    /// Which part of the extensions a plugin returned is taken. Nothing comes of it yet: what else it answered may
    /// still be a failure.
    fn accept_extensions(
        &mut self,
        host: &mut impl Host<V>,
        record: &mut Record<V>,
        phase: Phase,
        written: V::Extensions,
    ) -> Result<Option<V::Extensions>, V::Error> {
        let (index, enforcement) = (record.entry, self.settings.enforcement);
        let (entry, current) = (&self.line_up.entries()[index], self.extensions_for(phase));
        let Acceptance { extensions, refused } =
            extensions::accept(host, index, entry, enforcement, current, written)?;
        if !refused.is_empty() {
            host.observe(index, Event::Refused(&refused));
            record.notes().refused = refused;
        }
        Ok(extensions)
    }

    #[cold]
    fn take_fault(&mut self, host: &mut impl Host<V>, mut record: Record<V>, fault: Fault<V>) {
        let (phase, on_error) = self.kind_of(record.entry);
        let disabled = match judge(phase, on_error, fault.ending()) {
            Verdict::Raise => {
                host.observe(record.entry, Event::Raised(&fault));
                record.fate = fault.fate(false);
                let entry = record.entry;
                self.outcome.records.push(record);
                return self.raise(Some(entry), fault);
            }
            Verdict::Disable => {
                host.observe(record.entry, Event::Disabled(&fault));
                host.disable(record.entry);
                true
            }
            Verdict::Ignore | Verdict::Proceed | Verdict::Halt | Verdict::Suppress => {
                host.observe(record.entry, Event::Ignored(&fault));
                false
            }
        };
        record.fate = fault.fate(disabled);
        record.notes().fault = Some(fault);
        self.outcome.records.push(record);
    }

    /// A denial counts: what it leaves is the payload, and whom it leaves is the background.
    #[cold]
    fn halt(&mut self) {
        self.outcome.extensions = None;
        self.outcome.retry_delay_ms = 0;
        let detached = |entry: &Entry<_>| entry.phase.rules().runs == Runs::Detached;
        let entries = self.line_up.entries();
        let next = if self.settings.raise_denials {
            entries.len()
        } else {
            entries.iter().position(detached).unwrap_or(entries.len())
        };
        self.skip_to(next);
    }

    fn raise(&mut self, entry: Option<usize>, fault: Fault<V>) {
        self.outcome.end = End::Raised { entry, fault };
        self.skip_to(self.line_up.entries().len());
    }

    /// Nothing before this entry runs any more, and what runs is cancelled.
    fn skip_to(&mut self, next: usize) {
        self.stopping = self.running > 0;
        for entry in 0..next {
            if self.states[entry] == State::Due {
                self.states[entry] = State::Over;
                self.outcome.records.push(Record::new(entry, Fate::Skipped(Skip::Ended)));
            }
        }
        self.cursor = next;
    }

    fn next_to_cancel(&mut self) -> Option<usize> {
        let running = |state: &State| matches!(state, State::Running { .. });
        let Some(entry) = self.states.iter().position(running) else {
            self.stopping = false;
            return None;
        };
        if let State::Running { since_ns } = self.states[entry] {
            self.states[entry] = State::Cancelling { since_ns };
        }
        Some(entry)
    }

    #[inline]
    fn kind_of(&self, entry: usize) -> (Phase, crate::OnError) {
        let entry = &self.line_up.entries()[entry];
        (entry.phase, entry.on_error)
    }
}
