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
    /// What was installed cannot be used.
    Refused {
        /// Why.
        reason: String,
        /// Would it be the same after another build of the same recipe?
        is_lasting: bool,
    },
}

impl Stop {
    /// The error that tells of it; a file may remember it.
    fn told(self, record: Option<PathBuf>) -> BuildError {
        match self {
            Self::Cancelled => BuildError::Cancelled { step: Step::Check },
            Self::Refused { reason, .. } => BuildError::Refused { reason, record },
        }
    }
}

/// Gives a plugin the environment of a recipe. If there is none, it is built, by one process at a time.
///
/// Blocks, for minutes if it has to be built.
///
/// # Errors
///
/// If it cannot be built, was given up, or was built in vain before. Then all is as before, but for what is said of that
/// in the folder `.cpex`, and the folders above it.
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
        in_vain(&store, &fingerprint)?;
    }
    let build = Build { recipe, store, fingerprint, wanted };
    let lock = build.store.lock_file().map_err(|source| build.io(Step::Make, source))?;
    build.wait(&lock, watcher)?;
    // Another one may have built what is wanted while this one waited.
    if !recipe.anew {
        if let Some((folder, held)) = build.store.find(&build.fingerprint) {
            return found(folder, held, watcher);
        }
        in_vain(&build.store, &build.fingerprint)?;
    }
    build.run(&lock, watcher)
}

/// Holds the environments that there are in a plugin's folder. Who may go back to one of them keeps them all until then.
pub fn hold(home: &Path) -> Vec<Environment> {
    let held = Store::at(home).all().into_iter();
    held.map(|(folder, held)| Environment { folder, is_reused: true, _held: held }).collect()
}

fn found(folder: PathBuf, held: File, watcher: &mut dyn Watcher) -> Result<Environment, BuildError> {
    watcher.check(&folder).map_err(|stop| stop.told(None))?;
    Ok(Environment { folder, is_reused: true, _held: held })
}

/// Was the same built before, and could not be used?
fn in_vain(store: &Store, fingerprint: &str) -> Result<(), BuildError> {
    store
        .refused(fingerprint)
        .map_or(Ok(()), |reason| Err(BuildError::Refused { reason, record: Some(store.refusal()) }))
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
            variables,
            recipe,
            watcher,
            began: Instant::now(),
            lock,
        };
        let steps = [
            (Step::Make, Some(installer::make(recipe, folder))),
            (Step::Install, installer::install(recipe, folder)),
        ];
        for (step, command) in steps {
            let Some(command) = command else { continue };
            runner.watcher.step(step);
            runner.run(step, &command)?;
        }
        watcher.step(Step::Check);
        watcher.check(folder).map_err(|stop| {
            let record = self.remember(&stop);
            stop.told(record)
        })
    }

    /// Remembers that this build was in vain, if the next one would be, too. Where it cannot be written, the next start
    /// builds and tells again.
    fn remember(&self, stop: &Stop) -> Option<PathBuf> {
        let Stop::Refused { reason, is_lasting: true } = stop else { return None };
        self.store.refuse(&self.fingerprint, reason).ok().map(|()| self.store.refusal())
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
            self.store.forgive()?;
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
