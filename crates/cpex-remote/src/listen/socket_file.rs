//! The file of a socket: only its owner may connect, and nothing of others' is removed.

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::error::BindError;

const OWNER_ONLY: u32 = 0o600;
const OWNER_ENTERS: u32 = 0o700;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// The file of a listening socket, removed when dropped if it is still that one.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity) {
            // Nobody is left to be told if it cannot be removed; the next server replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, in the place of a socket that nobody serves any more.
///
/// The socket is made in a directory that only this user may enter and then moved: at no moment could others connect.
pub(crate) fn listen(path: &Path) -> Result<(UnixListener, SocketFile), BindError> {
    let failed = |source| BindError::Io { address: path.display().to_string(), source };
    let directory = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(BindError::NoDirectory(path.to_owned())),
    };
    let found = fs::metadata(directory).map_err(|_| BindError::NoDirectory(path.to_owned()))?;
    if !found.is_dir() {
        return Err(BindError::NoDirectory(path.to_owned()));
    }
    check_place(path)?;

    // Its name is short, for the path of a socket is limited to about a hundred bytes.
    let private = tempfile::Builder::new()
        .prefix(".")
        .permissions(Permissions::from_mode(OWNER_ENTERS))
        .tempdir_in(directory)
        .map_err(failed)?;
    let user = fs::metadata(private.path()).map_err(failed)?.uid();
    check_directory(path, &found, user)?;
    let made = private.path().join("s");
    let listener = UnixListener::bind(&made).map_err(failed)?;
    fs::set_permissions(&made, Permissions::from_mode(OWNER_ONLY)).map_err(failed)?;
    let identity = identity(&fs::symlink_metadata(&made).map_err(failed)?);
    fs::rename(&made, path).map_err(failed)?;
    Ok((listener, SocketFile { path: path.to_owned(), identity }))
}

/// May a socket be put there?
fn check_place(path: &Path) -> Result<(), BindError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(BindError::NotASocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(BindError::InUse(path.to_owned())),
        _ => Ok(()),
    }
}

/// Could anybody else put another socket there?
fn check_directory(path: &Path, directory: &Metadata, user: u32) -> Result<(), BindError> {
    if directory.mode() & OTHERS_WRITE != 0 && directory.mode() & STICKY == 0 {
        return Err(BindError::OpenDirectory(path.to_owned()));
    }
    if directory.uid() != user && directory.uid() != 0 {
        return Err(BindError::ForeignDirectory(path.to_owned()));
    }
    Ok(())
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
