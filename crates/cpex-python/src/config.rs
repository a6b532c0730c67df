//! Configuration text into the plain Python objects that PyYAML's `safe_load` would make of it.

use std::collections::HashMap;
use std::sync::Arc;

use cpex_config::{
    BigInt, ConfigError, Date, DateTime, Document, Environment, Keys, Node, Problem, Step, Templates, Value,
};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBytes, PyDate, PyDateTime, PyDelta, PyDict, PyInt, PyList, PyMapping, PySet, PyString, PyTuple,
    PyTzInfo,
};

/// Kind, line, column and message.
type ProblemTuple = (&'static str, usize, usize, String);

/// Reads one configuration document.
///
/// Args:
///     text: The text of the file.
///     path: Its name, for messages only.
///     env: The variables templates may use; None leaves templates alone.
///     compat: Whether templates print text, escaped for HTML, as in CPEX 0.1.4.
///
/// Returns:
///     The value of the text, what looked suspicious in it, and the positions of all its parts.
///
/// Raises:
///     ConfigTemplateError: If a template does not parse or render.
///     ConfigSyntaxError: If the text is not one YAML document that `safe_load` accepts.
#[pyfunction]
#[pyo3(signature = (text, path, env=None, compat=false))]
pub(crate) fn load_config<'py>(
    py: Python<'py>,
    text: &str,
    path: &str,
    env: Option<&Bound<'py, PyMapping>>,
    compat: bool,
) -> PyResult<(Bound<'py, PyAny>, Vec<ProblemTuple>, PositionIndex)> {
    let environment = env.map(environment).transpose()?;
    let templates = match &environment {
        None => Templates::Off,
        Some(environment) if compat => Templates::Textual(environment),
        Some(environment) => Templates::Values(environment),
    };
    let document =
        py.detach(|| cpex_config::load(text, path, templates)).map_err(|error| raise(py, &error))?;
    let value = match document.root() {
        None => py.None().into_bound(py),
        Some(root) => Converter { py, shared: HashMap::new() }.node(root)?,
    };
    let problems = document.problems().iter().map(problem).collect();
    Ok((value, problems, PositionIndex { document }))
}

/// What a name is a slip of, as Rust hosts decide it; see [`cpex_config::slip_of`].
#[pyfunction]
pub(crate) fn slip_of(word: &str, candidates: Vec<String>) -> Option<String> {
    cpex_config::slip_of(word, candidates.iter().map(String::as_str)).map(str::to_owned)
}

/// Where each part of a configuration document stands.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct PositionIndex {
    document: Document,
}

#[pymethods]
impl PositionIndex {
    /// The line and column, from 1, of the deepest part that a path of keys and indices reaches.
    ///
    /// Args:
    ///     path: Keys and indices, such as the `loc` of a pydantic error.
    ///
    /// Returns:
    ///     Line and column, or None if the document is empty.
    fn locate(&self, path: &Bound<'_, PyAny>) -> PyResult<Option<(usize, usize)>> {
        let steps = path.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        let keys = steps.iter().map(PyAnyMethods::str).collect::<PyResult<Vec<_>>>()?;
        let path = steps
            .iter()
            .zip(&keys)
            .map(|(step, key)| match step.extract() {
                Ok(index) => Ok(Step::Index(index)),
                Err(_) => Ok(Step::Key(key.to_str()?)),
            })
            .collect::<PyResult<Vec<_>>>()?;
        Ok(self.document.locate(&path).map(|at| (at.line, at.column)))
    }

    /// The keys that nothing reads, with the key that was probably meant.
    ///
    /// Args:
    ///     known: What is known: a dict of keys for a mapping, a list with one element for each item of a
    ///         sequence, None where anything goes.
    ///
    /// Returns:
    ///     Kind, line, column and message of each unknown key.
    fn unknown_keys(&self, known: &Bound<'_, PyAny>) -> PyResult<Vec<ProblemTuple>> {
        Ok(self.document.unknown_keys(&keys(known)?).iter().map(problem).collect())
    }

    fn __repr__(&self) -> String {
        format!("<PositionIndex of {:?}>", self.document.file())
    }
}

fn problem(problem: &Problem) -> ProblemTuple {
    (problem.kind.name(), problem.position.line, problem.position.column, problem.to_string())
}

/// Variables that are not UTF-8 keep what is readable.
fn environment(env: &Bound<'_, PyMapping>) -> PyResult<Environment> {
    let mut environment = Environment::new();
    for item in env.items()?.iter() {
        let (name, value): (Bound<'_, PyString>, Bound<'_, PyString>) = item.extract()?;
        environment.insert(name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned());
    }
    Ok(environment)
}

fn keys(known: &Bound<'_, PyAny>) -> PyResult<Keys> {
    if known.is_none() {
        return Ok(Keys::Free);
    }
    if let Ok(list) = known.cast::<PyList>() {
        return Ok(Keys::Each(Box::new(keys(&list.get_item(0)?)?)));
    }
    let Ok(mapping) = known.cast::<PyDict>() else {
        return Err(PyTypeError::new_err("known keys are a dict, a list of one element, or None"));
    };
    let pairs = mapping.iter().map(|(key, below)| Ok((key.extract()?, keys(&below)?)));
    Ok(Keys::Known(pairs.collect::<PyResult<_>>()?))
}

/// The exception of an error. The classes derive from PyYAML's, which is imported only when one is raised.
fn raise(py: Python<'_>, error: &ConfigError) -> PyErr {
    let class = match error {
        ConfigError::Template { .. } => intern!(py, "ConfigTemplateError"),
        _ => intern!(py, "ConfigSyntaxError"),
    };
    let at = error.location();
    let exception = py
        .import(intern!(py, "cpex.framework.loader._config_errors"))
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((error.to_string(), &at.file, at.position.line, at.position.column)));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

struct Converter<'py> {
    py: Python<'py>,
    /// Aliases of a collection are one object, as PyYAML makes them.
    shared: HashMap<*const Node, Bound<'py, PyAny>>,
}

impl<'py> Converter<'py> {
    fn node(&mut self, node: &Arc<Node>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(object) = self.shared.get(&Arc::as_ptr(node)) {
            return Ok(object.clone());
        }
        let object = self.value(node.value())?;
        if Arc::strong_count(node) > 1 {
            self.shared.insert(Arc::as_ptr(node), object.clone());
        }
        Ok(object)
    }

    fn value(&mut self, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        Ok(match value {
            Value::Null => py.None().into_bound(py),
            Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
            Value::Int(number) => number.into_pyobject(py)?.into_any(),
            Value::BigInt(BigInt { digits, radix }) => py.get_type::<PyInt>().call1((digits, radix))?,
            Value::Float(number) => number.into_pyobject(py)?.into_any(),
            Value::Str(text) => PyString::new(py, text).into_any(),
            Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
            Value::Date(date) => self.date(*date)?,
            Value::DateTime(datetime) => self.datetime(datetime)?,
            Value::Seq(items) => self.items(items)?.into_any(),
            Value::Set(items) => PySet::new(py, self.items(items)?)?.into_any(),
            Value::Map(pairs) => {
                let dict = PyDict::new(py);
                for (key, value) in pairs {
                    dict.set_item(self.node(key)?, self.node(value)?)?;
                }
                dict.into_any()
            }
            Value::Pairs(pairs) => {
                let list = PyList::empty(py);
                for (key, value) in pairs {
                    list.append(PyTuple::new(py, [self.node(key)?, self.node(value)?])?)?;
                }
                list.into_any()
            }
        })
    }

    fn items(&mut self, items: &[Arc<Node>]) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(self.py);
        for item in items {
            list.append(self.node(item)?)?;
        }
        Ok(list)
    }

    fn date(&self, date: Date) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyDate::new(self.py, date.year.into(), date.month, date.day)?.into_any())
    }

    fn datetime(&self, datetime: &DateTime) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let DateTime { date, hour, minute, second, microsecond, offset } = *datetime;
        let zone = match offset.map(|offset| offset.minutes) {
            None => None,
            Some(0) => Some(PyTzInfo::utc(py)?.to_owned()),
            Some(minutes) => Some(PyTzInfo::fixed_offset(py, PyDelta::new(py, 0, minutes * 60, 0, true)?)?),
        };
        let (year, zone) = (date.year.into(), zone.as_ref());
        Ok(PyDateTime::new(py, year, date.month, date.day, hour, minute, second, microsecond, zone)?
            .into_any())
    }
}
