//! Hooks: a name, and the types of what it is about and what it returns.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use hashbrown::HashMap;
use serde_json::Value;

use crate::hooks;
use crate::payload::{AnyPayload, Json, Kind, Payload};

/// A named point where an application can be intercepted, about a `P`, of which plugins may make an `R`.
///
/// ```
/// use cpex::{Hook, Json};
///
/// const MAIL_PRE_SEND: Hook<Json> = Hook::new("mail_pre_send");
/// assert_eq!(MAIL_PRE_SEND.name(), "mail_pre_send");
/// ```
pub struct Hook<P, R = P> {
    name: &'static str,
    bit: u64,
    types: PhantomData<fn(P) -> R>,
}

impl<P: Payload, R: Payload> Hook<P, R> {
    /// A hook. One whose name is only known at run time is invoked with
    /// [`invoke_json`](crate::Manager::invoke_json).
    ///
    /// ```
    /// const PING: cpex::Hook<cpex::Json> = cpex::Hook::new("ping");
    /// ```
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, bit: bit(name), types: PhantomData }
    }

    /// The name.
    ///
    /// ```
    /// assert_eq!(cpex::hooks::TOOL_PRE_INVOKE.name(), "tool_pre_invoke");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn bit(&self) -> u64 {
        self.bit
    }
}

/// One of 64 bits for each name: the hash of Fowler, Noll and Vo, as constants can be worked out with it.
pub(crate) const fn bit(name: &str) -> u64 {
    let (mut hash, mut rest) = (0xcbf2_9ce4_8422_2325_u64, name.as_bytes());
    while let [byte, left @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        rest = left;
    }
    1 << (hash >> 58)
}

impl<P, R> Clone for Hook<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for Hook<P, R> {}

impl<P, R> fmt::Debug for Hook<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hook").field(&self.name).finish()
    }
}

/// What names a hook in `#[hook(...)]` whose handler takes a `P`: a text, or a [`Hook`] about that.
#[diagnostic::on_unimplemented(
    message = "this hook does not carry `{P}`",
    label = "the handler below takes `{P}`",
    note = "a handler takes a reference to what its hook carries"
)]
#[doc(hidden)]
pub trait Names<P> {
    fn hook_name(&self) -> &str;
    /// The types, if the name is more than a text.
    fn hook_type(&self) -> Option<HookType>;
}

impl<P> Names<P> for &str {
    fn hook_name(&self) -> &str {
        self
    }

    fn hook_type(&self) -> Option<HookType> {
        None
    }
}

impl<P: Payload, R: Payload> Names<P> for Hook<P, R> {
    fn hook_name(&self) -> &str {
        self.name()
    }

    fn hook_type(&self) -> Option<HookType> {
        Some(HookType::of::<P, R>())
    }
}

/// What a hook carries and returns, without the types.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct HookType {
    pub(crate) payload: Kind,
    pub(crate) reply: Kind,
    pub(crate) read_payload: Reader,
    pub(crate) read_reply: Reader,
}

/// What a hook carries and, if that is something else, what it returns.
pub(crate) fn names(payload: Kind, reply: Kind) -> String {
    match payload == reply {
        true => payload.name.to_owned(),
        false => format!("{} and returns {}", payload.name, reply.name),
    }
}

/// Makes a payload of JSON, or says where it is none.
type Reader = fn(Value) -> Result<Arc<dyn AnyPayload>, serde_path_to_error::Error<serde_json::Error>>;

impl HookType {
    pub(crate) fn of<P: Payload, R: Payload>() -> Self {
        Self {
            payload: Kind::of::<P>(),
            reply: Kind::of::<R>(),
            read_payload: read::<P>,
            read_reply: read::<R>,
        }
    }

    /// What it carries and, if that is something else, what it returns.
    pub(crate) fn names(&self) -> String {
        names(self.payload, self.reply)
    }

    /// Does it return what it carries? If not, what one plugin makes is nothing the next could take.
    pub(crate) fn is_chained(&self) -> bool {
        self.payload == self.reply
    }
}

fn read<P: Payload>(
    value: Value,
) -> Result<Arc<dyn AnyPayload>, serde_path_to_error::Error<serde_json::Error>> {
    Ok(Arc::new(serde_path_to_error::deserialize::<_, P>(value)?))
}

/// The hooks whose types are known, by name.
#[derive(Clone)]
pub(crate) struct HookTypes {
    known: HashMap<String, HookType>,
}

impl Default for HookTypes {
    fn default() -> Self {
        let mut types = Self { known: HashMap::new() };
        hooks::each(&mut |name, hook| types.add(name, hook));
        types
    }
}

impl HookTypes {
    pub(crate) fn add(&mut self, name: &str, hook: HookType) {
        self.known.insert(name.to_owned(), hook);
    }

    /// The types of a hook; of one that nobody has named types for, those of a hook about JSON.
    pub(crate) fn get(&self, name: &str) -> HookType {
        self.known.get(name).copied().unwrap_or_else(HookType::of::<Json, Json>)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }
}
