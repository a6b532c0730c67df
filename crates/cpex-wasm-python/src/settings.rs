//! What an entry says, before anything of it is loaded.

use std::path::PathBuf;

use cpex_wasm::{ConfigError, Settings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[pyfunction]
pub(crate) fn check(settings: &str, root: PathBuf) -> PyResult<()> {
    Settings::from_json(settings).and_then(|settings| settings.look(&root)).map_err(into_python)
}

pub(crate) fn into_python(error: ConfigError) -> PyErr {
    PyValueError::new_err((error.field, error.problem))
}
