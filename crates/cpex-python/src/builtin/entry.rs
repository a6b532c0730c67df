//! A built-in plugin, as an entry of the configuration describes it.

use std::sync::Arc;

use cpex_builtin::plugin::{self, Power, Site};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::Value;

use super::payload::to_json;
use crate::events;

/// A built-in plugin, made of an entry of the configuration and attached to its hooks.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct Builtin {
    pub(super) plugin: Arc<plugin::Builtin>,
    pub(super) name: Py<PyString>,
    pub(super) sites: Vec<Site>,
    takes_extensions: bool,
}

#[pymethods]
impl Builtin {
    /// Each hook comes with whether plugins return something else there than what it is about.
    #[new]
    fn new(
        kind: &str,
        name: Py<PyString>,
        config: Bound<'_, PyAny>,
        hooks: Vec<(String, bool)>,
        mode: &str,
        may_see_headers: bool,
    ) -> PyResult<Self> {
        events::listen();
        let py = config.py();
        let config = if config.is_none() { Value::Null } else { to_json(&config, None)? };
        plugin::Kind::named(kind).map_err(|error| config_error(py, "kind", &error.problem))?;
        let mut plugin = plugin::Builtin::new(kind, &name.bind(py).to_string_lossy(), config)
            .map_err(|error| config_error(py, &below("config", &error.field), &error.problem))?;
        let takes_extensions = may_see_headers && plugin.asks_for_headers();
        let site = |hook: &str| Site::of(hook).seeing_headers(takes_extensions);
        let sites: Vec<Site> = if hooks.is_empty() {
            plugin.hooks().into_iter().map(site).collect()
        } else {
            let returning = |(hook, other): &(String, bool)| match other {
                true => site(hook).returning_other(),
                false => site(hook),
            };
            hooks.iter().map(returning).collect()
        };
        if sites.is_empty() {
            return Err(config_error(
                py,
                "hooks",
                "missing: name the hooks it answers, hooks: [tool_pre_invoke]",
            ));
        }
        plugin.attach(&sites.iter().collect::<Vec<_>>(), power(mode)?).map_err(|misplaced| {
            let field = misplaced.hook.filter(|_| !hooks.is_empty()).map(|index| format!("hooks[{index}]"));
            config_error(py, field.as_deref().unwrap_or("hooks"), &misplaced.problem)
        })?;
        Ok(Self { plugin: Arc::new(plugin), name, sites, takes_extensions })
    }

    /// All kinds, as configurations name them.
    #[staticmethod]
    fn kinds() -> Vec<String> {
        plugin::KINDS.iter().map(|kind| format!("{}{}", plugin::PREFIX, kind.name)).collect()
    }

    /// Opens what it writes to, so that a start fails where a call would.
    fn open(&self, py: Python<'_>) -> PyResult<()> {
        let opened = py.detach(|| self.plugin.open());
        opened.map_err(|error| config_error(py, &below("config", &error.field), &error.problem))
    }

    /// Whether to close it may have to be waited for.
    #[getter]
    fn lingers(&self) -> bool {
        self.plugin.lingers()
    }

    /// Ends it, after the last call. Blocks if it lingers, and lets others have the interpreter meanwhile.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.plugin.close());
    }

    /// The names of its hooks.
    #[getter]
    fn hooks(&self) -> Vec<&str> {
        self.sites.iter().map(Site::hook).collect()
    }

    /// Whether its hooks take the request's extensions.
    #[getter]
    fn takes_extensions(&self) -> bool {
        self.takes_extensions
    }
}

/// One that nobody has closed.
impl Drop for Builtin {
    fn drop(&mut self) {
        // What it waits for may have to write a log, which takes the interpreter.
        if self.plugin.lingers() {
            Python::attach(|py| self.close(py));
        }
    }
}

fn power(mode: &str) -> PyResult<Power> {
    Ok(match mode {
        "sequential" => Power::Full,
        "transform" => Power::Modify,
        "concurrent" => Power::Block,
        "audit" | "fire_and_forget" | "disabled" => Power::Observe,
        other => return Err(PyValueError::new_err(format!("'{other}' is not a valid PluginMode"))),
    })
}

fn below(field: &str, path: &str) -> String {
    match path {
        "" => field.to_owned(),
        index if index.starts_with('[') => format!("{field}{index}"),
        name => format!("{field}.{name}"),
    }
}

/// The error for an entry that its author has to mend.
fn config_error(py: Python<'_>, field: &str, problem: &str) -> PyErr {
    let class =
        py.import("cpex.framework.loader._special").and_then(|module| module.getattr("BuiltinConfigError"));
    match class.and_then(|class| class.call1((field, problem))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
