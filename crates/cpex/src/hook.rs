//! Hooks: a name, and the type of what it is about.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::Value;

use crate::payload::{AnyPayload, Json, Payload};
use crate::plugin::Kind;

/// A named point where an application can be intercepted, about a `P`, of which plugins may make an `R`.
///
/// ```
/// use cpex::{Hook, Json};
///
/// const MAIL_PRE_SEND: Hook<Json> = Hook::new("mail_pre_send");
/// assert_eq!(MAIL_PRE_SEND.name(), "mail_pre_send");
/// ```
pub struct Hook<P, R = P> {
    name: Cow<'static, str>,
    types: PhantomData<fn(P) -> R>,
}

impl<P: Payload, R: Payload> Hook<P, R> {
    /// A hook with a name that is known when the program is written.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), types: PhantomData }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Hook<Json> {
    /// A hook without a type of its own.
    #[must_use]
    pub fn dynamic(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), types: PhantomData }
    }
}

/// What names a hook in `#[hook(...)]`: a text, or a [`Hook`].
#[doc(hidden)]
pub fn name_of(hook: &(impl HookName + ?Sized)) -> &str {
    hook.hook_name()
}

#[doc(hidden)]
pub trait HookName {
    fn hook_name(&self) -> &str;
}

impl HookName for str {
    fn hook_name(&self) -> &str {
        self
    }
}

impl HookName for &str {
    fn hook_name(&self) -> &str {
        self
    }
}

impl<P: Payload, R: Payload> HookName for Hook<P, R> {
    fn hook_name(&self) -> &str {
        self.name()
    }
}

impl<P, R> Clone for Hook<P, R> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), types: PhantomData }
    }
}

impl<P, R> fmt::Debug for Hook<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hook").field(&self.name).finish()
    }
}

/// The hooks whose types are known, by name.
#[derive(Clone, Default)]
pub(crate) struct HookTypes {
    known: HashMap<String, HookType>,
}

/// The types of one hook.
#[derive(Clone, Copy)]
pub(crate) struct HookType {
    pub(crate) payload: Kind,
    pub(crate) read: fn(Value) -> serde_json::Result<Arc<dyn AnyPayload>>,
}

impl HookTypes {
    pub(crate) fn add<P: Payload, R: Payload>(&mut self, hook: &Hook<P, R>) {
        let read = |value| Ok(Arc::new(serde_json::from_value::<P>(value)?) as Arc<dyn AnyPayload>);
        self.known.insert(hook.name().to_owned(), HookType { payload: Kind::of::<P>(), read });
    }

    pub(crate) fn get(&self, hook: &str) -> Option<HookType> {
        self.known.get(hook).copied()
    }
}
