//! A plugin, for a Python program.

use std::path::PathBuf;
use std::sync::Arc;

use cpex_remote::{Call, Json, Outcome, Reply};
use cpex_wasm::{Fault, Settings};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::fork::whole;
use crate::running::{Ended, begin};
use crate::settings::into_python;

/// A plugin whose code is compiled.
#[pyclass(frozen, module = "cpex_wasm")]
pub(crate) struct Plugin {
    name: String,
    plugin: Arc<cpex_wasm::Plugin>,
}

#[pymethods]
impl Plugin {
    #[staticmethod]
    fn load(py: Python<'_>, name: String, settings: &str, root: PathBuf) -> PyResult<Self> {
        let load = || cpex_wasm::Plugin::load(&name, Settings::from_json(settings)?, &root);
        let plugin = py.detach(|| whole(load)).map_err(into_python)?;
        Ok(Self { name, plugin: Arc::new(plugin) })
    }

    fn start<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let plugin = self.plugin.clone();
        begin(py, async move {
            match plugin.start().await {
                Ok(()) => Ended::Started,
                Err(fault) => Ended::Failed(fault),
            }
        })
    }

    #[pyo3(signature = (hook, payload, context, extensions=None))]
    fn invoke<'py>(
        &self,
        py: Python<'py>,
        hook: String,
        payload: &[u8],
        context: &[u8],
        extensions: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut call = Call::new(hook, &*self.name, json(payload)?, json(context)?);
        call.extensions = extensions.map(json).transpose()?;
        let plugin = self.plugin.clone();
        begin(py, async move {
            match plugin.invoke(&call).await {
                Ok(reply) => Ended::Answered(reply),
                Err(fault) => Ended::Failed(fault),
            }
        })
    }
}

impl Ended {
    /// As a Python object, or what is raised.
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Started => Ok(py.None().into_bound(py)),
            Self::Answered(Reply { outcome: Outcome::Result(result), context, .. }) => {
                let context = context.as_ref().map(|context| bytes(py, context));
                Ok(PyTuple::new(py, [Some(bytes(py, &result)), context])?.into_any())
            }
            Self::Answered(Reply { outcome: Outcome::Error(error), .. }) => {
                Err(PyRuntimeError::new_err((error.message, error.code, error.details.into_string())))
            }
            Self::Failed(Fault::NotStarted(problem)) => Err(PyValueError::new_err(("config", problem))),
            Self::Failed(fault) => Err(PyRuntimeError::new_err((fault.to_string(),))),
        }
    }
}

fn json(text: &[u8]) -> PyResult<Json> {
    let wrong = |error: &dyn std::error::Error| PyValueError::new_err(error.to_string());
    let text = std::str::from_utf8(text).map_err(|error| wrong(&error))?;
    Json::new(text).map_err(|error| wrong(&error))
}

fn bytes<'py>(py: Python<'py>, json: &Json) -> Bound<'py, PyBytes> {
    PyBytes::new(py, json.as_str().as_bytes())
}
