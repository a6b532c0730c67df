//! What is to be run.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::Profile;

/// A program, its arguments and what it is given.
#[derive(Debug)]
pub struct Program {
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) streams: [Stream; 3],
}

/// Where one of the three standard streams goes. No other open file is handed on.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Stream {
    /// Nowhere.
    #[default]
    Null,
    /// Where the host's goes.
    Inherit,
    /// To an end of a pipe or socket; the host's copy is closed once the program runs.
    #[cfg(unix)]
    To(std::os::fd::OwnedFd),
}

#[cfg(unix)]
impl<T: Into<std::os::fd::OwnedFd>> From<T> for Stream {
    fn from(end: T) -> Self {
        Self::To(end.into())
    }
}

impl Program {
    /// The program at this path (no search in `PATH`), without arguments, its streams going nowhere.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), args: vec![], env: vec![], folder: None, streams: Default::default() }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable of its environment; of the host's it only gets those that the policy lists.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Its working folder; without, its own (see [`Basis::scratch`](crate::Basis::scratch)).
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Where its standard input comes from.
    #[must_use]
    pub fn stdin(mut self, stream: impl Into<Stream>) -> Self {
        self.streams[0] = stream.into();
        self
    }

    /// Where its standard output goes.
    #[must_use]
    pub fn stdout(mut self, stream: impl Into<Stream>) -> Self {
        self.streams[1] = stream.into();
        self
    }

    /// Where its standard error goes.
    #[must_use]
    pub fn stderr(mut self, stream: impl Into<Stream>) -> Self {
        self.streams[2] = stream.into();
        self
    }
}

/// Variables that say nothing but how to show text and time.
const LOCALE: [&str; 4] = ["LANG", "LANGUAGE", "LC_ALL", "TZ"];

/// The environment of a program before it adds its own: of the host's, what the policy lists.
pub(crate) fn environment(profile: Profile, listed: &[String], home: &Path) -> Vec<(OsString, OsString)> {
    if profile == Profile::None {
        return std::env::vars_os().collect();
    }
    let home = home.as_os_str();
    let own = [("PATH", OsStr::new("/usr/local/bin:/usr/bin:/bin")), ("HOME", home), ("TMPDIR", home)];
    let mut variables: Vec<_> = own.iter().map(|&(name, value)| (name.into(), value.into())).collect();
    let shown = std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| {
            LOCALE.contains(&name) || name.starts_with("LC_") || listed.iter().any(|listed| listed == name)
        })
    });
    for (name, value) in shown {
        variables.retain(|(own, _)| *own != name);
        variables.push((name, value));
    }
    variables
}
