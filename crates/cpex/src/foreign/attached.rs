//! A foreign plugin at one hook.

use std::sync::Arc;

use cpex_remote::{Call, Reply};

use super::reply::{self, Absent};
use super::request;
use crate::context::PluginContext;
use crate::error::BoxError;
use crate::extensions::Extensions;
use crate::handler::Handler;
use crate::hook::HookType;
use crate::payload::{AnyPayload, Json, Kind};
use crate::plugin::{Answer, BoxFuture, Sees};

/// Whoever answers messages.
pub(crate) trait Foreign: Send + Sync + 'static {
    /// The plugin's name there.
    fn name(&self) -> &str;

    /// What an empty state in its answers means.
    fn absent(&self) -> Absent;

    /// Runs a hook. Dropped, it is given up.
    fn ask(&self, call: &Call) -> impl Future<Output = Result<Reply, BoxError>> + Send;
}

pub(crate) struct Attached<F> {
    plugin: Arc<F>,
    hook: Box<str>,
    types: HookType,
}

impl<F: Foreign> Attached<F> {
    pub(crate) fn new(plugin: &Arc<F>, hook: &str) -> Self {
        Self { plugin: plugin.clone(), hook: hook.into(), types: HookType::of::<Json, Json>() }
    }
}

impl<F: Foreign> Handler for Attached<F> {
    fn takes(&self) -> Kind {
        self.types.payload
    }

    fn sees(&self) -> Sees {
        Sees::Extensions
    }

    /// What it sends is the JSON of whatever the hook carries, and what comes back is read as what the hook returns.
    fn at(&self, hook: &HookType) -> Option<Arc<dyn Handler>> {
        Some(Arc::new(Self { plugin: self.plugin.clone(), hook: self.hook.clone(), types: *hook }))
    }

    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        extensions: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        let Self { plugin, hook, types } = self;
        Box::pin(async move {
            let call = match request::call(hook, plugin.name(), payload, context, extensions) {
                Ok(call) => call,
                Err(error) => return Answer::failed(error),
            };
            let answered = match plugin.ask(&call).await {
                Ok(answered) => answered,
                Err(error) => return Answer::failed(error),
            };
            match reply::read(answered, types, context, plugin.absent()) {
                Ok(reply) => Answer::said(reply, |payload| payload),
                Err(error) => Answer::failed(error),
            }
        })
    }
}
