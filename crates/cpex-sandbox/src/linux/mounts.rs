//! Mounts of a child: everything read-only but its own folders. Landlock keeps files from being opened; only this keeps
//! their permissions, owners and times, and bounds all files of a folder together.

use std::ffi::{CStr, CString};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change,
};

/// What is mounted, in this order.
#[derive(Debug)]
pub(super) struct Mounts {
    writable: Vec<CString>,
    /// Where a folder in memory is, the child's own, and what limits it.
    scratch: Option<(CString, CString)>,
    /// A file that takes the place of `/etc/hosts`.
    hosts: Option<CString>,
}

impl Mounts {
    pub(super) fn new(
        writable: &[PathBuf],
        scratch: Option<(&Path, u64)>,
        hosts: Option<&Path>,
    ) -> io::Result<Self> {
        let text = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes()).map_err(io::Error::from);
        let in_memory = |(path, bytes)| Ok::<_, io::Error>((text(path)?, CString::new(options(bytes))?));
        Ok(Self {
            writable: writable.iter().map(|path| text(path)).collect::<Result<_, _>>()?,
            scratch: scratch.map(in_memory).transpose()?,
            hosts: hosts.map(text).transpose()?,
        })
    }

    /// Async-signal-safe.
    pub(super) fn apply(&self) -> Result<(), Errno> {
        detach()?;
        for path in &self.writable {
            mount_bind_recursive(path.as_c_str(), path.as_c_str())?;
        }
        if let Some((path, options)) = &self.scratch {
            mount_memory(path, options)?;
        }
        if let Some(hosts) = &self.hosts {
            mount_bind(hosts.as_c_str(), c"/etc/hosts")?;
        }
        set_attributes(c"/", READ_ONLY, 0)?;
        for path in self.writable.iter().chain(self.scratch.iter().map(|(path, _)| path)) {
            match set_attributes(path, 0, READ_ONLY) {
                // It is read-only for the host, too.
                Ok(()) | Err(Errno::PERM) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// Tries what `apply` needs. Async-signal-safe.
pub(super) fn trial() -> Result<(), Errno> {
    detach()?;
    mount_memory(c"/", c"size=4096")?;
    set_attributes(c"/", READ_ONLY, 0)
}

/// Of a folder with so many bytes. Files take memory that no byte of theirs counts, so their number is limited, too.
fn options(bytes: u64) -> String {
    const LEAST_OF_A_FILE: u64 = 4096;
    format!("size={bytes},nr_inodes={},mode=0700", bytes.div_ceil(LEAST_OF_A_FILE))
}

/// Async-signal-safe.
fn mount_memory(path: &CStr, options: &CStr) -> Result<(), Errno> {
    mount(c"cpex", path, c"tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)
}

/// Lets no mount made here be seen by the host. Async-signal-safe.
fn detach() -> Result<(), Errno> {
    mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

/// `MOUNT_ATTR_RDONLY`
const READ_ONLY: u64 = 1;

/// `struct mount_attr`
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Of a mount and all below it.
fn set_attributes(path: &CStr, set: u64, clear: u64) -> Result<(), Errno> {
    let attributes = Attributes { set, clear, propagation: 0, user_namespace: 0 };
    // SAFETY: the path ends in NUL; the attributes are laid out as the kernel's, and their size is told.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL))
    }
}
