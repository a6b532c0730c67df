//! Plugins, and the handlers they register.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Weak};

use cpex_core::Fault;

use crate::config::PluginConfig;
use crate::context::PluginContext;
use crate::error::{BoxError, Failure};
use crate::extensions::Extensions;
use crate::handler::{Blocking, Bound, Handler};
use crate::hook::{HookType, Names};
use crate::host::RustValues;
use crate::lease::InUse;
use crate::payload::{AnyPayload, Payload};
use crate::reply::{Decision, IntoReply, Reply};
pub use crate::shared::Shared;

/// A future that may go to another thread.
///
/// ```
/// let future: cpex::plugin::BoxFuture<'_, u8> = Box::pin(async { 1 });
/// # drop(future);
/// ```
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that answers hooks. Written with [`#[plugin]`](macro@crate::plugin) on an `impl` block.
///
/// ```
/// use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
/// use cpex::{Reply, Violation, plugin};
///
/// struct Allowlist {
///     tools: Vec<String>,
/// }
///
/// #[plugin]
/// impl Allowlist {
///     #[hook(TOOL_PRE_INVOKE)]
///     async fn check(&self, call: &ToolPreInvoke) -> Reply<ToolPreInvoke> {
///         if self.tools.contains(&call.name) {
///             Reply::allow()
///         } else {
///             Reply::deny(Violation::new("TOOL_DENIED", "not on the list"))
///         }
///     }
/// }
/// # fn is_plugin(_: impl cpex::Plugin) {}
/// # is_plugin(Allowlist { tools: Vec::new() });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    label = "expected a type with `#[plugin]` on an `impl` block"
)]
pub trait Plugin: Send + Sync + 'static {
    /// Names the methods that answer hooks.
    fn handlers(self: Arc<Self>, handlers: &mut Handlers);

    /// Called once, before the first hook. What it returns as an error keeps the plugin from being loaded.
    fn initialize(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(ready(Ok(())))
    }

    /// Its entry, with what only the plugin knows of how it takes part, once it is initialized.
    #[doc(hidden)]
    fn complete(&self, entry: &Arc<PluginConfig>) -> Arc<PluginConfig> {
        entry.clone()
    }

    /// Called once, after the last hook.
    fn shutdown(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(ready(Ok(())))
    }
}

/// The handlers of one plugin. Filled by [`#[plugin]`](macro@crate::plugin).
///
/// ```
/// assert!(format!("{:?}", cpex::Handlers::default()).contains("[]"));
/// ```
#[derive(Default)]
pub struct Handlers {
    list: Vec<Registration>,
    /// Who still calls the plugin. Weak: a plan that is kept calls nobody.
    in_use: Weak<InUse>,
}

/// A handler and the hook it answers.
pub(crate) struct Registration {
    pub(crate) hook: Box<str>,
    /// The types of the hook: as the plugin knows them, or as its handler lets one think.
    pub(crate) types: HookType,
    /// The plugin knows them.
    pub(crate) is_certain: bool,
    pub(crate) handler: Arc<dyn Handler>,
}

/// A method of `T` that answers a hook about `P`.
#[doc(hidden)]
pub type Method<T, P> =
    for<'a> fn(&'a T, &'a P, &'a mut PluginContext, &'a Extensions) -> BoxFuture<'a, Answer>;

/// The same on the blocking pool.
#[doc(hidden)]
pub type BlockingMethod<T, P> = fn(&T, &P, &mut PluginContext, &Extensions) -> Answer;

impl Handlers {
    /// Adds a method that runs on the caller's task.
    #[doc(hidden)]
    pub fn add<T, P>(&mut self, hook: &impl Names<P>, plugin: &Arc<T>, sees: Sees, method: Method<T, P>)
    where
        T: Send + Sync + 'static,
        P: Payload,
    {
        self.register(hook, Arc::new(Bound { plugin: plugin.clone(), method, sees }));
    }

    /// Adds a method that runs on the blocking pool.
    #[doc(hidden)]
    pub fn add_blocking<T, P>(
        &mut self,
        hook: &impl Names<P>,
        plugin: &Arc<T>,
        sees: Sees,
        method: BlockingMethod<T, P>,
    ) where
        T: Send + Sync + 'static,
        P: Payload,
    {
        let (plugin, in_use) = (plugin.clone(), self.in_use.clone());
        self.register(hook, Arc::new(Blocking { plugin, in_use, method, sees }));
    }

    pub(crate) fn register<P: Payload>(&mut self, hook: &impl Names<P>, handler: Arc<dyn Handler>) {
        let known = hook.hook_type();
        self.list.push(Registration {
            hook: hook.hook_name().into(),
            types: known.unwrap_or_else(HookType::of::<P, P>),
            is_certain: known.is_some(),
            handler,
        });
    }

    /// Those of a plugin.
    pub(crate) fn of(plugin: Arc<dyn Plugin>, in_use: &Arc<InUse>) -> Vec<Registration> {
        let mut handlers = Self { list: Vec::new(), in_use: Arc::downgrade(in_use) };
        plugin.handlers(&mut handlers);
        handlers.list
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|registration| &registration.hook)).finish()
    }
}

/// Whether a handler takes extensions: those that do not are shown none, which is cheaper.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Those that its capabilities let it see.
    Extensions,
    /// Only the payload and the context.
    PayloadOnly,
}

/// What a handler came to, without the type of its payload.
#[doc(hidden)]
pub struct Answer(pub(crate) End);

/// The end of a call: what the plugin says, or nothing if it says no more than that it allows, or how it failed. It
/// fits into two registers.
pub(crate) type End = Result<Option<Box<AnyReply>>, Box<Fault<RustValues>>>;

/// A reply whose payload has no type.
pub(crate) type AnyReply = Reply<Arc<dyn AnyPayload>>;

impl Answer {
    /// Takes what a handler returned.
    pub fn of(returned: impl IntoReply) -> Self {
        match returned.into_reply() {
            Ok(reply) => Self::said(reply, |payload| Arc::new(payload) as Arc<dyn AnyPayload>),
            Err(error) => Self::failed(error),
        }
    }

    pub(crate) fn said<P>(reply: Reply<P>, payload: impl FnOnce(P) -> Arc<dyn AnyPayload>) -> Self {
        match reply {
            Reply { decision: Decision::Allow, more: None } => Self(Ok(None)),
            reply => Self(Ok(Some(Box::new(reply.map(payload))))),
        }
    }

    #[cold]
    pub(crate) fn failed(error: impl Into<BoxError>) -> Self {
        Self(Err(Box::new(match Failure::from(error.into()) {
            refused @ Failure::Refused(_) => Fault::Refusal(refused),
            failed => Fault::Error(failed),
        })))
    }
}

/// What a lifecycle method may return: nothing, or a `Result` of nothing.
#[doc(hidden)]
pub trait Done {
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn done(self) -> Result<(), BoxError>;
}

impl Done for () {
    fn done(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> Done for Result<(), E> {
    fn done(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}
