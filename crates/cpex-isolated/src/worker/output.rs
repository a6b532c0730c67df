//! What a worker prints: into the log, line by line, and no faster than the log may grow.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const CHUNK: usize = 16 * 1024;

/// Bytes of a line; what is longer is cut.
const LINE: usize = 4 * 1024;

/// Lines of a period that come into the log; the others are counted.
const LINES: usize = 100;

/// Bytes of a period that are read of a stream. Who prints more waits.
const BYTES: usize = 1024 * 1024;

const PERIOD: Duration = Duration::from_secs(1);

/// Lines that are kept to explain a failed start.
const KEPT: usize = 10;

/// Both streams of one worker.
#[derive(Debug)]
pub(super) struct Output {
    plugin: String,
    state: Mutex<State>,
    /// Streams that have not ended.
    open: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    since: Instant,
    lines: usize,
    last: VecDeque<String>,
}

impl Output {
    pub(super) fn new(plugin: &str) -> Arc<Self> {
        let state = State { since: Instant::now(), lines: 0, last: VecDeque::new() };
        Arc::new(Self { plugin: plugin.to_owned(), state: Mutex::new(state), open: watch::Sender::new(0) })
    }

    /// What was printed last, when all of it has been read. What the process has started may go on printing: that is not
    /// waited for.
    pub(super) async fn whole(&self) -> String {
        let _ = timeout(PERIOD, self.open.subscribe().wait_for(|open| *open == 0)).await;
        self.last_lines()
    }

    /// What was printed last.
    pub(super) fn last_lines(&self) -> String {
        self.state().last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Reads a stream to its end. Needs a runtime.
    pub(super) fn capture(self: &Arc<Self>, stream: OwnedFd) -> io::Result<()> {
        let mut stream = Receiver::from_owned_fd(stream)?;
        let output = self.clone();
        self.open.send_modify(|open| *open += 1);
        tokio::spawn(async move {
            let (mut chunk, mut line) = (vec![0; CHUNK], Line::default());
            let (mut since, mut read_since) = (Instant::now(), 0);
            while let Ok(read @ 1..) = stream.read(&mut chunk).await {
                for byte in &chunk[..read] {
                    if let Some(text) = line.feed(*byte) {
                        output.say(text);
                    }
                }
                read_since += read;
                let passed = since.elapsed();
                if passed >= PERIOD {
                    (since, read_since) = (Instant::now(), 0);
                } else if read_since >= BYTES {
                    tracing::warn!(
                        plugin = output.plugin,
                        "the worker of an isolated plugin prints too much"
                    );
                    sleep(PERIOD - passed).await;
                }
            }
            line.end().into_iter().for_each(|text| output.say(text));
            output.open.send_modify(|open| *open -= 1);
        });
        Ok(())
    }

    fn say(&self, text: String) {
        let plugin = &*self.plugin;
        let mut state = self.state();
        if state.since.elapsed() >= PERIOD {
            let untold = state.lines.saturating_sub(LINES);
            (state.since, state.lines) = (Instant::now(), 0);
            if untold > 0 {
                tracing::warn!(plugin, untold, "lines that an isolated plugin printed are left out");
            }
        }
        state.lines += 1;
        let is_told = state.lines <= LINES;
        if state.last.len() == KEPT {
            state.last.pop_front();
        }
        state.last.push_back(text.clone());
        drop(state);
        if is_told {
            tracing::info!(plugin, "{text}");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line that is being read.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    cut: bool,
}

impl Line {
    fn feed(&mut self, byte: u8) -> Option<String> {
        match byte {
            b'\n' => self.end(),
            _ if self.bytes.len() < LINE => {
                self.bytes.push(byte);
                None
            }
            _ => {
                self.cut = true;
                None
            }
        }
    }

    fn end(&mut self) -> Option<String> {
        let (bytes, cut) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.cut));
        if bytes.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches('\r');
        // A log is read in a terminal, which would obey them.
        let shown = |letter: char| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter };
        Some(text.chars().map(shown).chain(cut.then_some('…')).collect())
    }
}
