//! A plugin's folder, a recipe for its environment, and an installer that is a script.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpex_isolated::venv::{
    BuildError, Environment, Installer, Interpreter, Recipe, Sources, Step, Stop, Watcher, ensure,
};
use tempfile::TempDir;

/// How many files the script installs.
pub(crate) const FILES: usize = 20;

/// `uv venv … FOLDER` and `uv pip install … --python FOLDER/bin/python …`, each told to the log; `$pause` is between
/// two files.
const UV: &str = r#"#!/bin/sh
log=LOG; pause=PAUSE
case "$1" in
venv)
    for folder; do :; done
    mkdir -p "$folder/bin" "$folder/lib"
    echo "home = /usr/bin" > "$folder/pyvenv.cfg"
    ln -s /bin/sh "$folder/bin/python"
    echo "make" >> "$log" ;;
pip)
    while [ "$1" != --python ]; do shift; done
    folder=${2%/bin/python}
    echo "install $*" >> "$log"
    BEFORE
    i=0
    while [ $i -lt 20 ]; do sleep $pause; echo $i > "$folder/lib/$i" || exit 3; i=$((i + 1)); done ;;
esac
"#;

pub(crate) struct Workshop {
    pub(crate) folder: TempDir,
    pub(crate) recipe: Recipe,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        Self::with("", "0")
    }

    /// One whose installer does something before it installs, and rests between two files.
    pub(crate) fn with(before: &str, pause: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let recipe = recipe_in(folder.path());
        fs::create_dir(&recipe.home).unwrap();
        fs::write(recipe.home.join("requirements.txt"), "some-package==1.0\n").unwrap();
        let workshop = Self { folder, recipe };
        workshop.installs(before, pause);
        workshop
    }

    /// Writes the installer anew.
    pub(crate) fn installs(&self, before: &str, pause: &str) {
        let uv = self.folder.path().join("uv");
        let script = UV.replace("LOG", &self.log().to_string_lossy()).replace("PAUSE", pause);
        // Another process may be running the old one.
        let new = uv.with_extension("new");
        fs::write(&new, script.replace("BEFORE", before)).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, uv).unwrap();
    }

    pub(crate) fn home(&self) -> &Path {
        &self.recipe.home
    }

    pub(crate) fn build(&self) -> Result<Environment, BuildError> {
        ensure(&self.recipe, &mut Customer::default())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What the installer was told.
    pub(crate) fn commands(&self) -> Vec<String> {
        fs::read_to_string(self.log()).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
    }

    /// How many environments were filled.
    pub(crate) fn installed(&self) -> usize {
        self.commands().iter().filter(|command| command.starts_with("install")).count()
    }

    /// The folders of environments, whole or not.
    pub(crate) fn environments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home().join(".cpex/venvs")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

/// The recipe for the plugin below a folder.
pub(crate) fn recipe_in(folder: &Path) -> Recipe {
    let home = folder.join("plugin");
    Recipe {
        requirements: Some(home.join("requirements.txt")),
        roots: vec![home.clone()],
        packages: Vec::new(),
        manifest: home.join("manifest.yaml"),
        manifest_version: "1.0".into(),
        interpreter: Interpreter {
            executable: "/usr/bin/python3".into(),
            version: "3.11.7".into(),
            abi: "cpython-311-x86_64-linux-gnu".into(),
        },
        installer: Installer::Uv(folder.join("uv")),
        sources: Sources::default(),
        pass_env: Vec::new(),
        guard: Vec::new(),
        time_limit: Duration::from_secs(60),
        anew: false,
        home,
    }
}

/// Is everything there that the installer installs?
pub(crate) fn is_complete(environment: &Path) -> bool {
    (0..FILES).all(|file| environment.join("lib").join(file.to_string()).is_file())
}

/// Remembers the steps; refuses, or gives up at a step, if it is told to.
#[derive(Default)]
pub(crate) struct Customer {
    pub(crate) steps: Vec<Step>,
    pub(crate) refuses: Option<&'static str>,
    pub(crate) is_lasting: bool,
    pub(crate) gives_up_at: Option<Step>,
    pub(crate) checked: Vec<PathBuf>,
}

impl Watcher for Customer {
    fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn is_cancelled(&mut self) -> bool {
        self.gives_up_at.is_some() && self.gives_up_at == self.steps.last().copied()
    }

    fn check(&mut self, folder: &Path) -> Result<(), Stop> {
        self.checked.push(folder.to_owned());
        self.refuses.map_or(Ok(()), |reason| {
            Err(Stop::Refused { reason: reason.into(), is_lasting: self.is_lasting })
        })
    }
}
