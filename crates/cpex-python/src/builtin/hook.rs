//! A built-in plugin at one hook.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cpex_builtin::plugin::{Answer, Call, Failure, Reply, Run, Scans, Site};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::answer::{self, Answered};
use super::entry::Builtin;
use super::payload::{Object, Unreadable};
use super::request::Asking;
use crate::remote::{self, Begun, Finish};
use crate::reply;

/// A built-in plugin at one of its hooks.
#[pyclass(frozen, subclass, module = "cpex._core")]
pub(crate) struct BuiltinHook {
    builtin: Py<Builtin>,
    site: Site,
}

/// How far asking a plugin has come.
pub(crate) enum Asked<'py> {
    /// It has answered.
    Answered(reply::Answer<'py>),
    /// This is to be awaited; it comes to an [`Answered`].
    Waits(Bound<'py, PyAny>),
}

/// The place of a plugin among neighbours that share a walk over the payload.
pub(crate) struct Neighbours {
    run: Run,
    place: usize,
}

impl Neighbours {
    /// The places of plugins that follow one another; nothing if they cannot share a walk.
    pub(crate) fn of(hooks: &[&BuiltinHook]) -> Option<impl Iterator<Item = Self> + use<>> {
        let run = Run::new(hooks.iter().map(|hook| Arc::clone(&hook.builtin.get().plugin)).collect())?;
        Some((0..hooks.len()).map(move |place| Self { run: run.clone(), place }))
    }
}

impl BuiltinHook {
    /// Asks the plugin, for the pipeline.
    ///
    /// # Errors
    /// The plugin has failed.
    pub(crate) fn ask<'py>(
        &self,
        payload: &Bound<'py, PyAny>,
        request: &Asking<'_, 'py>,
        neighbours: Option<&Neighbours>,
        scans: &mut Scans<Py<PyAny>>,
    ) -> PyResult<Asked<'py>> {
        let py = payload.py();
        let name = self.builtin.get().name.bind(py);
        let payload = Object(payload.clone());
        let reply = match neighbours {
            Some(Neighbours { run, place }) => {
                let reply = guarded(|| run.answer(*place, &payload, scans).map_err(Failure::Payload))?;
                Answer::Now(reply)
            }
            None => guarded(|| self.call(&payload, request))?,
        };
        let waits = match reply {
            Answer::Now(reply) => return answer::read(reply, name).map(Asked::Answered),
            Answer::Later(waits) => waits,
        };
        let finish = |reply: Reply<Infallible>| -> Finish {
            Box::new(|py| Ok(Py::new(py, Answered::new(reply))?.into_any()))
        };
        match remote::begin(py, Box::pin(async move { finish(waits.await) }))? {
            Begun::Ended(answered) => answered?.cast::<Answered>()?.get().take(name).map(Asked::Answered),
            Begun::Waits(awaitable) => Ok(Asked::Waits(awaitable)),
        }
    }

    fn call<'py>(
        &self,
        payload: &Object<'py>,
        request: &Asking<'_, 'py>,
    ) -> Result<Answer<Object<'py>>, Failure<Unreadable>> {
        self.builtin.get().plugin.call(&Call { site: &self.site, payload, request })
    }
}

#[pymethods]
impl BuiltinHook {
    #[new]
    fn new(builtin: Py<Builtin>, hook: &str) -> PyResult<Self> {
        let site = builtin.get().sites.iter().find(|site| site.hook() == hook).cloned();
        let site = site.ok_or_else(|| PyValueError::new_err(format!("it is not attached to {hook:?}")))?;
        Ok(Self { builtin, site })
    }

    /// Calls the plugin: a `PluginResult`, or an awaitable of one.
    #[pyo3(signature = (payload, context, extensions=None))]
    fn call_now<'py>(
        &self,
        payload: &Bound<'py, PyAny>,
        context: &Bound<'py, PyAny>,
        extensions: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        let name = self.builtin.get().name.bind(py);
        let global = context.getattr(intern!(py, "global_context"))?;
        let request = Asking { request: &global, context, extensions, put_by: None };
        let waits = match guarded(|| self.call(&Object(payload.clone()), &request))? {
            Answer::Now(reply) => return answer::result(reply, name),
            Answer::Later(waits) => waits,
        };
        let name = name.to_string_lossy().into_owned();
        let finish = |reply: Reply<Infallible>| -> Finish {
            Box::new(move |py| Ok(answer::result(reply.about(), &PyString::new(py, &name))?.unbind()))
        };
        match remote::begin(py, Box::pin(async move { finish(waits.await) }))? {
            Begun::Ended(result) => result,
            Begun::Waits(awaitable) => Ok(awaitable),
        }
    }
}

/// A plugin that panics fails. What it says may show a payload, so it is not told on.
fn guarded<T>(call: impl FnOnce() -> Result<T, Failure<Unreadable>>) -> PyResult<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Failure::Payload(Unreadable(error)))) => Err(error),
        Ok(Err(Failure::Audit(error))) => Err(PyOSError::new_err(error.to_string())),
        Ok(Err(_)) => Err(PyRuntimeError::new_err("the plugin has failed")),
        Err(_) => Err(PyRuntimeError::new_err("the plugin has panicked")),
    }
}
