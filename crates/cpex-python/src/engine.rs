//! The engine: settings, compiled line-ups, and the two ways in.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cpex_core::condition::Facts;
use cpex_core::extensions::Enforcement;
use cpex_core::payload::{Isolation, Rule};
use cpex_core::record::Detail;
use cpex_core::{LineUp, Phase, Settings};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PySet, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::context::RequestContext;
use crate::control::{Control, plain};
use crate::extensions::Views;
use crate::facts::Request;
use crate::hook_call::{Flight, HookCall};
use crate::host::Hosted;
use crate::line_up::PyLineUp;
use crate::line_ups::LineUps;
use crate::pipeline::{Pipeline, Progress};
use crate::result;
use crate::single::{Single, Targets};
use crate::size;
use crate::spans::Spans;
use crate::values::{Invocation, Work};

/// The scheduler; `PluginExecutor` derives from it.
#[pyclass(subclass, frozen, module = "cpex._core")]
pub(crate) struct Engine {
    settings: Mutex<EngineSettings>,
    line_ups: LineUps,
}

/// What tests and applications set on an executor, at any time.
struct EngineSettings {
    config: Py<PyAny>,
    timeout: Py<PyAny>,
    limit: Option<Duration>,
    observability: Py<PyAny>,
    hook_policies: Py<PyAny>,
    default_hook_policy: Py<PyAny>,
    denies_by_default: bool,
    isolation: Isolation,
    enforcement: Enforcement,
    detail: Detail,
    runtime_disabled: Py<PySet>,
    not_loaded: Py<PyDict>,
    overridden: bool,
    compatible: bool,
}

impl Engine {
    fn settings(&self) -> MutexGuard<'_, EngineSettings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is one of the steps replaced that a subclass or a test may replace?
    fn is_overridden(&self) -> bool {
        self.settings().overridden
    }

    /// Which records are published.
    pub(crate) fn detail(&self) -> Detail {
        self.settings().detail
    }

    /// A time limit as it is told: the plugin's own in seconds, or the manager's as it was set.
    pub(crate) fn time_limit<'py>(&self, py: Python<'py>, own_s: Option<f64>) -> Bound<'py, PyAny> {
        match own_s {
            Some(seconds) => pyo3::types::PyFloat::new(py, seconds).into_any(),
            None => self.settings().timeout.bind(py).clone(),
        }
    }

    /// Takes a plugin out of service.
    pub(crate) fn disable(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> PyResult<()> {
        let disabled = self.settings().runtime_disabled.clone_ref(py);
        disabled.bind(py).add(name)
    }

    /// The plugins that could not be loaded for a hook, as report entries.
    pub(crate) fn not_loaded<'py>(
        &self,
        py: Python<'py>,
        hook: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let not_loaded = self.settings().not_loaded.clone_ref(py);
        if not_loaded.bind(py).is_empty() { Ok(None) } else { not_loaded.bind(py).get_item(hook) }
    }

    /// What plugins may change on a hook: the rule, and the writable fields if there is a policy.
    fn rule(&self, py: Python<'_>, hook: &Bound<'_, PyString>) -> PyResult<(Rule, Option<Py<PyAny>>)> {
        let (policies, denies) = {
            let settings = self.settings();
            (settings.hook_policies.clone_ref(py), settings.denies_by_default)
        };
        let policies = policies.bind(py);
        if policies.is_truthy()? {
            let policy = policies.call_method1(intern!(py, "get"), (hook,))?;
            if policy.is_truthy()? {
                let writable = policy.getattr(intern!(py, "writable_fields"))?;
                return Ok((Rule::Writable, Some(writable.unbind())));
            }
        }
        Ok((if denies { Rule::Closed } else { Rule::Open }, None))
    }

    fn hosted(
        slf: &Bound<'_, Self>,
        line_up: PyLineUp,
        hook: &Bound<'_, PyString>,
        context: &Bound<'_, PyAny>,
    ) -> PyResult<Hosted> {
        let py = slf.py();
        let (observability, enforcement, overridden, compatible) = {
            let settings = slf.get().settings();
            let observability = settings.observability.clone_ref(py);
            (observability, settings.enforcement, settings.overridden, settings.compatible)
        };
        let seats = line_up.entries().iter().map(|_| None).collect();
        Ok(Hosted {
            engine: slf.clone().unbind(),
            line_up,
            hook: hook.clone().unbind(),
            request: RequestContext::new(context)?,
            earlier: None,
            table: PyDict::new(py).unbind(),
            metadata: PyDict::new(py).unbind(),
            enforcement,
            views: Views::default(),
            writable_fields: None,
            shown: None,
            raise_denials: false,
            overridden,
            compatible,
            spans: Spans::of_current_trace(py, &observability)?,
            chain_span: None,
            seats,
            pending: 0,
        })
    }

    fn check_size(slf: &Bound<'_, Self>, payload: &Bound<'_, PyAny>) -> PyResult<()> {
        if slf.get().is_overridden() {
            return slf.call_method1(intern!(slf.py(), "_validate_payload_size"), (payload,)).map(drop);
        }
        size::check(payload)
    }

    /// Sets one of the settings. The old value is dropped after the lock is released.
    fn replace<T>(&self, setting: impl FnOnce(&mut EngineSettings) -> &mut T, value: T) {
        let old = std::mem::replace(setting(&mut self.settings()), value);
        drop(old);
    }

    fn limits(&self) -> (Option<Duration>, Isolation) {
        let settings = self.settings();
        (settings.limit, settings.isolation)
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*args, **kwargs))]
    fn new(py: Python<'_>, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let _ = (args, kwargs); // for `__init__` of the class derived from this
        let none = || py.None();
        Ok(Self {
            settings: Mutex::new(EngineSettings {
                config: none(),
                timeout: none(),
                limit: None,
                observability: none(),
                hook_policies: none(),
                default_hook_policy: none(),
                denies_by_default: false,
                isolation: Isolation::Observers,
                enforcement: Enforcement::Enforce,
                detail: Detail::Compatible,
                runtime_disabled: PySet::empty(py)?.unbind(),
                not_loaded: PyDict::new(py).unbind(),
                overridden: false,
                compatible: false,
            }),
            line_ups: LineUps::default(),
        })
    }

    #[getter]
    fn config(&self, py: Python<'_>) -> Py<PyAny> {
        self.settings().config.clone_ref(py)
    }

    #[setter]
    fn set_config(&self, config: Py<PyAny>) {
        self.replace(|settings| &mut settings.config, config);
    }

    #[getter]
    fn timeout(&self, py: Python<'_>) -> Py<PyAny> {
        self.settings().timeout.clone_ref(py)
    }

    #[setter]
    fn set_timeout(&self, timeout: Bound<'_, PyAny>) -> PyResult<()> {
        let limit = limit_of(&timeout)?;
        let old = {
            let mut settings = self.settings();
            settings.limit = limit;
            std::mem::replace(&mut settings.timeout, timeout.unbind())
        };
        drop(old);
        Ok(())
    }

    #[getter]
    fn observability(&self, py: Python<'_>) -> Py<PyAny> {
        self.settings().observability.clone_ref(py)
    }

    #[setter]
    fn set_observability(&self, provider: Py<PyAny>) {
        self.replace(|settings| &mut settings.observability, provider);
    }

    #[getter]
    fn hook_policies(&self, py: Python<'_>) -> Py<PyAny> {
        self.settings().hook_policies.clone_ref(py)
    }

    #[setter]
    fn set_hook_policies(&self, policies: Py<PyAny>) {
        self.replace(|settings| &mut settings.hook_policies, policies);
    }

    #[getter]
    fn default_hook_policy(&self, py: Python<'_>) -> Py<PyAny> {
        self.settings().default_hook_policy.clone_ref(py)
    }

    #[setter]
    fn set_default_hook_policy(&self, policy: Bound<'_, PyAny>) -> PyResult<()> {
        let denies = match policy.cast::<PyString>() {
            Ok(text) => plain(text)?.to_str()? == "deny",
            Err(_) => false,
        };
        let old = {
            let mut settings = self.settings();
            settings.denies_by_default = denies;
            std::mem::replace(&mut settings.default_hook_policy, policy.unbind())
        };
        drop(old);
        Ok(())
    }

    #[setter(_isolates_always)]
    fn set_isolates_always(&self, always: bool) {
        self.settings().isolation = if always { Isolation::Always } else { Isolation::Observers };
    }

    #[setter(_extension_tiers)]
    fn set_extension_tiers(&self, tiers: &str) -> PyResult<()> {
        self.settings().enforcement = match tiers {
            "enforce" => Enforcement::Enforce,
            "warn" => Enforcement::Warn,
            "off" => Enforcement::Off,
            other => return Err(PyValueError::new_err(format!("extension_tiers cannot be {other:?}"))),
        };
        Ok(())
    }

    #[setter(_compatible)]
    fn set_compatible(&self, compatible: bool) {
        self.settings().compatible = compatible;
    }

    #[setter(_full_detail)]
    fn set_full_detail(&self, full: bool) {
        self.settings().detail = if full { Detail::Full } else { Detail::Compatible };
    }

    #[getter(_runtime_disabled)]
    fn runtime_disabled(&self, py: Python<'_>) -> Py<PySet> {
        self.settings().runtime_disabled.clone_ref(py)
    }

    #[setter(_runtime_disabled)]
    fn set_runtime_disabled(&self, names: Py<PySet>) {
        self.replace(|settings| &mut settings.runtime_disabled, names);
    }

    #[getter(_not_loaded)]
    fn not_loaded_by_hook(&self, py: Python<'_>) -> Py<PyDict> {
        self.settings().not_loaded.clone_ref(py)
    }

    #[setter(_not_loaded)]
    fn set_not_loaded(&self, by_hook: Py<PyDict>) {
        self.replace(|settings| &mut settings.not_loaded, by_hook);
    }

    #[getter(_overridden)]
    fn overridden(&self) -> bool {
        self.is_overridden()
    }

    #[setter(_overridden)]
    fn set_overridden(&self, overridden: bool) {
        self.settings().overridden = overridden;
    }

    /// Runs the plugins of a hook until the first that suspends: the finished result, or a `HookCall`.
    #[pyo3(signature = (hook_refs, payload, global_context, hook_type, local_contexts, violations_as_exceptions, extensions))]
    #[allow(clippy::too_many_arguments, reason = "the signature of `PluginExecutor.execute`")]
    fn _begin<'py>(
        slf: &Bound<'py, Self>,
        hook_refs: &Bound<'py, PyAny>,
        payload: &Bound<'py, PyAny>,
        global_context: &Bound<'py, PyAny>,
        hook_type: &Bound<'py, PyAny>,
        local_contexts: Option<Bound<'py, PyDict>>,
        violations_as_exceptions: &Bound<'py, PyAny>,
        extensions: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        if hook_refs.len()? == 0 {
            let result = result::nothing(py, this.not_loaded(py, hook_type)?)?;
            return Ok(PyTuple::new(py, [result, py.None().into_bound(py)])?.into_any());
        }
        Self::check_size(slf, payload)?;
        let hook = plain(hook_type)?;
        let line_up = this.line_ups.get(hook_refs, &hook)?;
        let mut hosted = Self::hosted(slf, line_up.share(py), &hook, global_context)?;
        hosted.earlier = local_contexts.map(Bound::unbind);
        hosted.raise_denials = violations_as_exceptions.is_truthy()?;
        let pool = pool(py, &line_up)?;
        let (rule, writable_fields) = this.rule(py, &hook)?;
        hosted.writable_fields = writable_fields;
        let (timeout, isolation) = this.limits();
        let settings = Settings {
            rule,
            isolation,
            enforcement: hosted.enforcement,
            timeout,
            pool: pool.and_then(NonZeroUsize::new),
            raise_denials: hosted.raise_denials,
        };
        hosted.begin_chain_span(py, hook_refs.len()?);
        let clock = Instant::now();
        let disabled = this.settings().runtime_disabled.clone_ref(py);
        let disabled = disabled.bind(py);
        let is_disabled = |control: &Control| is_out_of_service(control, disabled);
        let start = |facts: &Facts<'_>| {
            let payload = payload.clone().unbind();
            Invocation::start(line_up.line(), settings, payload, extensions, facts, is_disabled, 0)
        };
        let invocation = if line_up.is_conditional() {
            Request::read(global_context, Some(payload), hook.to_str()?)?.with_facts(start)
        } else {
            start(&Facts::NONE)
        };
        let mut pipeline = Pipeline::new(invocation, hosted, clock, pool);
        match pipeline.run(py)? {
            Progress::Done(done) => Ok(done),
            Progress::Yielded(value) => HookCall::suspended(py, value, Flight::Pipeline(Box::new(pipeline))),
        }
    }

    /// Runs one plugin outside a pipeline: its result, or a `HookCall`.
    #[pyo3(signature = (hook_ref, payload, local_context, violations_as_exceptions, global_context, combined_metadata, extensions))]
    #[allow(clippy::too_many_arguments, reason = "the signature of `PluginExecutor.execute_plugin`")]
    fn _begin_one<'py>(
        slf: &Bound<'py, Self>,
        hook_ref: &Bound<'py, PyAny>,
        payload: &Bound<'py, PyAny>,
        local_context: &Bound<'py, PyAny>,
        violations_as_exceptions: &Bound<'py, PyAny>,
        global_context: Option<Py<PyAny>>,
        combined_metadata: Option<Py<PyDict>>,
        extensions: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let hook = plain(&hook_ref.getattr(intern!(py, "name"))?)?;
        let line_up = slf.get().line_ups.of_one(hook_ref, &hook)?;
        let timeout = line_up.entries()[0].timeout.or(slf.get().limits().0);
        let request = local_context.getattr(intern!(py, "global_context"))?;
        let mut hosted = Self::hosted(slf, line_up, &hook, &request)?;
        hosted.raise_denials = violations_as_exceptions.is_truthy()?;
        let shown = hosted.line_up.entries()[0].shown;
        let extensions = match extensions {
            Some(extensions) if !shown.is_empty() => {
                Some(hosted.views.show(&extensions, shown, hosted.enforcement)?.unbind())
            }
            _ => None,
        };
        let targets =
            Targets { context: local_context.clone().unbind(), global_context, metadata: combined_metadata };
        let work = Work { entry: 0, payload: payload.clone().unbind(), extensions, timeout };
        match Single::start(py, hosted, targets, &work)? {
            (Progress::Yielded(value), Some(single)) => {
                HookCall::suspended(py, value, Flight::Single(Box::new(single)))
            }
            (Progress::Yielded(done) | Progress::Done(done), _) => Ok(done),
        }
    }

    /// Lets go of the plugins it knows. Calls under way keep theirs until they end.
    fn _release(&self) {
        self.line_ups.clear();
    }

    /// Every hook reference in execution order, with the reason why it would be skipped.
    fn _eligible<'py>(
        slf: &Bound<'py, Self>,
        hook_refs: &Bound<'py, PyAny>,
        payload: &Bound<'py, PyAny>,
        global_context: &Bound<'py, PyAny>,
        hook_type: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let hook = plain(hook_type)?;
        let line_up = slf.get().line_ups.get(hook_refs, &hook)?;
        let request = Request::read(global_context, Some(payload), hook.to_str()?)?;
        let disabled = slf.get().settings().runtime_disabled.clone_ref(py);
        let eligible = PyList::empty(py);
        for entry in line_up.entries() {
            let is_disabled = |control: &Control| is_out_of_service(control, disabled.bind(py));
            let skip = request.with_facts(|facts| entry.skip(facts, is_disabled));
            eligible.append((&entry.plugin.hook_ref, skip.map(cpex_core::record::Skip::text)))?;
        }
        Ok(eligible)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(settings) = self.settings.try_lock() {
            visit.call(&settings.config)?;
            visit.call(&settings.observability)?;
            visit.call(&settings.hook_policies)?;
            visit.call(&settings.default_hook_policy)?;
        }
        self.line_ups.traverse(&visit)
    }

    fn __clear__(&self) {
        self.line_ups.clear();
    }
}

/// Is a plugin configured as disabled, or among those that were disabled at run time?
fn is_out_of_service(control: &Control, disabled: &Bound<'_, PySet>) -> bool {
    control.is_off || !disabled.is_empty() && disabled.contains(&control.name).unwrap_or(false)
}

/// A manager's timeout, in seconds. None at all: no limit; zero or less: no time.
fn limit_of(timeout: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    if timeout.is_none() {
        return Ok(None);
    }
    if timeout.is_instance_of::<PyBool>() || timeout.is_instance_of::<PyString>() {
        let class = timeout.get_type().name()?.to_string();
        return Err(PyTypeError::new_err(format!(
            "timeout must be a number of seconds or None, not {class}"
        )));
    }
    let seconds: f64 = timeout.extract()?;
    if seconds.is_nan() {
        return Err(PyValueError::new_err("timeout must be a number of seconds or None, not nan"));
    }
    Ok(if seconds <= 0.0 { Some(Duration::ZERO) } else { Duration::try_from_secs_f64(seconds).ok() })
}

/// How many concurrent, and how many background plugins may run at once; `None`: all.
fn pool(py: Python<'_>, line_up: &LineUp<Control>) -> PyResult<Option<usize>> {
    if line_up.entries().last().is_none_or(|entry| entry.phase < Phase::Concurrent) {
        return Ok(None);
    }
    let size: i64 = py
        .import(intern!(py, "cpex.framework.manager"))?
        .getattr(intern!(py, "settings"))?
        .getattr(intern!(py, "execution_pool"))?
        .extract()?;
    match usize::try_from(size) {
        Ok(0) => Ok(None),
        Ok(size) => Ok(Some(size)),
        Err(_) => Err(PyValueError::new_err(format!(
            "PLUGINS_EXECUTION_POOL must be 0 (no limit) or more, not {size}"
        ))),
    }
}
