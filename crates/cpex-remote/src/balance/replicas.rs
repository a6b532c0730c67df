//! Which of several servers is asked: the one with the fewest calls under way, among those that do not fail.

use std::collections::BTreeMap;
use std::time::Duration;

use super::breaker::{Breaker, BreakerConfig, Pass, State};

/// Servers of one plugin. Each has a number that no other ever has; servers may join and leave.
///
/// A server whose breaker is open is ejected; it is readmitted when a call that is tried there succeeds. One that does not
/// answer health checks is ejected, too, unless there is no other; it is readmitted when it answers. Like a [`Breaker`],
/// it reads no clock.
#[derive(Clone, Debug)]
pub struct Replicas {
    breaker: Breaker,
    members: BTreeMap<usize, Member>,
    changes: Vec<Change>,
    joined: usize,
    /// Calls so far.
    calls: u64,
}

#[derive(Clone, Debug)]
struct Member {
    breaker: Breaker,
    outstanding: usize,
    /// The last call that it was chosen for, so that equals take turns.
    turn: u64,
    /// When a call did not reach it, if the last one did not.
    unreached: Option<Duration>,
    /// Health checks in a row that it did not answer.
    missed: u32,
    silent: bool,
}

/// Something about a server is not as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which one.
    pub replica: usize,
    /// What.
    pub what: Changed,
}

/// What changed about a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Its breaker.
    Breaker {
        /// What it did with calls before.
        from: State,
        /// What it does now.
        to: State,
    },
    /// It does not answer health checks any more.
    Silent,
    /// It answers health checks again.
    Answering,
}

/// A call under way on one of them.
#[derive(Debug)]
#[must_use = "a server that does not learn how the call ended seems busy for ever"]
pub struct Ticket {
    replica: usize,
    pass: Pass,
}

impl Ticket {
    /// Which one.
    #[must_use]
    pub fn replica(&self) -> usize {
        self.replica
    }
}

impl Replicas {
    /// So many servers, from 0 on, each with a breaker like this.
    #[must_use]
    pub fn new(count: usize, config: BreakerConfig) -> Self {
        let mut replicas = Self {
            breaker: Breaker::new(config),
            members: BTreeMap::new(),
            changes: Vec::new(),
            joined: 0,
            calls: 0,
        };
        for _ in 0..count {
            replicas.join();
        }
        replicas
    }

    /// One more server, and its number. It is the next that is asked.
    pub fn join(&mut self) -> usize {
        let number = self.joined;
        self.joined += 1;
        let breaker = self.breaker.clone();
        let member = Member { breaker, outstanding: 0, turn: 0, unreached: None, missed: 0, silent: false };
        self.members.insert(number, member);
        number
    }

    /// A server is no longer one. Calls that it has are not counted any more. How its breaker was left, if it was one.
    pub fn leave(&mut self, replica: usize) -> Option<State> {
        self.members.remove(&replica).map(|member| member.breaker.state())
    }

    /// Chooses a server for a call, other than those; `None` if there is none that may be asked now.
    pub fn choose(&mut self, now: Duration, other_than: &[usize]) -> Option<Ticket> {
        let least = |silent: bool| {
            let asked = self.members.iter().filter(|(replica, member)| {
                member.silent == silent && member.breaker.admits(now) && !other_than.contains(replica)
            });
            asked.min_by_key(|(_, member)| (member.outstanding, member.turn)).map(|(replica, _)| *replica)
        };
        // Health checks that nobody answers may be what is wrong.
        let replica = least(false).or_else(|| least(true))?;
        self.calls += 1;
        let turn = self.calls;
        let pass = self.judge(replica, |member| {
            let pass = member.breaker.admit(now)?;
            (member.turn, member.outstanding) = (turn, member.outstanding + 1);
            Some(pass)
        })??;
        Some(Ticket { replica, pass })
    }

    /// The call ended well.
    pub fn succeeded(&mut self, ticket: Ticket) {
        self.end(ticket.replica, |member| {
            member.unreached = None;
            member.breaker.succeeded(ticket.pass);
        });
    }

    /// The call failed, and the server is to blame.
    pub fn failed(&mut self, ticket: Ticket, now: Duration) {
        self.end(ticket.replica, |member| {
            member.unreached = None;
            member.breaker.failed(ticket.pass, now);
        });
    }

    /// The call failed, for the server was not reached.
    pub fn unreached(&mut self, ticket: Ticket, now: Duration) {
        self.end(ticket.replica, |member| {
            member.unreached = Some(now);
            member.breaker.failed(ticket.pass, now);
        });
    }

    /// The call was given up.
    pub fn abandoned(&mut self, ticket: Ticket) {
        self.end(ticket.replica, |member| member.breaker.abandoned(ticket.pass));
    }

    /// A server answered a health check that it was asked for then. If it was ejected because it was not reached, a call
    /// is tried there at once; if that was since, or if its calls failed, the check says nothing about it, and the
    /// breaker's wait goes on.
    pub fn answered(&mut self, replica: usize, asked: Duration, now: Duration) {
        let was_silent = self.judge(replica, |member| {
            member.missed = 0;
            if member.unreached.is_some_and(|when| when <= asked) {
                member.breaker.end_wait(now);
            }
            std::mem::take(&mut member.silent)
        });
        if was_silent == Some(true) {
            self.changes.push(Change { replica, what: Changed::Answering });
        }
    }

    /// A server did not answer a health check; after so many in a row it is ejected.
    pub fn missed(&mut self, replica: usize, most: u32) {
        let Some(member) = self.members.get_mut(&replica) else { return };
        member.missed = member.missed.saturating_add(1);
        if member.missed >= most && !std::mem::replace(&mut member.silent, true) {
            self.changes.push(Change { replica, what: Changed::Silent });
        }
    }

    /// What has changed since it was asked last.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// How many servers there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// Of each server: its breaker, and calls under way.
    pub fn status(&self) -> impl Iterator<Item = (State, usize)> {
        self.members.values().map(|member| (member.breaker.state(), member.outstanding))
    }

    /// Does a server answer no health checks?
    #[must_use]
    pub fn is_silent(&self, replica: usize) -> bool {
        self.members.get(&replica).is_some_and(|member| member.silent)
    }

    /// A call of a server that has left tells nothing.
    fn end(&mut self, replica: usize, judge: impl FnOnce(&mut Member)) {
        self.judge(replica, |member| {
            member.outstanding -= 1;
            judge(member);
        });
    }

    /// Takes note if the breaker changes; `None` if the server has left.
    fn judge<T>(&mut self, replica: usize, judge: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let member = self.members.get_mut(&replica)?;
        let from = member.breaker.state();
        let judged = judge(member);
        let to = member.breaker.state();
        if std::mem::discriminant(&from) != std::mem::discriminant(&to) {
            self.changes.push(Change { replica, what: Changed::Breaker { from, to } });
        }
        Some(judged)
    }
}
