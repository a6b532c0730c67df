//! The environments in a plugin's folder: found, sealed, pointed to, removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};
use serde::{Deserialize, Serialize};

use super::metadata::Metadata;

const SEAL: &str = "cpex-environment.json";
const CURRENT: &str = ".current";
const REFUSAL: &str = "refused.json";

/// How much of the fingerprint is in a folder's name: paths have a limit.
const SHORT: usize = 12;

/// What a whole environment says of itself.
#[derive(Deserialize, Serialize)]
pub(super) struct Seal {
    pub(super) fingerprint: String,
    pub(super) python: String,
    pub(super) cpex: String,
}

/// An environment that was built, and that nobody could use.
#[derive(Deserialize, Serialize)]
struct Refusal {
    fingerprint: String,
    reason: String,
}

/// The environments of one plugin.
pub(super) struct Store {
    home: PathBuf,
}

impl Store {
    pub(super) fn at(home: &Path) -> Self {
        Self { home: home.to_owned() }
    }

    /// Where CPEX 0.1.x looks.
    pub(super) fn venv(&self) -> PathBuf {
        self.home.join(".venv")
    }

    fn state(&self) -> PathBuf {
        self.home.join(".cpex")
    }

    fn environments(&self) -> PathBuf {
        self.state().join("venvs")
    }

    fn metadata(&self) -> PathBuf {
        self.state().join("venv_cache").join(".venv_metadata.json")
    }

    /// Makes the folders, and opens the file that who builds holds a lock on.
    pub(super) fn lock_file(&self) -> io::Result<File> {
        fs::create_dir_all(self.environments())?;
        let ignored = self.state().join(".gitignore");
        if !ignored.exists() {
            fs::write(ignored, "*\n")?;
        }
        OpenOptions::new().create(true).truncate(false).write(true).open(self.state().join("build.lock"))
    }

    /// A whole environment with this fingerprint, the newest one, held.
    pub(super) fn find(&self, fingerprint: &str) -> Option<(PathBuf, File)> {
        let mut found = fs::read_dir(self.environments())
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .filter(|folder| seal_of(folder).is_some_and(|seal| seal.fingerprint == fingerprint))
            .collect::<Vec<_>>();
        found.sort_by_key(|folder| fs::metadata(folder.join(SEAL)).and_then(|seal| seal.modified()).ok());
        found.into_iter().rev().find_map(|folder| hold(&folder).map(|held| (folder, held)))
    }

    /// All whole environments, held.
    pub(super) fn all(&self) -> Vec<(PathBuf, File)> {
        let folders =
            fs::read_dir(self.environments()).into_iter().flatten().flatten().map(|entry| entry.path());
        folders.filter_map(|folder| hold(&folder).map(|held| (folder, held))).collect()
    }

    /// The environment that CPEX 0.1.x has built, if it goes for the one wanted.
    pub(super) fn find_foreign(&self, wanted: &Metadata) -> Option<(PathBuf, File)> {
        let venv = self.venv();
        let is_theirs = venv.is_dir() && !venv.is_symlink() && !venv.join(CURRENT).is_symlink();
        let metadata = Metadata::read(&self.metadata()).filter(|found| found.fingerprint.is_none())?;
        (is_theirs && metadata.goes_for(wanted)).then_some(())?;
        let held = File::open(venv.join("pyvenv.cfg")).ok()?;
        Some((venv, held))
    }

    /// A folder for a new environment, that nothing is in. The lock is held.
    pub(super) fn begin(&self, fingerprint: &str) -> io::Result<PathBuf> {
        let prefix = format!("{}-", fingerprint.get(..SHORT).unwrap_or(fingerprint));
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(self.environments())?.keep();
        // Not for its maker only, as temporary folders are.
        #[cfg(unix)]
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(folder)
    }

    /// Says that an environment is whole, once all of it has reached the disk.
    pub(super) fn seal(&self, folder: &Path, seal: &Seal) -> io::Result<()> {
        flush(folder)?;
        replace(&folder.join(SEAL), &serde_json::to_vec_pretty(seal)?)
    }

    /// The file that says what was built in vain.
    pub(super) fn refusal(&self) -> PathBuf {
        self.state().join(REFUSAL)
    }

    /// Why an environment with this fingerprint could not be used when it was built last.
    pub(super) fn refused(&self, fingerprint: &str) -> Option<String> {
        let refusal: Refusal = serde_json::from_slice(&fs::read(self.refusal()).ok()?).ok()?;
        (refusal.fingerprint == fingerprint).then_some(refusal.reason)
    }

    /// Remembers that. The lock is held.
    pub(super) fn refuse(&self, fingerprint: &str, reason: &str) -> io::Result<()> {
        let refusal = Refusal { fingerprint: fingerprint.to_owned(), reason: reason.to_owned() };
        replace(&self.refusal(), &serde_json::to_vec_pretty(&refusal)?)
    }

    /// Forgets what was built in vain. The lock is held.
    pub(super) fn forgive(&self) -> io::Result<()> {
        remove_if_there(&self.refusal())
    }

    /// Makes `.venv` lead to an environment, and says what it was made from. Somebody's own `.venv` is left alone.
    pub(super) fn point_to(&self, folder: &Path, metadata: &Metadata) -> io::Result<()> {
        let venv = self.venv();
        let is_ours = venv.join(CURRENT).is_symlink();
        let is_theirs = Metadata::read(&self.metadata()).is_some_and(|found| found.fingerprint.is_none());
        // Without it, `.venv` is nobody's: in no moment does it go for something that it is not.
        remove_if_there(&self.metadata())?;
        if venv.is_symlink() || (venv.exists() && !is_ours && !is_theirs) {
            return Ok(());
        }
        if venv.exists() && !is_ours {
            fs::rename(&venv, self.begin("replaced")?.join(".venv"))?;
        }
        link(&venv, folder)?;
        if let Some(parent) = self.metadata().parent() {
            fs::create_dir_all(parent)?;
        }
        replace(&self.metadata(), &serde_json::to_vec_pretty(metadata)?)
    }

    /// Removes what is not whole and what nobody holds, but for one. The lock is held.
    pub(super) fn sweep(&self, but: Option<&Path>) {
        for entry in fs::read_dir(self.environments()).into_iter().flatten().flatten() {
            let folder = entry.path();
            if but == Some(&folder) {
                continue;
            }
            let alone = hold_alone(&folder);
            if alone.is_some() || seal_of(&folder).is_none() {
                remove(&folder);
            }
        }
    }
}

/// Removes an environment, the seal first: what is left, if anything, passes for none, and the next build tries again.
pub(super) fn remove(folder: &Path) {
    if remove_if_there(&folder.join(SEAL)).is_ok() {
        let _ = fs::remove_dir_all(folder);
    }
}

fn seal_of(folder: &Path) -> Option<Seal> {
    serde_json::from_slice(&fs::read(folder.join(SEAL)).ok()?).ok()
}

/// Holds an environment, unless it is being removed. Where there are no locks, nothing is removed either.
pub(super) fn hold(folder: &Path) -> Option<File> {
    let file = File::open(folder.join("pyvenv.cfg")).ok()?;
    if let Err(TryLockError::WouldBlock) = FileExt::try_lock_shared(&file) {
        return None;
    }
    seal_of(folder).map(|_| file)
}

fn hold_alone(folder: &Path) -> Option<File> {
    let file = File::open(folder.join("pyvenv.cfg")).ok()?;
    FileExt::try_lock(&file).ok().map(|()| file)
}

/// Makes `.venv`: a real folder, which CPEX 0.1.x can remove, whose entries lead through one link. To replace that link
/// is one step.
#[cfg(unix)]
fn link(venv: &Path, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::symlink;

    let home = venv.parent().unwrap_or(venv);
    let target = Path::new("..").join(folder.strip_prefix(home).unwrap_or(folder));
    fs::create_dir_all(venv)?;
    let new = venv.join(".new");
    remove_if_there(&new)?;
    symlink(target, &new)?;
    fs::rename(new, venv.join(CURRENT))?;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        match symlink(Path::new(CURRENT).join(&name), venv.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    sync_folder(venv)
}

/// Links take rights on Windows: there `.venv` is left to others.
#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Replaces a file as one step, also across a power failure.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(file);
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(content)?;
    #[cfg(unix)]
    new.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    sync_folder(folder)
}

fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Waits until all that was written below a folder has reached the disk.
#[cfg(target_os = "linux")]
fn flush(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn flush(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            flush(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}
