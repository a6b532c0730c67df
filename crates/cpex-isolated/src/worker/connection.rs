//! The host's end of the socket to a worker.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::ended::{Breach, Ended};
use super::error::WorkerError;
use super::frame::{Decoder, Frame, Kind};
use super::message::Message;
use super::output::LastWords;
use super::waiting::{Answer, Caller, For, NETWORK, Reader, Waiting};

const CHUNK: usize = 64 * 1024;

/// What is read in one turn at most, so that whoever reads gets to something else.
const CHUNKS: usize = 16;

/// So many messages of the largest size may wait for a worker that does not read.
const UNREAD: usize = 4;

/// A socket to a worker, and the calls under way on it.
///
/// A call is written by whoever makes it. What comes back is read by a task of the runtime, or by an event loop that
/// has taken that over: [`turn`](Self::turn) may be called by anybody at any time.
pub(super) struct Connection {
    socket: StdUnixStream,
    limit: usize,
    runtime: Handle,
    incoming: Mutex<Incoming>,
    outgoing: Mutex<Outgoing>,
    waiting: Mutex<Waiting>,
    reading: Mutex<Option<AbortHandle>>,
    reader: AtomicU64,
    /// Told when something is to be looked at: a call was given up, or the connection broke.
    pub(super) stir: Notify,
    /// The last sign of life that was asked for, and the last one that has come, by number.
    asked: AtomicU64,
    heard: AtomicU64,
    asking: Mutex<()>,
    /// The sign of life that was asked for when a call was given up last.
    doubt: AtomicU64,
    /// Told when a sign of life has come, or none will any more.
    settled: Notify,
    began: Instant,
    /// Milliseconds from `began` to the last call.
    used: AtomicU64,
    breach: Mutex<Option<Breach>>,
}

struct Incoming {
    decoder: Decoder,
    chunk: Box<[u8]>,
}

#[derive(Default)]
struct Outgoing {
    /// What the socket has not taken yet, after so many bytes that it has.
    left: Vec<u8>,
    taken: usize,
    flushes: bool,
}

/// What is left to do for who has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// There may be more to read.
    More,
    /// All that was there has been read.
    Quiet,
    /// There is nothing to read any more, ever.
    Over,
}

impl Connection {
    /// Takes bodies of so many bytes, both ways. Needs a runtime.
    pub(super) fn new(socket: StdUnixStream, limit: usize) -> io::Result<Arc<Self>> {
        socket.set_nonblocking(true)?;
        let connection = Arc::new(Self {
            socket,
            limit,
            runtime: Handle::current(),
            incoming: Mutex::new(Incoming { decoder: Decoder::new(limit), chunk: vec![0; CHUNK].into() }),
            outgoing: Mutex::default(),
            waiting: Mutex::new(Waiting::new()),
            reading: Mutex::default(),
            reader: AtomicU64::new(NETWORK),
            stir: Notify::new(),
            asked: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            asking: Mutex::default(),
            doubt: AtomicU64::new(0),
            settled: Notify::new(),
            began: Instant::now(),
            used: AtomicU64::new(0),
            breach: Mutex::default(),
        });
        connection.read_here();
        Ok(connection)
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Sends a message that is answered.
    ///
    /// # Errors
    /// If it is too large, or the worker takes none. The caller is given back then, and was not told.
    pub(super) fn ask(
        self: &Arc<Self>,
        message: &Message<'_>,
        expects: Kind,
        caller: Box<dyn Caller>,
    ) -> Result<u64, (Box<dyn Caller>, WorkerError)> {
        let id = self
            .waiting()
            .begin(caller, expects)
            .map_err(|(caller, ended)| (caller, WorkerError::Died(ended)))?;
        self.used.store(self.now(), Ordering::Relaxed);
        let sent = message
            .frame(id, self.limit)
            .map_err(WorkerError::from)
            .and_then(|frame| self.send(frame, self.most()));
        match sent {
            Ok(()) => Ok(id),
            // If it is not there any more, it was told that the worker is gone.
            Err(error) => match self.waiting().unsent(id) {
                Some(caller) => Err((caller, error)),
                None => Ok(id),
            },
        }
    }

    /// Sends a message that is not answered, whatever waits to be read: were it lost, a call would not stop, or a sign of life
    /// be waited for that nobody was asked for. There are few of them for each call.
    pub(super) fn tell(self: &Arc<Self>, message: &Message<'_>, id: u64) {
        let frame = message.frame(id, self.limit).map_err(WorkerError::from);
        let _ = frame.and_then(|frame| self.send(frame, usize::MAX));
    }

    /// Asks for a sign of life, and says its number.
    pub(super) fn ping(self: &Arc<Self>) -> u64 {
        // They are answered in their order.
        let _order = lock(&self.asking);
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell(&Message::Ping, number);
        number
    }

    /// Has this sign of life not come?
    pub(super) fn is_silent(&self, number: u64) -> bool {
        self.heard() < number
    }

    /// May it be that the event loop stands still? A call was given up, and there was no sign of life since.
    pub(super) fn is_doubted(&self) -> bool {
        self.is_silent(self.doubt.load(Ordering::Relaxed))
    }

    /// Returns when the event loop has turned, or never will again. Calls that are given up meanwhile do not count.
    pub(super) async fn settle(&self) {
        let number = self.doubt.load(Ordering::Relaxed);
        self.until(|| !self.is_silent(number)).await;
    }

    /// Returns when it takes no more calls.
    pub(super) async fn over(&self) {
        self.until(|| false).await;
    }

    /// Returns when that is so, or it is over.
    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if is_so() || self.is_over() {
                return;
            }
            settled.await;
        }
    }

    fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Nobody waits for this call any more: tells the worker.
    pub(super) fn give_up(self: &Arc<Self>, id: u64) {
        let caller = self.waiting().give_up(id, Instant::now());
        if caller.is_some() {
            self.tell(&Message::Cancel, id);
            self.doubt.fetch_max(self.ping(), Ordering::Relaxed);
            self.stir.notify_one();
        }
    }

    /// How many bytes may wait to be read for a call to be sent.
    fn most(&self) -> usize {
        self.limit.saturating_mul(UNREAD).max(CHUNK)
    }

    fn send(self: &Arc<Self>, frame: Vec<u8>, most: usize) -> Result<(), WorkerError> {
        let mut outgoing = lock(&self.outgoing);
        let left = if outgoing.left.is_empty() {
            let written = self.write(&frame)?;
            &frame[written..]
        } else {
            &frame[..]
        };
        if left.is_empty() {
            return Ok(());
        }
        // A message that was begun has to go on.
        let waiting = outgoing.left.len() - outgoing.taken;
        if left.len() == frame.len() && waiting.saturating_add(left.len()) > most {
            return Err(WorkerError::Full(waiting));
        }
        let taken = std::mem::take(&mut outgoing.taken);
        outgoing.left.drain(..taken);
        outgoing.left.extend_from_slice(left);
        if !std::mem::replace(&mut outgoing.flushes, true) {
            drop(outgoing);
            let connection = self.clone();
            self.runtime.spawn(async move {
                // Whoever waits hears that the worker is gone from who reads.
                let _ = connection.flush().await;
            });
        }
        Ok(())
    }

    /// Writes what is left, as the worker reads.
    async fn flush(&self) -> io::Result<()> {
        // The descriptor itself may be watched already, by who reads.
        let ready = UnixStream::from_std(self.socket.try_clone()?)?;
        loop {
            ready.writable().await?;
            let mut outgoing = lock(&self.outgoing);
            match ready.try_io(Interest::WRITABLE, || (&self.socket).write(&outgoing.left[outgoing.taken..]))
            {
                Ok(written) => {
                    outgoing.taken += written;
                    if outgoing.taken == outgoing.left.len() {
                        *outgoing = Outgoing::default();
                        return Ok(());
                    }
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// As much as the socket takes.
    fn write(&self, bytes: &[u8]) -> Result<usize, WorkerError> {
        let mut written = 0;
        while written < bytes.len() {
            match (&self.socket).write(&bytes[written..]) {
                Ok(0) => return Err(gone()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_passing(&error) => {}
                Err(_) => return Err(gone()),
            }
        }
        Ok(written)
    }

    /// Reads what is there and answers who waits for it.
    pub(super) fn turn(self: &Arc<Self>, by: Reader) -> Turned {
        let mut answered = Vec::new();
        let turned = self.read(&mut answered);
        for (caller, answer) in answered {
            caller.answer(Ok(answer), by);
        }
        match turned {
            Ok(turned) => turned,
            Err(breach) => {
                lock(&self.breach).get_or_insert(breach);
                self.stir.notify_one();
                Turned::Over
            }
        }
    }

    fn read(&self, answered: &mut Vec<(Box<dyn Caller>, Answer)>) -> Result<Turned, Breach> {
        let mut incoming = lock(&self.incoming);
        let Incoming { decoder, chunk } = &mut *incoming;
        for _ in 0..CHUNKS {
            let read = match (&self.socket).read(chunk) {
                Ok(0) => return Err(Breach::Closed),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turned::Quiet),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(Breach::Closed),
            };
            decoder.feed(&chunk[..read]);
            while let Some(frame) = decoder.next_frame()? {
                self.take(frame, answered)?;
            }
            // What fills no chunk was all there was: asking again costs as much as the answer.
            if read < CHUNK {
                return Ok(Turned::Quiet);
            }
        }
        Ok(Turned::More)
    }

    fn take(&self, frame: Frame, answered: &mut Vec<(Box<dyn Caller>, Answer)>) -> Result<(), Breach> {
        let id = frame.id;
        match Message::read(&frame)? {
            // Who may send them as it likes keeps whoever reads here for good.
            Message::Pong if id > self.heard() && id <= self.asked.load(Ordering::Relaxed) => {
                self.heard.store(id, Ordering::Relaxed);
                self.settled.notify_waiters();
            }
            Message::Pong => return Err(Breach::Unasked),
            Message::Ready(_) | Message::Reply { .. } | Message::Failed(_) | Message::Dropped => {
                match self.waiting().answered(id, frame.kind) {
                    For::Caller(caller) => answered.push((caller, Answer(frame))),
                    For::Nobody => {}
                    For::Unasked => return Err(Breach::Unasked),
                }
            }
            Message::Hello(_) | Message::Call(_) | Message::Cancel | Message::Ping | Message::Shutdown => {
                return Err(Breach::Unasked);
            }
        }
        Ok(())
    }

    /// Who reads.
    pub(super) fn reader(&self) -> Reader {
        self.reader.load(Ordering::Acquire)
    }

    /// A task of the runtime reads from now on.
    pub(super) fn read_here(self: &Arc<Self>) {
        let mut reading = lock(&self.reading);
        let task = self.runtime.spawn(self.clone().read_on());
        self.reader.store(NETWORK, Ordering::Release);
        if let Some(before) = reading.replace(task.abort_handle()) {
            before.abort();
        }
    }

    async fn read_on(self: Arc<Self>) -> io::Result<()> {
        let ready = UnixStream::from_std(self.socket.try_clone()?)?;
        loop {
            ready.readable().await?;
            let turned = ready.try_io(Interest::READABLE, || match self.turn(NETWORK) {
                Turned::Quiet => Err(io::ErrorKind::WouldBlock.into()),
                turned => Ok(turned),
            });
            if matches!(turned, Ok(Turned::Over)) {
                return Ok(());
            }
        }
    }

    /// Somebody else reads from now on, who calls [`turn`](Self::turn) when there is something to read.
    pub(super) fn read_there(&self, reader: Reader) {
        let mut reading = lock(&self.reading);
        self.reader.store(reader, Ordering::Release);
        if let Some(task) = reading.take() {
            task.abort();
        }
    }

    /// There will be no more answers: tells all who wait for one.
    pub(super) fn end(self: &Arc<Self>, why: &Ended, said: LastWords) {
        // What it answered before it ended counts.
        while self.turn(NETWORK) == Turned::More {}
        let left = self.waiting().end(why.clone());
        self.settled.notify_waiters();
        let said = Arc::new(said);
        for caller in left {
            caller.answer(Err(WorkerError::Lost { why: why.clone(), said: said.clone() }), NETWORK);
        }
        // Whoever reads learns that there is nothing to read any more, even if a child of the worker keeps its end.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(task) = lock(&self.reading).take() {
            task.abort();
        }
    }

    /// Takes no more calls if none is under way.
    pub(super) fn end_if_idle(&self, why: Ended) -> bool {
        let is_over = self.waiting().end_if_idle(why);
        self.settled.notify_waiters();
        is_over
    }

    /// How many calls the worker has answered, the greeting among them.
    pub(super) fn answered(&self) -> u64 {
        self.waiting().count()
    }

    pub(super) fn is_over(&self) -> bool {
        self.waiting().is_over()
    }

    pub(super) fn outstanding(&self) -> usize {
        self.waiting().outstanding()
    }

    pub(super) fn longest_given_up(&self) -> Option<Duration> {
        self.waiting().longest_given_up(Instant::now())
    }

    /// How the worker broke the protocol, if it has.
    pub(super) fn breach(&self) -> Option<Breach> {
        lock(&self.breach).clone()
    }

    /// Since the last call began.
    pub(super) fn unused_for(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.used.load(Ordering::Relaxed)))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

fn gone() -> WorkerError {
    WorkerError::Died(Ended::Protocol(Breach::Closed))
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
