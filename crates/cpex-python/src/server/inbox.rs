//! Where calls wait for the event loop.

use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cpex_remote::{Call, Failure};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::call::Answer;
use super::notices::{Level, Notices};
use crate::remote::Bell;

/// Calls on their way to an event loop, and those that nobody waits for any more.
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Rung when something comes into an inbox that was empty.
    bell: Bell,
    under_way: AtomicUsize,
}

#[derive(Default)]
struct State {
    waiting: Vec<Asked>,
    /// Calls that were taken, and whose callers are gone.
    abandoned: Vec<u64>,
    last: u64,
    notices: Notices,
    /// Of those, what the event loop has not written yet.
    lines: Vec<(Level, String)>,
    /// When the bell was rung, if nobody has come since.
    rung: Option<Instant>,
    /// Nobody will come any more.
    closed: bool,
}

/// A call, and who waits for its answer.
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) call: Call,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Where it is waited for.
    pub(super) runtime: Handle,
}

/// What the event loop finds in an inbox.
#[derive(Default)]
pub(super) struct Found {
    pub(super) calls: Vec<Asked>,
    pub(super) abandoned: Vec<u64>,
    /// For the log.
    pub(super) lines: Vec<(Level, String)>,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { state: Mutex::default(), bell: Bell::new()?, under_way: AtomicUsize::new(0) })
    }

    /// What is readable when there is something in the inbox.
    pub(super) fn fd(&self) -> RawFd {
        self.bell.fd()
    }

    /// How many calls are waited for.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Has the event loop answer a call. Dropping the future gives the call up there.
    pub(super) async fn ask(self: &Arc<Self>, call: Call) -> Result<Answer, Failure> {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.put(call, sender)?;
        let answer = answer.await;
        waiting.is_over = true;
        answer.map_err(|_| Failure("the plugin server gave no answer".to_owned()))
    }

    fn put(self: &Arc<Self>, call: Call, answer: oneshot::Sender<Answer>) -> Result<Waiting, Failure> {
        let mut state = self.lock();
        if state.closed {
            return Err(Failure("the plugin server has stopped".to_owned()));
        }
        state.last += 1;
        let id = state.last;
        state.waiting.push(Asked { id, call, answer, runtime: Handle::current() });
        self.ring(state);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Ok(Waiting { inbox: self.clone(), id, is_over: false })
    }

    /// All that is in it.
    pub(super) fn take(&self) -> Found {
        self.bell.silence();
        let mut state = self.lock();
        state.rung = None;
        Found {
            calls: mem::take(&mut state.waiting),
            abandoned: mem::take(&mut state.abandoned),
            lines: mem::take(&mut state.lines),
        }
    }

    /// For how long nobody has come although the bell was rung. It is rung now, so that whoever asks again learns of an
    /// event loop that stands still although nobody calls.
    pub(super) fn silence(&self) -> Duration {
        let state = self.lock();
        if state.closed {
            return Duration::ZERO;
        }
        let silence = state.rung.map_or(Duration::ZERO, |rung| rung.elapsed());
        self.ring(state);
        silence
    }

    /// Has the event loop write into the log what went wrong, unless it has lately.
    pub(super) fn note(&self, level: Level, what: String) {
        let mut state = self.lock();
        if let Some(line) = state.notices.line(Instant::now(), what) {
            state.lines.push((level, line));
            self.ring(state);
        }
    }

    /// Takes no more calls; those that wait have no answer.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let left = mem::take(&mut state.waiting);
        drop(state);
        drop(left);
    }

    fn give_up(&self, id: u64) {
        let mut state = self.lock();
        if let Some(at) = state.waiting.iter().position(|asked| asked.id == id) {
            let asked = state.waiting.swap_remove(at);
            drop(state);
            drop(asked);
        } else if !state.closed {
            state.abandoned.push(id);
            self.ring(state);
        }
    }

    fn ring(&self, mut state: MutexGuard<'_, State>) {
        if state.rung.is_none() {
            state.rung = Some(Instant::now());
            drop(state);
            self.bell.ring();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody waits for the answer to a call.
struct Waiting {
    inbox: Arc<Inbox>,
    id: u64,
    is_over: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inbox.under_way.fetch_sub(1, Ordering::Relaxed);
        if !self.is_over {
            self.inbox.give_up(self.id);
        }
    }
}
