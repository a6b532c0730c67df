//! What a program needs to run.

use std::path::PathBuf;

/// What the program itself needs, whatever the policy says. The loader, the C library, certificates and time zones of the
/// system are always readable.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Basis {
    /// What relative paths of a policy are relative to; an absolute path.
    pub root: PathBuf,
    /// Files and folders that are read or executed: the interpreter, its libraries, an environment, code.
    pub read: Vec<PathBuf>,
    /// An empty folder for what the child may write to: in it is its `HOME`, `TMPDIR` and, unless the program says otherwise,
    /// its working folder. If the policy limits that, and the system can, it is in memory, and each child has one of its own,
    /// which nobody else sees and which goes with it. The folder must exist; who made it removes it.
    pub scratch: PathBuf,
    /// Where files are made that the child reads and does not write; the system's folder for temporary files, unless another is
    /// named.
    pub files: PathBuf,
}

impl Basis {
    /// A program that needs nothing but the system.
    pub fn new(root: impl Into<PathBuf>, scratch: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), read: Vec::new(), scratch: scratch.into(), files: std::env::temp_dir() }
    }

    /// Makes files for the child in this folder, which must be beside what it may write to.
    #[must_use]
    pub fn files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files = folder.into();
        self
    }

    /// Also reads this file, or this folder and all in it.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.push(path.into());
        self
    }
}
