//! `cpex._core`: the asyncio driver over `cpex-core`, and what of the Python surface is logic.
//!
//! Nothing here decides what a plugin may do; that is `cpex-core`. This crate moves Python objects in and
//! out, steps coroutines on the caller's own task, and tells the core what came of it.

use pyo3::prelude::*;

mod builtin;
mod classes;
mod config;
mod context;
mod control;
mod copy_on_write;
mod deadline;
mod detached;
mod engine;
mod events;
mod extensions;
mod external;
mod facts;
mod group;
mod hook_call;
mod host;
mod isolated;
mod line_up;
mod line_ups;
mod log;
mod model;
mod narrator;
mod payload;
mod pending;
mod pipeline;
mod plugin_call;
mod policy;
mod remote;
mod reply;
mod report;
mod result;
mod sandbox;
mod server;
mod single;
mod size;
mod spans;
mod task;
mod values;

#[pymodule(gil_used = true)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::builtin::{Builtin, BuiltinHook, Kept};
    #[pymodule_export]
    use crate::config::{PositionIndex, load_config, slip_of};
    #[pymodule_export]
    use crate::control::touch;
    #[pymodule_export]
    use crate::copy_on_write::{CopyOnWriteDict, copyonwrite};
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::extensions::{extension_slots, filter_extensions, merge_extensions, only_grew};
    #[pymodule_export]
    use crate::external::{ExternalClient, is_finite};
    #[pymodule_export]
    use crate::facts::{get_matchable_value, matches, normalize_content_type, payload_matches};
    #[pymodule_export]
    use crate::hook_call::HookCall;
    #[pymodule_export]
    use crate::isolated::{
        BuiltEnvironment, IsolatedClient, WorkerCall, WorkerLine, ask_interpreter, build_environment,
        hold_environments, requirements_files, size_in_bytes,
    };
    #[pymodule_export]
    use crate::payload::wrap_payload_for_isolation;
    #[pymodule_export]
    use crate::pending::complete;
    #[pymodule_export]
    use crate::policy::apply_policy;
    #[pymodule_export]
    use crate::sandbox::{read_sandbox, sandbox_support};
    #[pymodule_export]
    use crate::server::{PluginCall, PluginService};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
