//! Putting a manager together.

use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cpex_core::payload::{Isolation, Rule};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::change::unique;
use crate::config::{Config, ConfigError, PluginConfig, PluginSettings, environment};
use crate::context::PluginContext;
use crate::error::Error;
use crate::factory::{Factory, IntoPlugin, factory};
use crate::handler::{AsyncClosure, Closure, Handler};
use crate::hook::{Hook, HookType, HookTypes};
use crate::lifecycle::{Entry, Source};
use crate::manager::Manager;
use crate::payload::Payload;
use crate::plugin::{Handlers, Plugin};
use crate::reply::ReplyTo;

/// Puts a manager together: plugins, kinds of plugins, and what holds for all of them.
///
/// ```
/// use std::time::Duration;
/// use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
/// use cpex::{Manager, PluginContext, Reply, Violation};
///
/// let manager = Manager::builder()
///     .timeout(Duration::from_secs(1))
///     .on(&TOOL_PRE_INVOKE, "no-shell", |call: &ToolPreInvoke, _: &mut PluginContext| match &*call.name {
///         "shell" => Reply::deny(Violation::new("TOOL_DENIED", "not here")),
///         _ => Reply::allow(),
///     })
///     .build()?;
/// # drop(manager);
/// # Ok::<(), cpex::Error>(())
/// ```
pub struct Builder {
    entries: Vec<Entry>,
    rules: Rules,
    /// What the application has said itself: it goes before the environment.
    timeout: Option<Option<Duration>>,
    pool: Option<Option<NonZeroUsize>>,
    default_rule: Option<Rule>,
}

/// What holds for every plugin of a manager.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) kinds: HashMap<String, Factory>,
    /// Those that its entries were read from.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) types: HookTypes,
    pub(crate) timeout: Option<Duration>,
    pub(crate) pool: Option<NonZeroUsize>,
    /// Which fields plugins may write, by hook.
    pub(crate) policies: HashMap<String, Box<[String]>>,
    /// What holds for hooks without a policy.
    pub(crate) default_rule: Rule,
    pub(crate) raise_denials: bool,
    pub(crate) fail_on_plugin_error: bool,
    /// What looks like a mistake is one.
    pub(crate) is_strict: bool,
    pub(crate) drain: Duration,
    pub(crate) settings: PluginSettings,
}

impl Default for Builder {
    fn default() -> Self {
        let rules = Rules {
            kinds: HashMap::new(),
            files: Vec::new(),
            types: HookTypes::default(),
            timeout: None,
            pool: None,
            policies: HashMap::new(),
            default_rule: Rule::Open,
            raise_denials: false,
            fail_on_plugin_error: false,
            is_strict: false,
            drain: Duration::from_secs(5),
            settings: PluginSettings::default(),
        };
        Self { entries: Vec::new(), rules, timeout: None, pool: None, default_rule: None }
    }
}

impl Builder {
    /// Adds a plugin. Its name, or a [`PluginConfig`], says how it takes part.
    ///
    /// ```
    /// use cpex::config::{Mode, PluginConfig};
    /// use cpex::{Json, Manager, plugin};
    ///
    /// struct Trail;
    ///
    /// #[plugin]
    /// impl Trail {
    ///     #[hook("ping")]
    ///     fn note(&self, payload: &Json) {
    ///         println!("{payload:?}");
    ///     }
    /// }
    ///
    /// let manager = Manager::builder().plugin(PluginConfig::new("trail").mode(Mode::Audit), Trail).build()?;
    /// # drop(manager);
    /// # Ok::<(), cpex::Error>(())
    /// ```
    #[must_use]
    pub fn plugin<T: Plugin>(mut self, entry: impl Into<PluginConfig>, plugin: T) -> Self {
        self.entries.push(Entry::ready(entry.into(), plugin));
        self
    }

    /// Adds a closure that answers one hook, at once.
    ///
    /// ```
    /// use cpex::{Hook, Json, Manager, PluginContext, Reply, Violation};
    ///
    /// let never = |_: &Json, _: &mut PluginContext| Reply::<Json>::deny(Violation::new("NO", "never"));
    /// let manager = Manager::builder().on(&Hook::<Json>::new("ping"), "never", never).build()?;
    /// # drop(manager);
    /// # Ok::<(), cpex::Error>(())
    /// ```
    #[must_use]
    pub fn on<P, R, F, T>(self, hook: &Hook<P, R>, entry: impl Into<PluginConfig>, closure: F) -> Self
    where
        P: Payload,
        R: Payload,
        F: Fn(&P, &mut PluginContext) -> T + Send + Sync + 'static,
        T: ReplyTo<R>,
    {
        let handler = Arc::new(Closure { closure, takes: PhantomData::<fn(P)> });
        self.plugin(entry, Single { hook: *hook, handler })
    }

    /// Adds a closure that answers one hook with a future. The future takes what it needs of the payload with it.
    ///
    /// ```
    /// use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
    /// use cpex::{Manager, PluginContext, Reply};
    ///
    /// let waits = |call: &ToolPreInvoke, _: &mut PluginContext| {
    ///     let tool = call.name.clone();
    ///     async move {
    ///         tokio::task::yield_now().await;
    ///         Reply::<ToolPreInvoke>::allow().metadata("tool", tool)
    ///     }
    /// };
    /// let manager = Manager::builder().on_async(&TOOL_PRE_INVOKE, "waits", waits).build()?;
    /// # drop(manager);
    /// # Ok::<(), cpex::Error>(())
    /// ```
    #[must_use]
    pub fn on_async<P, R, F, Fut>(self, hook: &Hook<P, R>, entry: impl Into<PluginConfig>, closure: F) -> Self
    where
        P: Payload,
        R: Payload,
        F: Fn(&P, &mut PluginContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: ReplyTo<R>> + Send + 'static,
    {
        let handler = Arc::new(AsyncClosure { closure, takes: PhantomData::<fn(P)> });
        self.plugin(entry, Single { hook: *hook, handler })
    }

    /// Adds a kind of plugin that entries of a configuration can name. It is made of the entry's own settings, which
    /// are read as `C`: what does not fit is an error with file, line, column and the path of the field.
    ///
    /// ```
    /// use cpex::config::Config;
    /// use cpex::{Json, Manager, plugin};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// #[serde(deny_unknown_fields)]
    /// struct Limit {
    ///     limit: usize,
    /// }
    ///
    /// #[plugin]
    /// impl Limit {
    ///     #[hook("ping")]
    ///     fn check(&self, payload: &Json) -> Result<(), cpex::Violation> {
    ///         if payload.len() > self.limit { Err(cpex::Violation::new("LIMIT", "too many")) } else { Ok(()) }
    ///     }
    /// }
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let yaml = "plugins:\n  - {name: limit, kind: my_app.Limit, required: true, config: {limit: many}}\n";
    /// let builder = Manager::builder().kind("my_app.Limit", |config: Limit| config);
    /// let error = builder.config(Config::parse(yaml, "plugins.yaml")?).start().await.unwrap_err();
    /// assert!(error.to_string().starts_with("plugins.yaml:2:71: plugin \"limit\" cannot be loaded: "));
    /// assert!(error.to_string().contains("plugins[0].config.limit: expected an integer"));
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn kind<C, T>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(C) -> T + Send + Sync + 'static,
    ) -> Self
    where
        C: DeserializeOwned,
        T: IntoPlugin,
    {
        self.rules.kinds.insert(name.into(), factory(make));
        self
    }

    /// Makes the types of a hook known, so that it can be invoked with JSON, and plugins that take JSON can answer
    /// it. Built-in hooks are known, and those that a plugin names as a constant.
    ///
    /// ```
    /// use cpex::{Hook, Manager, hooks::ToolPreInvoke};
    ///
    /// let manager = Manager::builder().hook(&Hook::<ToolPreInvoke>::new("my_app.tool")).build()?;
    /// # drop(manager);
    /// # Ok::<(), cpex::Error>(())
    /// ```
    #[must_use]
    pub fn hook<P: Payload, R: Payload>(mut self, hook: &Hook<P, R>) -> Self {
        self.rules.types.add(hook.name(), HookType::of::<P, R>());
        self
    }

    /// Adds the plugins of a configuration.
    ///
    /// ```
    /// use cpex::{Manager, config::Config};
    ///
    /// let manager = Manager::builder().config(Config::parse("plugins: []", "plugins.yaml")?).build()?;
    /// # drop(manager);
    /// # Ok::<(), cpex::Error>(())
    /// ```
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.rules.settings = config.plugin_settings;
        self.entries.extend(config.plugins.into_iter().map(|entry| Entry::new(entry, Source::Kind)));
        self
    }

    /// Adds the plugins of a configuration file, which [`reload`](Manager::reload) reads again.
    ///
    /// ```
    /// assert!(cpex::Manager::builder().yaml("no-such-file.yaml").is_err());
    /// ```
    ///
    /// # Errors
    /// What is wrong with the file, with line and column, and what would be right.
    pub fn yaml(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        self.rules.files.push(path.as_ref().to_owned());
        Ok(self.config(Config::from_file(path)?))
    }

    /// How long a plugin may take that has no limit of its own. 30 seconds unless told otherwise.
    ///
    /// ```
    /// let builder = cpex::Manager::builder().timeout(std::time::Duration::from_millis(100));
    /// # drop(builder);
    /// ```
    #[must_use]
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = Some(limit.into());
        self
    }

    /// How many concurrent plugins of a hook may run at once, and how many of its background; 0: all. 10 unless told
    /// otherwise.
    ///
    /// ```
    /// let builder = cpex::Manager::builder().pool(2);
    /// # drop(builder);
    /// ```
    #[must_use]
    pub fn pool(mut self, size: usize) -> Self {
        self.pool = Some(NonZeroUsize::new(size));
        self
    }

    /// Lets plugins change only these fields of what a hook carries.
    ///
    /// ```
    /// use cpex::hooks::TOOL_PRE_INVOKE;
    ///
    /// let builder = cpex::Manager::builder().policy(&TOOL_PRE_INVOKE, ["args"]);
    /// # drop(builder);
    /// ```
    #[must_use]
    pub fn policy<P: Payload, R: Payload, F: Into<String>>(
        mut self,
        hook: &Hook<P, R>,
        writable: impl IntoIterator<Item = F>,
    ) -> Self {
        let fields = writable.into_iter().map(Into::into).collect();
        self.rules.policies.insert(hook.name().to_owned(), fields);
        self
    }

    /// Lets plugins change nothing at hooks without a policy.
    ///
    /// ```
    /// let builder = cpex::Manager::builder().deny_by_default();
    /// # drop(builder);
    /// ```
    #[must_use]
    pub fn deny_by_default(mut self) -> Self {
        self.default_rule = Some(Rule::Closed);
        self
    }

    /// Hands denials out as [`InvokeError::Denied`](crate::InvokeError::Denied). After one, nothing is started in
    /// the background.
    ///
    /// ```
    /// let builder = cpex::Manager::builder().denials_as_errors();
    /// # drop(builder);
    /// ```
    #[must_use]
    pub fn denials_as_errors(mut self) -> Self {
        self.rules.raise_denials = true;
        self
    }

    /// Does not start without any of the plugins.
    ///
    /// ```
    /// let builder = cpex::Manager::builder().all_required();
    /// # drop(builder);
    /// ```
    #[must_use]
    pub fn all_required(mut self) -> Self {
        self.rules.fail_on_plugin_error = true;
        self
    }

    /// How long [`shutdown`](Manager::shutdown) and the changes at run time wait for calls of a plugin that are under
    /// way, and those in the background, before it is shut down beneath them; and how long its own `shutdown` may take.
    /// 5 seconds unless told otherwise.
    ///
    /// ```
    /// let builder = cpex::Manager::builder().drain(std::time::Duration::from_secs(1));
    /// # drop(builder);
    /// ```
    #[must_use]
    pub fn drain(mut self, limit: Duration) -> Self {
        self.rules.drain = limit;
        self
    }

    /// The manager. It answers hooks once it is [initialized](Manager::initialize).
    ///
    /// ```
    /// let manager = cpex::Manager::builder().build()?;
    /// # drop(manager);
    /// # Ok::<(), cpex::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DuplicateName`], or [`Error::Config`] if a variable of the environment says something it cannot.
    pub fn build(mut self) -> Result<Manager, Error> {
        unique(&self.entries)?;
        self.rules.settings = self.rules.settings.with_environment()?;
        let of_environment = Defaults::of_environment()?;
        self.rules.timeout = self.timeout.unwrap_or(of_environment.timeout);
        self.rules.pool = self.pool.unwrap_or(of_environment.pool);
        self.rules.default_rule = self.default_rule.unwrap_or(of_environment.rule);
        self.rules.fail_on_plugin_error |= of_environment.fail_on_plugin_error;
        self.rules.is_strict = environment::is_strict()?;
        Ok(Manager::new(self.entries, self.rules))
    }

    /// The manager, initialized.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = cpex::Manager::builder().start().await?;
    /// manager.shutdown().await;
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`build`](Self::build) and [`initialize`](Manager::initialize).
    pub async fn start(self) -> Result<Manager, Error> {
        let manager = self.build()?;
        manager.initialize().await?;
        Ok(manager)
    }
}

/// What holds unless the application says otherwise.
struct Defaults {
    timeout: Option<Duration>,
    pool: Option<NonZeroUsize>,
    rule: Rule,
    fail_on_plugin_error: bool,
}

impl Defaults {
    fn of_environment() -> Result<Self, ConfigError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum HookPolicy {
            Allow,
            Deny,
        }
        let seconds = environment::integer("PLUGINS_PLUGIN_TIMEOUT", 1)?.unwrap_or(30);
        let pool = environment::integer("PLUGINS_EXECUTION_POOL", 0)?.unwrap_or(10);
        let rule = match environment::word("PLUGINS_DEFAULT_HOOK_POLICY")? {
            Some(HookPolicy::Deny) => Rule::Closed,
            Some(HookPolicy::Allow) | None => Rule::Open,
        };
        Ok(Self {
            timeout: Some(Duration::from_secs(seconds)),
            pool: NonZeroUsize::new(usize::try_from(pool).unwrap_or(usize::MAX)),
            rule,
            fail_on_plugin_error: environment::flag("PLUGINS_FAIL_ON_PLUGIN_ERROR")?.unwrap_or(false),
        })
    }
}

impl Rules {
    /// What the core is to do at a hook.
    pub(crate) fn settings_of(&self, hook: &str) -> cpex_core::Settings {
        cpex_core::Settings {
            rule: if self.policies.contains_key(hook) { Rule::Writable } else { self.default_rule },
            isolation: Isolation::Observers,
            enforcement: self.settings.extension_tiers.into(),
            timeout: self.timeout,
            pool: self.pool,
            raise_denials: self.raise_denials,
        }
    }
}

/// A plugin that is one handler.
struct Single<P, R> {
    hook: Hook<P, R>,
    handler: Arc<dyn Handler>,
}

impl<P: Payload, R: Payload> Plugin for Single<P, R> {
    fn handlers(self: Arc<Self>, handlers: &mut Handlers) {
        handlers.register::<P>(&self.hook, self.handler.clone());
    }
}
