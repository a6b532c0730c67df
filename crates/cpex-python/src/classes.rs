//! The Python classes and functions the driver works with, looked up once.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PySet, PyType};

use crate::model::{Shape, Slot, Slots, fields_of};
use crate::pending::Pending;

/// Everything that is looked up once per process.
pub(crate) struct Classes {
    pub(crate) slots: Slots,
    pub(crate) base_model: Py<PyType>,
    pub(crate) root_model: Py<PyType>,
    pub(crate) plugin_payload: Py<PyType>,
    pub(crate) plugin_result: Py<PyType>,
    pub(crate) extensions: Py<PyType>,
    /// The fields of extensions that say nothing.
    pub(crate) extension_fields: Py<PyDict>,
    pub(crate) http: Py<PyType>,
    pub(crate) security: Py<PyType>,
    pub(crate) delegation: Py<PyType>,
    pub(crate) context: Pending,
    pub(crate) global_context: Shape,
    pub(crate) result: Pending,
    pub(crate) halted: Pending,
    pub(crate) nothing: Pending,
    pub(crate) record: Shape,
    pub(crate) report: Py<PyAny>,
    pub(crate) report_slot: Slot,
    /// The fields of a result that says nothing, but those that are made for each.
    pub(crate) result_fields: Py<PyDict>,
    pub(crate) status: Py<PyAny>,
    pub(crate) plugin_error: Py<PyType>,
    pub(crate) violation_error: Py<PyType>,
    pub(crate) base_exception: Py<PyType>,
    pub(crate) cancelled_error: Py<PyType>,
    pub(crate) running_loop: Py<PyAny>,
    pub(crate) current_task: Py<PyAny>,
    pub(crate) tracked_list: Py<PyType>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

/// The classes; imports them the first time.
pub(crate) fn classes(py: Python<'_>) -> PyResult<&'static Classes> {
    CLASSES.get_or_try_init(py, || Classes::load(py))
}

impl Classes {
    fn load(py: Python<'_>) -> PyResult<Self> {
        let pydantic = py.import("pydantic")?;
        let models = py.import("cpex.framework.models")?;
        let errors = py.import("cpex.framework.errors")?;
        let asyncio = py.import("asyncio")?;
        let extensions = py.import("cpex.framework.extensions.extensions")?;
        let class = |module: &Bound<'_, PyModule>, name: &str| -> PyResult<Py<PyType>> {
            Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind())
        };
        let base_model = class(&pydantic, "BaseModel")?;
        let plugin_result = class(&models, "PluginResult")?;
        let shape = |name: &str, fields_set: &[&str]| -> PyResult<Shape> {
            Ok(Shape { class: class(&models, name)?, fields_set: PySet::new(py, fields_set)?.unbind() })
        };
        let pending = |name: &str, fields_set: &[&str]| Pending::of(py, shape(name, fields_set)?);
        Ok(Self {
            slots: Slots::of(base_model.bind(py))?,
            root_model: class(&pydantic, "RootModel")?,
            plugin_payload: class(&models, "PluginPayload")?,
            extension_fields: fields_of(&extensions.getattr("Extensions")?.call0()?)?.unbind(),
            http: class(&extensions, "HttpExtension")?,
            security: class(&extensions, "SecurityExtension")?,
            delegation: class(&extensions, "DelegationExtension")?,
            extensions: class(&extensions, "Extensions")?,
            context: pending("PluginContext", &["global_context"])?,
            global_context: shape("GlobalContext", &GLOBAL_CONTEXT_FIELDS)?,
            result: pending("PluginResult", &RESULT_FIELDS)?,
            halted: pending("PluginResult", &HALTED_FIELDS)?,
            nothing: pending("PluginResult", &["modified_payload"])?,
            record: shape("ControlExecutionRecord", &RECORD_FIELDS)?,
            report: models.getattr("ExecutionReport")?.unbind(),
            report_slot: Slot::of(plugin_result.bind(py).getattr("_report")?)?,
            result_fields: result_fields(py)?,
            status: models.getattr("ControlExecutionStatus")?.unbind(),
            plugin_error: class(&errors, "PluginError")?,
            violation_error: class(&errors, "PluginViolationError")?,
            base_exception: class(&py.import("builtins")?, "Exception")?,
            cancelled_error: class(&asyncio, "CancelledError")?,
            running_loop: asyncio.getattr("_get_running_loop")?.unbind(),
            current_task: asyncio.getattr("current_task")?.unbind(),
            tracked_list: class(&py.import("cpex.framework.memory")?, "CopyOnWriteList")?,
            base_model,
            plugin_result,
        })
    }
}

fn result_fields(py: Python<'_>) -> PyResult<Py<PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("continue_processing", true)?;
    fields.set_item("modified_payload", py.None())?;
    fields.set_item("modified_extensions", py.None())?;
    fields.set_item("violation", py.None())?;
    fields.set_item("metadata", py.None())?;
    fields.set_item("denial_metadata", py.None())?;
    fields.set_item("background_tasks", py.None())?;
    fields.set_item("http_headers", py.None())?;
    fields.set_item("retry_delay_ms", 0)?;
    Ok(fields.unbind())
}

pub(crate) const GLOBAL_CONTEXT_FIELDS: [&str; 8] =
    ["request_id", "user", "user_context", "tenant_id", "server_id", "content_type", "state", "metadata"];

const RESULT_FIELDS: [&str; 8] = [
    "continue_processing",
    "modified_payload",
    "modified_extensions",
    "violation",
    "metadata",
    "background_tasks",
    "retry_delay_ms",
    "executions",
];

const HALTED_FIELDS: [&str; 6] =
    ["continue_processing", "modified_payload", "violation", "metadata", "background_tasks", "executions"];

const RECORD_FIELDS: [&str; 16] = [
    "plugin_id",
    "plugin_name",
    "plugin_kind",
    "hook_name",
    "mode",
    "status",
    "requested_allow",
    "effective_allow",
    "matched",
    "applied",
    "payload_modified",
    "extensions_modified",
    "duration_ns",
    "reason",
    "error_code",
    "config_keys",
];
