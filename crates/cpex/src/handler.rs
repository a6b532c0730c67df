//! The forms a handler can have: a method, a method on the blocking pool, a closure, one that takes any payload.

use std::any::{Any, type_name};
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::sync::Arc;

use crate::context::PluginContext;
use crate::extensions::Extensions;
use crate::hook::HookType;
use crate::payload::{AnyPayload, Json, Kind, Payload};
use crate::plugin::{Answer, BlockingMethod, BoxFuture, Method, Sees};
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

/// A method that runs on the blocking pool. It works on a copy of what it is given, which outlives the caller.
pub(crate) struct Blocking<T, P> {
    pub(crate) plugin: Arc<T>,
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
        let span = tracing::Span::current();
        Box::pin(async move {
            let awaited = Arc::new(());
            let mut given = context.awaited_by(&awaited);
            let running = tokio::task::spawn_blocking(move || {
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
                    Err(cancelled) => Answer(Err(cancelled.into())),
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
            let json = match payload.to_json().map_err(Into::into).and_then(|json| Ok(Json::try_from(json)?))
            {
                Ok(json) => json,
                Err(error) => return Answer(Err(error)),
            };
            let Answer(answer) = handler.call(&json, context, extensions).await;
            Answer(answer.and_then(|reply| match &reply.decision {
                Decision::Modify(proposed) => {
                    let proposed = (hook.read_reply)(proposed.to_json()?)?;
                    Ok(reply.map(|_| proposed))
                }
                Decision::Allow | Decision::Deny(_) => Ok(reply),
            }))
        })
    }
}

fn downcast<P: Payload>(payload: &dyn AnyPayload) -> Result<&P, Answer> {
    let found = payload.kind().name;
    (payload as &dyn Any).downcast_ref().ok_or_else(|| {
        Answer(Err(format!("the hook carries {found}, this plugin takes {}", type_name::<P>()).into()))
    })
}
