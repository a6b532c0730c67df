use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use cpex_config::Step;
use cpex_core::condition::Spec;
use cpex_core::{Capabilities, Capability, Phase};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::error::ConfigError;
use super::origin::Origin;
use super::read;

/// One entry of `plugins`: how a plugin takes part.
///
/// ```
/// use cpex::config::{Mode, OnError, PluginConfig};
///
/// let entry = PluginConfig::new("guard").mode(Mode::Concurrent).on_error(OnError::Ignore).priority(10);
/// assert_eq!(entry.name, "guard");
/// ```
#[derive(Clone, PartialEq, Deserialize)]
#[serde(from = "Entry")]
#[non_exhaustive]
pub struct PluginConfig {
    /// Its name, unique in a manager.
    pub name: String,
    /// What makes it: see [`Builder::kind`](crate::Builder::kind).
    pub kind: String,
    /// The hooks it attaches to; all that it has handlers for, if there are none.
    pub hooks: Vec<String>,
    /// What it may do, and when it runs.
    pub mode: Mode,
    /// What a failure of it means.
    pub on_error: OnError,
    /// Its place within the mode: lower runs earlier.
    pub priority: i64,
    /// When it runs: any of these; always, if there are none.
    pub conditions: Vec<Condition>,
    /// Which extensions it may see and write.
    pub capabilities: Capabilities,
    /// Its own settings.
    pub config: Map<String, Value>,
    /// Whether the manager refuses to start without it.
    pub required: bool,
    /// Whether its hooks deny if it cannot be loaded.
    pub denies_if_missing: bool,
    /// How long it may take; `None`: the manager's timeout.
    pub timeout: Option<Duration>,
    /// Where an external plugin is.
    #[cfg(feature = "external")]
    pub(crate) external: crate::external::Written,
    pub(crate) origin: Option<Origin>,
}

/// What a plugin may do, and when it runs.
///
/// ```
/// assert_eq!(serde_json::to_string(&cpex::config::Mode::FireAndForget)?, r#""fire_and_forget""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One after another, each given the payload the one before left; may block and modify.
    #[default]
    Sequential,
    /// One after another; may modify, cannot block.
    Transform,
    /// One after another; observes only.
    Audit,
    /// All at once; the first denial wins; cannot modify.
    Concurrent,
    /// In the background, after all others; observes only.
    FireAndForget,
    /// Not loaded at all.
    Disabled,
}

impl Mode {
    /// As it stands in a file, a log or a span.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Transform => "transform",
            Self::Audit => "audit",
            Self::Concurrent => "concurrent",
            Self::FireAndForget => "fire_and_forget",
            Self::Disabled => "disabled",
        }
    }
}

/// What a failure of a plugin means.
///
/// ```
/// assert_eq!(cpex::config::OnError::default(), cpex::config::OnError::Fail);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The pipeline ends with the error.
    #[default]
    Fail,
    /// The pipeline goes on.
    Ignore,
    /// The pipeline goes on; the plugin does not run again.
    Disable,
}

/// When a plugin runs. Every list must match; an empty one is not tested.
///
/// ```
/// use cpex::config::{Condition, PluginConfig};
///
/// let only_search = Condition { tools: vec!["search".into()], ..Condition::default() };
/// let entry = PluginConfig::new("guard").when(only_search);
/// assert_eq!(entry.conditions.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// Servers of the request.
    #[serde(deserialize_with = "or_nothing")]
    pub server_ids: Vec<String>,
    /// Tenants of the request.
    #[serde(deserialize_with = "or_nothing")]
    pub tenant_ids: Vec<String>,
    /// Names of tools; looked at on tool hooks only.
    #[serde(deserialize_with = "or_nothing")]
    pub tools: Vec<String>,
    /// Identifiers of prompts; looked at on prompt hooks only.
    #[serde(deserialize_with = "or_nothing")]
    pub prompts: Vec<String>,
    /// URIs of resources; looked at on resource hooks only.
    #[serde(deserialize_with = "or_nothing")]
    pub resources: Vec<String>,
    /// Identifiers of agents; looked at on agent hooks only.
    #[serde(deserialize_with = "or_nothing")]
    pub agents: Vec<String>,
    /// Texts of which one is part of the user's name, or a key of the user's record.
    #[serde(deserialize_with = "or_nothing")]
    pub user_patterns: Vec<String>,
    /// Media types of the request, without parameters.
    #[serde(deserialize_with = "or_nothing")]
    pub content_types: Vec<String>,
}

impl PluginConfig {
    /// A sequential plugin of priority 100 whose failures end the pipeline.
    ///
    /// ```
    /// assert_eq!(cpex::config::PluginConfig::new("guard").priority, 100);
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: String::new(),
            hooks: Vec::new(),
            mode: Mode::default(),
            on_error: OnError::default(),
            priority: 100,
            conditions: Vec::new(),
            capabilities: Capabilities::NONE,
            config: Map::new(),
            required: false,
            denies_if_missing: false,
            timeout: None,
            #[cfg(feature = "external")]
            external: crate::external::Written::default(),
            origin: None,
        }
    }

    /// Made by this kind.
    ///
    /// ```
    /// assert_eq!(cpex::config::PluginConfig::new("guard").kind("my_app.Guard").kind, "my_app.Guard");
    /// ```
    #[must_use]
    pub fn kind(self, kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..self }
    }

    /// At this hook, and those added before.
    ///
    /// ```
    /// assert_eq!(cpex::config::PluginConfig::new("guard").hook("tool_pre_invoke").hooks, ["tool_pre_invoke"]);
    /// ```
    #[must_use]
    pub fn hook(mut self, hook: impl Into<String>) -> Self {
        self.hooks.push(hook.into());
        self
    }

    /// In this mode.
    ///
    /// ```
    /// use cpex::config::{Mode, PluginConfig};
    ///
    /// assert_eq!(PluginConfig::new("trail").mode(Mode::Audit).mode, Mode::Audit);
    /// ```
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// With this meaning of a failure.
    ///
    /// ```
    /// use cpex::config::{OnError, PluginConfig};
    ///
    /// assert_eq!(PluginConfig::new("trail").on_error(OnError::Ignore).on_error, OnError::Ignore);
    /// ```
    #[must_use]
    pub fn on_error(self, on_error: OnError) -> Self {
        Self { on_error, ..self }
    }

    /// With this priority: lower runs earlier.
    ///
    /// ```
    /// assert_eq!(cpex::config::PluginConfig::new("guard").priority(1).priority, 1);
    /// ```
    #[must_use]
    pub fn priority(self, priority: i64) -> Self {
        Self { priority, ..self }
    }

    /// Only if this holds, or one of those added before.
    ///
    /// ```
    /// use cpex::config::{Condition, PluginConfig};
    ///
    /// let acme = Condition { tenant_ids: vec!["acme".into()], ..Condition::default() };
    /// assert_eq!(PluginConfig::new("guard").when(acme).conditions.len(), 1);
    /// ```
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// With these rights to extensions.
    ///
    /// ```
    /// use cpex::{Capability, config::PluginConfig};
    ///
    /// let entry = PluginConfig::new("labeler").capabilities([Capability::AppendLabels]);
    /// assert!(entry.capabilities.contains(Capability::AppendLabels));
    /// ```
    #[must_use]
    pub fn capabilities(self, capabilities: impl IntoIterator<Item = Capability>) -> Self {
        Self { capabilities: capabilities.into_iter().collect(), ..self }
    }

    /// With this setting of its own.
    ///
    /// ```
    /// assert_eq!(cpex::config::PluginConfig::new("guard").setting("limit", 5).config["limit"], 5);
    /// ```
    #[must_use]
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.config.insert(key.into(), value.into());
        self
    }

    /// Without which the manager does not start.
    ///
    /// ```
    /// assert!(cpex::config::PluginConfig::new("guard").required().required);
    /// ```
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Whose hooks deny if it cannot be loaded.
    ///
    /// ```
    /// assert!(cpex::config::PluginConfig::new("guard").denies_if_missing().denies_if_missing);
    /// ```
    #[must_use]
    pub fn denies_if_missing(self) -> Self {
        Self { denies_if_missing: true, ..self }
    }

    /// With this time limit.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let limit = Duration::from_millis(50);
    /// assert_eq!(cpex::config::PluginConfig::new("guard").timeout(limit).timeout, Some(limit));
    /// ```
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { timeout: Some(limit), ..self }
    }

    /// Something wrong at a place below the entry, such as `config.limits[0]`.
    pub(crate) fn problem(&self, below: &[Step<'_>], message: String) -> ConfigError {
        match &self.origin {
            Some(origin) => {
                let path: Vec<_> = origin.entry().iter().chain(below).cloned().collect();
                let place = origin.document.locate(&path);
                ConfigError::new(&origin.document, place, read::dotted(&path), message)
            }
            None => {
                let path: Vec<_> = [Step::Key(&self.name)].iter().chain(below).cloned().collect();
                ConfigError { place: None, path: read::dotted(&path), message }
            }
        }
    }

    /// Where its relative paths begin: the directory of the file that it was read from.
    #[cfg(feature = "wasm")]
    pub(crate) fn directory(&self) -> &std::path::Path {
        let file = self.origin.as_ref().map_or("", |origin| origin.document.file());
        std::path::Path::new(file).parent().unwrap_or(std::path::Path::new(""))
    }

    /// Its own settings as a type. `origin` knows where each of them stands, unless they have been changed since.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let written = self.origin.as_ref().and_then(|origin| {
            let node = origin.section("config")?;
            let settings: Map<String, Value> =
                read::read(node, &origin.document, &origin.path("config")).ok()?;
            (settings == self.config).then_some((origin, node))
        });
        match written {
            Some((origin, node)) => read::read(node, &origin.document, &origin.path("config")),
            None => {
                let path = match &self.origin {
                    Some(origin) if self.config.is_empty() => read::dotted(&origin.path("config")),
                    _ => format!("{}.config", self.name),
                };
                read::read_json(Value::Object(self.config.clone()), &path)
            }
        }
    }

    /// A section of the entry as a type.
    #[cfg(feature = "external")]
    pub(crate) fn read_section<T: DeserializeOwned>(
        &self,
        name: &'static str,
        section: &Value,
    ) -> Result<T, ConfigError> {
        let origin = self.origin.as_ref();
        match origin.and_then(|origin| Some((origin, origin.section(name)?))) {
            Some((origin, node)) => read::read(node, &origin.document, &origin.path(name)),
            None => read::read_json(section.clone(), &format!("{}.{name}", self.name)),
        }
    }

    /// The phase it runs in; `None` if it does not run.
    pub(crate) const fn phase(&self) -> Option<Phase> {
        Some(match self.mode {
            Mode::Sequential => Phase::Sequential,
            Mode::Transform => Phase::Transform,
            Mode::Audit => Phase::Audit,
            Mode::Concurrent => Phase::Concurrent,
            Mode::FireAndForget => Phase::FireAndForget,
            Mode::Disabled => return None,
        })
    }
}

impl fmt::Debug for PluginConfig {
    /// Without its own settings: they hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginConfig")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("hooks", &self.hooks)
            .field("mode", &self.mode)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

impl From<&str> for PluginConfig {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for PluginConfig {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<OnError> for cpex_core::OnError {
    fn from(on_error: OnError) -> Self {
        match on_error {
            OnError::Fail => Self::Fail,
            OnError::Ignore => Self::Ignore,
            OnError::Disable => Self::Disable,
        }
    }
}

impl From<&Condition> for Spec {
    fn from(condition: &Condition) -> Self {
        let Condition {
            server_ids,
            tenant_ids,
            tools,
            prompts,
            resources,
            agents,
            user_patterns,
            content_types,
        } = condition.clone();
        Self { server_ids, tenant_ids, tools, prompts, resources, agents, user_patterns, content_types }
    }
}

/// An entry as it is written.
#[derive(Deserialize)]
struct Entry {
    name: String,
    kind: String,
    #[serde(default, deserialize_with = "or_nothing")]
    hooks: Vec<String>,
    #[serde(default, deserialize_with = "some")]
    mode: Option<WrittenMode>,
    on_error: Option<OnError>,
    #[serde(default, deserialize_with = "some")]
    priority: Option<i64>,
    conditions: Option<Vec<Condition>>,
    #[serde(default, deserialize_with = "capabilities")]
    capabilities: Capabilities,
    #[serde(default, deserialize_with = "or_nothing")]
    config: Map<String, Value>,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    on_missing: Option<OnMissing>,
    #[serde(default)]
    timeout_ms: Option<NonZeroU64>,
    #[cfg(feature = "external")]
    mcp: Option<Value>,
    #[cfg(feature = "external")]
    grpc: Option<Value>,
    #[cfg(feature = "external")]
    unix_socket: Option<Value>,
}

/// A mode as it is written: also as in older files.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenMode {
    #[default]
    Sequential,
    Transform,
    Audit,
    Concurrent,
    FireAndForget,
    Disabled,
    Enforce,
    EnforceIgnoreError,
    Permissive,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnMissing {
    Deny,
}

impl From<Entry> for PluginConfig {
    fn from(entry: Entry) -> Self {
        #[cfg(feature = "external")]
        let external = crate::external::Written {
            given: crate::external::Given {
                mode: entry.mode.is_some(),
                on_error: entry.on_error.is_some()
                    || matches!(entry.mode, Some(WrittenMode::EnforceIgnoreError)),
                priority: entry.priority.is_some(),
                conditions: entry.conditions.is_some(),
            },
            mcp: entry.mcp,
            grpc: entry.grpc,
            unix_socket: entry.unix_socket,
        };
        let (mode, on_error) = match entry.mode.unwrap_or_default() {
            WrittenMode::Sequential | WrittenMode::Enforce => (Mode::Sequential, OnError::Fail),
            WrittenMode::EnforceIgnoreError => (Mode::Sequential, OnError::Ignore),
            WrittenMode::Transform | WrittenMode::Permissive => (Mode::Transform, OnError::Fail),
            WrittenMode::Audit => (Mode::Audit, OnError::Fail),
            WrittenMode::Concurrent => (Mode::Concurrent, OnError::Fail),
            WrittenMode::FireAndForget => (Mode::FireAndForget, OnError::Fail),
            WrittenMode::Disabled => (Mode::Disabled, OnError::Fail),
        };
        Self {
            name: entry.name,
            kind: entry.kind,
            hooks: entry.hooks,
            mode,
            on_error: entry.on_error.unwrap_or(on_error),
            priority: entry.priority.unwrap_or(100),
            conditions: entry.conditions.unwrap_or_default(),
            capabilities: entry.capabilities,
            config: entry.config,
            required: entry.required,
            denies_if_missing: entry.on_missing.is_some(),
            timeout: entry.timeout_ms.map(|ms| Duration::from_millis(ms.get())),
            #[cfg(feature = "external")]
            external,
            origin: None,
        }
    }
}

/// `null` is as good as nothing.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(reader: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

/// What stands there; `null` is something wrong.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    T::deserialize(reader).map(Some)
}

/// A list, or one text, which is taken for a list of one.
fn capabilities<'de, D: Deserializer<'de>>(reader: D) -> Result<Capabilities, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list of capabilities")]
    enum Written {
        Nothing(()),
        One(String),
        Many(Vec<String>),
    }
    let names = match Written::deserialize(reader)? {
        Written::Nothing(()) => Vec::new(),
        Written::One(name) => vec![name],
        Written::Many(names) => names,
    };
    let known = |name: String| {
        Capability::named(&name).ok_or_else(|| {
            let all = Capability::ALL.map(Capability::name);
            let nearest = cpex_config::nearest(&name, all.into_iter());
            let hint = nearest.map(|nearest| format!(": did you mean {nearest:?}")).unwrap_or_default();
            D::Error::custom(format!("unknown capability{hint}; known: {}", all.join(", ")))
        })
    };
    names.into_iter().map(known).collect()
}
