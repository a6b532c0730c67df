//! Instances that are finished when somebody first looks at them.
//!
//! `cpex/framework/_pending.py` makes the classes; here is what makes an instance whole.

use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::classes::classes;
use crate::context::Seed;
use crate::model::{self, Shape};
use crate::report::Report;

/// The class of the unfinished instances of a model.
pub(crate) struct Pending {
    pub(crate) class: Py<PyType>,
    pub(crate) whole: Shape,
}

impl Pending {
    pub(crate) fn of(py: Python<'_>, whole: Shape) -> PyResult<Self> {
        let make = py.import("cpex.framework._pending")?.getattr("pending_class")?;
        let class = make.call1((&whole.class,))?.cast_into::<PyType>()?.unbind();
        Ok(Self { class, whole })
    }

    /// Is this an unfinished instance of the model?
    pub(crate) fn is(&self, object: &Bound<'_, PyAny>) -> bool {
        // SAFETY: reads the type of a live object.
        unsafe { ptr::eq(ffi::Py_TYPE(object.as_ptr()), self.class.as_ptr().cast()) }
    }
}

/// Makes an unfinished instance whole. Does nothing for one that is.
#[pyfunction]
pub(crate) fn complete(instance: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = instance.py();
    let classes = classes(py)?;
    if classes.context.is(instance) {
        let seed = classes.slots.private.read(instance)?.cast_into::<Seed>().map_err(PyErr::from)?;
        let fields = seed.get().fields(py)?;
        return model::fill(instance, &classes.context.whole, &fields);
    }
    for pending in [&classes.result, &classes.halted, &classes.nothing] {
        if pending.is(instance) {
            let report = instance.getattr("_report")?;
            let fields = model::fields_of(instance)?;
            let executions = match report.cast::<Report>() {
                Ok(report) => report.get().executions(py)?,
                Err(_) => pyo3::types::PyList::empty(py),
            };
            fields.set_item("executions", executions)?;
            return model::fill(instance, &pending.whole, &fields);
        }
    }
    if instance.is_instance(classes.base_model.bind(py))? {
        return Ok(());
    }
    Err(PyTypeError::new_err("not an instance that the engine made"))
}
