//! What conditions ask about a request, read from Python objects.

use cpex_core::condition::{self, Condition, Facts, Named, Spec, Subject, User};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The parts of a request that conditions ask about, as Python objects.
pub(crate) struct Request<'py> {
    server_id: Option<Bound<'py, PyString>>,
    tenant_id: Option<Bound<'py, PyString>>,
    content_type: Option<Bound<'py, PyString>>,
    user: Option<Bound<'py, PyAny>>,
    named: Option<Bound<'py, PyAny>>,
}

impl<'py> Request<'py> {
    /// Reads a request's context, and from the payload what it names on this hook.
    pub(crate) fn read(
        context: &Bound<'py, PyAny>,
        payload: Option<&Bound<'py, PyAny>>,
        hook: &str,
    ) -> PyResult<Self> {
        let py = context.py();
        let user = context.getattr(intern!(py, "user"))?;
        Ok(Self {
            server_id: text(context.getattr(intern!(py, "server_id"))?),
            tenant_id: text(context.getattr(intern!(py, "tenant_id"))?),
            content_type: text(context.getattr(intern!(py, "content_type"))?),
            user: if user.is_truthy()? { Some(user) } else { None },
            named: match payload {
                Some(payload) => named(payload, hook)?,
                None => None,
            },
        })
    }

    /// Calls with the facts, which borrow from the objects.
    pub(crate) fn with_facts<R>(&self, ask: impl FnOnce(&Facts<'_>) -> R) -> R {
        let has_key = |key: &str| self.user.as_ref().is_some_and(|user| user.contains(key).unwrap_or(false));
        let user = match self.user.as_ref().map(|user| user.cast::<PyString>()) {
            None => User::Unknown,
            // A name that is no UTF-8, such as one with half a surrogate pair, is searched by Python.
            Some(Ok(name)) => name.to_str().map_or(User::Keys(&has_key), User::Name),
            Some(Err(_)) => User::Keys(&has_key),
        };
        let named = match self.named.as_ref().map(|named| named.cast::<PyString>()) {
            None => Named::Nothing,
            Some(Ok(name)) => name.to_str().map_or(Named::Opaque, Named::Text),
            Some(Err(_)) => Named::Opaque,
        };
        ask(&Facts {
            server_id: as_str(self.server_id.as_ref()),
            tenant_id: as_str(self.tenant_id.as_ref()),
            content_type: as_str(self.content_type.as_ref()),
            user,
            named,
        })
    }
}

fn text(value: Bound<'_, PyAny>) -> Option<Bound<'_, PyString>> {
    value.cast_into::<PyString>().ok()
}

fn as_str<'a>(value: Option<&'a Bound<'_, PyString>>) -> Option<&'a str> {
    value.and_then(|value| value.to_str().ok())
}

fn named<'py>(payload: &Bound<'py, PyAny>, hook: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some((_, field)) = Subject::of_hook(hook) else { return Ok(None) };
    match payload.getattr_opt(field)? {
        Some(value) if value.is_truthy()? => Ok(Some(value)),
        _ => Ok(None),
    }
}

/// A condition of the configuration, compiled for a hook.
pub(crate) fn compile(condition: &Bound<'_, PyAny>, hook: &str) -> PyResult<Condition> {
    let strings = |name: &str| -> PyResult<Vec<String>> {
        match condition.getattr_opt(name)? {
            Some(values) if !values.is_none() => {
                values.try_iter()?.map(|value| Ok(value?.str()?.to_string())).collect()
            }
            _ => Ok(Vec::new()),
        }
    };
    let spec = Spec {
        server_ids: strings("server_ids")?,
        tenant_ids: strings("tenant_ids")?,
        tools: strings("tools")?,
        prompts: strings("prompts")?,
        resources: strings("resources")?,
        agents: strings("agents")?,
        user_patterns: strings("user_patterns")?,
        content_types: strings("content_types")?,
    };
    Ok(Condition::new(&spec, hook))
}

/// Does the request part of a condition match, whatever the payload names?
#[pyfunction]
pub(crate) fn matches(condition: &Bound<'_, PyAny>, context: &Bound<'_, PyAny>) -> PyResult<bool> {
    let condition = compile(condition, "")?;
    let request = Request::read(context, None, "")?;
    Ok(request.with_facts(|facts| condition.check_request(facts).is_ok()))
}

/// Does any of the conditions match? No conditions: yes.
#[pyfunction]
pub(crate) fn payload_matches(
    payload: &Bound<'_, PyAny>,
    hook_type: &str,
    conditions: &Bound<'_, PyAny>,
    context: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let conditions = conditions
        .try_iter()?
        .map(|condition| compile(&condition?, hook_type))
        .collect::<PyResult<Vec<_>>>()?;
    let request = Request::read(context, Some(payload), hook_type)?;
    Ok(request.with_facts(|facts| condition::check_any(&conditions, facts).is_ok()))
}

/// What a payload names on a hook; `None` if conditions cannot ask for it there.
#[pyfunction]
pub(crate) fn get_matchable_value<'py>(
    payload: &Bound<'py, PyAny>,
    hook_type: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match Subject::of_hook(hook_type) {
        Some((_, field)) => payload.getattr_opt(field),
        None => Ok(None),
    }
}

/// A content type without parameters, in lower case; `""` for anything that is not a string.
#[pyfunction]
pub(crate) fn normalize_content_type(content_type: &Bound<'_, PyAny>) -> PyResult<String> {
    match content_type.cast::<PyString>() {
        Ok(text) => Ok(condition::normalize_content_type(text.to_str()?)),
        Err(_) => Ok(String::new()),
    }
}
