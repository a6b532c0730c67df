//! The workers of a plugin: which one a call goes to, and when one is started.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use cpex_remote::balance::{Breaker, Pass};
use tokio::sync::{OnceCell, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::config::WorkersConfig;
use super::contained::Contained;
use super::ended::Ended;
use super::error::WorkerError;
use super::life::Worker;
use super::slot::{Change, Now, Slot, Started, WorkerStatus};

/// Before a worker is started again whose forerunner ended early; longer each time, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The workers of one plugin, each started when it is needed, and again when it has died.
///
/// A call goes to the worker with the fewest calls under way.
#[derive(Debug)]
pub struct Workers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: WorkersConfig,
    slots: Vec<Mutex<Slot>>,
    contained: OnceCell<Option<Arc<Contained>>>,
    /// Workers that start, run or end.
    alive: watch::Sender<usize>,
    began: Instant,
}

impl Workers {
    /// Nothing is started yet.
    #[must_use]
    pub fn new(config: WorkersConfig) -> Self {
        let slots = (0..config.count.max(1)).map(|_| Mutex::new(Slot::new(config.breaker))).collect();
        let alive = watch::Sender::new(0);
        Self {
            shared: Arc::new(Shared {
                slots,
                contained: OnceCell::new(),
                alive,
                began: Instant::now(),
                config,
            }),
        }
    }

    /// The worker for the next call, if one runs and nothing speaks against it. If it is busy and another place is vacant,
    /// one is started there.
    #[must_use]
    pub fn running(&self) -> Option<Arc<Worker>> {
        let workers = self.shared.slots.iter().filter_map(|slot| lock(slot).running().cloned());
        let workers = workers.filter(|worker| !worker.is_doubted());
        let (outstanding, worker) = workers
            .map(|worker| (worker.outstanding(), worker))
            .min_by_key(|(outstanding, _)| *outstanding)?;
        if outstanding > 0 && self.shared.slots.len() > 1 {
            let _runtime = worker.runtime().enter();
            for at in self.shared.vacant() {
                // If it cannot be started now, it is not needed now.
                let _ = self.shared.begin(at);
            }
        }
        Some(worker)
    }

    /// The worker for the next call, started if it has to be. Needs a runtime.
    ///
    /// If there is but one that may stand still, this waits until that is known: a call that was not sent does not die
    /// with it.
    ///
    /// # Errors
    /// If it cannot be started, or is not for now.
    pub async fn worker(&self) -> Started {
        if let Some(worker) = self.running() {
            return Ok(worker);
        }
        let mut tried = Err(WorkerError::Died(Ended::Asked));
        for at in self.shared.doubted_last() {
            tried = self.shared.started(at).await;
            if tried.is_ok() {
                break;
            }
        }
        tried
    }

    /// Starts all of them, and returns when they are ready. Needs a runtime.
    ///
    /// # Errors
    /// If one cannot be started.
    pub async fn start(&self) -> Started {
        let starting = (0..self.shared.slots.len()).map(|slot| self.shared.started(slot));
        futures_util::future::join_all(starting)
            .await
            .into_iter()
            .reduce(Result::and)
            .unwrap_or(Err(WorkerError::Died(Ended::Asked)))
    }

    /// What is known of each.
    #[must_use]
    pub fn status(&self) -> Vec<WorkerStatus> {
        self.shared.slots.iter().map(|slot| lock(slot).status()).collect()
    }

    /// Ends them all, and starts none any more. Returns at once.
    pub fn finish(&self) {
        for slot in &self.shared.slots {
            let mut slot = lock(slot);
            slot.closed = true;
            if let Now::Running(worker) = &slot.now {
                worker.finish();
            }
        }
    }

    /// Ends them all, and starts none any more. Returns when their processes are gone, and their files.
    pub async fn close(&self) {
        self.finish();
        // The sender is here.
        let _ = self.shared.alive.subscribe().wait_for(|alive| *alive == 0).await;
        // Not where the last of them is dropped, which may be an event loop: a plugin may have made many files.
        if let Some(contained) = self.shared.contained.get().cloned().flatten() {
            let _ = spawn_blocking(move || contained.clear()).await;
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    fn vacant(&self) -> impl Iterator<Item = usize> {
        let is_vacant = |at: &usize| {
            let slot = lock(&self.slots[*at]);
            slot.running().is_none() && !matches!(slot.now, Now::Starting(_))
        };
        (0..self.slots.len()).filter(is_vacant)
    }

    /// All of them: who waits for one that may stand still has no other.
    fn doubted_last(&self) -> Vec<usize> {
        let mut slots: Vec<_> = (0..self.slots.len()).collect();
        slots.sort_by_cached_key(|at| lock(&self.slots[*at]).running().is_some_and(|one| one.is_doubted()));
        slots
    }

    async fn started(self: &Arc<Self>, at: usize) -> Started {
        loop {
            let mut starting = match self.begin(at)? {
                Now::Running(worker) if worker.is_doubted() => {
                    worker.settle().await;
                    if worker.is_over() {
                        continue;
                    }
                    return Ok(worker);
                }
                Now::Running(worker) => return Ok(worker),
                Now::Starting(starting) => starting,
                Now::Vacant => return Err(WorkerError::Died(Ended::Asked)),
            };
            let started = starting.wait_for(Option::is_some).await;
            // Nobody says it any more if the runtime ends.
            let started = started.ok().and_then(|started| started.clone());
            return started.unwrap_or(Err(WorkerError::Died(Ended::Asked)));
        }
    }

    /// What there is, started if there is nothing.
    fn begin(self: &Arc<Self>, at: usize) -> Result<Now, WorkerError> {
        let mut slot = lock(&self.slots[at]);
        match &slot.now {
            Now::Running(worker) if !worker.is_over() => return Ok(Now::Running(worker.clone())),
            Now::Starting(starting) => return Ok(Now::Starting(starting.clone())),
            Now::Running(_) | Now::Vacant => {}
        }
        if slot.closed {
            return Err(WorkerError::Died(Ended::Asked));
        }
        let (pass, change) = slot.admit(self.began.elapsed());
        let pass = pass?;
        let (tell, starting) = watch::channel(None);
        slot.now = Now::Starting(starting.clone());
        slot.starts += 1;
        let wait = wait_before(slot.short_lived);
        drop(slot);
        self.tell(change);
        self.alive.send_modify(|alive| *alive += 1);
        let shared = self.clone();
        tokio::spawn(async move {
            let _alive = Alive(&shared.alive);
            shared.live(at, pass, wait, tell).await;
        });
        Ok(Now::Starting(starting))
    }

    /// The whole life of a worker.
    async fn live(
        self: &Arc<Self>,
        at: usize,
        pass: Pass,
        wait: Duration,
        tell: watch::Sender<Option<Started>>,
    ) {
        sleep(wait).await;
        let plugin = &*self.config.plugin;
        let started = match self.contained().await {
            Ok(contained) => {
                let calls = lock(&self.slots[at]).calls.clone();
                Worker::start(&self.config, contained, calls).await
            }
            Err(refused) => Err(refused),
        };
        let (worker, process) = match started {
            Ok(started) => started,
            Err(error) => {
                tracing::warn!(plugin, %error, "the worker of an isolated plugin did not start");
                self.failed(at, Some(pass));
                lock(&self.slots[at]).now = Now::Vacant;
                tell.send_replace(Some(Err(error)));
                return;
            }
        };
        let id = worker.process();
        tracing::info!(plugin, process = id, "the worker of an isolated plugin is ready");
        let closed = {
            let mut slot = lock(&self.slots[at]);
            slot.now = Now::Running(worker.clone());
            slot.closed
        };
        if closed {
            worker.finish();
        }
        tell.send_replace(Some(Ok(worker.clone())));
        drop(tell);
        let mut pass = Some(pass);
        let ended = {
            let life = worker.supervise(process, &self.config.bounds);
            tokio::pin!(life);
            let early = tokio::time::timeout(self.config.proven_after, &mut life).await;
            match early {
                Ok(ended) => ended,
                Err(_) => {
                    self.proved(at, pass.take());
                    life.await
                }
            }
        };
        if worker.has_served() {
            self.proved(at, pass.take());
        }
        if ended.is_fault() {
            tracing::warn!(plugin, process = id, %ended, "the worker of an isolated plugin is gone");
            self.failed(at, pass);
        } else {
            tracing::info!(plugin, process = id, %ended, "the worker of an isolated plugin has ended");
            self.judge(at, pass, |breaker, pass, _| breaker.abandoned(pass));
        }
        {
            let mut slot = lock(&self.slots[at]);
            // A call may have found it gone, and a new one be on its way.
            if matches!(&slot.now, Now::Running(running) if Arc::ptr_eq(running, &worker)) {
                slot.now = Now::Vacant;
            }
        }
        if ended.is_fault() {
            // The next call need not wait for it. If it may not be started now, that call hears why.
            let _ = self.begin(at);
        }
    }

    /// The sandbox, made ready by whoever needs it first.
    async fn contained(&self) -> Result<Option<Arc<Contained>>, WorkerError> {
        let Some(sandbox) = self.config.launch.sandbox.clone() else { return Ok(None) };
        let plugin = self.config.plugin.clone();
        let prepare = async || {
            let preparing = spawn_blocking(move || sandbox.prepare(&plugin)).await;
            preparing.unwrap_or_else(|_| Err(WorkerError::Sandbox("it cannot be prepared".into())))
        };
        self.contained.get_or_try_init(prepare).await.cloned()
    }

    /// A worker did what it is for: those that failed before it are forgotten.
    ///
    /// Not how long ago one failed counts, nor how many have: a caller who can have a call kill its worker could have all
    /// others left without one.
    fn proved(&self, at: usize, pass: Option<Pass>) {
        if pass.is_some() {
            lock(&self.slots[at]).short_lived = 0;
        }
        self.judge(at, pass, |breaker, pass, _| breaker.succeeded(pass));
    }

    /// A worker failed; one that has proved good, and has no pass any more, is not held against the next.
    fn failed(&self, at: usize, pass: Option<Pass>) {
        {
            let mut slot = lock(&self.slots[at]);
            slot.short_lived += usize::from(pass.is_some());
            slot.faults += 1;
        }
        self.judge(at, pass, Breaker::failed);
    }

    /// Tells the breaker, and tells of the breaker.
    fn judge(&self, at: usize, pass: Option<Pass>, judge: impl FnOnce(&mut Breaker, Pass, Duration)) {
        let Some(pass) = pass else { return };
        let now = self.began.elapsed();
        let ((), change) = lock(&self.slots[at]).with_breaker(|breaker| judge(breaker, pass, now));
        self.tell(change);
    }

    fn tell(&self, change: Option<Change>) {
        if let Some((from, to)) = change {
            let plugin = &*self.config.plugin;
            tracing::warn!(plugin, %from, %to, "the breaker of an isolated plugin changed");
        }
    }
}

/// A worker that starts, runs or ends.
struct Alive<'w>(&'w watch::Sender<usize>);

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|alive| *alive -= 1);
    }
}

/// None before the first two starts; then longer and longer, and never in step with other plugins.
fn wait_before(short_lived: usize) -> Duration {
    let Some(nth) = short_lived.checked_sub(2) else { return Duration::ZERO };
    let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_max_delay(LONGEST_WAIT);
    waits.without_max_times().with_jitter().build().nth(nth.min(16)).unwrap_or(LONGEST_WAIT)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
