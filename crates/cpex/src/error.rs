//! What can go wrong, and for whom.

use std::fmt;
use std::time::Duration;

use crate::report::Report;
use crate::violation::Violation;

/// Any error.
///
/// ```
/// let error: cpex::BoxError = "out of order".into();
/// assert_eq!(error.to_string(), "out of order");
/// ```
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A hook could not be carried through. Treat it as a denial: not every plugin has been asked.
///
/// ```
/// use cpex::{Context, Hook, InvokeError, Json, Manager};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let manager = Manager::builder().build()?;
/// let outcome = manager.invoke(&Hook::<Json>::new("ping"), &Json::default(), &Context::new("1")).await;
/// assert!(matches!(outcome, Err(InvokeError::NotInitialized)));
/// # Ok::<(), cpex::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// A plugin failed whose `on_error` is `fail`, or raised a violation where it could not return one.
    #[error("plugin {plugin:?} failed: {failure}")]
    Plugin {
        /// Name of the plugin.
        plugin: String,
        /// What went wrong.
        #[source]
        failure: Failure,
        /// What became of each plugin.
        report: Box<Report>,
    },
    /// A plugin denied, and the manager hands denials out as errors.
    #[error("{violation}")]
    Denied {
        /// Why.
        #[source]
        violation: Box<Violation>,
        /// What became of each plugin.
        report: Box<Report>,
    },
    /// The hook carries another payload than it was invoked with, or returns another.
    #[error(
        "hook {hook:?} carries {expected}{}, it was invoked as one that carries {found}: \
         invoke it with what it carries, or make its types known with `Builder::hook`",
        taken(.plugin)
    )]
    Payload {
        /// Name of the hook.
        hook: String,
        /// Name of a plugin that takes what the hook carries.
        plugin: Option<String>,
        /// The types of the hook.
        expected: String,
        /// The types that it was invoked with.
        found: String,
    },
    /// The JSON that was given is no payload of the hook.
    #[error("hook {hook:?}: {path}: {message}")]
    Json {
        /// Name of the hook.
        hook: String,
        /// Where in the JSON.
        path: String,
        /// What is wrong there.
        message: String,
    },
    /// The manager has not been initialized: its plugins are not there yet.
    #[error("the manager is not initialized: call `initialize` before the first hook")]
    NotInitialized,
    /// The manager has been shut down: its plugins are gone.
    #[error("the manager is shut down")]
    ShutDown,
}

/// How a plugin failed.
///
/// ```
/// use std::time::Duration;
///
/// let failure = cpex::Failure::TimedOut(Duration::from_millis(250));
/// assert_eq!(failure.to_string(), "took longer than 250ms");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// It returned an error.
    Error(BoxError),
    /// It took longer than this.
    TimedOut(Duration),
    /// It panicked with this message.
    Panicked(Box<str>),
    /// It returned a violation as an error: a denial that no mode suppresses.
    Refused(Box<Violation>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::TimedOut(limit) => write!(f, "took longer than {limit:?}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Refused(violation) => violation.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Error(error) => Some(&**error),
            Self::Refused(violation) => Some(&**violation),
            Self::TimedOut(_) | Self::Panicked(_) => None,
        }
    }
}

impl From<BoxError> for Failure {
    fn from(error: BoxError) -> Self {
        match error.downcast::<Violation>() {
            Ok(violation) => Self::Refused(violation),
            Err(error) => Self::Error(error),
        }
    }
}

/// A manager could not be put together or started.
///
/// ```
/// let error = cpex::Manager::from_yaml("no-such-file.yaml").unwrap_err();
/// assert!(error.to_string().starts_with("no-such-file.yaml: "));
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// The text of a configuration is no YAML.
    #[error(transparent)]
    Yaml(#[from] cpex_config::ConfigError),
    /// A configuration says something that it cannot.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// Two plugins have the same name.
    #[error("{}there are two plugins called {name:?}: names are unique in a manager", before(.place))]
    DuplicateName {
        /// The name.
        name: String,
        /// File, line and column of the second one; `None` if it was not read from a file.
        place: Option<String>,
    },
    /// There is no plugin of this name.
    #[error("there is no plugin {name:?}{}", hint(.nearest))]
    NoSuchPlugin {
        /// The name.
        name: String,
        /// The name of a plugin that it may stand for.
        nearest: Option<String>,
    },
    /// There is no instance of this plugin that could be taken out of service, or put into it again.
    #[error("plugin {name:?} is not loaded: {why}")]
    NotLoaded {
        /// The name.
        name: String,
        /// Why there is none.
        why: String,
    },
    /// The manager was not built from a file, so that there is none to read again.
    #[error("the manager was not built from a file: use `Builder::yaml`, or `replace` with a configuration")]
    NoFile,
    /// A plugin takes another payload than its hook carries.
    #[error(
        "plugin {plugin:?} takes {takes} at hook {hook:?}, which carries {carries}: take that, or `Json` for any"
    )]
    PayloadType {
        /// Name of the plugin.
        plugin: String,
        /// Name of the hook.
        hook: String,
        /// What the plugin takes.
        takes: &'static str,
        /// What the hook carries.
        carries: &'static str,
    },
    /// A plugin has no handler for a hook that its entry, written in Rust, names.
    #[error("plugin {plugin:?} has no handler for hook {hook:?}: mark one with `#[hook({hook:?})]`")]
    NoHandler {
        /// Name of the plugin.
        plugin: String,
        /// Name of the hook.
        hook: String,
    },
    /// A plugin could not be loaded that must not be missing.
    #[error(transparent)]
    Load(crate::lifecycle::LoadFailure),
    /// A manager that has been shut down does not start again: build a new one.
    #[error("the manager is shut down")]
    ShutDown,
}

/// As [`Display`](fmt::Display): what `main` returns is printed with this.
impl fmt::Debug for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As [`Display`](fmt::Display): what `main` returns is printed with this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn taken(plugin: &Option<String>) -> String {
    plugin.as_ref().map(|plugin| format!(", as plugin {plugin:?} takes it")).unwrap_or_default()
}

fn before(place: &Option<String>) -> String {
    place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default()
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default()
}
