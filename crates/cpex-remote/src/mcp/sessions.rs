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

impl Book {
    pub(super) fn new(most: usize, idle: Duration) -> Self {
        Self { most: most.max(1), idle, sessions: Mutex::default() }
    }

    /// A new session. If there are as many as may be, in the place of one without requests under way, if there is any, and
    /// of those in that of the one that was not used for longest.
    /// `None` if the system has no randomness to give.
    pub(super) fn open(&self) -> Option<String> {
        let mut random = [0; NAME];
        default_provider().secure_random.fill(&mut random).ok()?;
        let name = random.iter().fold(String::with_capacity(2 * NAME), |mut name, byte| {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
            name
        });
        let mut sessions = self.sessions();
        if sessions.len() >= self.most {
            sessions.retain(|_, session| session.used.elapsed() <= self.idle);
        }
        if sessions.len() >= self.most {
            let least = |(_, session): &(&String, &Session)| (!session.pending.is_empty(), session.used);
            let oldest = sessions.iter().min_by_key(least).map(|(name, _)| name.clone());
            if let Some(session) = oldest.and_then(|name| sessions.remove(&name)) {
                session.pending.give_all_up();
            }
        }
        sessions.insert(name.clone(), Session { pending: Arc::default(), used: Instant::now() });
        Some(name)
    }

    /// The requests of a session, which is used now; `None` if there is no such session any more.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Pending>> {
        let mut sessions = self.sessions();
        let session = sessions.get_mut(name)?;
        if session.used.elapsed() > self.idle {
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
