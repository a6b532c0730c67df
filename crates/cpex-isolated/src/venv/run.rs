//! One command of a build: ended when it takes too long or nobody wants it any more, and quoted when it fails.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::build::Watcher;
use super::error::{BuildError, Step};
use super::recipe::Recipe;
use super::scrub::Scrub;

const LINES: usize = 40;
const BYTES: usize = 16 * 1024;

/// Between two looks at a command.
const PAUSE: Duration = Duration::from_millis(20);

/// For what a command has left behind and that keeps its standard error open.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the commands of a build.
pub(super) struct Runner<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) watcher: &'a mut dyn Watcher,
    pub(super) scrub: Scrub,
    /// What commands see, besides what they set.
    pub(super) variables: Vec<(OsString, OsString)>,
    pub(super) began: Instant,
    /// Every command holds it, too, as its standard input: should we be killed, nobody else builds before it has ended.
    pub(super) lock: &'a File,
}

impl Runner<'_> {
    /// Runs a command to its end.
    pub(super) fn run(&mut self, step: Step, command: &Command) -> Result<(), BuildError> {
        let (shown, limit) = (self.shown(command), self.recipe.time_limit);
        let mut command = self.guarded(command);
        let not_started = |source| BuildError::NotStarted { step, command: shown.clone(), source };
        let (reader, writer) = io::pipe().map_err(not_started)?;
        command.stdin(self.lock.try_clone().map_err(not_started)?);
        // `venv` says there what it lacks; pip and uv only what they do.
        match step {
            Step::Make => command.stdout(writer.try_clone().map_err(not_started)?),
            _ => command.stdout(Stdio::null()),
        };
        command.stderr(writer);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(not_started)?;
        // It has our ends of the pipe, which would keep it open.
        drop(command);
        let written = Tail::of(reader);
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    let stderr = self.scrub.text(&written.lines());
                    let installs = step == Step::Install;
                    return Err(BuildError::Failed {
                        step,
                        requirements: self.recipe.requirements.clone().filter(|_| installs),
                        is_offline: installs && self.recipe.sources.offline,
                        command: shown,
                        code: status.code(),
                        stderr,
                    });
                }
                Err(source) => {
                    end(&mut child);
                    return Err(BuildError::NotStarted { step, command: shown, source });
                }
                Ok(None) => {}
            }
            if self.watcher.is_cancelled() {
                end(&mut child);
                return Err(BuildError::Cancelled { step });
            }
            if self.began.elapsed() >= limit {
                end(&mut child);
                let stderr = self.scrub.text(&written.lines());
                return Err(BuildError::TimedOut { step, after: limit, stderr });
            }
            thread::sleep(PAUSE);
        }
    }

    /// The command behind the guard, which ends it with us, and with all that it may see.
    fn guarded(&self, command: &Command) -> Command {
        let mut words = self.recipe.guard.iter().map(OsString::as_os_str).chain(words_of(command));
        let mut guarded = Command::new(words.next().unwrap_or_default());
        guarded.args(words).env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        guarded.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            guarded.current_dir(folder);
        }
        guarded
    }

    fn shown(&self, command: &Command) -> String {
        let words = words_of(command).map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>();
        self.scrub.text(&words.join(" "))
    }
}

fn words_of(command: &Command) -> impl Iterator<Item = &OsStr> {
    [command.get_program()].into_iter().chain(command.get_args())
}

/// Ends a command and what it has started.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It has not been waited for, so the group is still its own.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The end of what a command writes.
struct Tail {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: mpsc::Receiver<()>,
}

impl Tail {
    fn of(written: PipeReader) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (end, ended) = mpsc::channel();
        let kept = bytes.clone();
        thread::spawn(move || {
            keep(written, &kept);
            drop(end);
        });
        Self { bytes, ended }
    }

    fn lines(&self) -> String {
        let _ = self.ended.recv_timeout(GRACE);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().collect::<Vec<_>>();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

fn keep(mut written: PipeReader, bytes: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 4096];
    loop {
        match written.read(&mut chunk) {
            Ok(0) => return,
            Ok(length) => {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&chunk[..length]);
                if bytes.len() > 2 * BYTES {
                    let cut = bytes.len() - BYTES;
                    // Whole lines: half a URL does not look like one, and would show its password.
                    let line = bytes[cut..].iter().position(|byte| *byte == b'\n');
                    let cut = line.map_or(bytes.len(), |line| cut + line + 1);
                    bytes.drain(..cut);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
