//! Tasks that run on the thread that wakes them, if it lends itself.
//!
//! A task on the way of a call is woken by the call before it or after it: the connection by who sends, who waits for
//! an answer by the connection. On a thread that waits for all of them, as an event loop of Python does, waking the
//! thread of the runtime for each would take longer than what they have to do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::task::Poll;
use std::thread;

use async_task::{Builder, Runnable};
use tokio::runtime::Handle;

/// A task, to be awaited. Dropping it gives the task up, and the future is dropped; `detach` lets it run.
pub type Task<T> = async_task::Task<T, Handle>;

thread_local! {
    /// What was woken on a thread that lends itself.
    static WOKEN: RefCell<Option<VecDeque<Runnable<Handle>>>> = const { RefCell::new(None) };
    /// The task that is about to be scheduled leaves.
    static LEAVES: Cell<bool> = const { Cell::new(false) };
    /// This thread hands a task over.
    static HANDS: Cell<bool> = const { Cell::new(false) };
}

/// How many tasks a thread that lends itself runs before the runtime has its turn.
pub const PATIENT: usize = 64;

/// Runs a future as a task of the current runtime. Dropping what is returned gives the task up.
///
/// # Panics
/// Outside the context of a tokio runtime.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    let builder = Builder::new().metadata(Handle::current()).propagate_panic(true);
    let (runnable, task) = builder.spawn(|_| future, schedule);
    runnable.schedule();
    task
}

/// Does a piece of work in the context of a runtime, then runs the tasks of [`spawn`] that this thread has woken: as many
/// as it has patience for, the others are left to the runtime.
pub fn lend<T>(runtime: &Handle, patience: usize, work: impl FnOnce() -> T) -> T {
    let _entered = runtime.enter();
    let lent = Lent::begin();
    let done = work();
    if let Some(lent) = lent {
        lent.run(patience);
    }
    done
}

/// Leaves a thread that lends itself, for work that takes longer than to wake another.
pub async fn leave() {
    let mut left = false;
    poll_fn(|context| {
        if mem::replace(&mut left, true) || WOKEN.with_borrow(Option::is_none) {
            return Poll::Ready(());
        }
        LEAVES.set(true);
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn schedule(runnable: Runnable<Handle>) {
    let mut woken = Some(runnable);
    // A thread that ends lends itself no more.
    let _ = WOKEN.try_with(|lent| {
        if let Some(lent) = &mut *lent.borrow_mut()
            && !LEAVES.take()
        {
            lent.extend(woken.take());
        }
    });
    if let Some(runnable) = woken {
        hand_over(runnable);
    }
}

fn hand_over(runnable: Runnable<Handle>) {
    let runtime = runnable.metadata().clone();
    let handed = Handed(Some(runnable));
    HANDS.set(true);
    runtime.spawn(async move { handed.run() });
    HANDS.set(false);
}

/// A task on its way to the runtime.
struct Handed(Option<Runnable<Handle>>);

impl Handed {
    fn run(mut self) {
        self.0.take().map(Runnable::run);
    }
}

impl Drop for Handed {
    /// A runtime that has ended drops at once what it is given. Whoever wakes a task may hold a lock that the task takes
    /// when it is dropped, as HTTP/2 does: it is dropped elsewhere.
    fn drop(&mut self) {
        let Some(runnable) = self.0.take() else { return };
        if HANDS.get() {
            // If there can be no thread any more, the process is about to end.
            let _ = thread::Builder::new().spawn(move || drop(runnable));
        }
    }
}

/// This thread lends itself.
struct Lent;

impl Lent {
    /// `None` if it does already.
    fn begin() -> Option<Self> {
        WOKEN.with_borrow_mut(|woken| {
            let begins = woken.is_none();
            woken.get_or_insert_default();
            begins.then_some(Self)
        })
    }

    fn run(self, patience: usize) {
        for _ in 0..patience {
            let Some(runnable) = WOKEN.with_borrow_mut(|woken| woken.as_mut()?.pop_front()) else { break };
            runnable.run();
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let left = WOKEN.with_borrow_mut(Option::take);
        left.into_iter().flatten().for_each(hand_over);
    }
}

/// Has hyper and tonic spawn tasks by [`spawn`].
#[cfg(feature = "_http")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Executor;

#[cfg(feature = "_http")]
impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        spawn(future).detach();
    }
}
