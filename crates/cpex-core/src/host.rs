//! What the pipeline asks of the world that runs it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::action::Fault;
use crate::capability::{Slot, Slots};
use crate::extensions::{Breach, Change, Refusal, Shown};
use crate::payload::{Discard, Relation};

/// What a host calls its things. The core moves them and never looks inside.
pub trait Values {
    /// What the line-up calls a plugin.
    type Plugin;
    /// A handle to a payload.
    type Payload;
    /// A handle to a container of extensions.
    type Extensions;
    /// Why a plugin said no.
    type Violation;
    /// What a fault carries.
    type Error;
}

/// The few things the pipeline has to ask about the values, and the few it has done with them.
///
/// Every method is a plain call that returns at once: no waiting, no IO.
pub trait Host<V: Values> {
    /// A second handle to the same payload.
    fn share(&self, payload: &V::Payload) -> V::Payload;

    /// Do two handles mean the same object?
    fn is_same(&self, a: &V::Payload, b: &V::Payload) -> bool;

    /// Must this payload be isolated before any plugin sees it, whatever the policy?
    fn is_open_container(&self, payload: &V::Payload) -> bool;

    /// A copy that a plugin may write into without reaching the original; for a plugin that writes into nothing, the
    /// original will do.
    ///
    /// # Errors
    /// Only if the copying itself was interrupted; the pipeline ends with the error.
    fn isolate(&mut self, entry: usize, payload: &V::Payload) -> Result<V::Payload, V::Error>;

    /// How a proposed payload relates to the one it would replace.
    fn relation(&self, target: &V::Payload, proposed: &V::Payload) -> Relation;

    /// Applies the writable fields of the hook's policy to a proposal of the same kind.
    ///
    /// # Errors
    /// If the two cannot be compared; counts as a failure of the plugin.
    fn restrict(
        &mut self,
        target: &V::Payload,
        proposed: &V::Payload,
    ) -> Result<Restriction<V::Payload>, V::Error>;

    /// Writes what a plugin added, changed or deleted in its context back into the request's.
    ///
    /// # Errors
    /// If the plugin left its context unreadable; counts as a failure of the plugin.
    fn merge_state(&mut self, entry: usize) -> Result<(), V::Error>;

    /// Merges the metadata of a plugin's result into the pipeline's.
    ///
    /// # Errors
    /// If the metadata cannot be read; counts as a failure of the plugin.
    fn merge_metadata(&mut self, entry: usize) -> Result<(), V::Error>;

    /// What a plugin sees that is shown these slots of the extensions.
    ///
    /// # Errors
    /// Only if making it was interrupted; the pipeline ends with the error.
    fn show(&mut self, extensions: &V::Extensions, slots: Slots) -> Result<V::Extensions, V::Error>;

    /// How a slot of what a plugin returned compares with what it was shown.
    ///
    /// # Errors
    /// If the two cannot be compared; counts as a failure of the plugin.
    fn compare(
        &mut self,
        slot: Slot,
        shown: Shown<'_, V::Extensions>,
        written: &V::Extensions,
    ) -> Result<Change, V::Error>;

    /// The current extensions, if any, with these slots as a plugin wrote them. What may only grow is kept beside
    /// what is added to it.
    ///
    /// # Errors
    /// If they cannot be put together; counts as a failure of the plugin.
    fn merge(
        &mut self,
        current: Option<&V::Extensions>,
        written: &V::Extensions,
        slots: Slots,
    ) -> Result<V::Extensions, V::Error>;

    /// The error of a plugin that took away from what may only grow.
    fn breach(&mut self, entry: usize, breach: Breach) -> V::Error;

    /// Takes a plugin out of service, for every hook.
    fn disable(&mut self, entry: usize);

    /// Something worth a log line happened.
    fn observe(&mut self, entry: usize, event: Event<'_, V>);
}

/// What a policy left of a proposed payload.
#[derive(Debug)]
pub struct Restriction<P> {
    /// The payload with the writable changes applied; `None` if none of them was writable.
    pub payload: Option<P>,
    /// The changed fields that were dropped.
    pub trimmed: Vec<Box<str>>,
}

/// What the pipeline tells its host as it happens.
pub enum Event<'a, V: Values> {
    /// A denial did not count.
    Suppressed(Option<&'a V::Violation>),
    /// A plugin that may block denied.
    Denied(Option<&'a V::Violation>),
    /// Its denial is the one that halts the pipeline.
    Halted(Option<&'a V::Violation>),
    /// A proposed payload was not taken.
    Discarded(Discard, &'a V::Payload),
    /// Some changed fields were dropped.
    Trimmed(&'a [Box<str>]),
    /// Some changes of extensions broke the rules.
    Refused(&'a [(Slot, Refusal)]),
    /// A failure is passed over.
    Ignored(&'a Fault<V>),
    /// A failure is passed over and takes the plugin out of service.
    Disabled(&'a Fault<V>),
    /// A failure ends the pipeline.
    Raised(&'a Fault<V>),
}
