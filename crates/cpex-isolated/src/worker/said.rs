//! What a worker says: lines that it prints, and records of its log.
//!
//! A record is a line of the standard error as well, a JSON text of RFC 7464: the control character `RS`, an object, and the
//! end of the line. Whatever is printed between two of them, by whoever has the stream, no record is lost or taken for
//! another.

use serde::Deserialize;
use tracing::Level;

/// Where a record begins.
const RS: u8 = 0x1e;

/// Bytes of a line; what is longer is cut.
const LINE: usize = 4 * 1024;

/// Bytes of a record, which may have a traceback.
const RECORD: usize = 64 * 1024;

/// Characters of the name of a logger.
const NAME: usize = 128;

/// Before each further line of a record: none of them passes for a record of its own.
const INDENT: &str = "\n  | ";

/// Where a worker says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    /// Records come here, too.
    Err,
}

impl Stream {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// Puts lines together.
#[derive(Debug)]
pub(super) struct Lines {
    stream: Stream,
    bytes: Vec<u8>,
    cut: bool,
}

impl Lines {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, bytes: Vec::new(), cut: false }
    }

    /// More was read. Lines that are whole now are handed on, and whether they were cut; empty ones are not.
    pub(super) fn feed(&mut self, mut read: &[u8], mut hand_on: impl FnMut(&[u8], bool)) {
        let begins = |byte: u8| byte == RS && self.stream == Stream::Err;
        while let Some(at) = read.iter().position(|byte| *byte == b'\n' || begins(*byte)) {
            push(&mut self.bytes, &mut self.cut, &read[..at]);
            hand_over(&mut self.bytes, &mut self.cut, &mut hand_on);
            // A record is known by its first byte.
            let next = at + usize::from(read[at] == b'\n');
            if next == at {
                self.bytes.push(RS);
            }
            read = &read[at + 1..];
        }
        push(&mut self.bytes, &mut self.cut, read);
    }

    /// There is nothing more to come.
    pub(super) fn end(&mut self, mut hand_on: impl FnMut(&[u8], bool)) {
        hand_over(&mut self.bytes, &mut self.cut, &mut hand_on);
    }
}

fn push(bytes: &mut Vec<u8>, cut: &mut bool, more: &[u8]) {
    let most = if bytes.first() == Some(&RS) { RECORD } else { LINE };
    let room = most.saturating_sub(bytes.len());
    *cut |= more.len() > room;
    bytes.extend_from_slice(&more[..more.len().min(room)]);
}

fn hand_over(bytes: &mut Vec<u8>, cut: &mut bool, hand_on: &mut impl FnMut(&[u8], bool)) {
    if !bytes.is_empty() {
        hand_on(bytes, *cut);
    }
    bytes.clear();
    *cut = false;
}

/// A line that was printed, or a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) level: Level,
    /// Of a record: its level, as Python's `logging` counts, and its logger.
    pub(super) number: Option<u32>,
    pub(super) logger: Option<String>,
    pub(super) text: String,
    pub(super) traceback: Option<String>,
}

/// What a worker writes of a record.
#[derive(Deserialize)]
struct Record {
    /// As Python's `logging` counts.
    level: u32,
    logger: String,
    message: String,
    traceback: Option<String>,
}

impl Said {
    pub(super) fn of(line: &[u8], cut: bool, stream: Stream) -> Self {
        let record = line.strip_prefix(&[RS]).filter(|_| stream == Stream::Err);
        match record.and_then(|text| serde_json::from_slice(text).ok()) {
            Some(Record { level, logger, message, traceback }) => Self {
                level: match level {
                    40.. => Level::ERROR,
                    30.. => Level::WARN,
                    20.. => Level::INFO,
                    _ => Level::DEBUG,
                },
                number: Some(level),
                logger: Some(shown(&logger.replace('\n', " ")).chars().take(NAME).collect()),
                text: shown(&message),
                traceback: traceback.map(|traceback| shown(&format!("\n{traceback}")).split_off(1)),
            },
            None => Self {
                level: if stream == Stream::Err { Level::WARN } else { Level::INFO },
                number: None,
                logger: None,
                text: printed(line, cut),
                traceback: None,
            },
        }
    }

    /// Into the log.
    pub(super) fn tell(&self, plugin: &str, process: Option<u32>) {
        let Self { level, number, logger, text, traceback } = self;
        let (levelno, logger, traceback) = (*number, logger.as_deref(), traceback.as_deref());
        match *level {
            Level::ERROR => tracing::error!(plugin, process, levelno, logger, traceback, "{text}"),
            Level::WARN => tracing::warn!(plugin, process, levelno, logger, traceback, "{text}"),
            Level::INFO => tracing::info!(plugin, process, levelno, logger, traceback, "{text}"),
            _ => tracing::debug!(plugin, process, levelno, logger, traceback, "{text}"),
        }
    }

    /// For who reads of it elsewhere than in a log.
    pub(super) fn line(self) -> String {
        let Self { level, logger, text, traceback, .. } = self;
        let text = match logger {
            Some(logger) => format!("{level} {logger}: {text}"),
            None => text,
        };
        match traceback {
            Some(traceback) => format!("{text}\n{traceback}"),
            None => text,
        }
    }
}

fn printed(line: &[u8], cut: bool) -> String {
    let whole = line.get(..LINE).unwrap_or(line);
    let mut text = shown(String::from_utf8_lossy(whole).trim_end_matches('\r'));
    if cut || whole.len() < line.len() {
        text.push('…');
    }
    text
}

/// A log is read in a terminal, which would obey control characters.
fn shown(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter };
    let mut lines = text.split('\n').map(|line| line.chars().map(shown).collect::<String>());
    let first = lines.next().unwrap_or_default();
    lines.fold(first, |text, line| text + INDENT + &line)
}

#[cfg(test)]
mod tests;
