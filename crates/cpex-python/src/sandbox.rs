//! What this machine can contain a plugin with, for `cpex doctor`.

use cpex_sandbox::{Policy, Profile, Support};
use pyo3::exceptions::PyRuntimeError;
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
