//! What an environment is made of.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What the environment of one plugin is made of, and where. All paths are absolute.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The plugin's folder. It is made if need be.
    pub home: PathBuf,
    /// The requirements file.
    pub requirements: Option<PathBuf>,
    /// The folders that the requirements file, and what it includes, may lie in.
    pub roots: Vec<PathBuf>,
    /// Packages that are installed besides.
    pub packages: Vec<Package>,
    /// The plugin's manifest. It need not exist.
    pub manifest: PathBuf,
    /// The version that the plugin's entry states.
    pub manifest_version: String,
    /// The interpreter that the environment is made from.
    pub interpreter: Interpreter,
    /// What makes and fills the environment.
    pub installer: Installer,
    /// Where packages come from.
    pub sources: Sources,
    /// Names of environment variables that the build sees, besides those of pip, uv, proxies and certificates.
    pub pass_env: Vec<String>,
    /// A program, and its arguments, that runs a command behind them and ends it, and what it has started, when this
    /// process ends. Empty: the commands of a killed host go on to their end.
    pub guard: Vec<OsString>,
    /// How long a build may take, and how long another process is waited for.
    pub time_limit: Duration,
    /// Build even if there is an environment.
    pub anew: bool,
}

/// An interpreter of Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its program.
    pub executable: PathBuf,
    /// Its version, such as `3.12.4`.
    pub version: String,
    /// What compiled modules it can load, such as `cpython-312-x86_64-linux-gnu`.
    pub abi: String,
}

impl Interpreter {
    /// Asks a program what interpreter it is.
    ///
    /// # Errors
    ///
    /// If it does not answer as one does.
    pub fn ask(program: &Path) -> io::Result<Self> {
        const ASK: &str = "import platform, sys, sysconfig\n\
            print(getattr(sys, '_base_executable', None) or sys.executable)\n\
            print(platform.python_version())\n\
            print(sysconfig.get_config_var('SOABI') or sys.implementation.cache_tag)";
        let asked = Command::new(program).args(["-I", "-c", ASK]).stdin(Stdio::null()).output()?;
        let answer = String::from_utf8_lossy(&asked.stdout);
        match answer.lines().collect::<Vec<_>>()[..] {
            [executable, version, abi] if asked.status.success() => {
                Ok(Self { executable: executable.into(), version: version.into(), abi: abi.into() })
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it does not answer as Python does")),
        }
    }
}

/// What makes and fills environments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installer {
    /// uv: this program.
    Uv(PathBuf),
    /// The interpreter's own `venv`, and the pip that comes with it.
    Pip,
}

/// A package that is installed besides the requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Package {
    /// A wheel or a source archive.
    Archive(PathBuf),
    /// The folder of a project, whose files are used where they are.
    Editable(PathBuf),
}

/// Where packages come from; what is empty is as pip and uv are set up.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The package index.
    pub index_url: Option<String>,
    /// Further package indexes.
    pub extra_index_urls: Vec<String>,
    /// Folders and pages with packages.
    pub find_links: Vec<String>,
    /// Ask no index.
    pub offline: bool,
    /// Install nothing without a hash.
    pub require_hashes: bool,
    /// Install wheels only.
    pub only_binary: bool,
}

impl Sources {
    /// The options that pip and uv have in common.
    pub(super) fn options(&self) -> Vec<OsString> {
        let mut options = Vec::new();
        let mut valued = |option: &str, values: &[String]| {
            for value in values {
                // One argument: a value that begins with a hyphen stays a value.
                options.push(OsString::from(format!("{option}={value}")));
            }
        };
        valued("--index-url", self.index_url.as_slice());
        valued("--extra-index-url", &self.extra_index_urls);
        valued("--find-links", &self.find_links);
        if self.require_hashes {
            options.push("--require-hashes".into());
        }
        if self.only_binary {
            options.push("--only-binary=:all:".into());
        }
        options
    }
}
