//! The folder of contained workers. It does not stay behind: a host that is killed leaves it to the next one.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs4::FileExt;
use rustix::fs::{Mode, OFlags};

const PREFIX: &str = "cpex-scratch-";

/// A folder for this process and what it starts. Dropping it removes the folder.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    home: PathBuf,
    /// Says, as long as this process lives, that somebody has a use for the folder.
    _lock: File,
}

impl Scratch {
    /// Makes one, and removes those whose hosts are gone.
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        loop {
            let path = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?.keep();
            // Between the two another process may take it for one that was left behind.
            if let Some(lock) = lock(&path) {
                let home = path.join("home");
                let scratch = Self { path, home, _lock: lock };
                fs::create_dir(&scratch.home)?;
                return Ok(scratch);
            }
        }
    }

    /// The whole folder, which workers do not write to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The part of it that they write to.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes what hosts that were killed have left.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && let Some(_lock) = lock(&entry.path())
        {
            remove(&entry.path());
        }
    }
}

/// Takes a folder, if it is this user's and nobody has it.
fn lock(path: &Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let locked = folder.metadata().ok()?;
    if locked.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    FileExt::try_lock(&folder).ok()?;
    // It may have been removed meanwhile.
    let there = fs::symlink_metadata(path).ok()?;
    ((there.dev(), there.ino()) == (locked.dev(), locked.ino())).then_some(folder)
}

/// Removes it, also if a program has closed folders of its own. Nothing runs in it any more.
fn remove(path: &Path) {
    if fs::remove_dir_all(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        open_up(path);
        // What is left is found the next time.
        let _ = fs::remove_dir_all(path);
    }
}

fn open_up(folder: &Path) {
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests;
