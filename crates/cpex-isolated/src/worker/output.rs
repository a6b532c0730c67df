//! What a worker prints: read to its end, and told in the log.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::backlog::{Backlog, Batch};
use super::said::{Lines, Said, Stream};

const CHUNK: usize = 64 * 1024;

/// Bytes of a period that are read of a stream. Who prints more waits: reading costs the host time, too.
const BYTES: usize = 16 * 1024 * 1024;

const PERIOD: Duration = Duration::from_secs(1);

/// Bytes of the last words of a stream.
const WORDS: usize = 32 * 1024;

/// For what an ended worker has said to be read and told, if something that it has started keeps a stream open.
const PATIENCE: Duration = Duration::from_millis(500);

/// The last lines that a worker has said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords {
    /// On its standard output.
    pub stdout: Vec<String>,
    /// On its standard error, and in its log.
    pub stderr: Vec<String>,
}

/// Both streams of one worker.
#[derive(Debug)]
pub(super) struct Output {
    plugin: String,
    /// The number of the process, once it is known.
    process: OnceLock<u32>,
    out: Arc<Voice>,
    err: Arc<Voice>,
    /// Streams of which not all is read and told.
    open: watch::Sender<usize>,
}

/// One stream.
#[derive(Debug)]
struct Voice {
    stream: Stream,
    backlog: Mutex<Backlog>,
    began: Instant,
    is_over: AtomicBool,
    /// There is more, or no more to come.
    news: Notify,
}

impl Output {
    pub(super) fn new(plugin: &str) -> Arc<Self> {
        Arc::new(Self {
            plugin: plugin.to_owned(),
            process: OnceLock::new(),
            out: Voice::new(Stream::Out),
            err: Voice::new(Stream::Err),
            open: watch::Sender::new(0),
        })
    }

    /// It is of this process.
    pub(super) fn is_of(&self, process: u32) {
        let _ = self.process.set(process);
    }

    /// What was said last, when all of it has been read and is in the log. What the process has started may go on
    /// printing: that is not waited for.
    pub(super) async fn whole(&self) -> LastWords {
        let _ = timeout(PATIENCE, self.open.subscribe().wait_for(|open| *open == 0)).await;
        self.last_words()
    }

    /// What was said last.
    pub(super) fn last_words(&self) -> LastWords {
        LastWords { stdout: self.out.tail(), stderr: self.err.tail() }
    }

    /// Reads the streams to their ends, and tells of them. Needs a runtime.
    pub(super) fn capture(self: &Arc<Self>, out: OwnedFd, err: OwnedFd) -> io::Result<()> {
        for (voice, stream) in [(&self.out, out), (&self.err, err)] {
            let stream = Receiver::from_owned_fd(stream)?;
            let (output, voice) = (self.clone(), voice.clone());
            self.open.send_modify(|open| *open += 1);
            tokio::spawn(async move {
                tokio::join!(voice.listen(stream), output.tell(&voice));
                output.open.send_modify(|open| *open -= 1);
            });
        }
        Ok(())
    }

    /// Tells of a stream until there is no more to come.
    async fn tell(self: &Arc<Self>, voice: &Voice) {
        loop {
            let is_over = voice.is_over.load(Ordering::Acquire);
            let batch = voice.backlog().take(voice.now(), is_over);
            let (output, stream) = (self.clone(), voice.stream);
            if batch != Batch::default() {
                // A log may take its time, and who reads is not to wait for it.
                let _ = spawn_blocking(move || output.say(stream, batch)).await;
            }
            if is_over {
                return;
            }
            let rest = voice.backlog().rest(voice.now());
            match rest {
                None => voice.news.notified().await,
                Some(rest) => voice.rest(rest).await,
            }
        }
    }

    fn say(&self, stream: Stream, batch: Batch) {
        let (plugin, process) = (&*self.plugin, self.process.get().copied());
        if let Some(left_out) = batch.left_out {
            let stream = stream.name();
            tracing::warn!(
                plugin,
                process,
                stream,
                "an isolated plugin prints too much: {left_out} lines are left out"
            );
        }
        for line in batch.lines {
            Said::of(&line.bytes, line.cut, stream).tell(plugin, process);
        }
    }
}

impl Voice {
    fn new(stream: Stream) -> Arc<Self> {
        Arc::new(Self {
            stream,
            backlog: Mutex::default(),
            began: Instant::now(),
            is_over: AtomicBool::new(false),
            news: Notify::new(),
        })
    }

    async fn listen(&self, mut stream: Receiver) {
        let (mut chunk, mut lines) = (vec![0; CHUNK], Lines::new(self.stream));
        let (mut since, mut read_since) = (Instant::now(), 0);
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            {
                let mut backlog = self.backlog();
                lines.feed(&chunk[..read], |line, cut| backlog.hear(line, cut));
            }
            self.news.notify_one();
            read_since += read;
            let passed = since.elapsed();
            if passed >= PERIOD {
                (since, read_since) = (Instant::now(), 0);
            } else if read_since >= BYTES {
                sleep(PERIOD - passed).await;
            }
        }
        {
            let mut backlog = self.backlog();
            lines.end(|line, cut| backlog.hear(line, cut));
        }
        self.is_over.store(true, Ordering::Release);
        self.news.notify_one();
    }

    /// For so long, unless there is no more to come.
    async fn rest(&self, rest: Duration) {
        let until = Instant::now() + rest;
        while !self.is_over.load(Ordering::Acquire) {
            tokio::select! {
                () = sleep_until(until) => return,
                () = self.news.notified() => {}
            }
        }
    }

    fn tail(&self) -> Vec<String> {
        let mut room = WORDS;
        let backlog = self.backlog();
        let lines = backlog.last().map(|heard| Said::of(&heard.bytes, heard.cut, self.stream).line());
        let mut last: Vec<_> = lines
            .take_while(|line| {
                let fits = line.len() <= room;
                room = room.saturating_sub(line.len());
                fits
            })
            .collect();
        last.reverse();
        last
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
