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
    plugins: PathBuf,
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
                let plugins = path.join("plugin");
                let scratch = Self { path, plugins, _lock: lock };
                fs::create_dir(&scratch.plugins)?;
                return Ok(scratch);
            }
        }
    }

    /// The whole folder, which workers do not write to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The part of it that they write to, unless each writes to a folder of its own in memory.
    pub(super) fn plugins(&self) -> &Path {
        &self.plugins
    }
}

impl Scratch {
    /// Removes it. Blocks for as long as it takes to remove what a program has made.
    pub(super) fn remove(&self) {
        remove(&self.path);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
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

/// Removes it, also if a program has closed folders of its own, or has put more of them into each other than a stack is deep
/// or files may be open: each folder is emptied beside the others, not inside of them. Nothing runs in it any more; what
/// cannot be removed is found the next time.
fn remove(path: &Path) {
    let mut folders = vec![path.to_owned()];
    let mut moved = 0_u64;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let there = entry.path();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _ = fs::remove_file(there);
                continue;
            }
            // To be read, and to be moved.
            let _ = fs::set_permissions(&there, Permissions::from_mode(0o700));
            if folder == path {
                folders.push(there);
                continue;
            }
            moved += 1;
            let beside = path.join(format!("{}-{moved}", std::process::id()));
            if fs::rename(&there, &beside).is_ok() {
                folders.push(beside);
            }
        }
        let _ = fs::remove_dir(&folder);
    }
    // Its folders were in it until now.
    let _ = fs::remove_dir(path);
}

#[cfg(test)]
mod tests;
