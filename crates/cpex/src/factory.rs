//! Kinds of plugins: what makes an instance of an entry of a configuration.

use std::sync::Arc;

use cpex_config::Step;
use serde::de::DeserializeOwned;

use crate::builder::Rules;
use crate::config::PluginConfig;
use crate::error::BoxError;
use crate::failure::LoadPhase;
use crate::plugin::Plugin;

/// Makes a plugin of its entry.
pub(crate) type Factory = Arc<dyn Fn(&PluginConfig) -> Result<Arc<dyn Plugin>, BoxError> + Send + Sync>;

/// What a factory may return: a plugin, or a `Result` of one.
///
/// ```
/// # use cpex::{Json, plugin};
/// # struct Guard;
/// # #[plugin] impl Guard { #[hook("ping")] fn look(&self, _: &Json) {} }
/// fn made(limit: u32) -> Result<Guard, std::num::TryFromIntError> {
///     u16::try_from(limit).map(|_| Guard)
/// }
/// # fn is_made(_: impl cpex::IntoPlugin) {}
/// is_made(made(5));
/// is_made(Guard);
/// ```
#[diagnostic::on_unimplemented(
    message = "a factory cannot return `{Self}`",
    label = "expected a type with `#[plugin]` on an `impl` block, or a `Result` of one"
)]
pub trait IntoPlugin {
    /// The plugin.
    type Plugin: Plugin;

    /// The plugin, or why there is none.
    ///
    /// # Errors
    /// The factory's own.
    fn into_plugin(self) -> Result<Self::Plugin, BoxError>;
}

impl<T: Plugin> IntoPlugin for T {
    type Plugin = T;

    fn into_plugin(self) -> Result<T, BoxError> {
        Ok(self)
    }
}

impl<T: Plugin, E: Into<BoxError>> IntoPlugin for Result<T, E> {
    type Plugin = T;

    fn into_plugin(self) -> Result<T, BoxError> {
        self.map_err(Into::into)
    }
}

/// A factory that takes its settings as a type.
pub(crate) fn factory<C, T>(make: impl Fn(C) -> T + Send + Sync + 'static) -> Factory
where
    C: DeserializeOwned,
    T: IntoPlugin,
{
    Arc::new(move |entry| Ok(Arc::new(make(entry.read()?).into_plugin()?)))
}

/// What the kinds of built-in plugins begin with.
const BUILTIN: &str = "builtin.";

/// The kind of plugins that run on a server.
const EXTERNAL: &str = "external";

/// The kind of plugins in WebAssembly.
const WASM: &str = "wasm";

/// Makes the plugin of an entry, or says how far it came and why no further.
pub(crate) fn make(
    entry: &Arc<PluginConfig>,
    rules: &Rules,
) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    match rules.kinds.get(&entry.kind) {
        Some(factory) => factory(entry).map_err(|error| (LoadPhase::Construct, error)),
        None if is_builtin(entry, rules) => built_in(entry, rules),
        None if entry.kind == EXTERNAL => external(entry),
        None if entry.kind == WASM => wasm(entry),
        None => Err((LoadPhase::Find, unknown(entry, rules))),
    }
}

/// Is it of a kind that the application has not registered, and need not?
pub(crate) fn is_builtin(entry: &PluginConfig, rules: &Rules) -> bool {
    entry.kind.starts_with(BUILTIN) && !rules.kinds.contains_key(&entry.kind)
}

/// Would the same instance do for both? A built-in plugin is made for its hooks, too, an external one for its server,
/// one in WebAssembly for its time.
pub(crate) fn makes_alike(one: &PluginConfig, other: &PluginConfig) -> bool {
    let attached_alike = || match &*one.kind {
        kind if kind.starts_with(BUILTIN) => {
            (&one.hooks, one.mode, one.capabilities) == (&other.hooks, other.mode, other.capabilities)
        }
        EXTERNAL => one.hooks == other.hooks && is_same_server(one, other),
        WASM => (&one.hooks, one.timeout) == (&other.hooks, other.timeout),
        _ => true,
    };
    one.kind == other.kind && one.config == other.config && attached_alike()
}

#[cfg(feature = "external")]
fn external(entry: &PluginConfig) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    crate::external::make(entry)
}

#[cfg(feature = "external")]
fn is_same_server(one: &PluginConfig, other: &PluginConfig) -> bool {
    one.external.is_same_server(&other.external)
}

#[cfg(not(feature = "external"))]
fn external(entry: &PluginConfig) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    let problem = "external plugins are not in this build: it needs the feature `external` of the crate cpex";
    Err((LoadPhase::Find, entry.problem(&[Step::Key("kind")], problem.to_owned()).into()))
}

#[cfg(not(feature = "external"))]
fn is_same_server(_: &PluginConfig, _: &PluginConfig) -> bool {
    true
}

#[cfg(feature = "wasm")]
fn wasm(entry: &Arc<PluginConfig>) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    crate::wasm::make(entry)
}

#[cfg(not(feature = "wasm"))]
fn wasm(entry: &PluginConfig) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    let problem = "WebAssembly is not in this build: it needs the feature `wasm` of the crate cpex";
    Err((LoadPhase::Find, entry.problem(&[Step::Key("kind")], problem.to_owned()).into()))
}

#[cfg(feature = "builtin")]
fn built_in(entry: &Arc<PluginConfig>, rules: &Rules) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    crate::builtin::make(entry, &rules.types)
}

#[cfg(not(feature = "builtin"))]
fn built_in(entry: &Arc<PluginConfig>, _: &Rules) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    let problem = "built-in plugins are not in this build: it needs the feature `builtin` of the crate cpex";
    Err((LoadPhase::Find, entry.problem(&[Step::Key("kind")], problem.to_owned()).into()))
}

fn unknown(entry: &PluginConfig, rules: &Rules) -> BoxError {
    let mut known: Vec<_> = rules.kinds.keys().map(String::as_str).collect();
    known.sort_unstable();
    let hint = match cpex_config::nearest(&entry.kind, known.iter().copied().chain([EXTERNAL])) {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None if known.is_empty() => "Builder::kind registers one".to_owned(),
        None => format!("registered: {}", known.join(", ")),
    };
    let problem = format!("no kind {:?} is registered; {hint}", entry.kind);
    entry.problem(&[Step::Key("kind")], problem).into()
}
