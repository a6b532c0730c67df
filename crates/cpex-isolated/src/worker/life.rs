//! One worker, from its start to its end.

use std::fmt;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep_until, timeout};

use super::config::{Bounds, WorkersConfig};
use super::connection::{Connection, Turned};
use super::contained::Contained;
use super::ended::{Breach, Ended};
use super::error::WorkerError;
use super::frame::Kind;
use super::message::{Call, Message, PROTOCOL};
use super::output::{LastWords, Output};
use super::process::{Process, memory};
use super::waiting::{Answer, Caller, NETWORK, Reader};

/// How often a worker's memory is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often a sign of life is looked for before a worker counts as hung.
const LOOKS: u32 = 3;

/// A worker that runs, or did.
pub struct Worker {
    connection: Arc<Connection>,
    output: Arc<Output>,
    process: u32,
    started: Instant,
    ready: Box<[u8]>,
    finish: AtomicBool,
    /// Of all workers in its place.
    calls: Arc<AtomicU64>,
}

/// What a worker says of itself when it is ready.
#[derive(Deserialize)]
struct Said {
    protocol: u32,
    /// Its own number.
    pid: Option<u32>,
}

/// A call under way. Dropping it gives the call up, and the worker is told.
pub struct Asked {
    connection: Arc<Connection>,
    id: u64,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.connection.give_up(self.id);
    }
}

impl Answer {
    /// What it says: a reply, a failure, or that the worker is ready.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        // It was read once already, when it came.
        Message::read(&self.0).unwrap_or(Message::Failed(b"{}"))
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Worker {
    /// Starts a worker and has it load the plugin. Needs a runtime.
    pub(super) async fn start(
        config: &WorkersConfig,
        contained: Option<Arc<Contained>>,
        calls: Arc<AtomicU64>,
    ) -> Result<(Arc<Self>, Process), WorkerError> {
        let launch = &config.launch;
        let failed = |source: std::io::Error| WorkerError::Start {
            program: launch.program.display().to_string(),
            source: Arc::new(source),
        };
        let output = Output::new(&config.plugin);
        let (near, far) = UnixStream::pair().map_err(failed)?;
        let mut process = Process::start(launch, contained, far, &output).await?;
        let connection = Connection::new(near, config.limit).map_err(failed)?;
        match Self::load(config, &connection, &mut process, &output).await {
            Ok((said, ready)) => {
                let process_id = process.worker(said.pid);
                output.is_of(process_id);
                let worker = Self {
                    process: process_id,
                    connection,
                    output,
                    started: Instant::now(),
                    ready,
                    finish: AtomicBool::new(false),
                    calls,
                };
                Ok((Arc::new(worker), process))
            }
            Err(error) => {
                connection.end(&Ended::Asked, LastWords::default());
                let _ = process.end().await;
                Err(error)
            }
        }
    }

    /// Has it load the plugin; what it says of itself then.
    async fn load(
        config: &WorkersConfig,
        connection: &Arc<Connection>,
        process: &mut Process,
        output: &Output,
    ) -> Result<(Said, Box<[u8]>), WorkerError> {
        let bounds = &config.bounds;
        let greeted = tokio::select! {
            biased;
            greeted = timeout(bounds.start, greet(connection, &config.hello)) => greeted,
            () = process.ended() => Ok(Err(WorkerError::Died(Ended::Asked))),
        };
        let answer = match greeted {
            Ok(Ok(answer)) => answer,
            // It ends, or has closed its end of the socket, which is as good.
            Ok(Err(WorkerError::Died(_) | WorkerError::Lost { .. })) => {
                let _ = timeout(bounds.give_up, process.ended()).await;
                let why = process.end().await.map(Ended::Exited).unwrap_or(Ended::Protocol(Breach::Closed));
                return Err(WorkerError::NotReady { why, said: output.whole().await });
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(WorkerError::Slow { after: bounds.start, said: output.last_words() }),
        };
        match answer.message() {
            Message::Ready(text) => {
                let said = serde_json::from_slice(text).unwrap_or(Said { protocol: 0, pid: None });
                if said.protocol == PROTOCOL {
                    Ok((said, text.into()))
                } else {
                    Err(WorkerError::Version(said.protocol))
                }
            }
            Message::Failed(text) => Err(WorkerError::Load(text.into())),
            _ => Err(WorkerError::Version(0)),
        }
    }

    /// Looks after it until it ends.
    pub(super) async fn supervise(self: &Arc<Self>, mut process: Process, bounds: &Bounds) -> Ended {
        let mut watch = Watch { pinged: None, looks: 0, looked: Instant::now() };
        let ended = loop {
            let next = tokio::time::Instant::from_std(Instant::now() + watch.pause(&self.connection, bounds));
            tokio::select! {
                biased;
                () = process.ended() => break None,
                () = self.connection.stir.notified() => {}
                () = sleep_until(next) => {}
            }
            if self.finish.load(Ordering::Acquire) {
                break Some(Ended::Asked);
            }
            if let Some(ended) = watch.judge(self, bounds) {
                // One that is closing the connection is ending: how says more.
                let is_closing = matches!(&ended, Ended::Protocol(Breach::Closed));
                if is_closing && timeout(bounds.give_up, process.ended()).await.is_ok() {
                    break None;
                }
                break Some(ended);
            }
        };
        if matches!(ended, Some(Ended::Asked | Ended::Idle)) {
            self.connection.tell(&Message::Shutdown, 0);
            let _ = timeout(bounds.shutdown, process.ended()).await;
        }
        let status = process.end().await;
        let ended = match (ended, status) {
            (Some(ended), _) => ended,
            (None, Ok(status)) => Ended::Exited(status),
            (None, Err(_)) => Ended::Protocol(Breach::Closed),
        };
        let said = self.output.whole().await;
        self.connection.end(&ended, said);
        ended
    }

    /// Runs a hook of the plugin. The caller is told, sooner or later, unless what is returned is dropped first.
    ///
    /// # Errors
    /// If the call was not sent: the worker is gone ([`WorkerError::Died`]), or the call is too large. The caller is given
    /// back.
    pub fn call(
        &self,
        call: Call<'_>,
        caller: Box<dyn Caller>,
    ) -> Result<Asked, (Box<dyn Caller>, WorkerError)> {
        let id = self.connection.ask(&Message::Call(call), Kind::Reply, caller)?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(Asked { connection: self.connection.clone(), id })
    }

    /// What the worker said of itself when it was ready: JSON.
    #[must_use]
    pub fn ready(&self) -> &[u8] {
        &self.ready
    }

    pub(super) fn runtime(&self) -> &Handle {
        self.connection.runtime()
    }

    /// The number of the process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Since it was ready.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Does it take no more calls?
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.connection.is_over()
    }

    /// Returns when it takes no more calls.
    pub async fn over(&self) {
        self.connection.over().await;
    }

    /// Should no more calls be sent for now? One was given up, and since then the event loop has not turned, as far as is
    /// known: they might have to die with it.
    pub(super) fn is_doubted(&self) -> bool {
        self.connection.is_doubted()
    }

    /// Returns when it is known whether it lives.
    pub(super) async fn settle(&self) {
        self.connection.settle().await;
    }

    /// Has it answered a call?
    pub(super) fn has_served(&self) -> bool {
        // The first answer is that it is ready.
        self.connection.answered() > 1
    }

    /// Calls under way, and calls that were given up and have not stopped yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.connection.outstanding()
    }

    /// The socket, for who reads it; it is open as long as the worker is held.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.connection.fd()
    }

    /// Who reads what it sends.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.connection.reader()
    }

    /// An event loop reads from now on: it calls [`turn`](Self::turn) when the socket is readable.
    pub fn read_there(&self, reader: Reader) {
        self.connection.read_there(reader);
    }

    /// The runtime reads from now on.
    pub fn read_here(&self) {
        self.connection.read_here();
    }

    /// Reads what is there and answers who waits for it, here.
    pub fn turn(&self, by: Reader) -> Turned {
        self.connection.turn(by)
    }

    /// Ends it; nobody has a use for it any more.
    pub(super) fn finish(&self) {
        self.finish.store(true, Ordering::Release);
        self.connection.stir.notify_one();
    }
}

async fn greet(connection: &Arc<Connection>, hello: &[u8]) -> Result<Answer, WorkerError> {
    let (caller, answer) = caller();
    connection.ask(&Message::Hello(hello), Kind::Ready, caller).map_err(|(_, error)| error)?;
    answer.await.unwrap_or(Err(WorkerError::Died(Ended::Asked)))
}

/// A caller that is a future.
#[must_use]
pub fn caller() -> (Box<dyn Caller>, oneshot::Receiver<Result<Answer, WorkerError>>) {
    struct Future(Mutex<Option<oneshot::Sender<Result<Answer, WorkerError>>>>);
    impl Caller for Future {
        fn answer(self: Box<Self>, answer: Result<Answer, WorkerError>, _: Reader) {
            let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Whoever asked may be gone.
            let _ = sender.map(|sender| sender.send(answer));
        }
    }
    let (sender, receiver) = oneshot::channel();
    (Box::new(Future(Mutex::new(Some(sender)))), receiver)
}

/// What is remembered between two looks at a worker.
struct Watch {
    /// When the event loop was asked for which sign of life.
    pinged: Option<(Instant, u64)>,
    /// How often it was looked for since.
    looks: u32,
    looked: Instant,
}

impl Watch {
    /// For how long nothing can be wrong that is not told.
    fn pause(&self, connection: &Connection, bounds: &Bounds) -> Duration {
        let busy = connection.outstanding() > 0;
        let given_up = connection.longest_given_up().map(|since| bounds.give_up.saturating_sub(since));
        let unused = if busy { Duration::ZERO } else { connection.unused_for() };
        let idle = bounds.idle.map(|idle| idle.saturating_sub(unused));
        let look = bounds.memory.map(|_| LOOK.saturating_sub(self.looked.elapsed()));
        let all = [Some(bounds.hang / LOOKS), given_up, idle, look];
        all.into_iter().flatten().min().unwrap_or(bounds.hang).max(Duration::from_millis(1))
    }

    /// Is it to be ended?
    fn judge(&mut self, worker: &Worker, bounds: &Bounds) -> Option<Ended> {
        let connection = &worker.connection;
        // Whoever reads may be busy with something else.
        while connection.turn(NETWORK) == Turned::More {}
        if let Some(breach) = connection.breach() {
            return Some(Ended::Protocol(breach));
        }
        if connection.longest_given_up().is_some_and(|since| since >= bounds.give_up) {
            return Some(Ended::Stubborn(bounds.give_up));
        }
        if let (Some(limit), true) = (bounds.memory, self.looked.elapsed() >= LOOK) {
            self.looked = Instant::now();
            if let Some(used) = memory(worker.process).filter(|used| *used > limit) {
                return Some(Ended::Memory { used, limit });
            }
        }
        if connection.outstanding() == 0 {
            self.pinged = None;
            let unused = bounds.idle.is_some_and(|idle| connection.unused_for() >= idle);
            return (unused && connection.end_if_idle(Ended::Idle)).then_some(Ended::Idle);
        }
        match self.pinged {
            Some((since, number)) if connection.is_silent(number) => {
                self.looks += 1;
                // Where all stood still, the host as well, the worker may have had no time, either.
                let is_hung = since.elapsed() >= bounds.hang && self.looks >= LOOKS;
                is_hung.then_some(Ended::Hung(bounds.hang))
            }
            _ => {
                self.pinged = Some((Instant::now(), connection.ping()));
                self.looks = 0;
                None
            }
        }
    }
}
