//! Configuration: the same file as the Python host's, and the same entries written in Rust.
//!
//! Variables of the environment say the rest, as they do for the Python host. A value that one does not take keeps the
//! manager from being built.
//!
//! | variable | values | unless it is set | what goes before it |
//! |---|---|---|---|
//! | `PLUGINS_STRICT_CONFIG` | `true`, `false` | `false` | |
//! | `PLUGINS_EXTENSION_TIERS` | `enforce`, `warn`, `off`, `default` | `plugin_settings.extension_tiers` | |
//! | `PLUGINS_DEFAULT_HOOK_POLICY` | `allow`, `deny` | `allow` | [`deny_by_default`](crate::Builder::deny_by_default) |
//! | `PLUGINS_FAIL_ON_PLUGIN_ERROR` | `true`, `false` | `false` | [`all_required`](crate::Builder::all_required) |
//! | `PLUGINS_EXECUTION_POOL` | an integer, 0 for no limit | 10 | [`pool`](crate::Builder::pool) |
//! | `PLUGINS_PLUGIN_TIMEOUT` | seconds | 30 | [`timeout`](crate::Builder::timeout) |
//!
//! With the feature `external`, for the servers of plugins:
//!
//! | variable | values | unless it is set | what goes before it |
//! |---|---|---|---|
//! | `PLUGINS_SSRF_PROTECTION_ENABLED` | `true`, `false` | `true` | |
//! | `PLUGINS_CLIENT_MTLS_CERTFILE`, `_KEYFILE`, `_KEYFILE_PASSWORD`, `_CA_BUNDLE`, `_VERIFY`, `_CHECK_HOSTNAME` | files, a password, `true` or `false` | | `mcp.tls` |
//! | `PLUGINS_SKIP_SSL_VERIFY` | `true`, `false` | `false` | `mcp.tls`, and the above |
//! | `PLUGINS_GRPC_CLIENT_MTLS_CERTFILE` and so on | as above | plaintext | `grpc.tls` |
//!
//! `PLUGINS_ISOLATION` and `PLUGINS_EXECUTION_DETAIL` concern the Python host; here they are checked and have no
//! effect. All others are the Python host's alone.

pub(crate) mod environment;
mod error;
mod keys;
mod origin;
mod plugin;
mod read;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cpex_config::{Document, Environment, Problem, ProblemKind, Templates, Value};
use hashbrown::HashSet;
use serde::Deserialize;

pub use error::ConfigError;
pub(crate) use origin::Origin;
pub use plugin::{Condition, Mode, OnError, PluginConfig};
#[cfg(feature = "_foreign")]
pub(crate) use read::expected;
#[cfg(feature = "external")]
pub(crate) use read::read_json;
pub use settings::{PluginSettings, Tiers};

use crate::error::Error;

/// A whole configuration.
///
/// ```
/// use cpex::config::{Config, Mode};
///
/// let yaml = "plugins:\n  - name: guard\n    kind: my_app.Guard\n    mode: audit\n";
/// let config = Config::parse(yaml, "plugins.yaml")?;
/// assert_eq!(config.plugins[0].mode, Mode::Audit);
///
/// let yaml = "plugins:\n  - name: guard\n    kind: my_app.Guard\n    mode: [audit]\n";
/// let error = Config::parse(yaml, "plugins.yaml").unwrap_err();
/// assert!(error.to_string().starts_with("plugins.yaml:4:11: plugins[0].mode: "));
/// # Ok::<(), cpex::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The plugins, in the order in which they are loaded.
    pub plugins: Vec<PluginConfig>,
    /// Switches of the pipeline.
    pub plugin_settings: PluginSettings,
}

/// What of a file this host reads.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    plugins: Option<Vec<PluginConfig>>,
    #[serde(default)]
    plugin_settings: Option<PluginSettings>,
}

impl Config {
    /// Reads a file. Its text is a template with one variable, `env`, and then YAML.
    ///
    /// ```
    /// use cpex::config::Config;
    ///
    /// assert!(Config::from_file("no-such-file.yaml").is_err());
    /// ```
    ///
    /// # Errors
    /// What is wrong with it, with file, line and column, and what would be right.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let (text, file) = text(path.as_ref())?;
        Self::parse(&text, &file)
    }

    /// Reads a text; `file` is its name in messages.
    ///
    /// What looks like a mistake is logged, or refused if the environment variable `PLUGINS_STRICT_CONFIG` is true: a
    /// key that nothing reads, one that stands there twice, a file without the key `plugins`.
    ///
    /// ```
    /// let config = cpex::config::Config::parse("plugins: []", "plugins.yaml")?;
    /// assert!(config.plugins.is_empty());
    /// # Ok::<(), cpex::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn parse(text: &str, file: &str) -> Result<Self, Error> {
        let (config, lacking) = Self::read(text, file)?;
        lacking.map_or(Ok(()), told)?;
        Ok(config)
    }

    /// Reads files as one. Those that entries in force come from must still speak of plugins: a file that is just being
    /// written is empty for a while.
    pub(crate) fn from_files(paths: &[PathBuf], in_force: &HashSet<String>) -> Result<Self, Error> {
        let mut all = Self::default();
        for path in paths {
            let (text, file) = text(path)?;
            let (config, lacking) = Self::read(&text, &file)?;
            match lacking {
                Some(lacking) if in_force.contains(&file) => return Err(lacking.into()),
                lacking => lacking.map_or(Ok(()), told)?,
            }
            all.plugins.extend(config.plugins);
            all.plugin_settings = config.plugin_settings;
        }
        Ok(all)
    }

    /// With what is wrong if it does not speak of plugins.
    fn read(text: &str, file: &str) -> Result<(Self, Option<ConfigError>), Error> {
        let variables = variables();
        let document = Arc::new(cpex_config::load(text, file, Templates::Values(&variables))?);
        report(&document)?;
        let lacking = lacking(&document);
        let Some(root) = document.root() else { return Ok((Self::default(), lacking)) };
        let File { plugins, plugin_settings } = read::read(root, &document, &[])?;
        let mut plugins = plugins.unwrap_or_default();
        for (index, plugin) in plugins.iter_mut().enumerate() {
            plugin.origin = Some(Origin { document: document.clone(), index });
        }
        Ok((Self { plugins, plugin_settings: plugin_settings.unwrap_or_default() }, lacking))
    }
}

/// The text of a file, and its name in messages.
fn text(path: &Path) -> Result<(String, String), Error> {
    let path = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((text, path)),
        Err(error) => Err(Error::File { path, error }),
    }
}

/// Variables that are not UTF-8 keep what is readable.
fn variables() -> Environment {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}

/// Says that a file does not speak of its plugins. One that is to have none says so.
fn lacking(document: &Document) -> Option<ConfigError> {
    let is_second = |problem: &&Problem| {
        matches!(&problem.kind, ProblemKind::DuplicateKey { key, .. } if key == "plugins")
            && problem.position.column == 1
    };
    let (position, wrong, right) = match document.root().and_then(|root| root.get("plugins")) {
        None => (None, "there is no key `plugins`, so nothing is guarded", MEANT),
        Some(plugins) if matches!(plugins.value(), Value::Null) => {
            (Some(plugins.position()), "nothing stands below `plugins`, so nothing is guarded", MEANT)
        }
        Some(_) => {
            let second = document.problems().iter().find(is_second)?;
            let wrong = "a second `plugins`, so nothing of the first is guarded";
            (Some(second.position), wrong, "make one list of both")
        }
    };
    Some(ConfigError::new(document, position, String::new(), format!("{wrong}; {right}")))
}

/// What a file says that is to guard nothing.
const MEANT: &str = "`plugins: []` says that there are to be none";

/// Logs what looks like a mistake, or refuses it.
fn told(error: ConfigError) -> Result<(), ConfigError> {
    if environment::is_strict()? {
        return Err(error);
    }
    tracing::warn!("{error}");
    Ok(())
}

/// Tells of the keys that look like a mistake.
fn report(document: &Document) -> Result<(), ConfigError> {
    let mut problems = document.problems().to_vec();
    problems.extend(document.unknown_keys(&keys::known()));
    problems.sort_by_key(|problem| problem.position);
    problems.into_iter().try_for_each(|problem| {
        told(ConfigError::new(document, Some(problem.position), String::new(), problem.to_string()))
    })
}
