//! A file of lines that several processes may write, and that is begun anew when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fs4::{FileExt, TryLockError};

/// So long another process may hold the file. The caller's thread waits, which may hold the lock of an interpreter or
/// serve other calls: it is for a line, not for a process that was stopped.
const PATIENCE: Duration = Duration::from_millis(10);
/// About as long as a line takes.
const LOCKED_FOR: Duration = Duration::from_micros(50);

/// Appends to a file. When it is full it becomes `path.1`, what was that `path.2`, and so on; the last is dropped.
///
/// Whoever holds the lock of the file that `path` names may write to it and move it away; nobody else touches the
/// numbered ones. A file that was moved away or deleted, by anyone, is noticed at the next line.
pub(super) struct RotatingFile {
    path: PathBuf,
    /// Once it is open.
    file: Option<File>,
    max_bytes: u64,
    keep: u32,
    sync: bool,
}

impl RotatingFile {
    /// Looks whether there can be such a file, and makes none.
    pub(super) fn new(path: PathBuf, max_bytes: u64, keep: u32, sync: bool) -> io::Result<Self> {
        match fs::metadata(&path) {
            Ok(there) => regular(&there)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                fs::metadata(folder.unwrap_or(Path::new(".")))?;
            }
            Err(error) => return Err(error),
        }
        Ok(Self { path, file: None, max_bytes, keep, sync })
    }

    /// Opens the file, and makes it if there is none. The first line does so, too.
    pub(super) fn open(&mut self) -> io::Result<&File> {
        match &mut self.file {
            Some(file) => Ok(file),
            closed => Ok(closed.insert(append_to(&self.path)?)),
        }
    }

    /// Writes a line, which never spans two files. If it cannot be written, nothing of it stays.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.lock()?;
        let written = self.write_locked(line);
        let sync = self.sync;
        let file = self.open()?;
        // To close the file would unlock it, too: there is nothing to do about an error.
        let _ = FileExt::unlock(file);
        written?;
        // Others need not wait for the disk.
        if sync { file.sync_data() } else { Ok(()) }
    }

    fn write_locked(&mut self, line: &[u8]) -> io::Result<()> {
        let mut length = self.open()?.metadata()?.len();
        if length > 0 && length + line.len() as u64 > self.max_bytes {
            self.rotate()?;
            self.lock()?;
            length = self.open()?.metadata()?.len();
        }
        let mut file = self.open()?;
        // Whoever wrote last may have been killed in the middle of a line.
        if length > 0 && last_byte(file)? != b'\n' {
            file.write_all(b"\n")?;
        }
        if let Err(error) = file.write_all(line) {
            let _ = file.set_len(length);
            return Err(error);
        }
        Ok(())
    }

    /// Locks the file that the path names now.
    fn lock(&mut self) -> io::Result<()> {
        loop {
            lock_in_time(self.open()?)?;
            if self.file.as_ref().map_or(Ok(false), |file| is_at(file, &self.path))? {
                return Ok(());
            }
            self.file = None;
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            move_if_there(&self.numbered(number), &self.numbered(number + 1))?;
        }
        if self.keep > 0 { fs::rename(&self.path, self.numbered(1)) } else { fs::remove_file(&self.path) }
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

/// Waits for a lock, but not for a process that was stopped while it held it.
fn lock_in_time(file: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match FileExt::try_lock(file) {
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => thread::sleep(LOCKED_FOR),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process does not release its lock",
                ));
            }
            locked => return Ok(locked?),
        }
    }
}

fn last_byte(mut file: &File) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens or makes the file. A pipe would block whoever opens it, and cannot be moved away.
fn append_to(path: &Path) -> io::Result<File> {
    if let Ok(there) = fs::metadata(path) {
        regular(&there)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn regular(there: &fs::Metadata) -> io::Result<()> {
    match there.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}

/// Whether the path names this very file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let there = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let here = file.metadata()?;
        Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
    }
    #[cfg(not(unix))]
    {
        // A file that is open cannot be moved away there.
        let _ = (file, there);
        Ok(true)
    }
}
