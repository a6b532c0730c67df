//! What is allowed, as it is written in a configuration.

mod limits;
pub(crate) mod network;
mod read;

use std::path::PathBuf;

pub use self::limits::{Bytes, Limits};
pub use self::network::{Endpoint, Host, Network};

/// Where a policy starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// Nothing is contained. The child still dies with its parent and inherits no open file.
    None,
    /// Everything that this kernel can do; what it can't is told.
    #[default]
    Default,
    /// As `default`, with tighter limits and no child process; what the kernel can't do is a refusal.
    Strict,
}

/// What a child may do.
///
/// As serde reads it: the name of a [`Profile`], or a mapping that starts from one (`default` unless `profile` says
/// otherwise). A key that is not given has the profile's value.
///
/// | key | value | `default` | `strict` |
/// |---|---|---|---|
/// | `network` | `none`, `loopback`, `all`, or a list of `host:port` | `none` | `none` |
/// | `read`, `write` | lists of paths beside those of the [`Basis`](crate::Basis) | none | none |
/// | `env` | names of variables that are handed on, beside a few of the locale | none | none |
/// | `memory` | bytes, or a text as `512MiB` | 2 GiB | 512 MiB |
/// | `cpu_seconds` | seconds of CPU time over the child's whole life | unlimited | 3,600 |
/// | `processes` | child processes at one time | 32 | 0 |
/// | `threads` | threads at one time, beside the first of each process | 128 | 128 |
/// | `file_size` | bytes of one file | 256 MiB | 64 MiB |
/// | `scratch` | bytes of all files in its own folder | 256 MiB | 64 MiB |
/// | `open_files` | open files of one process | 256 | 128 |
///
/// Each limit may be `unlimited`. Profile `none` takes no other key.
///
/// ```
/// use cpex_sandbox::{Network, Policy};
///
/// let policy: Policy = serde_json::from_str(r#"{"profile": "strict", "network": ["api.example.com:443"]}"#)?;
/// assert!(matches!(policy.network, Network::Hosts(hosts) if hosts.len() == 1));
/// assert!(serde_json::from_str::<Policy>(r#"{"netwrok": "none"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// What it started from.
    pub profile: Profile,
    /// What may be connected to.
    pub network: Network,
    /// Paths that may be read (and executed), beside those that the program needs. Relative to [`Basis::root`](crate::Basis::root).
    pub read: Vec<PathBuf>,
    /// Paths that may be read and written.
    pub write: Vec<PathBuf>,
    /// Names of variables of the host's environment that the child gets.
    pub env: Vec<String>,
    /// How much of the machine it may take.
    pub limits: Limits,
}

impl Default for Policy {
    fn default() -> Self {
        Self::of(Profile::Default)
    }
}

impl Policy {
    /// What a profile says.
    pub fn of(profile: Profile) -> Self {
        let network = if profile == Profile::None { Network::All } else { Network::None };
        Self { profile, network, read: vec![], write: vec![], env: vec![], limits: Limits::of(profile) }
    }
}
