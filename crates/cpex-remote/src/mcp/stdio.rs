//! Serves a backend over the standard streams.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::thread;

use rustix::io::dup;
use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::config::StdioConfig;
use super::desk::{Desk, Turn};
use super::jsonrpc::{Fault, Message};
use super::lines::{Line, Lines};
use super::pending::Pending;
use crate::backend::{Backend, Event, Refusal};

/// Bytes that are read at a time.
const CHUNK: usize = 64 * 1024;
/// Messages that wait for their turn in either direction.
const QUEUE: usize = 64;

/// A message to be written, and the turn that lasts until it is.
type Said = (String, Turn);

/// Serves until the input or `stop` ends, then lets calls under way finish for a while.
///
/// The standard streams become the server's alone: whatever else in this process reads its input finds none, and what
/// it prints goes to standard error. They stay so afterwards.
///
/// # Errors
/// If the system does not give the streams.
pub async fn serve_stdio<B: Backend>(
    backend: Arc<B>,
    config: StdioConfig,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (mut input, mut output) = (File::from(dup(stdin())?), File::from(dup(stdout())?));
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(stderr())?;

    let (heard, lines) = mpsc::channel(QUEUE);
    let limit = config.message;
    // Reading cannot be given up: a thread of its own keeps nobody from ending the process.
    thread::Builder::new().name("cpex-stdin".to_owned()).spawn(move || {
        let (mut bytes, mut lines) = (vec![0; CHUNK], Lines::new(limit));
        loop {
            let found = match input.read(&mut bytes) {
                Ok(0) => break,
                Ok(read) => lines.feed(&bytes[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            for line in found {
                if heard.blocking_send(line).is_err() {
                    return;
                }
            }
        }
        // If nobody listens any more, nothing is lost.
        let _ = lines.finish().map(|line| heard.blocking_send(line));
    })?;
    let (say, mut said) = mpsc::channel::<Said>(QUEUE);
    let writer = thread::Builder::new().name("cpex-stdout".to_owned()).spawn(move || {
        while let Some((mut message, _turn)) = said.blocking_recv() {
            message.push('\n');
            if output.write_all(message.as_bytes()).and_then(|()| output.flush()).is_err() {
                return;
            }
        }
    })?;
    converse(backend, config, lines, say, stop).await;
    let written = tokio::task::spawn_blocking(move || writer.join());
    // A peer that does not read is not waited for.
    let _ = timeout(config.grace, written).await;
    Ok(())
}

/// Answers lines.
async fn converse<B: Backend>(
    backend: Arc<B>,
    config: StdioConfig,
    mut lines: mpsc::Receiver<Line>,
    say: mpsc::Sender<Said>,
    stop: impl Future<Output = ()>,
) {
    backend.observe(&Event::Opened);
    let desk = Arc::new(Desk::new(backend.clone(), config.message, config.call, config.calls));
    let pending = Arc::new(Pending::default());
    let mut answers = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let line = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = answers.join_next() => continue,
            line = lines.recv(), if answers.len() < config.calls.saturating_add(QUEUE) => line,
        };
        match line {
            None => break,
            Some(Line::Text(line)) => hear(line, &desk, &pending, &say, &mut answers),
            Some(Line::TooLong) => {
                backend.observe(&Event::Refused(Refusal::Size));
                let message = format!("a message of more than {} bytes is not taken", config.message);
                let fault = Fault::new(Fault::INVALID_REQUEST, message).message(None);
                let say = say.clone();
                answers.spawn(async move { say.send((fault, None)).await.unwrap_or(()) });
            }
        }
    }
    let draining = async { while answers.join_next().await.is_some() {} };
    let turning_away = async {
        while let Some(line) = lines.recv().await {
            turn_away(line, &desk, &pending, &say).await;
        }
        // There is nobody to turn away any more.
        std::future::pending::<()>().await;
    };
    let drained = timeout(config.grace, async {
        tokio::select! {
            () = draining => {}
            () = turning_away => {}
        }
    });
    if drained.await.is_err() {
        answers.shutdown().await;
    }
    backend.observe(&Event::Closed(None));
}

/// Answers a line that comes too late: calls under way can be given up still, and nothing new is taken.
async fn turn_away<B: Backend>(line: Line, desk: &Desk<B>, pending: &Pending, say: &mpsc::Sender<Said>) {
    let Line::Text(line) = line else { return };
    match Message::read(&line) {
        Ok(Message::Notification { method, params }) => desk.note(&method, params, pending),
        Ok(Message::Request { id, .. }) => {
            let fault = Fault::new(Fault::STOPPING, "the server is stopping: the request was not taken");
            // If nobody reads any more, nobody waits for it.
            let _ = say.send((fault.message(Some(&id)), None)).await;
        }
        Ok(Message::Answer { .. } | Message::Stray) | Err(_) => {}
    }
}

fn hear<B: Backend>(
    line: Vec<u8>,
    desk: &Arc<Desk<B>>,
    pending: &Arc<Pending>,
    say: &mpsc::Sender<Said>,
    answers: &mut JoinSet<()>,
) {
    // What gives a call up must not wait behind it.
    if let Ok(Message::Notification { method, params }) = Message::read(&line) {
        return desk.note(&method, params, pending);
    }
    let (desk, pending, say) = (desk.clone(), pending.clone(), say.clone());
    answers.spawn(async move {
        let answer = match Message::read(&line) {
            Ok(Message::Request { id, method, params }) => desk.answer(&id, &method, params, &pending).await,
            Ok(_) => return,
            Err(fault) => (fault.message(None), None),
        };
        // If nobody reads any more, nobody waits for it.
        let _ = say.send(answer).await;
    });
}
