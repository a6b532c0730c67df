//! One invocation in Rust terms: the core's questions, answered.

use std::marker::PhantomData;
use std::sync::Arc;

use cpex_core::host::{Event, Restriction};
use cpex_core::payload::Relation;
use cpex_core::{Host, LineUp, Values};
use serde_json::{Map, Value};

use crate::context::{Context, PluginContext};
use crate::error::Failure;
use crate::payload::{AnyPayload, Restricted};
use crate::registered::{Health, Slot};
use crate::violation::Violation;

/// What this host calls its things.
pub(crate) struct RustValues<'a>(PhantomData<&'a ()>);

impl<'a> Values for RustValues<'a> {
    type Plugin = Slot;
    type Payload = Handle<'a>;
    type Extensions = ();
    type Violation = Violation;
    type Error = Failure;
}

/// The caller's payload, or one that a plugin made.
#[derive(Clone)]
pub(crate) enum Handle<'a> {
    Borrowed(&'a dyn AnyPayload),
    Shared(Arc<dyn AnyPayload>),
}

impl Handle<'_> {
    pub(crate) fn get(&self) -> &dyn AnyPayload {
        match self {
            Self::Borrowed(payload) => *payload,
            Self::Shared(payload) => &**payload,
        }
    }

    /// A handle that outlives the call.
    pub(crate) fn to_shared(&self) -> Arc<dyn AnyPayload> {
        match self {
            Self::Borrowed(payload) => payload.to_shared(),
            Self::Shared(payload) => payload.clone(),
        }
    }
}

/// The state of one invocation.
pub(crate) struct Hosted<'a> {
    pub(crate) line_up: &'a LineUp<Slot>,
    pub(crate) hook: &'a str,
    pub(crate) context: &'a Context,
    pub(crate) health: &'a Health,
    /// The fields that the hook's policy lets plugins write.
    pub(crate) writable: &'a [String],
    pub(crate) metadata: Map<String, Value>,
    /// What the plugin that has just answered leaves.
    pub(crate) left: Option<Left>,
}

/// What a plugin leaves beside its decision.
pub(crate) struct Left {
    pub(crate) context: PluginContext,
    pub(crate) metadata: Map<String, Value>,
}

impl Hosted<'_> {
    fn plugin(&self, entry: usize) -> &Slot {
        &self.line_up.entries()[entry].plugin
    }
}

impl<'a> Host<RustValues<'a>> for Hosted<'a> {
    fn share(&self, payload: &Handle<'a>) -> Handle<'a> {
        payload.clone()
    }

    fn is_same(&self, a: &Handle<'a>, b: &Handle<'a>) -> bool {
        std::ptr::addr_eq(a.get(), b.get())
    }

    fn is_open_container(&self, _: &Handle<'a>) -> bool {
        false
    }

    /// Plugins are given `&P`: nothing they do reaches the payload.
    fn isolate(&mut self, payload: &Handle<'a>) -> Result<Handle<'a>, Failure> {
        Ok(payload.clone())
    }

    fn relation(&self, target: &Handle<'a>, proposed: &Handle<'a>) -> Relation {
        if target.get().is_kind_of(proposed.get()) { Relation::SameKind } else { Relation::OtherPayload }
    }

    fn restrict(&mut self, target: &Handle<'a>, proposed: &Handle<'a>) -> Result<Restriction<Handle<'a>>, Failure> {
        let Restricted { payload, trimmed } = target.get().restrict_any(proposed.get(), &|field| self.writable.iter().any(|name| name == field));
        Ok(Restriction { payload: payload.map(Handle::Shared), trimmed })
    }

    fn merge_state(&mut self, _: usize) -> Result<(), Failure> {
        if let Some(left) = &self.left {
            self.context.write_back(&left.context);
        }
        Ok(())
    }

    fn merge_metadata(&mut self, _: usize) -> Result<(), Failure> {
        if let Some(left) = &mut self.left
            && !left.metadata.is_empty()
        {
            self.metadata.append(&mut left.metadata);
        }
        Ok(())
    }

    fn disable(&mut self, entry: usize) {
        self.health.disable(&self.plugin(entry).plugin.name);
    }

    fn observe(&mut self, entry: usize, event: Event<'_, RustValues<'a>>) {
        crate::narrator::tell(self.hook, &self.plugin(entry).plugin.name, &event);
    }
}
