//! Plugins and their handlers.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use crate::context::PluginContext;
use crate::error::BoxError;
use crate::payload::{AnyPayload, Payload};
use crate::reply::{IntoReply, Reply};

/// A future that may go to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that answers hooks. Written with [`#[plugin]`](cpex_macros::plugin) on an `impl` block.
pub trait Plugin: Send + Sync + 'static {
    /// Names the methods that answer hooks.
    fn handlers(self: Arc<Self>, handlers: &mut Handlers);

    /// Called once, before the first hook.
    fn initialize(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(ready(Ok(())))
    }

    /// Called once, after the last hook.
    fn shutdown(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(ready(Ok(())))
    }
}

/// The handlers of one plugin.
#[derive(Default)]
pub struct Handlers {
    pub(crate) list: Vec<Named>,
}

/// A handler and the hook it answers.
pub(crate) struct Named {
    pub(crate) hook: Box<str>,
    pub(crate) handler: Arc<dyn Handler>,
}

/// How a handler runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runs {
    /// On the caller's task.
    #[default]
    Inline,
    /// On the blocking pool, for what computes long.
    Blocking,
}

impl Handlers {
    /// Adds a method.
    pub fn method<T, P>(&mut self, hook: &str, plugin: &Arc<T>, runs: Runs, method: Method<T, P>)
    where
        T: Send + Sync + 'static,
        P: Payload,
    {
        let handler = Arc::new(Bound { plugin: plugin.clone(), method, runs });
        self.list.push(Named { hook: hook.into(), handler });
    }
}

/// A method of `T` that answers a hook about `P`.
pub type Method<T, P> = for<'a> fn(&'a T, &'a P, &'a mut PluginContext) -> BoxFuture<'a, Answer>;

/// What a handler came to, without the type of its payload.
pub struct Answer(pub(crate) Result<Reply<Arc<dyn AnyPayload>>, BoxError>);

impl Answer {
    /// Takes what a handler returned.
    pub fn of(returned: impl IntoReply) -> Self {
        Self(returned.into_reply().map(|reply| reply.map(|payload| Arc::new(payload) as Arc<dyn AnyPayload>)))
    }
}

/// What a lifecycle method may return: nothing, or a `Result` of nothing.
///
/// # Errors
/// The method's own.
#[doc(hidden)]
pub fn done(returned: impl Done) -> Result<(), BoxError> {
    returned.done()
}

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

/// What a handler takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    id: TypeId,
    name: &'static str,
}

impl Kind {
    pub(crate) fn of<P: Payload>() -> Self {
        Self { id: TypeId::of::<P>(), name: type_name::<P>() }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// One hook of one plugin.
pub(crate) trait Handler: Send + Sync {
    fn takes(&self) -> Kind;

    fn runs(&self) -> Runs;

    /// Exactly one allocation: the future.
    fn call<'a>(&'a self, payload: &'a dyn AnyPayload, context: &'a mut PluginContext) -> BoxFuture<'a, Answer>;
}

struct Bound<T, P> {
    plugin: Arc<T>,
    method: Method<T, P>,
    runs: Runs,
}

impl<T: Send + Sync, P: Payload> Handler for Bound<T, P> {
    fn takes(&self) -> Kind {
        Kind::of::<P>()
    }

    fn runs(&self) -> Runs {
        self.runs
    }

    fn call<'a>(&'a self, payload: &'a dyn AnyPayload, context: &'a mut PluginContext) -> BoxFuture<'a, Answer> {
        match (payload as &dyn Any).downcast_ref() {
            Some(payload) => (self.method)(&self.plugin, payload, context),
            None => Box::pin(ready(mismatch::<P>(payload))),
        }
    }
}

/// A closure that answers a hook about `P`.
pub(crate) struct Closure<P, F> {
    pub(crate) closure: F,
    pub(crate) takes: PhantomData<fn(P)>,
}

impl<P, F, T> Handler for Closure<P, F>
where
    P: Payload,
    F: Fn(&P, &mut PluginContext) -> T + Send + Sync + 'static,
    T: IntoReply,
{
    fn takes(&self) -> Kind {
        Kind::of::<P>()
    }

    fn runs(&self) -> Runs {
        Runs::Inline
    }

    fn call<'a>(&'a self, payload: &'a dyn AnyPayload, context: &'a mut PluginContext) -> BoxFuture<'a, Answer> {
        let answer = match (payload as &dyn Any).downcast_ref() {
            Some(payload) => Answer::of((self.closure)(payload, context)),
            None => mismatch::<P>(payload),
        };
        Box::pin(ready(answer))
    }
}

fn mismatch<P: Payload>(payload: &dyn AnyPayload) -> Answer {
    Answer(Err(format!("the hook carries {}, this plugin takes {}", payload.type_name(), type_name::<P>()).into()))
}
