//! What answers for a plugin that is not there and must not be missing: a denial.

use std::future::ready;
use std::sync::Arc;

use crate::config::{Mode, OnError, PluginConfig};
use crate::context::PluginContext;
use crate::extensions::Extensions;
use crate::handler::Handler;
use crate::hook::HookType;
use crate::payload::{AnyPayload, Kind};
use crate::plugin::{Answer, BoxFuture, Sees};
use crate::reply::Reply;
use crate::violation::Violation;

/// Code of the denial.
pub(crate) const CODE: &str = "PLUGIN_UNAVAILABLE";

/// Denies at one hook.
pub(crate) struct Unavailable {
    pub(crate) hook: Box<str>,
    pub(crate) types: HookType,
    pub(crate) config: Arc<PluginConfig>,
}

/// The entry under which it denies: a mode that cannot block becomes sequential.
pub(crate) fn entry(config: &PluginConfig) -> PluginConfig {
    let mode = if config.mode == Mode::Concurrent { Mode::Concurrent } else { Mode::Sequential };
    config.clone().mode(mode).on_error(OnError::Fail)
}

impl Handler for Unavailable {
    fn takes(&self) -> Kind {
        self.types.payload
    }

    fn sees(&self) -> Sees {
        Sees::PayloadOnly
    }

    fn call<'a>(
        &'a self,
        _: &'a dyn AnyPayload,
        _: &'a mut PluginContext,
        _: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        let Self { hook, config, .. } = self;
        let text = format!("plugin {:?} is not loaded and hook {hook:?} requires it", config.name);
        let violation = Violation::new(CODE, "Plugin unavailable").description(text);
        Box::pin(ready(Answer(Ok(Some(Box::new(Reply::deny(violation)))))))
    }
}
