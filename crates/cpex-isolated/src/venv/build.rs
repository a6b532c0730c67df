//! One environment, found or built.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fs4::{FileExt, TryLockError};

use super::error::{BuildError, Step};
use super::fingerprint;
use super::installer;
use super::metadata::Metadata;
use super::recipe::Recipe;
use super::requirements;
use super::run::Runner;
use super::scrub::Scrub;
use super::store::{self, Seal, Store, remove};
use super::variables;

/// Between two looks at who else builds.
const PAUSE: Duration = Duration::from_millis(50);

/// A whole environment. Nobody removes it as long as this value lives, in any process.
#[derive(Debug)]
pub struct Environment {
    folder: PathBuf,
    is_reused: bool,
    /// Locked, shared with all who run from it.
    _held: File,
}

impl Environment {
    /// The environment.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        installer::python_of(&self.folder)
    }

    /// Was it there already?
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }
}

/// Who wants an environment: told of the steps, and asked.
pub trait Watcher {
    /// A step begins.
    fn step(&mut self, step: Step);

    /// Is the build to be given up? Asked many times a second.
    fn is_cancelled(&mut self) -> bool;

    /// Can this environment be used? Asked once of the one that [`ensure`] is about to give.
    ///
    /// # Errors
    ///
    /// If it cannot.
    fn check(&mut self, folder: &Path) -> Result<(), Stop>;
}

/// Why a build goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// Nobody wants it any more.
    Cancelled,
    /// What was installed cannot be used, for this reason.
    Refused(String),
}

/// Gives a plugin the environment of a recipe. If there is none, it is built, by one process at a time.
///
/// Blocks, for minutes if it has to be built.
///
/// # Errors
///
/// If it cannot be built, or was given up. Then all is as before, but for the folders `.cpex` and those above it.
pub fn ensure(recipe: &Recipe, watcher: &mut dyn Watcher) -> Result<Environment, BuildError> {
    let included = match &recipe.requirements {
        Some(file) => requirements::read(file, &recipe.roots).map_err(BuildError::Requirements)?,
        None => Vec::new(),
    };
    let store = Store::at(&recipe.home);
    let reading = |source| BuildError::Io { step: Step::Check, path: recipe.home.clone(), source };
    let manifest = fingerprint::content_of(&recipe.manifest).map_err(reading)?;
    let fingerprint = fingerprint::of(recipe, &included, &manifest).map_err(reading)?;
    let wanted = Metadata::of(recipe, &store.venv()).map_err(reading)?;
    if !recipe.anew {
        if let Some((folder, held)) = store.find(&fingerprint) {
            return found(folder, held, watcher);
        }
        // Nobody knows what was checked when it was built.
        let may_be_theirs = recipe.packages.is_empty() && !recipe.sources.require_hashes;
        if let Some((folder, held)) = may_be_theirs.then(|| store.find_foreign(&wanted)).flatten()
            && let Ok(found) = found(folder, held, watcher)
        {
            return Ok(found);
        }
    }
    let build = Build { recipe, store, fingerprint, wanted };
    let lock = build.store.lock_file().map_err(|source| build.io(Step::Make, source))?;
    build.wait(&lock, watcher)?;
    // Another one may have built what is wanted while this one waited.
    if !recipe.anew
        && let Some((folder, held)) = build.store.find(&build.fingerprint)
    {
        return found(folder, held, watcher);
    }
    build.run(&lock, watcher)
}

/// Holds the environments that there are in a plugin's folder. Who may go back to one of them keeps them all until then.
pub fn hold(home: &Path) -> Vec<Environment> {
    let held = Store::at(home).all().into_iter();
    held.map(|(folder, held)| Environment { folder, is_reused: true, _held: held }).collect()
}

fn found(folder: PathBuf, held: File, watcher: &mut dyn Watcher) -> Result<Environment, BuildError> {
    checked(&folder, watcher)?;
    Ok(Environment { folder, is_reused: true, _held: held })
}

fn checked(folder: &Path, watcher: &mut dyn Watcher) -> Result<(), BuildError> {
    watcher.check(folder).map_err(|stop| match stop {
        Stop::Cancelled => BuildError::Cancelled { step: Step::Check },
        Stop::Refused(reason) => BuildError::Refused { reason },
    })
}

struct Build<'a> {
    recipe: &'a Recipe,
    store: Store,
    fingerprint: String,
    wanted: Metadata,
}

impl Build<'_> {
    /// Waits until nobody else builds.
    fn wait(&self, lock: &File, watcher: &mut dyn Watcher) -> Result<(), BuildError> {
        let (limit, mut is_told) = (self.recipe.time_limit, false);
        let began = Instant::now();
        loop {
            match FileExt::try_lock(lock) {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(source)) => return Err(self.io(Step::Wait, source)),
                Err(TryLockError::WouldBlock) => {}
            }
            if !is_told {
                watcher.step(Step::Wait);
                is_told = true;
            }
            if watcher.is_cancelled() {
                return Err(BuildError::Cancelled { step: Step::Wait });
            }
            if began.elapsed() >= limit {
                return Err(BuildError::TimedOut { step: Step::Wait, after: limit, stderr: String::new() });
            }
            thread::sleep(PAUSE);
        }
    }

    /// Builds, with the lock. What it fails at leaves nothing.
    fn run(&self, lock: &File, watcher: &mut dyn Watcher) -> Result<Environment, BuildError> {
        self.store.sweep(None);
        let folder = self.store.begin(&self.fingerprint).map_err(|source| self.io(Step::Make, source))?;
        let built = self.fill(&folder, lock, watcher).and_then(|()| self.keep(&folder, watcher));
        match built {
            Ok(held) => {
                self.store.sweep(Some(&folder));
                Ok(Environment { folder, is_reused: false, _held: held })
            }
            Err(error) => {
                remove(&folder);
                Err(error)
            }
        }
    }

    fn fill(&self, folder: &Path, lock: &File, watcher: &mut dyn Watcher) -> Result<(), BuildError> {
        let recipe = self.recipe;
        let variables = variables::of_a_build(env::vars_os(), &recipe.pass_env);
        let mut runner = Runner {
            scrub: Scrub::new(variables::secrets(&variables, &recipe.pass_env)),
            watcher,
            limit: recipe.time_limit,
            began: Instant::now(),
            lock,
        };
        let steps = [
            (Step::Make, Some(installer::make(recipe, folder))),
            (Step::Install, installer::install(recipe, folder)),
        ];
        for (step, command) in steps {
            let Some(mut command) = command else { continue };
            runner.watcher.step(step);
            let set = command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)));
            let set = set.collect::<Vec<_>>();
            command.env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
            command.envs(set.into_iter().filter_map(|(name, value)| Some((name, value?))));
            runner.run(step, command)?;
        }
        runner.watcher.step(Step::Check);
        checked(folder, runner.watcher)
    }

    /// Seals the environment, holds it, and makes it the plugin's.
    fn keep(&self, folder: &Path, watcher: &mut dyn Watcher) -> Result<File, BuildError> {
        watcher.step(Step::Keep);
        let seal = Seal {
            fingerprint: self.fingerprint.clone(),
            python: self.recipe.interpreter.version.clone(),
            cpex: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let kept = || -> io::Result<File> {
            self.store.seal(folder, &seal)?;
            let held = store::hold(folder).ok_or_else(|| io::Error::other("it is gone"))?;
            let metadata = Metadata {
                fingerprint: Some(self.fingerprint.clone()),
                environment: Some(folder.to_string_lossy().into_owned()),
                ..self.wanted.clone()
            };
            self.store.point_to(folder, &metadata)?;
            Ok(held)
        };
        kept().map_err(|source| self.io(Step::Keep, source))
    }

    fn io(&self, step: Step, source: io::Error) -> BuildError {
        BuildError::Io {
            step,
            path: fs::canonicalize(&self.recipe.home).unwrap_or(self.recipe.home.clone()),
            source,
        }
    }
}
