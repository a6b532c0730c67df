//! One plugin of a manager at one hook, for a host elsewhere.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};
use cpex_remote::{Call, Failure, Json, Outcome, PluginError, Reply};
use serde_json::{Map, Value};

use super::singles::Singles;
use super::{report, request};
use crate::config::expected;
use crate::error::InvokeError;
use crate::external::RemoteFailure;
use crate::manager::{Found, Given, Manager};
use crate::metrics;
use crate::plan::Stage;
use crate::unavailable;

/// The plugins of a manager, one by one.
pub(super) struct Plugins {
    manager: Manager,
    singles: ArcSwapOption<Singles>,
}

impl Plugins {
    pub(super) fn new(manager: Manager) -> Self {
        Self { manager, singles: ArcSwapOption::empty() }
    }

    pub(super) fn is_running(&self) -> bool {
        self.manager.inner.plan.load().stage == Stage::Running
    }

    /// The plugins that are running now.
    ///
    /// # Errors
    /// If the manager is not running.
    pub(super) fn singles(&self) -> Result<Arc<Singles>, Failure> {
        let plan = self.manager.inner.plan.load();
        match plan.stage {
            Stage::Running => {}
            Stage::NotInitialized => return Err(Failure("the server is starting".to_owned())),
            Stage::ShutDown => return Err(Failure("the server is shutting down".to_owned())),
        }
        if let Some(known) = self.singles.load_full().filter(|singles| singles.is_of(&plan)) {
            return Ok(known);
        }
        let made = Arc::new(Singles::new(&plan));
        self.singles.store(Some(made.clone()));
        Ok(made)
    }

    pub(super) async fn invoke(&self, call: Call) -> Result<Reply, Failure> {
        let (found, singles) = loop {
            let singles = self.singles()?;
            let Some(hook) = singles.find(&call.plugin, &call.hook) else {
                let Call { hook, plugin, .. } = &call;
                let missing = format!(
                    "Unable to find {hook} for plugin {plugin}.  Make sure the plugin is registered."
                );
                return Ok(failed(&call, missing));
            };
            let plan = self.manager.inner.plan.load();
            let lease = plan.lease();
            // Otherwise another plan has taken its place meanwhile.
            if lease.is_some() && singles.is_of(&plan) {
                break (Found { plan: Guard::from_inner(singles.plan.clone()), hook, lease }, singles);
            }
        };
        let slot = &singles.plan.hook(found.hook).line_up.entries()[0].plugin;
        if self.manager.inner.health.is_disabled(&slot.plugin) {
            let mut error =
                PluginError::internal(&*call.plugin, "the plugin is out of service on its server");
            unavailable::CODE.clone_into(&mut error.code);
            return Ok(Reply::failed(error));
        }
        let payload: Value = match serde_json::from_str(call.payload.as_str()) {
            Ok(payload) => payload,
            Err(error) => return Ok(failed(&call, format!("payload: {}", expected(&error)))),
        };
        let types = &singles.plan.hook(found.hook).types;
        let payload = match (types.read_payload)(payload) {
            Ok(payload) => payload,
            Err(error) => {
                let what = format!("payload: {}: {}", error.path(), expected(error.inner()));
                return Ok(failed(&call, what));
            }
        };
        let mut asked = match request::read(&call) {
            Ok(asked) => asked,
            Err(problem) => return Ok(failed(&call, problem)),
        };
        let plugin = slot.plugin.id;
        asked.context.inner().put_own(plugin, std::mem::take(&mut asked.state));
        let given = Given::Typed(&*payload, types.reply);
        let ran = self.manager.run(|_| Ok(Some(found)), given, &asked.context).await;
        let answer = || -> serde_json::Result<Reply> {
            let outcome = match ran {
                Ok(outcome) => {
                    if outcome.violation.is_some() {
                        metrics::denied(&call.plugin, &call.hook);
                    }
                    Outcome::Result(report::result(&outcome)?)
                }
                // A violation that is returned as an error: a denial like any other.
                Err(InvokeError::Plugin { failure: crate::Failure::Refused(violation), .. }) => {
                    metrics::denied(&call.plugin, &call.hook);
                    Outcome::Result(report::denial(&violation, &Map::new())?)
                }
                Err(error) => Outcome::Error(fault(&call, error)),
            };
            let state = asked.context.inner().own(plugin);
            let context = match &outcome {
                Outcome::Result(_) => report::context(&asked, &state)?,
                Outcome::Error(_) => None,
            };
            Ok(Reply { plugin: call.plugin.clone(), outcome, context })
        };
        answer().map_err(|error| Failure(format!("the answer has no JSON: {error}")))
    }
}

fn failed(call: &Call, message: String) -> Reply {
    let error = PluginError { code: String::new(), ..PluginError::internal(&*call.plugin, message) };
    Reply::failed(error)
}

/// What hosts are told of a failure.
fn fault(call: &Call, error: InvokeError) -> PluginError {
    let told = |message: String| PluginError {
        code: String::new(),
        ..PluginError::internal(&*call.plugin, message)
    };
    match error {
        InvokeError::Plugin { failure: crate::Failure::Error(error), .. } => {
            match error.downcast::<RemoteFailure>() {
                Ok(remote) => PluginError {
                    message: remote.message,
                    plugin: call.plugin.clone(),
                    code: remote.code,
                    details: Json::of::<Map<_, _>>(&remote.details).unwrap_or_else(|_| Json::empty_object()),
                    mcp_error_code: remote.mcp_error_code,
                },
                Err(error) => told(error.to_string()),
            }
        }
        InvokeError::Plugin { failure, .. } => told(failure.to_string()),
        error => told(error.to_string()),
    }
}
