//! An external plugin at one hook.

use std::sync::Arc;

use super::server::Server;
use super::{Unanswered, reply, request};
use crate::context::PluginContext;
use crate::extensions::Extensions;
use crate::handler::Handler;
use crate::hook::HookType;
use crate::payload::{AnyPayload, Json, Kind};
use crate::plugin::{Answer, BoxFuture, Sees};

pub(super) struct Attached {
    pub(super) server: Arc<Server>,
    pub(super) hook: Box<str>,
    pub(super) types: HookType,
}

impl Attached {
    pub(super) fn new(server: &Arc<Server>, hook: &str) -> Self {
        Self { server: server.clone(), hook: hook.into(), types: HookType::of::<Json, Json>() }
    }
}

impl Handler for Attached {
    fn takes(&self) -> Kind {
        self.types.payload
    }

    fn sees(&self) -> Sees {
        Sees::Extensions
    }

    /// What it sends is the JSON of whatever the hook carries, and what comes back is read as what the hook returns.
    fn at(&self, hook: &HookType) -> Option<Arc<dyn Handler>> {
        Some(Arc::new(Self { server: self.server.clone(), hook: self.hook.clone(), types: *hook }))
    }

    /// Dropped, it is given up on the server, too.
    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        extensions: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        let Self { server, hook, types } = self;
        Box::pin(async move {
            let call = match request::call(hook, &server.plugin, payload, context, extensions) {
                Ok(call) => call,
                Err(error) => return Answer::failed(error),
            };
            let answered = match server.balanced.invoke(&call).await {
                Ok(answered) => answered,
                Err(error) => return Answer::failed(Unanswered::from(error)),
            };
            match reply::read(answered, types, context, server.absent) {
                Ok(reply) => Answer::said(reply, |payload| payload),
                Err(error) => Answer::failed(error),
            }
        })
    }
}
