//! Compiled line-ups, as long as what they were made from is the same.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cpex_core::LineUp;
use hashbrown::HashMap;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};

use crate::control::{self, Control, generation};
use crate::line_up::PyLineUp;

/// More lists of hook references than this are not made by a registry.
const MAX_LINE_UPS: usize = 1024;

/// Line-ups that were made from lists of hook references, as long as the lists are the same.
#[derive(Default)]
pub(crate) struct LineUps(Mutex<Known>);

#[derive(Default)]
struct Known {
    generation: u64,
    by_object: HashMap<usize, Compiled>,
}

struct Compiled {
    list: Py<PyList>,
    items: Vec<usize>,
    hook: Py<PyString>,
    line_up: PyLineUp,
}

impl Compiled {
    fn is_of(&self, py: Python<'_>, list: &Bound<'_, PyList>, hook: &Bound<'_, PyString>) -> bool {
        let same_items = self.items.len() == list.len()
            && list.iter().zip(&self.items).all(|(item, known)| item.as_ptr() as usize == *known);
        same_items && (self.hook.is(hook) || self.hook.bind(py).as_any().eq(hook).unwrap_or(false))
    }
}

impl LineUps {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line-up of a list of hook references; made again if anything about it may have changed.
    pub(crate) fn get(&self, hook_refs: &Bound<'_, PyAny>, hook: &Bound<'_, PyString>) -> PyResult<PyLineUp> {
        let Ok(list) = hook_refs.cast_exact::<PyList>() else { return control::line_up(hook_refs, hook) };
        self.find(list, list, hook, || control::line_up(list, hook))
    }

    /// The line-up of one plugin outside a pipeline; made again if anything about it may have changed.
    pub(crate) fn of_one(
        &self,
        hook_ref: &Bound<'_, PyAny>,
        hook: &Bound<'_, PyString>,
    ) -> PyResult<PyLineUp> {
        let py = hook_ref.py();
        let list = PyList::new(py, [hook_ref])?;
        self.find(hook_ref, &list, hook, || {
            PyLineUp::new(py, LineUp::new(vec![Control::read(hook_ref, hook)?]))
        })
    }

    /// What is known by an object that lives as long as `list`.
    fn find(
        &self,
        known_by: &Bound<'_, PyAny>,
        list: &Bound<'_, PyList>,
        hook: &Bound<'_, PyString>,
        make: impl FnOnce() -> PyResult<PyLineUp>,
    ) -> PyResult<PyLineUp> {
        let py = list.py();
        let key = known_by.as_ptr() as usize;
        let generation = generation();
        {
            let mut known = self.lock();
            if known.generation != generation {
                let outdated = std::mem::take(&mut known.by_object);
                known.generation = generation;
                drop(known);
                drop(outdated);
            } else if let Some(compiled) = known.by_object.get(&key)
                && compiled.is_of(py, list, hook)
            {
                return Ok(compiled.line_up.share(py));
            }
        }
        let line_up = make()?;
        let compiled = Compiled {
            list: list.clone().unbind(),
            items: list.iter().map(|item| item.as_ptr() as usize).collect(),
            hook: hook.clone().unbind(),
            line_up: line_up.share(py),
        };
        let mut known = self.lock();
        if known.generation != generation {
            // Somebody called `touch()` while it was made: it serves this call only.
            return Ok(line_up);
        }
        let outdated = if known.by_object.len() >= MAX_LINE_UPS {
            std::mem::take(&mut known.by_object)
        } else {
            HashMap::new()
        };
        let replaced = known.by_object.insert(key, compiled);
        drop(known);
        drop((outdated, replaced));
        Ok(line_up)
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(known) = self.0.try_lock() else { return Ok(()) };
        known.by_object.values().try_for_each(|compiled| {
            visit.call(&compiled.list)?;
            compiled.line_up.traverse(visit)
        })
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        let dropped = self.0.try_lock().ok().map(|mut known| std::mem::take(&mut known.by_object));
        drop(dropped);
    }
}
