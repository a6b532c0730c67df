//! Which of several servers is asked: the one with the fewest calls under way, among those that do not fail.

use std::time::Duration;

use super::breaker::{Breaker, BreakerConfig, Pass, State};

/// Servers of one plugin.
///
/// A server whose breaker is open is ejected; it is readmitted when a call that is tried there succeeds. Like a
/// [`Breaker`], it reads no clock.
#[derive(Clone, Debug)]
pub struct Replicas {
    members: Vec<Member>,
    /// Where the search for the next begins, so that equals take turns.
    turn: usize,
}

#[derive(Clone, Debug)]
struct Member {
    breaker: Breaker,
    outstanding: usize,
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
    /// So many servers, each with a breaker like this.
    #[must_use]
    pub fn new(count: usize, config: BreakerConfig) -> Self {
        let member = Member { breaker: Breaker::new(config), outstanding: 0 };
        Self { members: vec![member; count], turn: 0 }
    }

    /// Chooses a server for a call, other than those; `None` if there is none that may be asked now.
    pub fn choose(&mut self, now: Duration, other_than: &[usize]) -> Option<Ticket> {
        let count = self.members.len();
        let replica = (0..count)
            .map(|step| (self.turn + step) % count)
            .filter(|replica| !other_than.contains(replica) && self.members[*replica].breaker.admits(now))
            .min_by_key(|replica| self.members[*replica].outstanding)?;
        self.turn = (replica + 1) % count;
        let member = &mut self.members[replica];
        let pass = member.breaker.admit(now)?;
        member.outstanding += 1;
        Some(Ticket { replica, pass })
    }

    /// The call ended well.
    pub fn succeeded(&mut self, ticket: Ticket) {
        let member = self.end(ticket.replica);
        member.breaker.succeeded(ticket.pass);
    }

    /// The call failed, and the server is to blame.
    pub fn failed(&mut self, ticket: Ticket, now: Duration) {
        let member = self.end(ticket.replica);
        member.breaker.failed(ticket.pass, now);
    }

    /// The call was given up.
    pub fn abandoned(&mut self, ticket: Ticket) {
        let member = self.end(ticket.replica);
        member.breaker.abandoned(ticket.pass);
    }

    /// Of each server: its breaker, and calls under way.
    pub fn status(&self) -> impl Iterator<Item = (State, usize)> {
        self.members.iter().map(|member| (member.breaker.state(), member.outstanding))
    }

    fn end(&mut self, replica: usize) -> &mut Member {
        let member = &mut self.members[replica];
        member.outstanding -= 1;
        member
    }
}
