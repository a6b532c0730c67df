//! `cpex_wasm`: plugins in WebAssembly, for `cpex.framework.wasm`.
//!
//! A call is polled once, in place: a guard is done by then. One that is not goes on in a runtime of its own, without the
//! interpreter, as many at a time as there are cores.

use pyo3::prelude::*;

mod fork;
mod log;
mod running;
mod runtime;

mod plugin;
mod settings;

#[pymodule(gil_used = true)]
mod cpex_wasm {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::plugin::Plugin;
    #[pymodule_export]
    use crate::running::Running;
    #[pymodule_export]
    use crate::settings::check;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::log::listen();
        crate::runtime::register(module.py())?;
        crate::fork::register(module.py())
    }
}
