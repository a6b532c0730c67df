//! The forms a handler can have: a method, a method on the blocking pool, a closure, one that takes any payload.

use std::any::{Any, type_name};
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::sync::{Arc, Weak};

use crate::context::PluginContext;
use crate::error::BoxError;
use crate::extensions::Extensions;
use crate::hook::HookType;
use crate::lease::InUse;
use crate::payload::{AnyPayload, Json, Kind, Payload};
use crate::plugin::{Answer, AnyReply, BlockingMethod, BoxFuture, Method, Sees};
use crate::reply::{Decision, IntoReply};

/// One hook of one plugin.
pub(crate) trait Handler: Send + Sync {
    /// The payload it takes.
    fn takes(&self) -> Kind;

    fn sees(&self) -> Sees;

    /// Does it take what a hook carries as it is?
    fn fits(&self, hook: &HookType) -> bool {
        self.takes() == hook.payload
    }

    /// The same for a hook of these types, if it is made for its hook.
    fn at(&self, _: &HookType) -> Option<Arc<dyn Handler>> {
        None
    }

    /// The built-in plugin that it is.
    #[cfg(feature = "builtin")]
    fn builtin(&self) -> Option<&crate::builtin::Attached> {
        None
    }

    /// Exactly one allocation: the future.
    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        extensions: &'a Extensions,
    ) -> BoxFuture<'a, Answer>;
}

/// A method.
pub(crate) struct Bound<T, P> {
    pub(crate) plugin: Arc<T>,
    pub(crate) method: Method<T, P>,
    pub(crate) sees: Sees,
}

impl<T: Send + Sync, P: Payload> Handler for Bound<T, P> {
    fn takes(&self) -> Kind {
        Kind::of::<P>()
    }

    fn sees(&self) -> Sees {
        self.sees
    }

    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        extensions: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        match downcast(payload) {
            Ok(payload) => (self.method)(&self.plugin, payload, context, extensions),
            Err(mismatch) => Box::pin(ready(mismatch)),
        }
    }
}

/// A method that runs on the blocking pool. It works on a copy of what it is given, which outlives the caller, and so
/// does its use of the plugin.
pub(crate) struct Blocking<T, P> {
    pub(crate) plugin: Arc<T>,
    pub(crate) in_use: Weak<InUse>,
    pub(crate) method: BlockingMethod<T, P>,
    pub(crate) sees: Sees,
}

impl<T: Send + Sync + 'static, P: Payload> Handler for Blocking<T, P> {
    fn takes(&self) -> Kind {
        Kind::of::<P>()
    }

    fn sees(&self) -> Sees {
        self.sees
    }

    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        extensions: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        let payload = match downcast::<P>(payload) {
            Ok(payload) => payload.clone(),
            Err(mismatch) => return Box::pin(ready(mismatch)),
        };
        let (plugin, method, extensions) = (self.plugin.clone(), self.method, extensions.clone());
        let in_use = self.in_use.upgrade();
        let span = tracing::Span::current();
        Box::pin(async move {
            let awaited = Arc::new(());
            let mut given = context.awaited_by(&awaited);
            let running = tokio::task::spawn_blocking(move || {
                let _in_use = in_use;
                let answer = span.in_scope(|| method(&plugin, &payload, &mut given, &extensions));
                (answer, given)
            });
            match running.await {
                Ok((answer, left)) => {
                    *context = left;
                    answer
                }
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    Err(cancelled) => Answer::failed(cancelled),
                },
            }
        })
    }
}

/// A closure about `P` that answers at once.
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

    fn sees(&self) -> Sees {
        Sees::PayloadOnly
    }

    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        _: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(ready(match downcast(payload) {
            Ok(payload) => Answer::of((self.closure)(payload, context)),
            Err(mismatch) => mismatch,
        }))
    }
}

/// A closure about `P` that returns a future.
pub(crate) struct AsyncClosure<P, F> {
    pub(crate) closure: F,
    pub(crate) takes: PhantomData<fn(P)>,
}

impl<P, F, Fut> Handler for AsyncClosure<P, F>
where
    P: Payload,
    F: Fn(&P, &mut PluginContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoReply> + Send + 'static,
{
    fn takes(&self) -> Kind {
        Kind::of::<P>()
    }

    fn sees(&self) -> Sees {
        Sees::PayloadOnly
    }

    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        _: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        match downcast(payload) {
            Ok(payload) => {
                let future = (self.closure)(payload, context);
                Box::pin(async move { Answer::of(future.await) })
            }
            Err(mismatch) => Box::pin(ready(mismatch)),
        }
    }
}

/// A handler that takes JSON, at a hook that carries something else.
pub(crate) struct Dynamic {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) hook: HookType,
}

impl Handler for Dynamic {
    fn takes(&self) -> Kind {
        self.hook.payload
    }

    fn sees(&self) -> Sees {
        self.handler.sees()
    }

    fn call<'a>(
        &'a self,
        payload: &'a dyn AnyPayload,
        context: &'a mut PluginContext,
        extensions: &'a Extensions,
    ) -> BoxFuture<'a, Answer> {
        let Self { handler, hook } = self;
        Box::pin(async move {
            let json = match in_json(payload) {
                Ok(json) => json,
                Err(error) => return Answer::failed(error),
            };
            match handler.call(&json, context, extensions).await {
                Answer(Ok(Some(reply))) => {
                    typed(*reply, hook).map_or_else(Answer::failed, |reply| Answer(Ok(Some(Box::new(reply)))))
                }
                answer => answer,
            }
        })
    }
}

fn in_json(payload: &dyn AnyPayload) -> Result<Json, BoxError> {
    Ok(Json::try_from(payload.to_json()?)?)
}

/// A reply in JSON as one of the type that the hook returns.
fn typed(reply: AnyReply, hook: &HookType) -> Result<AnyReply, BoxError> {
    match &reply.decision {
        Decision::Modify(proposed) => {
            let proposed = (hook.read_reply)(proposed.to_json()?)?;
            Ok(reply.map(|_| proposed))
        }
        Decision::Allow | Decision::Deny(_) => Ok(reply),
    }
}

fn downcast<P: Payload>(payload: &dyn AnyPayload) -> Result<&P, Answer> {
    (payload as &dyn Any).downcast_ref().ok_or_else(|| {
        let (carried, taken) = (payload.kind().name, type_name::<P>());
        Answer::failed(format!("the hook carries {carried}, this plugin takes {taken}"))
    })
}
