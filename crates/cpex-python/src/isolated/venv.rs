//! Environments of isolated plugins, built while the interpreter is free.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpex_isolated::venv::{
    self, BuildError, Environment, Installer, Interpreter, Package, Recipe, Sources, Step, Stop, Watcher,
};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What an environment is made of, as `cpex.framework.isolated._options` puts it together.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Asked {
    home: PathBuf,
    requirements: Option<PathBuf>,
    roots: Vec<PathBuf>,
    archives: Vec<PathBuf>,
    editables: Vec<PathBuf>,
    manifest: PathBuf,
    manifest_version: String,
    interpreter: AskedInterpreter,
    uv: Option<PathBuf>,
    index_url: Option<String>,
    extra_index_urls: Vec<String>,
    find_links: Vec<String>,
    offline: bool,
    require_hashes: bool,
    only_binary: bool,
    pass_env: Vec<String>,
    guard: Vec<OsString>,
    /// In seconds.
    timeout: f64,
    anew: bool,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct AskedInterpreter {
    executable: PathBuf,
    version: String,
    abi: String,
}

impl TryFrom<Asked> for Recipe {
    type Error = PyErr;

    fn try_from(asked: Asked) -> PyResult<Self> {
        let archives = asked.archives.into_iter().map(Package::Archive);
        let editables = asked.editables.into_iter().map(Package::Editable);
        let AskedInterpreter { executable, version, abi } = asked.interpreter;
        Ok(Self {
            home: asked.home,
            requirements: asked.requirements,
            roots: asked.roots,
            packages: archives.chain(editables).collect(),
            manifest: asked.manifest,
            manifest_version: asked.manifest_version,
            interpreter: Interpreter { executable, version, abi },
            installer: asked.uv.map_or(Installer::Pip, Installer::Uv),
            sources: Sources {
                index_url: asked.index_url,
                extra_index_urls: asked.extra_index_urls,
                find_links: asked.find_links,
                offline: asked.offline,
                require_hashes: asked.require_hashes,
                only_binary: asked.only_binary,
            },
            pass_env: asked.pass_env,
            guard: asked.guard,
            time_limit: Duration::try_from_secs_f64(asked.timeout)
                .map_err(|_| PyValueError::new_err("timeout is too long"))?,
            anew: asked.anew,
        })
    }
}

/// An environment that nobody removes as long as this object lives.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct BuiltEnvironment(Environment);

#[pymethods]
impl BuiltEnvironment {
    #[getter]
    fn folder(&self) -> PathBuf {
        self.0.folder().to_owned()
    }

    #[getter]
    fn python(&self) -> PathBuf {
        self.0.python()
    }

    #[getter]
    fn reused(&self) -> bool {
        self.0.is_reused()
    }
}

/// Finds or builds an environment. The watcher is told of steps and asked, on this thread.
#[pyfunction]
pub(crate) fn build_environment(
    py: Python<'_>,
    recipe: Asked,
    watcher: Py<PyAny>,
) -> PyResult<BuiltEnvironment> {
    let recipe = Recipe::try_from(recipe)?;
    let mut asking = Asking { watcher, raised: None };
    let built = py.detach(|| venv::ensure(&recipe, &mut asking));
    match (built, asking.raised) {
        // What the watcher raised is why the build was given up.
        (_, Some(raised)) => Err(raised),
        (Ok(environment), None) => Ok(BuiltEnvironment(environment)),
        (Err(error), None) => Err(failure(py, &error, &asking.watcher)?),
    }
}

/// Asks a program what interpreter it is: its executable, version and ABI.
#[pyfunction]
pub(crate) fn ask_interpreter(py: Python<'_>, program: PathBuf) -> PyResult<(PathBuf, String, String)> {
    let Interpreter { executable, version, abi } = py.detach(|| Interpreter::ask(&program))?;
    Ok((executable, version, abi))
}

/// Holds the environments that there are in a plugin's folder.
#[pyfunction]
pub(crate) fn hold_environments(home: PathBuf) -> Vec<BuiltEnvironment> {
    venv::hold(&home).into_iter().map(BuiltEnvironment).collect()
}

/// The files that a requirements file is made of.
#[pyfunction]
pub(crate) fn requirements_files(file: PathBuf, roots: Vec<PathBuf>) -> PyResult<Vec<PathBuf>> {
    venv::requirements_files(&file, &roots).map_err(|error| PyValueError::new_err(error.to_string()))
}

struct Asking {
    watcher: Py<PyAny>,
    raised: Option<PyErr>,
}

impl Asking {
    /// What the watcher answers; nothing after it has raised.
    fn ask<T>(&mut self, ask: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Option<T> {
        if self.raised.is_some() {
            return None;
        }
        Python::attach(|py| ask(self.watcher.bind(py))).map_err(|raised| self.raised = Some(raised)).ok()
    }
}

impl Watcher for Asking {
    fn step(&mut self, step: Step) {
        self.ask(|watcher| watcher.call_method1(intern!(watcher.py(), "step"), (step.name(),)).map(drop));
    }

    fn is_cancelled(&mut self) -> bool {
        let answered = self.ask(|watcher| {
            // A key that interrupts a program interrupts the build.
            watcher.py().check_signals()?;
            watcher.call_method0(intern!(watcher.py(), "is_cancelled"))?.is_truthy()
        });
        answered.unwrap_or(true)
    }

    fn check(&mut self, folder: &Path) -> Result<(), Stop> {
        let answered = self.ask(|watcher| {
            watcher
                .call_method1(intern!(watcher.py(), "check"), (folder,))?
                .extract::<Option<(String, bool)>>()
        });
        match answered {
            None => Err(Stop::Cancelled),
            Some(None) => Ok(()),
            Some(Some((reason, is_lasting))) => Err(Stop::Refused { reason, is_lasting }),
        }
    }
}

/// The exception of a failed build, which the watcher makes.
fn failure(py: Python<'_>, error: &BuildError, watcher: &Py<PyAny>) -> PyResult<PyErr> {
    let details = PyDict::new(py);
    details.set_item("step", error.step().name())?;
    details.set_item("command", error.command())?;
    details.set_item("requirements", error.requirements().map(Path::to_string_lossy))?;
    details.set_item("exit_code", error.exit_code())?;
    details.set_item("stderr", error.stderr())?;
    Ok(PyErr::from_value(watcher.bind(py).call_method1(intern!(py, "error"), (error.to_string(), details))?))
}
