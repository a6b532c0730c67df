//! A built-in plugin as a plugin of this host.

use std::future::ready;
use std::sync::Arc;

use cpex_builtin::plugin::{self as builtin, Builtin, Call, Decision, Misplaced, Power, Run, Site};
use cpex_builtin::{ConfigError as Problem, Denial};
use cpex_config::Step;
use hashbrown::HashSet;
use serde_json::Value;

use super::facts::Asked;
use super::view::View;
use crate::config::{ConfigError, Mode, PluginConfig};
use crate::context::PluginContext;
use crate::error::BoxError;
use crate::extensions::Extensions;
use crate::failure::LoadPhase;
use crate::handler::Handler;
use crate::hook::{HookType, HookTypes};
use crate::hooks::HttpHeaders;
use crate::payload::{AnyPayload, Json, Kind};
use crate::plugin::{Answer, BoxFuture, Handlers, Plugin, Sees};
use crate::reply::Reply;
use crate::violation::Violation;

/// A built-in plugin at its hooks.
struct Hooked {
    builtin: Arc<Builtin>,
    sites: Vec<Arc<Site>>,
    entry: Arc<PluginConfig>,
}

/// A built-in plugin at one hook.
#[derive(Clone)]
pub(crate) struct Attached {
    builtin: Arc<Builtin>,
    site: Arc<Site>,
    /// The run of scanners that it shares its walk with, and its place there.
    run: Option<(Run, usize)>,
}

/// Makes the built-in plugin of an entry, or says how far it came and why no further.
pub(crate) fn make(
    config: &Arc<PluginConfig>,
    types: &HookTypes,
) -> Result<Arc<dyn Plugin>, (LoadPhase, BoxError)> {
    builtin::Kind::named(&config.kind)
        .map_err(|unknown| (LoadPhase::Find, config.problem(&[Step::Key("kind")], unknown.problem).into()))?;
    let hooked = hooked(config, types).map_err(|error| (LoadPhase::Construct, error.into()))?;
    Ok(Arc::new(hooked))
}

fn hooked(config: &Arc<PluginConfig>, types: &HookTypes) -> Result<Hooked, ConfigError> {
    let problem = |problem| located(problem, config);
    let mut builtin =
        Builtin::new(&config.kind, &config.name, Value::Object(config.config.clone())).map_err(problem)?;
    let mut hooks: Vec<&str> = config.hooks.iter().map(String::as_str).collect();
    if hooks.is_empty() {
        hooks = builtin.hooks();
    }
    let mut seen = HashSet::new();
    hooks.retain(|hook| seen.insert(*hook));
    if hooks.is_empty() {
        let problem = format!("{} belongs to no hook by itself: name those to attach it to", config.kind);
        return Err(config.problem(&[Step::Key("hooks")], problem));
    }
    let sites: Vec<Arc<Site>> = hooks.iter().map(|hook| Arc::new(site(hook, config, types))).collect();
    let all: Vec<&Site> = sites.iter().map(|site| &**site).collect();
    builtin.attach(&all, power(config.mode)).map_err(|Misplaced { hook, problem }| {
        let named = hook.and_then(|hook| config.hooks.iter().position(|name| name == hooks[hook]));
        let path = named.map(|place| [Step::Key("hooks"), Step::Index(place)]);
        config.problem(path.as_ref().map_or(&[], |path| &path[..]), problem)
    })?;
    Ok(Hooked { builtin: Arc::new(builtin), sites, entry: config.clone() })
}

fn located(Problem { field, problem }: Problem, entry: &PluginConfig) -> ConfigError {
    entry.problem(&below_config(&field), problem)
}

fn site(hook: &str, config: &PluginConfig, types: &HookTypes) -> Site {
    let site =
        Site::of(hook).seeing_headers(config.capabilities.contains(cpex_core::Capability::ReadHeaders));
    if types.get(hook).is_chained() { site } else { site.returning_other() }
}

const fn power(mode: Mode) -> Power {
    match mode {
        Mode::Sequential => Power::Full,
        Mode::Transform => Power::Modify,
        Mode::Concurrent => Power::Block,
        Mode::Audit | Mode::FireAndForget | Mode::Disabled => Power::Observe,
    }
}

/// `rules[2].pattern` below an entry. A problem without a field is one of the kind.
fn below_config(field: &str) -> Vec<Step<'_>> {
    if field.is_empty() {
        return vec![Step::Key("kind")];
    }
    let parts = field.split(['.', '[']).filter(|part| !part.is_empty());
    let steps = parts.map(|part| match part.strip_suffix(']').map(str::parse) {
        Some(Ok(index)) => Step::Index(index),
        _ => Step::Key(part),
    });
    std::iter::once(Step::Key("config")).chain(steps).collect()
}

impl Plugin for Hooked {
    fn handlers(self: Arc<Self>, handlers: &mut Handlers) {
        for site in &self.sites {
            let attached = Attached { builtin: self.builtin.clone(), site: site.clone(), run: None };
            handlers.register::<Json>(&site.hook(), Arc::new(attached));
        }
    }

    fn initialize(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        let opened = self.builtin.open().map_err(|problem| located(problem, &self.entry).into());
        Box::pin(ready(opened))
    }

    fn shutdown(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        if !self.builtin.lingers() {
            return Box::pin(ready(Ok(())));
        }
        let builtin = self.builtin.clone();
        Box::pin(async { Ok(tokio::task::spawn_blocking(move || builtin.close()).await?) })
    }
}

impl Attached {
    pub(super) fn is_scanner(&self) -> bool {
        self.builtin.detector().is_some()
    }

    pub(super) fn run<'a>(scanners: impl Iterator<Item = &'a Self>) -> Option<Run> {
        Run::new(scanners.map(|attached| attached.builtin.clone()).collect())
    }

    pub(super) fn in_run(self, run: Run, place: usize) -> Arc<dyn Handler> {
        Arc::new(Self { run: Some((run, place)), ..self })
    }

    fn answer(
        &self,
        payload: &dyn AnyPayload,
        context: &mut PluginContext,
        extensions: &Extensions,
    ) -> Result<builtin::Answer<Arc<dyn AnyPayload>>, BoxError> {
        let mut scans = self.run.as_ref().map(|_| context.scans().take().unwrap_or_default());
        let previous = context.previous::<HttpHeaders>();
        let view = View::Shown { payload, previous };
        let answer = match (&self.run, &mut scans) {
            (Some((run, place)), Some(scans)) => {
                builtin::Answer::Now(run.answer(*place, &view, &mut scans.0)?)
            }
            _ => {
                let request = Asked { context, extensions };
                self.builtin.call(&Call { site: &self.site, payload: &view, request: &request })?
            }
        };
        let answer = match answer {
            builtin::Answer::Now(reply) => builtin::Answer::Now(reply.map(View::into_shared)),
            builtin::Answer::Later(later) => builtin::Answer::Later(later),
        };
        if scans.is_some() {
            *context.scans() = scans;
        }
        Ok(answer)
    }

    fn said(&self, reply: builtin::Reply<Arc<dyn AnyPayload>>) -> Answer {
        let builtin::Reply { decision, metadata, retry_after } = reply;
        let mut reply = match decision {
            Decision::Allow => Reply::allow(),
            Decision::Modify(payload) => Reply::modify(payload),
            Decision::Deny(denial) => Reply::deny(violation(*denial)),
        };
        if let Some(wait) = retry_after {
            reply = reply.retry_after(wait);
        }
        if let Some(metadata) = metadata {
            reply = reply.metadata(self.builtin.name(), metadata);
        }
        Answer::said(reply, |payload| payload)
    }
}

impl Handler for Attached {
    fn takes(&self) -> Kind {
        Kind::of::<Json>()
    }

    fn sees(&self) -> Sees {
        if self.builtin.asks_for_headers() { Sees::Extensions } else { Sees::PayloadOnly }
    }

    /// It takes what the hook carries, whatever it is.
    fn fits(&self, _: &HookType) -> bool {
        true
    }

    fn builtin(&self) -> Option<&Attached> {
        Some(self)
    }

    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        extensions: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        match self.answer(payload, context, extensions) {
            Ok(builtin::Answer::Now(reply)) => Box::pin(ready(self.said(reply))),
            Ok(builtin::Answer::Later(later)) => Box::pin(async move { self.said(later.await.about()) }),
            Err(error) => Box::pin(ready(Answer::failed(error))),
        }
    }
}

fn violation(denial: Denial) -> Violation {
    let Denial { code, reason, details, http_status, http_headers, retry_after } = denial;
    let headers = http_headers.into_iter().map(|(name, value)| (name.to_owned(), value));
    let headers: std::collections::BTreeMap<_, _> = headers.collect();
    let violation = Violation {
        details: Box::new(details),
        http_status_code: http_status,
        http_headers: (!headers.is_empty()).then(|| Box::new(headers)),
        ..Violation::new(code, reason)
    };
    match retry_after {
        Some(wait) => violation.detail("retry_after_seconds", wait.as_secs_f64()),
        None => violation,
    }
}
