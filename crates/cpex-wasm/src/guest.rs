//! One instance of a plugin, and what it is asked.

use std::sync::Arc;

use cpex_remote::{Call, Json, Outcome, PluginError, Reply};
use wasmtime::component::HasSelf;
use wasmtime::{Result, Store};

use self::bindings::exports::cpex::plugin::hooks;
use crate::clock::Ticking;
use crate::error::Fault;
use crate::limits::{self, Limits, Meter};
use crate::log::{Log, one_line};

pub(crate) mod bindings {
    #![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)]
    wasmtime::component::bindgen!({
        path: "wit",
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
    });

    pub(crate) use self::cpex::plugin::log::Level;
}

pub(crate) use self::bindings::PluginPre;

/// What the host keeps of an instance.
pub(crate) struct State {
    pub(crate) log: Arc<Log>,
    pub(crate) meter: Meter,
}

/// What a plugin may import.
pub(crate) type Imports = HasSelf<State>;

/// An instance that is ready for a call.
pub(crate) struct Guest {
    store: Store<State>,
    plugin: bindings::Plugin,
    limits: Limits,
}

impl Guest {
    /// Makes an instance and lets it start.
    pub(crate) async fn start(
        code: &PluginPre<State>,
        log: &Arc<Log>,
        limits: Limits,
        (name, settings): (&str, &str),
    ) -> Result<Self, Fault> {
        let fault = |error| limits::fault(&error, limits, Fault::NotStarted);
        let _ticking = ticking()?;
        let mut store = Store::new(code.engine(), State { log: log.clone(), meter: Meter::new(limits) });
        limits::install(&mut store);
        limits::begin(&mut store).map_err(fault)?;
        let plugin = code.instantiate_async(&mut store).await.map_err(fault)?;
        let started =
            plugin.cpex_plugin_hooks().call_start(&mut store, name, settings).await.map_err(fault)?;
        started.map_err(|problem| Fault::NotStarted(one_line(&problem)))?;
        Ok(Self { store, plugin, limits })
    }

    /// Asks it. After a fault it must not be asked again.
    pub(crate) async fn invoke(&mut self, call: &Call) -> Result<Reply, Fault> {
        let Self { store, plugin, limits } = self;
        let fault = |error| limits::fault(&error, *limits, Fault::BadReply);
        let _ticking = ticking()?;
        limits::begin(store).map_err(fault)?;
        let asked = hooks::Call {
            hook: &call.hook,
            payload: call.payload.as_str(),
            context: call.context.as_str(),
            extensions: call.extensions.as_ref().map(Json::as_str),
        };
        let answered = plugin.cpex_plugin_hooks().call_invoke(store, asked).await.map_err(fault)?;
        reply(&call.plugin, answered)
    }
}

fn ticking() -> Result<Ticking, Fault> {
    Ticking::begin().map_err(|error| Fault::NotStarted(format!("nothing would interrupt it: {error}")))
}

fn reply(plugin: &str, answered: Result<hooks::Reply, hooks::Failure>) -> Result<Reply, Fault> {
    let plugin = plugin.to_owned();
    Ok(match answered {
        Ok(hooks::Reply { result, context }) => {
            let context = context.map(|context| object(context, "context")).transpose()?;
            Reply { plugin, outcome: Outcome::Result(object(result, "result")?), context }
        }
        Err(hooks::Failure { message, code, details }) => Reply::failed(PluginError {
            code: one_line(&code),
            details: object(details, "details")?,
            ..PluginError::internal(plugin, one_line(&message))
        }),
    })
}

fn object(text: String, what: &str) -> Result<Json, Fault> {
    let json = Json::new(text).map_err(|error| Fault::BadReply(format!("{what}: {error}")))?;
    if json.is_object() { Ok(json) } else { Err(Fault::BadReply(format!("{what}: expected a JSON object"))) }
}
