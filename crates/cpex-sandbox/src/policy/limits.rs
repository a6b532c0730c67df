//! How much of the machine a child may take.

use std::fmt;
use std::str::FromStr;

use super::Profile;

/// Limits of a child; `None` is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Memory in bytes, of each of its processes.
    pub memory: Option<u64>,
    /// Seconds of CPU time of each process over its whole life; then the kernel kills it.
    pub cpu_seconds: Option<u64>,
    /// Child processes at one time; 0 forbids to make any. The kernel counts them and threads together: who has fewer threads
    /// may have more processes.
    pub processes: Option<u64>,
    /// Threads of all processes at one time, beside the first of each.
    pub threads: Option<u64>,
    /// Size of one file in bytes.
    pub file_size: Option<u64>,
    /// Bytes of all files in its own folder, which is in memory then; it has room for one file or folder for each 4 KiB.
    pub scratch: Option<u64>,
    /// Open files of one process.
    pub open_files: Option<u64>,
}

const MIB: u64 = 1 << 20;

impl Limits {
    /// Processes and threads at one time, beside the first.
    pub(crate) fn tasks(&self) -> Option<u64> {
        Some(self.processes?.saturating_add(self.threads?))
    }

    pub(super) fn of(profile: Profile) -> Self {
        match profile {
            Profile::None => Self::default(),
            Profile::Default => Self {
                memory: Some(2048 * MIB),
                cpu_seconds: None,
                processes: Some(32),
                threads: Some(128),
                file_size: Some(256 * MIB),
                scratch: Some(256 * MIB),
                open_files: Some(256),
            },
            Profile::Strict => Self {
                memory: Some(512 * MIB),
                cpu_seconds: Some(3600),
                processes: Some(0),
                threads: Some(128),
                file_size: Some(64 * MIB),
                scratch: Some(64 * MIB),
                open_files: Some(128),
            },
        }
    }
}

/// A number of bytes, read from a text: `65536`, `64KiB`, `512MiB`, `2GiB` (of 1,024) or `KB`, `MB`, `GB` (of 1,000).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = UNITS
            .iter()
            .find_map(|&(name, unit)| Some((text.strip_suffix(name)?.trim_end(), unit)))
            .unwrap_or((text, 1));
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no size: write a number of bytes or, for example, `512MiB`"))
    }
}

impl fmt::Display for Bytes {
    /// In the largest unit of 1,024 that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = UNITS[..3].iter().rev().find(|&&(_, unit)| self.0 > 0 && self.0.is_multiple_of(unit));
        match fits {
            Some((name, unit)) => write!(f, "{} {name}", self.0 / unit),
            None => write!(f, "{} B", self.0),
        }
    }
}
