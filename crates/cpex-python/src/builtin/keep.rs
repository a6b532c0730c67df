//! What a built-in plugin keeps while a request lasts: beside the fields of its context, which the application hands
//! from one hook to the next.

use cpex_builtin::plugin::Keep;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::classes::classes;
use crate::model::is_a;
use crate::pending;

/// A keep in a context. Copies of the context share it; a pickled one has an empty one.
#[pyclass(frozen, module = "cpex._core")]
#[derive(Default)]
pub(crate) struct Kept(Keep);

#[pymethods]
impl Kept {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        let _ = memo;
        slf
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, ()) {
        (slf.get_type().into_any(), ())
    }
}

/// The keep of a plugin's context; makes one if it has none.
pub(super) fn of(context: &Bound<'_, PyAny>) -> PyResult<Keep> {
    let py = context.py();
    let classes = classes(py)?;
    if !is_a(context, &classes.context.whole.class) {
        let class = context.get_type().name()?.to_string();
        return Err(PyTypeError::new_err(format!(
            "the context of a plugin must be a PluginContext, not {class}"
        )));
    }
    pending::complete(context)?;
    let slot = &classes.slots.private;
    let private = match slot.read_if_set(context)?.map(Bound::cast_into::<PyDict>) {
        Some(Ok(private)) => private,
        Some(Err(_)) | None => {
            let private = PyDict::new(py);
            slot.fill(context, private.as_any())?;
            private
        }
    };
    let name = intern!(py, "_cpex_kept");
    if let Some(kept) = private.get_item(name)? {
        return Ok(kept.cast_into::<Kept>()?.get().0.clone());
    }
    let kept = Bound::new(py, Kept::default())?;
    private.set_item(name, &kept)?;
    Ok(kept.get().0.clone())
}
