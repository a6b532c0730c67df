//! How workers are started, as Python says it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use cpex_isolated::worker::{Bounds, Launch, Sandbox, Usual, WorkersConfig, environment};
use cpex_remote::balance::BreakerConfig;
use cpex_sandbox::{Bytes, Profile};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// `cpex.framework.isolated._options.WorkerOptions`. Times are seconds, sizes are bytes.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Options {
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Names of variables that are handed on besides the usual ones.
    pass_env: Vec<String>,
    /// Variables that are set.
    set_env: Vec<(String, OsString)>,
    folder: Option<PathBuf>,
    workers: usize,
    max_message: usize,
    start_timeout: f64,
    give_up_timeout: f64,
    hang_timeout: f64,
    idle_timeout: Option<f64>,
    shutdown_timeout: f64,
    memory_limit: Option<u64>,
    breaker: Breaker,
    proven_after: f64,
    sandbox: Option<Contained>,
}

/// What contains a worker.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Contained {
    /// JSON.
    policy: Vec<u8>,
    root: PathBuf,
    readable: Vec<PathBuf>,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Breaker {
    failures: u32,
    wait: f64,
    longest_wait: f64,
}

impl Options {
    pub(super) fn config(self, plugin: &str, hello: Vec<u8>) -> PyResult<WorkersConfig> {
        let sandbox = self.sandbox.map(Sandbox::try_from).transpose()?;
        let contained = sandbox.as_ref().is_some_and(|sandbox| sandbox.policy.profile != Profile::None);
        let mut variables = environment(&self.pass_env, if contained { Usual::Left } else { Usual::Passed });
        for (name, value) in self.set_env {
            variables.retain(|(known, _)| *known != *name);
            variables.push((name.into(), value));
        }
        let launch = Launch {
            program: self.program,
            arguments: self.arguments,
            environment: variables,
            folder: self.folder,
            sandbox,
        };
        Ok(WorkersConfig {
            count: self.workers,
            limit: self.max_message,
            bounds: Bounds {
                start: duration(self.start_timeout)?,
                give_up: duration(self.give_up_timeout)?,
                hang: duration(self.hang_timeout)?,
                idle: self.idle_timeout.map(duration).transpose()?,
                memory: self.memory_limit,
                shutdown: duration(self.shutdown_timeout)?,
            },
            breaker: BreakerConfig {
                failures: self.breaker.failures,
                wait: duration(self.breaker.wait)?,
                longest_wait: duration(self.breaker.longest_wait)?,
                successes: 1,
            },
            proven_after: duration(self.proven_after)?,
            ..WorkersConfig::new(plugin, launch, hello)
        })
    }
}

impl TryFrom<Contained> for Sandbox {
    type Error = PyErr;

    fn try_from(Contained { policy, root, readable }: Contained) -> PyResult<Self> {
        Ok(Self { policy: crate::sandbox::policy(&policy)?, root, readable })
    }
}

/// A size as a policy has it: `300MiB`.
#[pyfunction]
pub(crate) fn size_in_bytes(text: &str) -> PyResult<u64> {
    text.parse().map(|Bytes(bytes)| bytes).map_err(PyValueError::new_err)
}

fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))
}
