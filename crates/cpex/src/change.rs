//! Plugins of a running manager, changed one by one or all at once.
//!
//! A change is made beside what is in force, and takes its place when it is complete: calls under way end as they
//! began, new ones are answered by the new plugins at once, and a plugin is shut down after the last call of it.

use std::mem;
use std::sync::Arc;

use hashbrown::HashSet;
use tracing::Instrument;

use crate::builder::Rules;
use crate::config::{Config, Mode, PluginConfig};
use crate::error::Error;
use crate::lifecycle::{Entry, Instance, Leaving, LoadFailure, Source, State, shut_down, unused};
use crate::manager::{Loading, Manager, load_all};
use crate::plan::{Plan, Stage};
use crate::plugin::Plugin;

impl Manager {
    /// Takes over another configuration. A plugin whose entry has the same name, kind and `config` keeps its instance
    /// and what it remembers, whatever else its entry says now; those that the application has made stay as they are;
    /// those that could not be loaded are tried again.
    ///
    /// Resolves when the plugins that are gone are shut down: after the last call of them, or after the time that
    /// [`Builder::drain`](crate::Builder::drain) allows. Dropped, it goes on all the same.
    ///
    /// ```
    /// use cpex::{Manager, config::Config};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = Manager::builder().start().await?;
    /// manager.replace(Config::parse("plugins: []", "plugins.yaml")?).await?;
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`initialize`](Self::initialize), and [`Error::Load`] if a plugin that is running cannot be loaded as its
    /// entry says now, or its hook is misspelt now: a mistake in its entry does not lose it. What was in force
    /// stays in force, all of it.
    pub async fn replace(&self, config: Config) -> Result<(), Error> {
        self.change(move |entries, rules| {
            rules.settings = config.plugin_settings.with_environment()?;
            let ready = entries.iter().filter(|entry| entry.is_ready_made()).cloned();
            let made = config.plugins.into_iter().map(|config| {
                let known = |entry: &&Entry| !entry.is_ready_made() && entry.config.name == config.name;
                match entries.iter().find(known) {
                    Some(entry) => entry.with(config),
                    None => Entry::new(config, Source::Kind),
                }
            });
            Ok(ready.chain(made).collect())
        })
        .await
    }

    /// Reads the files again that the manager was built from, and takes over what they say now: see
    /// [`replace`](Self::replace).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let file = std::env::temp_dir().join(format!("reloaded-{}.yaml", std::process::id()));
    /// std::fs::write(&file, "plugins: []")?;
    /// let manager = cpex::Manager::builder().yaml(&file)?.start().await?;
    /// std::fs::write(&file, "plugins: [{name: guard, kind: app.Guard}]")?;
    /// manager.reload().await?;
    /// assert_eq!(manager.load_failures().await[0].name, "guard");
    /// # std::fs::remove_file(file)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoFile`] if there is none, what is wrong with one, that one whose plugins are in force names none any more, and
    /// those of [`replace`](Self::replace).
    pub async fn reload(&self) -> Result<(), Error> {
        let (files, in_force) = {
            let Loading { entries, rules, .. } = &*self.inner.loading.lock().await;
            let origins = entries.iter().filter_map(|entry| entry.config.origin.as_ref());
            let in_force: HashSet<_> = origins.map(|origin| origin.document.file().to_owned()).collect();
            (rules.files.clone(), in_force)
        };
        if files.is_empty() {
            return Err(Error::NoFile);
        }
        self.replace(Config::from_files(&files, &in_force)?).await
    }

    /// Adds a plugin.
    ///
    /// ```
    /// use cpex::{Context, Hook, Json, Manager, plugin};
    ///
    /// struct Trail;
    ///
    /// #[plugin]
    /// impl Trail {
    ///     #[hook("ping")]
    ///     fn note(&self, _: &Json) {}
    /// }
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = Manager::builder().start().await?;
    /// manager.add("trail", Trail).await?;
    /// let outcome = manager.invoke(&Hook::<Json>::new("ping"), &Json::default(), &Context::new("1")).await?;
    /// assert_eq!(outcome.report.lines().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DuplicateName`], and those of [`initialize`](Self::initialize).
    pub async fn add<T: Plugin>(&self, entry: impl Into<PluginConfig>, plugin: T) -> Result<(), Error> {
        self.push(Entry::ready(entry.into(), plugin)).await
    }

    /// Adds a plugin that is made by its kind.
    ///
    /// ```
    /// use cpex::{Manager, config::PluginConfig};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = Manager::builder().start().await?;
    /// manager.add_entry(PluginConfig::new("guard").kind("app.Guard")).await?;
    /// assert_eq!(manager.load_failures().await.len(), 1);
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DuplicateName`], and those of [`initialize`](Self::initialize).
    pub async fn add_entry(&self, entry: PluginConfig) -> Result<(), Error> {
        self.push(Entry::new(entry, Source::Kind)).await
    }

    /// Removes a plugin, and shuts it down after the last call of it.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = cpex::Manager::builder().start().await?;
    /// assert!(manager.remove("guard").await.is_err());
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchPlugin`].
    pub async fn remove(&self, name: impl Into<String>) -> Result<(), Error> {
        let name = name.into();
        self.change(move |entries, _| {
            let index = find(entries, &name)?;
            let (before, after) = (&entries[..index], &entries[index + 1..]);
            Ok([before, after].concat())
        })
        .await
    }

    /// Changes the entry of a plugin: all but its name. Its instance, and what it remembers, stays, unless its kind or
    /// its own settings change.
    ///
    /// ```
    /// use cpex::config::{Mode, PluginConfig};
    /// use cpex::{Hook, Json, Manager, PluginContext};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let looks = |_: &Json, _: &mut PluginContext| ();
    /// let manager = Manager::builder().on(&Hook::<Json>::new("ping"), "guard", looks).start().await?;
    /// manager.update("guard", |entry| entry.mode(Mode::Audit).priority(10)).await?;
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchPlugin`], and those of [`replace`](Self::replace). What was in force stays in force.
    pub async fn update(
        &self,
        name: impl Into<String>,
        edit: impl FnOnce(PluginConfig) -> PluginConfig + Send + 'static,
    ) -> Result<(), Error> {
        let name = name.into();
        self.change(move |entries, _| {
            let index = find(entries, &name)?;
            let edited = edit(PluginConfig::clone(&entries[index].config));
            let mut next = entries.to_vec();
            #[cfg(feature = "external")]
            let edited = edited.changed_since(&entries[index].config);
            next[index] = entries[index].with(PluginConfig { name, ..edited });
            Ok(next)
        })
        .await
    }

    /// Loads those plugins again that could not be loaded, and tells which still cannot.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// assert!(cpex::Manager::builder().start().await?.retry_failed().await?.is_empty());
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`initialize`](Self::initialize).
    pub async fn retry_failed(&self) -> Result<Vec<LoadFailure>, Error> {
        self.change(|entries, _| Ok(entries.iter().map(Entry::again).collect())).await?;
        Ok(self.load_failures().await)
    }

    /// Takes a plugin out of service at once, as `on_error: disable` does: it stays loaded, and the report of a hook
    /// says that it is disabled. Hooks pass without it. Another instance of it is in service again.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use cpex::{Context, Hook, Json, Manager, PluginContext};
    ///
    /// const PING: Hook<Json> = Hook::new("ping");
    /// let manager = Manager::builder().on(&PING, "guard", |_: &Json, _: &mut PluginContext| ()).start().await?;
    /// manager.disable("guard").await?;
    /// assert_eq!(manager.eligible(&PING, &Json::default(), &Context::new("1"))[0].skipped, Some("disabled"));
    /// manager.enable("guard").await?;
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchPlugin`], or [`Error::NotLoaded`]: [`update`](Self::update) lets a plugin be disabled before it
    /// is loaded, by its mode.
    pub async fn disable(&self, name: &str) -> Result<(), Error> {
        let entries = &self.inner.loading.lock().await.entries;
        self.inner.health.disable(&instance(entries, name)?.registered);
        Ok(())
    }

    /// Puts a plugin back into service that was disabled.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// assert!(cpex::Manager::builder().start().await?.enable("guard").await.is_err());
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchPlugin`], or [`Error::NotLoaded`].
    pub async fn enable(&self, name: &str) -> Result<(), Error> {
        let entries = &self.inner.loading.lock().await.entries;
        self.inner.health.enable([&*instance(entries, name)?.registered]);
        Ok(())
    }

    /// The entries of all plugins, in the order in which they are loaded.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// assert!(cpex::Manager::builder().start().await?.entries().await.is_empty());
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn entries(&self) -> Vec<Arc<PluginConfig>> {
        self.inner.loading.lock().await.entries.iter().map(|entry| entry.config.clone()).collect()
    }

    async fn push(&self, entry: Entry) -> Result<(), Error> {
        self.change(move |entries, _| Ok([entries, &[entry]].concat())).await
    }

    /// Makes a change in a task of its own: nobody can leave it half-done by dropping the future.
    async fn change(
        &self,
        edit: impl FnOnce(&[Entry], &mut Rules) -> Result<Vec<Entry>, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let manager = self.clone();
        let change = async move { manager.make(edit).await };
        match tokio::spawn(change.in_current_span()).await {
            Ok(made) => made,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::ShutDown),
            },
        }
    }

    async fn make(
        &self,
        edit: impl FnOnce(&[Entry], &mut Rules) -> Result<Vec<Entry>, Error>,
    ) -> Result<(), Error> {
        let mut loading = self.inner.loading.lock().await;
        if loading.stage == Stage::ShutDown {
            return Err(Error::ShutDown);
        }
        let mut rules = loading.rules.clone();
        let mut next = edit(&loading.entries, &mut rules)?;
        unique(&next)?;
        if loading.stage == Stage::Running {
            let plan = match load_all(&mut next, &rules).await {
                Ok(plan) => plan,
                Err(error) => {
                    shut_down(leaving(next, &loading.entries), rules.drain).await;
                    return Err(error);
                }
            };
            self.put_in_force(plan);
        }
        let (drain, stage) = (rules.drain, loading.stage);
        let before = mem::replace(&mut *loading, Loading { entries: next, rules, stage });
        let leaving = leaving(before.entries, &loading.entries);
        let health = self.inner.health.clone();
        let retire = async move {
            unused(&leaving, drain).await;
            // Nobody calls them any more, and nobody needs to know what they had come to.
            health.enable(leaving.iter().map(|plugin| &*plugin.registered));
            shut_down(leaving, drain).await;
        };
        let retired = self.inner.retiring.spawn(retire.in_current_span());
        drop(loading);
        let _ = retired.await;
        Ok(())
    }

    /// From now on, hooks are answered by this plan.
    pub(crate) fn put_in_force(&self, plan: Plan) {
        self.inner.plan.store(Arc::new(plan));
    }
}

/// The entries with an instance that none of the others has.
fn without<'a>(entries: &'a [Entry], others: &[Entry]) -> impl Iterator<Item = &'a Entry> {
    let kept: HashSet<_> = others.iter().filter_map(|entry| Some(entry.instance()?.id())).collect();
    entries
        .iter()
        .filter(move |entry| entry.instance().is_some_and(|instance| !kept.contains(&instance.id())))
}

/// Gives up the instances that none of the others has.
fn leaving(entries: Vec<Entry>, others: &[Entry]) -> Vec<Leaving> {
    without(&entries, others).cloned().filter_map(|mut entry| entry.leave()).collect()
}

/// Names are unique in a manager.
pub(crate) fn unique(entries: &[Entry]) -> Result<(), Error> {
    let mut names = HashSet::new();
    match entries.iter().find(|entry| !names.insert(&entry.config.name)) {
        None => Ok(()),
        Some(twice) => Err(Error::DuplicateName {
            name: twice.config.name.clone(),
            place: twice.config.origin.as_ref().map(crate::config::Origin::place),
        }),
    }
}

/// The instance of a plugin.
fn instance<'a>(entries: &'a [Entry], name: &str) -> Result<&'a Instance, Error> {
    let entry = &entries[find(entries, name)?];
    entry.instance().ok_or_else(|| Error::NotLoaded {
        name: name.to_owned(),
        why: match &entry.state {
            State::Failed(failure) => failure.error.clone(),
            _ if entry.config.mode == Mode::Disabled => "its mode is disabled".to_owned(),
            _ => "the manager is not running".to_owned(),
        },
    })
}

fn find(entries: &[Entry], name: &str) -> Result<usize, Error> {
    let names = entries.iter().map(|entry| entry.config.name.as_str());
    names.clone().position(|known| known == name).ok_or_else(|| Error::NoSuchPlugin {
        name: name.to_owned(),
        nearest: cpex_config::nearest(name, names).map(ToOwned::to_owned),
    })
}
