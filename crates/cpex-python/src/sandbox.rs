//! What contains a plugin: what its entry says, and, for `cpex doctor`, what this machine can do.

use cpex_sandbox::{Bytes, Network, Policy, Profile, Support};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde_json::{Value, json};

/// Tries out what the system supports.
///
/// Returns:
///     JSON: `support`, what was found, and for each of `profiles` what it would lack.
#[pyfunction]
pub(crate) fn sandbox_support(py: Python<'_>) -> PyResult<String> {
    let told = py.detach(|| {
        let support = Support::probe();
        let gaps = |profile| -> Vec<Value> {
            let missing = support.missing(&Policy::of(profile));
            missing
                .iter()
                .map(|missing| json!({"gap": missing.gap, "means": missing.gap.to_string(), "why": missing.why}))
                .collect()
        };
        let profiles = json!({"default": gaps(Profile::Default), "strict": gaps(Profile::Strict)});
        serde_json::to_string(&json!({"support": support, "profiles": profiles}))
    });
    told.map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// What a policy says, as Python is told it.
type Told = (String, String, Vec<String>);

/// Reads what an entry says of its sandbox.
///
/// Args:
///     policy: It, as JSON.
///
/// Returns:
///     The profile, what it allows in words, and the names of the variables that are handed on.
///
/// Raises:
///     ValueError: If it is no policy.
#[pyfunction]
pub(crate) fn read_sandbox(policy: &[u8]) -> PyResult<Told> {
    let policy = self::policy(policy)?;
    Ok((policy.profile.to_string(), in_words(&policy), policy.env))
}

pub(crate) fn policy(json: &[u8]) -> PyResult<Policy> {
    // Not at once, or an error would tell a line and a column that nobody has written.
    serde_json::from_slice::<Value>(json)
        .and_then(serde_json::from_value)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

fn in_words(policy: &Policy) -> String {
    if policy.profile == Profile::None {
        return "all that the host may".to_owned();
    }
    let network = match &policy.network {
        Network::Hosts(hosts) => hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Network::None => "none".to_owned(),
        Network::Loopback => "loopback".to_owned(),
        _ => "all".to_owned(),
    };
    let limits = &policy.limits;
    let bytes = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| Bytes(limit).to_string());
    let number = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
    let mut told = vec![
        format!("network {network}"),
        format!("memory {}", bytes(limits.memory)),
        format!("cpu_seconds {}", number(limits.cpu_seconds)),
        format!("processes {}", number(limits.processes)),
        format!("threads {}", number(limits.threads)),
        format!("file_size {}", bytes(limits.file_size)),
        format!("scratch {}", bytes(limits.scratch)),
        format!("open_files {}", number(limits.open_files)),
    ];
    for (key, paths) in [("read", &policy.read), ("write", &policy.write)] {
        if !paths.is_empty() {
            told.push(format!(
                "{key} {}",
                paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
            ));
        }
    }
    told.join(", ")
}
