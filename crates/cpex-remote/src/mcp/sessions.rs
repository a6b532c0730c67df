//! Sessions: what ties the requests of one peer together.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_rustls::rustls::crypto::ring::default_provider;

use super::pending::Pending;

/// Bytes of a session's name: it is not to be guessed.
const NAME: usize = 16;

/// The sessions of a server.
#[derive(Debug)]
pub(super) struct Book {
    most: usize,
    idle: Duration,
    sessions: Mutex<HashMap<String, Session>>,
}

#[derive(Debug)]
struct Session {
    pending: Arc<Pending>,
    used: Instant,
}

/// There is no new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// As many as there may be have requests under way.
    AllBusy,
    /// The system has no randomness to give.
    NoRandomness,
}

impl Session {
    /// Does a request hold on to it, be it one that is still being read?
    fn is_busy(&self) -> bool {
        Arc::strong_count(&self.pending) > 1
    }

    fn is_over(&self, idle: Duration) -> bool {
        self.used.elapsed() > idle && !self.is_busy()
    }
}

impl Book {
    pub(super) fn new(most: usize, idle: Duration) -> Self {
        Self { most: most.max(1), idle, sessions: Mutex::default() }
    }

    /// A new session. If there are as many as may be, in the place of the one that was not used for longest; never of one
    /// with requests under way.
    pub(super) fn open(&self) -> Result<String, Unopened> {
        let mut random = [0; NAME];
        default_provider().secure_random.fill(&mut random).map_err(|_| Unopened::NoRandomness)?;
        let name = random.iter().fold(String::with_capacity(2 * NAME), |mut name, byte| {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
            name
        });
        let mut sessions = self.sessions();
        if sessions.len() >= self.most {
            sessions.retain(|_, session| !session.is_over(self.idle));
        }
        if sessions.len() >= self.most {
            let idle = sessions.iter().filter(|(_, session)| !session.is_busy());
            let oldest = idle.min_by_key(|(_, session)| session.used).map(|(name, _)| name.clone());
            sessions.remove(&oldest.ok_or(Unopened::AllBusy)?);
        }
        sessions.insert(name.clone(), Session { pending: Arc::default(), used: Instant::now() });
        Ok(name)
    }

    /// The requests of a session, which is used now; `None` if there is no such session any more.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Pending>> {
        let mut sessions = self.sessions();
        let session = sessions.get_mut(name)?;
        if session.is_over(self.idle) {
            sessions.remove(name);
            return None;
        }
        session.used = Instant::now();
        Some(session.pending.clone())
    }

    /// Ends a session and what is under way in it; false if there is no such session.
    pub(super) fn close(&self, name: &str) -> bool {
        let closed = self.sessions().remove(name);
        closed.is_some_and(|session| {
            session.pending.give_all_up();
            true
        })
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
