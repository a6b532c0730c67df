//! Where the server of an external plugin is, as its entry says it.

mod balance;
mod common;
mod grpc;
mod mcp;
mod tls;
mod unix;
mod url;

use cpex_config::Step;
use cpex_remote::RemoteConfig;
use cpex_remote::balance::BalanceConfig;

use super::server::First;
use crate::config::{ConfigError, PluginConfig};
use crate::foreign::Absent;

/// How to reach the servers of a plugin.
pub(super) struct Reach {
    pub(super) endpoints: Vec<RemoteConfig>,
    pub(super) balance: BalanceConfig,
    pub(super) absent: Absent,
    pub(super) first: First,
}

/// The section of an entry, to say what is wrong in it.
#[derive(Clone, Copy)]
struct Section<'e> {
    entry: &'e PluginConfig,
    name: &'static str,
}

impl Section<'_> {
    fn problem(self, field: &str, problem: impl Into<String>) -> ConfigError {
        self.problem_at(&[Step::Key(field)], problem)
    }

    fn problem_at(self, below: &[Step<'_>], problem: impl Into<String>) -> ConfigError {
        let path: Vec<_> = [Step::Key(self.name)].iter().chain(below).cloned().collect();
        self.entry.problem(&path, problem.into())
    }

    /// Something that is wrong with the section as a whole.
    fn wrong(self, problem: impl Into<String>) -> ConfigError {
        self.problem_at(&[], problem)
    }
}

/// Reads the section of an entry that says where its server is.
///
/// # Errors
/// If there is not exactly one, or something is wrong in it.
pub(super) fn read(entry: &PluginConfig) -> Result<Reach, ConfigError> {
    let section = |name| Section { entry, name };
    let written = &entry.external;
    match (&written.mcp, &written.grpc, &written.unix_socket) {
        (Some(mcp), None, None) => mcp::read(entry.read_section("mcp", mcp)?, section("mcp")),
        (None, Some(grpc), None) => grpc::read(entry.read_section("grpc", grpc)?, section("grpc")),
        (None, None, Some(unix)) => {
            unix::read(entry.read_section("unix_socket", unix)?, section("unix_socket"))
        }
        (None, None, None) => Err(entry.problem(
            &[],
            "an external plugin needs one of the sections mcp, grpc and unix_socket: where its server is"
                .into(),
        )),
        _ => Err(entry.problem(
            &[],
            "an external plugin has one of the sections mcp, grpc and unix_socket, not several".into(),
        )),
    }
}
