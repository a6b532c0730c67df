//! A server that is a child of this process, as a client sees it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::client::{Failed, INITIALIZE, greeted};
use super::jsonrpc::{Fault, Id, Message, answer, cancellation, notification, request};
use super::lines::{Line, Lines};
use super::program::Program;
use super::question::Question;
use super::text::Greeting;
use crate::error::RemoteError;
use crate::wire::Features;

const CHUNK: usize = 64 * 1024;
const QUEUE: usize = 64;
/// Bytes of a line that the child prints as an error.
const COMPLAINT: usize = 8 * 1024;

/// A server that is started when it is needed, and again when it has ended.
#[derive(Debug)]
pub(super) struct Offspring {
    plugin: String,
    program: Program,
    limit: usize,
    living: tokio::sync::Mutex<Option<Arc<Living>>>,
    server: Mutex<Features>,
}

/// A child that runs.
#[derive(Debug)]
struct Living {
    say: mpsc::Sender<Saying>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    child: Mutex<Option<Child>>,
}

/// A line for the child; `said` is dropped if it cannot be written.
#[derive(Debug)]
enum Saying {
    Line { text: String, said: oneshot::Sender<()> },
    Goodbye,
}

/// Who waits for which answer; `None` once there are none to come.
#[derive(Debug)]
struct Waiting(Mutex<Option<HashMap<Id, oneshot::Sender<Vec<u8>>>>>);

impl Waiting {
    fn slots(&self) -> MutexGuard<'_, Option<HashMap<Id, oneshot::Sender<Vec<u8>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way; tells the child when nobody waits for the answer any more.
struct Asked<'l> {
    living: &'l Living,
    id: u64,
    done: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(slots) = &mut *self.living.waiting.slots() {
            slots.remove(&Id::from(self.id));
        }
        if !self.done {
            let (said, _) = oneshot::channel();
            // A child that takes no more lines finds out when it answers.
            let _ = self.living.say.try_send(Saying::Line { text: cancellation(self.id), said });
        }
    }
}

impl Offspring {
    pub(super) fn new(plugin: &str, program: Program, limit: usize) -> Arc<Self> {
        let (living, server) = (tokio::sync::Mutex::default(), Mutex::default());
        Arc::new(Self { plugin: plugin.to_owned(), program, limit, living, server })
    }

    /// The bytes of the message that answers.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Vec<u8>, Failed> {
        let living = self.living().await?;
        let params = question.params(self.understood(), self.limit)?;
        let answer = living.ask(question.method(), &params).await?;
        match Message::read(&answer) {
            Ok(Message::Answer { outcome: Err(Fault { code: Fault::STOPPING, message }), .. }) => {
                Err(Failed::Unsent(io::Error::other(message)))
            }
            _ => Ok(answer),
        }
    }

    /// What the child that was started last understands.
    pub(super) fn understood(&self) -> Features {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the child end: by itself, told to, or killed.
    pub(super) async fn close(&self) {
        let Some(living) = self.living.lock().await.take() else { return };
        let child = living.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut child) = child else { return };
        let _ = living.say.try_send(Saying::Goodbye);
        for signal in [Signal::TERM, Signal::KILL] {
            if timeout(self.program.grace, child.wait()).await.is_ok() {
                return;
            }
            signal_group(&child, signal);
        }
        // Killed; it is reaped here or by the runtime.
        let _ = timeout(self.program.grace, child.wait()).await;
    }

    /// The child, started if none runs.
    async fn living(&self) -> Result<Arc<Living>, Failed> {
        let mut living = self.living.lock().await;
        if let Some(running) = living.as_ref().filter(|running| running.waiting.slots().is_some()) {
            return Ok(running.clone());
        }
        *living = None;
        let started =
            Arc::new(Living::start(&self.plugin, &self.program, self.limit).map_err(Failed::Unsent)?);
        let greeting = started.ask("initialize", INITIALIZE).await.map_err(Failed::before_any_call)?;
        let Greeting { features, .. } = greeted(&greeting)?;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = features;
        started.say(notification("notifications/initialized")).await?;
        *living = Some(started.clone());
        Ok(started)
    }
}

impl Living {
    fn start(plugin: &str, program: &Program, limit: usize) -> io::Result<Self> {
        let mut child = program.spawn()?;
        let missing = || io::Error::other("a child without its streams");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let (say, sayings) = mpsc::channel(QUEUE);
        tokio::spawn(write(stdin, sayings));
        // The answer is wrapped into a message, and a text in a text has escapes.
        tokio::spawn(listen(
            stdout,
            limit.saturating_mul(2),
            plugin.to_owned(),
            waiting.clone(),
            say.clone(),
        ));
        tokio::spawn(note(stderr, plugin.to_owned()));
        Ok(Self { say, waiting, next: AtomicU64::new(1), child: Mutex::new(Some(child)) })
    }

    async fn ask(&self, method: &str, params: &str) -> Result<Vec<u8>, Failed> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (slot, answered) = oneshot::channel();
        match &mut *self.waiting.slots() {
            Some(slots) => slots.insert(Id::from(id), slot),
            None => return Err(Failed::Unsent(io::ErrorKind::BrokenPipe.into())),
        };
        let mut asked = Asked { living: self, id, done: false };
        let said = self.say(request(id, method, params)).await;
        let answer = match said {
            Ok(()) => answered
                .await
                .map_err(|_| Failed::Remote(RemoteError::Disconnected(io::ErrorKind::UnexpectedEof.into()))),
            Err(failed) => Err(failed),
        };
        asked.done = true;
        answer
    }

    /// Returns when the line is written.
    async fn say(&self, text: String) -> Result<(), Failed> {
        let unsent = || Failed::Unsent(io::ErrorKind::BrokenPipe.into());
        let (said, written) = oneshot::channel();
        self.say.send(Saying::Line { text, said }).await.map_err(|_| unsent())?;
        written.await.map_err(|_| unsent())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(child) = child {
            signal_group(&child, Signal::KILL);
        }
    }
}

/// Signals a child that was not reaped yet, and what it started.
fn signal_group(child: &Child, signal: Signal) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        // It fails if all of them have ended.
        let _ = kill_process_group(group, signal);
    }
}

async fn write(mut stdin: ChildStdin, mut sayings: mpsc::Receiver<Saying>) {
    while let Some(Saying::Line { mut text, said }) = sayings.recv().await {
        text.push('\n');
        if stdin.write_all(text.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
        // Whoever does not wait does not need to know.
        let _ = said.send(());
    }
}

/// Brings answers to those who wait for them, until the child has closed its output.
async fn listen(
    stdout: impl AsyncRead + Unpin,
    limit: usize,
    plugin: String,
    waiting: Arc<Waiting>,
    say: mpsc::Sender<Saying>,
) {
    for_each_line(stdout, limit, |line| {
        let Line::Text(line) = line else {
            tracing::warn!(plugin, limit, "a line on the plugin's output is too long");
            return;
        };
        match Message::read(&line) {
            Ok(Message::Answer { id, .. }) => {
                let slot = waiting.slots().as_mut().and_then(|slots| slots.remove(&id));
                // Nobody waits for what was given up.
                let _ = slot.map(|slot| slot.send(line));
            }
            Ok(Message::Request { id, method, .. }) => {
                let text = match &*method {
                    "ping" => answer(&id, "{}"),
                    _ => Fault::new(Fault::METHOD_NOT_FOUND, "Method not found").message(Some(&id)),
                };
                let (said, _) = oneshot::channel();
                let _ = say.try_send(Saying::Line { text, said });
            }
            Ok(Message::Notification { .. } | Message::Stray) => {}
            Err(_) => tracing::warn!(plugin, "a line on the plugin's output is no message"),
        }
    })
    .await;
    *waiting.slots() = None;
}

/// Puts what the child complains of into the log.
async fn note(stderr: impl AsyncRead + Unpin, plugin: String) {
    for_each_line(stderr, COMPLAINT, |line| match line {
        Line::Text(line) => tracing::info!(plugin, "{}", String::from_utf8_lossy(&line)),
        Line::TooLong => tracing::info!(plugin, "(a line of more than {COMPLAINT} bytes)"),
    })
    .await;
}

async fn for_each_line(mut stream: impl AsyncRead + Unpin, limit: usize, mut each: impl FnMut(Line)) {
    let (mut bytes, mut lines) = (vec![0; CHUNK], Lines::new(limit));
    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
        lines.feed(&bytes[..read]).into_iter().for_each(&mut each);
    }
    lines.finish().into_iter().for_each(each);
}
