//! A line-up as the garbage collector sees it.

use std::ops::Deref;
use std::sync::Arc;

use cpex_core::LineUp;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::control::Control;

/// The line-up of one hook, shared by the engine and all that is under way.
///
/// Plugins may hold their manager, whose line-ups hold the plugins. What the entries hold is held once, however
/// many share them; so it is shown to the collector by one object, which all of them show.
pub(crate) struct PyLineUp {
    line_up: Arc<LineUp<Control>>,
    roots: Py<Roots>,
}

/// Shows what the entries of a line-up hold.
#[pyclass(frozen)]
struct Roots(Arc<LineUp<Control>>);

#[pymethods]
impl Roots {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.entries().iter().try_for_each(|entry| entry.plugin.traverse(&visit))
    }
}

impl PyLineUp {
    pub(crate) fn new(py: Python<'_>, line_up: LineUp<Control>) -> PyResult<Self> {
        let line_up = Arc::new(line_up);
        let roots = Py::new(py, Roots(Arc::clone(&line_up)))?;
        Ok(Self { line_up, roots })
    }

    /// The same line-up.
    pub(crate) fn share(&self, py: Python<'_>) -> Self {
        Self { line_up: self.line(), roots: self.roots.clone_ref(py) }
    }

    /// The line-up, for an invocation that is kept together with this.
    pub(crate) fn line(&self) -> Arc<LineUp<Control>> {
        Arc::clone(&self.line_up)
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.roots)
    }
}

impl Deref for PyLineUp {
    type Target = LineUp<Control>;

    fn deref(&self) -> &Self::Target {
        &self.line_up
    }
}
