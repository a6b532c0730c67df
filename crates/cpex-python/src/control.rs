//! One plugin at one hook, as the driver needs it: read from a hook reference once, when a line-up is made.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cpex_core::{Entry, LineUp, OnError, Phase, Slots};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};

use crate::builtin::{BuiltinHook, Neighbours};
use crate::extensions::read_capabilities;
use crate::facts;
use crate::line_up::PyLineUp;

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Says that a plugin or hook reference changed: line-ups are made again.
#[pyfunction]
pub(crate) fn touch() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Line-ups made in an earlier generation are out of date.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// One plugin at one hook.
pub(crate) struct Control {
    pub(crate) hook_ref: Py<PyAny>,
    pub(crate) method: Py<PyAny>,
    pub(crate) name: Py<PyString>,
    pub(crate) uuid: Py<PyString>,
    pub(crate) mode: Py<PyString>,
    pub(crate) priority: i64,
    pub(crate) takes_extensions: bool,
    /// Its configured mode is `disabled`.
    pub(crate) is_off: bool,
    /// The plugin's own time limit, in seconds.
    pub(crate) timeout_s: Option<f64>,
    /// The fields of its execution records that are always the same.
    pub(crate) record: Py<PyDict>,
    pub(crate) config_keys: Py<PyList>,
    /// What answers in the method's place, if that is one of a built-in plugin.
    pub(crate) builtin: Option<Py<BuiltinHook>>,
    /// Its place among the neighbours with which it shares a walk over the payload.
    pub(crate) neighbours: OnceLock<Neighbours>,
}

impl Control {
    pub(crate) fn name<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.name.bind(py)
    }

    /// For the garbage collector. The rest is text and what is made of text.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.hook_ref)?;
        visit.call(&self.method)?;
        visit.call(&self.builtin)
    }

    /// Reads a hook reference.
    pub(crate) fn read(hook_ref: &Bound<'_, PyAny>, hook: &Bound<'_, PyString>) -> PyResult<Entry<Self>> {
        let py = hook_ref.py();
        let plugin_ref = hook_ref.getattr(intern!(py, "plugin_ref"))?;
        let mode = plain(&plugin_ref.getattr(intern!(py, "mode"))?)?;
        let phase = phase(&mode)?;
        let config = plugin_ref.getattr(intern!(py, "trusted_config"))?;
        let timeout_ms: Option<u64> = match config.getattr_opt("timeout_ms")? {
            Some(value) if !value.is_none() => Some(value.extract()?),
            _ => None,
        };
        let conditions = plugin_ref.getattr(intern!(py, "conditions"))?;
        let conditions = if conditions.is_truthy()? {
            let hook = hook.to_str()?;
            conditions.try_iter()?.map(|c| facts::compile(&c?, hook)).collect::<PyResult<_>>()?
        } else {
            Box::default()
        };
        let uuid = plugin_ref.getattr(intern!(py, "uuid"))?.cast_into::<PyString>()?;
        let (record, config_keys) = record_template(&config, &uuid, hook, &plugin_ref)?;
        let capabilities = read_capabilities(&plugin_ref.getattr(intern!(py, "capabilities"))?)?;
        let takes_extensions = hook_ref.getattr(intern!(py, "accepts_extensions"))?.is_truthy()?;
        let method = hook_ref.getattr(intern!(py, "hook"))?;
        let priority = plugin_ref.getattr(intern!(py, "priority"))?.extract()?;
        Ok(Entry {
            phase: phase.unwrap_or(Phase::Sequential),
            priority,
            on_error: on_error(&plain(&plugin_ref.getattr(intern!(py, "on_error"))?)?)?,
            timeout: timeout_ms.map(Duration::from_millis),
            capabilities,
            shown: if takes_extensions { capabilities.visible() } else { Slots::NONE },
            conditions,
            plugin: Self {
                builtin: builtin_of(&method)?,
                neighbours: OnceLock::new(),
                method: method.unbind(),
                takes_extensions,
                hook_ref: hook_ref.clone().unbind(),
                name: plugin_ref.getattr(intern!(py, "name"))?.cast_into::<PyString>()?.unbind(),
                uuid: uuid.unbind(),
                mode: mode.unbind(),
                priority,
                is_off: phase.is_none(),
                timeout_s: timeout_ms.map(|ms| Duration::from_millis(ms).as_secs_f64()),
                record,
                config_keys,
            },
        })
    }
}

/// Makes the line-up of a list of hook references. A plugin goes into the background at most once.
pub(crate) fn line_up(hook_refs: &Bound<'_, PyAny>, hook: &Bound<'_, PyString>) -> PyResult<PyLineUp> {
    let mut entries: Vec<Entry<Control>> = Vec::new();
    for hook_ref in hook_refs.try_iter()? {
        let entry = Control::read(&hook_ref?, hook)?;
        let again = |other: &Entry<Control>| {
            other.phase == Phase::FireAndForget && same_uuid(hook.py(), &other.plugin, &entry.plugin)
        };
        if entry.phase != Phase::FireAndForget || !entries.iter().any(again) {
            entries.push(entry);
        }
    }
    let line_up = LineUp::new(entries);
    let shares = |entry: &Entry<Control>| entry.phase == Phase::Sequential && entry.conditions.is_empty();
    for neighbours in line_up.entries().chunk_by(|a, b| shares(a) && shares(b)) {
        settle(neighbours);
    }
    PyLineUp::new(hook.py(), line_up)
}

/// Tells built-in plugins that follow one another of each other.
fn settle(entries: &[Entry<Control>]) {
    let is_builtin = |entry: &Entry<Control>| entry.plugin.builtin.is_some();
    for row in entries.chunk_by(|a, b| is_builtin(a) && is_builtin(b)) {
        let hooks: Vec<_> =
            row.iter().filter_map(|entry| Some(entry.plugin.builtin.as_ref()?.get())).collect();
        for (entry, neighbours) in row.iter().zip(Neighbours::of(&hooks).into_iter().flatten()) {
            let _ = entry.plugin.neighbours.set(neighbours);
        }
    }
}

/// The built-in plugin that a method belongs to, if it is the one that hands on what such a plugin answers.
fn builtin_of(method: &Bound<'_, PyAny>) -> PyResult<Option<Py<BuiltinHook>>> {
    let py = method.py();
    if !method.get_type().is(&py.import("types")?.getattr("MethodType")?) {
        return Ok(None);
    }
    let Ok(owner) = method.getattr("__self__")?.cast_into::<BuiltinHook>() else { return Ok(None) };
    let hands_on = py.import("cpex.framework.builtin")?.getattr("AsyncHook")?;
    Ok(owner.get_type().is(&hands_on).then(|| owner.unbind()))
}

fn same_uuid(py: Python<'_>, a: &Control, b: &Control) -> bool {
    a.uuid.bind(py).as_any().eq(b.uuid.bind(py)).unwrap_or(false)
}

/// The text of a `str` or of a member of a `str` enum, as a plain `str`.
pub(crate) fn plain<'py>(text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if text.is_exact_instance_of::<PyString>() {
        return Ok(text.clone().cast_into::<PyString>()?);
    }
    // SAFETY: checks its argument, and returns a new reference or sets an error.
    let plain = unsafe { Bound::from_owned_ptr_or_err(text.py(), ffi::PyUnicode_FromObject(text.as_ptr()))? };
    Ok(plain.cast_into::<PyString>()?)
}

/// The phase of a mode; `None` for `disabled`.
fn phase(mode: &Bound<'_, PyString>) -> PyResult<Option<Phase>> {
    Ok(Some(match mode.to_str()? {
        "sequential" => Phase::Sequential,
        "transform" => Phase::Transform,
        "audit" => Phase::Audit,
        "concurrent" => Phase::Concurrent,
        "fire_and_forget" => Phase::FireAndForget,
        "disabled" => return Ok(None),
        other => return Err(PyValueError::new_err(format!("'{other}' is not a valid PluginMode"))),
    }))
}

fn on_error(text: &Bound<'_, PyString>) -> PyResult<OnError> {
    match text.to_str()? {
        "fail" => Ok(OnError::Fail),
        "ignore" => Ok(OnError::Ignore),
        "disable" => Ok(OnError::Disable),
        other => Err(PyValueError::new_err(format!("'{other}' is not a valid OnError"))),
    }
}

fn record_template(
    config: &Bound<'_, PyAny>,
    uuid: &Bound<'_, PyString>,
    hook: &Bound<'_, PyString>,
    plugin_ref: &Bound<'_, PyAny>,
) -> PyResult<(Py<PyDict>, Py<PyList>)> {
    let py = config.py();
    let models = py.import("cpex.framework.models")?;
    let status = models.getattr("ControlExecutionStatus")?.getattr("COMPLETED")?;
    let kind = models.call_method1("_truncate", (config.getattr("kind")?,))?;
    let keys = models.call_method1("_collect_config_keys", (config.getattr("config")?,))?;
    let record = PyDict::new(py);
    record.set_item("plugin_id", uuid)?;
    record.set_item("plugin_name", config.getattr("name")?)?;
    record.set_item("plugin_kind", kind)?;
    record.set_item("hook_name", hook)?;
    record.set_item("mode", plugin_ref.getattr("mode")?)?;
    record.set_item("status", status)?;
    record.set_item("requested_allow", true)?;
    record.set_item("effective_allow", true)?;
    record.set_item("matched", false)?;
    record.set_item("applied", false)?;
    record.set_item("payload_modified", false)?;
    record.set_item("extensions_modified", false)?;
    record.set_item("duration_ns", 0)?;
    record.set_item("reason", py.None())?;
    record.set_item("error_code", py.None())?;
    record.set_item("config_keys", py.None())?;
    Ok((record.unbind(), keys.cast_into::<PyList>()?.unbind()))
}
