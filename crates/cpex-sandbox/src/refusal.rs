//! What cannot be had, and what is therefore not done.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use crate::Profile;

/// Something that a policy asks for and this system does not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Missing {
    /// What is open because of it.
    pub gap: Gap,
    /// Why.
    pub why: String,
}

/// What is open when something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Gap {
    /// Nothing is contained at all.
    Everything,
    /// The child reads and writes whatever its user may.
    Files,
    /// The child makes any system call, and connects wherever the host may.
    SystemCalls,
    /// The child may be seen by, and see, other processes of its user, and what it starts may outlive it.
    Processes,
    /// It may send signals to other processes of its user.
    Signals,
    /// If a system call is missed, the host's network is within reach.
    Network,
    /// Permissions, owners and times of files that belong to its user can be changed.
    Attributes,
    /// All its files together can be larger than its folder may be, up to a full disk.
    Scratch,
    /// Connections to listed hosts cannot be brokered: none can be made.
    Hosts,
    /// Listed hosts can only be connected to by address: names are not resolved.
    Names,
    /// The number of its processes is not limited, or to a larger one.
    ProcessCount,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everything => "nothing is contained",
            Self::Files => "files are only protected by their permissions",
            Self::SystemCalls => "system calls and connections are not filtered",
            Self::Processes => "other processes can be seen, and what the program starts may outlive it",
            Self::Signals => "other processes of this user can be sent signals",
            Self::Network => "nothing but the filter of system calls keeps it from the network",
            Self::Attributes => "permissions and times of this user's files can be changed",
            Self::Scratch => "nothing but the disk limits the program's own folder",
            Self::Names => "names of listed hosts are not resolved",
            Self::Hosts => "connections cannot be brokered: none can be made",
            Self::ProcessCount => "the number of processes is not limited as it should be",
        })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.gap, self.why)
    }
}

/// Why a program may not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Profile `strict`, and this system does not give all of it.
    #[error("profile `{profile}` asks for what this system does not give: {}", list(.missing))]
    Missing {
        /// The profile that insists.
        profile: Profile,
        /// What it lacks.
        missing: Vec<Missing>,
    },
    /// A path of the policy or the basis cannot be opened.
    #[error("`{key}`: {}: {source}", .path.display())]
    Path {
        /// Where it was written: `read[0]`, `write[2]`, `scratch`, …
        key: String,
        /// The path, made absolute.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The system failed at something that it should be able to do.
    #[error("the sandbox cannot be prepared: {0}")]
    System(String),
}

fn list(missing: &[Missing]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
