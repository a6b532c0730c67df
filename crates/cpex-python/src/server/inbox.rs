//! Where calls wait for the event loop.

use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cpex_remote::{Call, Failure};
use tokio::sync::oneshot;

use super::call::Answer;

/// Calls on their way to an event loop, and those that nobody waits for any more.
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Written to when something comes into an inbox that was empty.
    bell: UnixStream,
    /// What the event loop watches.
    door: UnixStream,
}

#[derive(Default)]
struct State {
    waiting: Vec<Asked>,
    /// Calls that were taken, and whose callers are gone.
    abandoned: Vec<u64>,
    last: u64,
    /// The bell was rung, and nobody has come yet.
    rung: bool,
    /// Nobody will come any more.
    closed: bool,
}

/// A call, and who waits for its answer.
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) call: Call,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What the event loop finds in an inbox.
#[derive(Default)]
pub(super) struct Found {
    pub(super) calls: Vec<Asked>,
    pub(super) abandoned: Vec<u64>,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Self> {
        let (bell, door) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        door.set_nonblocking(true)?;
        Ok(Self { state: Mutex::default(), bell, door })
    }

    /// What is readable when there is something in the inbox.
    pub(super) fn fd(&self) -> RawFd {
        self.door.as_raw_fd()
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
        state.waiting.push(Asked { id, call, answer });
        self.ring(state);
        Ok(Waiting { inbox: self.clone(), id, is_over: false })
    }

    /// All that is in it.
    pub(super) fn take(&self) -> Found {
        // At most one byte is there: the next one is written after `rung` was taken back.
        let _ = (&self.door).read(&mut [0; 8]);
        let mut state = self.lock();
        state.rung = false;
        Found { calls: mem::take(&mut state.waiting), abandoned: mem::take(&mut state.abandoned) }
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
        if !mem::replace(&mut state.rung, true) {
            drop(state);
            // There is room for the only byte.
            let _ = (&self.bell).write(&[1]);
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
        if !self.is_over {
            self.inbox.give_up(self.id);
        }
    }
}
