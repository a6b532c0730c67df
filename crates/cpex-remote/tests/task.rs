//! Where tasks run: on the thread that wakes them if it lends itself, else in the runtime.

use std::future::poll_fn;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use cpex_remote::task::{self, PATIENT, spawn};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).build().expect("a runtime")
}

fn lend<T>(runtime: &Handle, work: impl FnOnce() -> T) -> T {
    task::lend(runtime, PATIENT, work)
}

/// A task that says on which thread it began, and then where it was woken.
async fn tells(said: Sender<ThreadId>, woken: oneshot::Receiver<()>) {
    said.send(thread::current().id()).expect("a listener");
    woken.await.expect("a waker");
    said.send(thread::current().id()).expect("a listener");
}

fn begun_here(runtime: &Runtime) -> (oneshot::Sender<()>, Receiver<ThreadId>) {
    let (said, heard) = channel();
    let (wake, woken) = oneshot::channel();
    lend(runtime.handle(), || spawn(tells(said, woken)).detach());
    assert_eq!(heard.try_recv(), Ok(thread::current().id()), "it begins before `lend` returns");
    (wake, heard)
}

#[test]
fn a_lent_thread_runs_what_it_wakes() {
    let runtime = runtime();
    let (wake, heard) = begun_here(&runtime);
    lend(runtime.handle(), || wake.send(())).expect("a task that waits");
    assert_eq!(heard.try_recv(), Ok(thread::current().id()));
}

#[test]
fn what_others_wake_runs_in_the_runtime() {
    let runtime = runtime();
    let (wake, heard) = begun_here(&runtime);
    wake.send(()).expect("a task that waits");
    assert_ne!(heard.recv(), Ok(thread::current().id()));
}

#[test]
fn a_task_leaves_a_lent_thread() {
    let runtime = runtime();
    let (said, heard) = channel();
    let task = async move {
        task::leave().await;
        said.send(thread::current().id()).expect("a listener");
    };
    lend(runtime.handle(), || spawn(task).detach());
    assert_ne!(heard.recv(), Ok(thread::current().id()));
}

#[test]
fn a_lent_thread_is_given_back() {
    let runtime = runtime();
    let (said, heard) = channel();
    lend(runtime.handle(), || {
        for _ in 0..2 * PATIENT {
            let said = said.clone();
            spawn(async move { said.send(thread::current().id()).expect("a listener") }).detach();
        }
    });
    drop(said);
    let threads: Vec<_> = heard.iter().collect();
    let here = threads.iter().filter(|thread| **thread == thread::current().id()).count();
    assert_eq!((here, threads.len()), (PATIENT, 2 * PATIENT));
}

#[test]
fn a_panic_is_that_of_whoever_waits() {
    let runtime = runtime();
    let task = lend(runtime.handle(), || spawn(async { panic!("on purpose") }));
    let waiter = runtime.spawn(async move {
        let () = task.await;
    });
    assert!(runtime.block_on(waiter).expect_err("a panic").is_panic());
}

#[test]
fn a_task_that_nobody_wants_is_dropped() {
    let runtime = runtime();
    let (held, dropped) = channel::<()>();
    let task = lend(runtime.handle(), || {
        spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        })
    });
    drop(task);
    assert!(dropped.recv().is_err(), "what it holds is dropped");
}

#[test]
fn a_runtime_that_ends_takes_its_tasks_along() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (held, dropped) = channel::<()>();
    lend(runtime.handle(), || {
        spawn(async move {
            let _held = held;
            tokio::time::sleep(Duration::from_secs(3600)).await;
        })
        .detach();
    });
    drop(runtime);
    assert!(dropped.recv().is_err(), "what it holds is dropped");
}

/// Dropped, it takes the lock under which its task is woken.
struct Locks(Arc<Mutex<Option<Waker>>>, Sender<()>);

impl Drop for Locks {
    fn drop(&mut self) {
        drop(self.0.lock());
        self.1.send(()).expect("a listener");
    }
}

#[test]
fn a_task_that_is_woken_under_a_lock_of_its_own_after_the_runtime_ended_blocks_nobody() {
    let (runtime, waker) = (runtime(), Arc::new(Mutex::new(None)));
    let (said, heard) = channel();
    let locks = Locks(waker.clone(), said);
    let (sleeps, asleep) = channel();
    let sleeping = async move {
        poll_fn(|context| {
            *locks.0.lock().expect("a lock") = Some(context.waker().clone());
            sleeps.send(()).expect("a listener");
            Poll::<()>::Pending
        })
        .await;
    };
    lend(runtime.handle(), || spawn(sleeping).detach());
    asleep.recv().expect("a task that sleeps");
    drop(runtime);
    thread::spawn(move || {
        let mut waker = waker.lock().expect("a lock");
        waker.take().expect("a task that sleeps").wake();
    });
    assert_eq!(heard.recv_timeout(Duration::from_secs(60)), Ok(()));
}
