//! What a built-in plugin keeps while a request lasts: beside the fields of its context, which the application may hand
//! from one hook to the next.

use cpex_builtin::plugin::Keep;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::payload::Unreadable;
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

const NAME: &str = "_cpex_kept";

/// The keep of a plugin's context; if it has none, one that is made now.
pub(super) fn of(
    context: &Bound<'_, PyAny>,
    make: impl FnOnce() -> Result<Keep, Unreadable>,
) -> Result<Keep, Unreadable> {
    let private = private(context)?;
    let name = PyString::intern(context.py(), NAME);
    if let Some(kept) = private.get_item(&name).map_err(Unreadable::from)? {
        return Ok(kept.cast_into::<Kept>().map_err(PyErr::from)?.get().0.clone());
    }
    let keep = make()?;
    private.set_item(name, Bound::new(context.py(), Kept(keep.clone()))?)?;
    Ok(keep)
}

/// The call was refused, and never comes to the hook after it: what was put into the keep of a context by calls without
/// a keep of their own is given up.
pub(crate) fn give_up(context: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = context.py();
    let classes = classes(py)?;
    if is_a(context, &classes.context.whole.class)
        && let Some(Ok(private)) = classes.slots.private.read_if_set(context)?.map(Bound::cast_into::<PyDict>)
        && let Some(kept) = private.get_item(PyString::intern(py, NAME))?
    {
        kept.cast_into::<Kept>()?.get().0.give_up();
    }
    Ok(())
}

/// The attributes of a context that are no fields.
fn private<'py>(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
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
    if let Some(Ok(private)) = slot.read_if_set(context)?.map(Bound::cast_into::<PyDict>) {
        return Ok(private);
    }
    let private = PyDict::new(py);
    slot.fill(context, private.as_any())?;
    Ok(private)
}
