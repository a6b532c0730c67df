//! One invocation in Rust terms: the core's questions, answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use cpex_core::extensions::{Breach, Change, Shown};
use cpex_core::host::{Event, Restriction};
use cpex_core::payload::Relation;
use cpex_core::{Host, Slots, Values};
use serde_json::{Map, Value};

use crate::context::{Context, PluginContext};
use crate::error::Failure;
use crate::extensions::{self, Extensions};
use crate::health::Health;
use crate::narrator;
use crate::payload::{AnyPayload, Restricted};
use crate::plan::{HookPlan, Slot};
use crate::reply::More;
use crate::violation::Violation;

/// What this host calls its things.
pub(crate) struct RustValues;

impl Values for RustValues {
    type Plugin = Slot;
    type Payload = Handle;
    type Extensions = Arc<Extensions>;
    type Violation = Box<Violation>;
    type Error = Failure;
}

/// The caller's payload, or one that a plugin made.
#[derive(Clone)]
pub(crate) enum Handle {
    Original,
    Made(Arc<dyn AnyPayload>),
}

/// The state of one invocation.
pub(crate) struct Hosted<'a> {
    pub(crate) hook: &'a HookPlan,
    pub(crate) original: &'a dyn AnyPayload,
    pub(crate) request: &'a Context,
    pub(crate) health: &'a Health,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) http_headers: BTreeMap<String, String>,
    /// What denials say for records, by entry.
    pub(crate) denials: Vec<(usize, Map<String, Value>)>,
    /// What the plugin sees of the request that runs now, or has just ended.
    pub(crate) context: PluginContext,
    /// What else it said.
    pub(crate) said: Option<Box<More>>,
    /// What plugins were shown of the extensions, by the slots they may see.
    views: Vec<(Arc<Extensions>, Slots, Arc<Extensions>)>,
}

impl<'a> Hosted<'a> {
    pub(crate) fn new(
        hook: &'a HookPlan,
        original: &'a dyn AnyPayload,
        request: &'a Context,
        health: &'a Health,
    ) -> Self {
        Self {
            hook,
            original,
            request,
            health,
            metadata: Map::new(),
            http_headers: BTreeMap::new(),
            denials: Vec::new(),
            context: PluginContext::new(request),
            said: None,
            views: Vec::new(),
        }
    }

    pub(crate) fn get<'b>(&'b self, payload: &'b Handle) -> &'b dyn AnyPayload {
        match payload {
            Handle::Original => self.original,
            Handle::Made(payload) => &**payload,
        }
    }

    pub(crate) fn slot(&self, entry: usize) -> &'a Slot {
        &self.hook.line_up.entries()[entry].plugin
    }
}

impl Host<RustValues> for Hosted<'_> {
    fn share(&self, payload: &Handle) -> Handle {
        payload.clone()
    }

    fn is_same(&self, a: &Handle, b: &Handle) -> bool {
        match (a, b) {
            (Handle::Original, Handle::Original) => true,
            (Handle::Made(a), Handle::Made(b)) => std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b)),
            (Handle::Original, Handle::Made(_)) | (Handle::Made(_), Handle::Original) => false,
        }
    }

    fn is_open_container(&self, _: &Handle) -> bool {
        false
    }

    /// Plugins are given `&P`: nothing they do reaches the payload.
    fn isolate(&mut self, _entry: usize, payload: &Handle) -> Result<Handle, Failure> {
        Ok(payload.clone())
    }

    fn relation(&self, target: &Handle, proposed: &Handle) -> Relation {
        if self.get(target).kind() == self.get(proposed).kind() {
            Relation::SameKind
        } else {
            Relation::OtherPayload
        }
    }

    fn restrict(&mut self, target: &Handle, proposed: &Handle) -> Result<Restriction<Handle>, Failure> {
        let writable = |field: &str| self.hook.writable.iter().any(|name| name == field);
        let Restricted { payload, trimmed } = self.get(target).restrict_any(self.get(proposed), &writable);
        Ok(Restriction { payload: payload.map(Handle::Made), trimmed })
    }

    #[inline]
    fn merge_state(&mut self, _: usize) -> Result<(), Failure> {
        self.context.write_back();
        Ok(())
    }

    #[inline]
    fn merge_metadata(&mut self, _: usize) -> Result<(), Failure> {
        if let Some(said) = &mut self.said {
            self.metadata.append(&mut said.metadata);
            self.http_headers.append(&mut said.http_headers);
        }
        Ok(())
    }

    fn show(&mut self, extensions: &Arc<Extensions>, slots: Slots) -> Result<Arc<Extensions>, Failure> {
        let known = self.views.iter().find(|(of, shown, _)| Arc::ptr_eq(of, extensions) && *shown == slots);
        if let Some((_, _, view)) = known {
            return Ok(view.clone());
        }
        let view = Arc::new(extensions::show(extensions, slots));
        self.views.push((extensions.clone(), slots, view.clone()));
        Ok(view)
    }

    fn compare(
        &mut self,
        slot: cpex_core::Slot,
        shown: Shown<'_, Arc<Extensions>>,
        written: &Arc<Extensions>,
    ) -> Result<Change, Failure> {
        let shown = match shown {
            Shown::All(shown) => Shown::All(&**shown),
            Shown::Nothing(hidden) => Shown::Nothing(hidden.map(|hidden| &**hidden)),
        };
        Ok(extensions::compare(slot, &shown, written))
    }

    fn merge(
        &mut self,
        current: Option<&Arc<Extensions>>,
        written: &Arc<Extensions>,
        slots: Slots,
    ) -> Result<Arc<Extensions>, Failure> {
        Ok(Arc::new(extensions::merge(current.map(|current| &**current), written, slots)))
    }

    fn breach(&mut self, entry: usize, breach: Breach) -> Failure {
        let policy = breach.slot.policy();
        let (plugin, path, tier) = (self.slot(entry).plugin.name(), policy.path, policy.tier);
        Failure::Error(format!("plugin '{plugin}' violated {tier} tier on '{path}': {breach}").into())
    }

    fn disable(&mut self, entry: usize) {
        self.health.disable(&self.slot(entry).plugin);
    }

    fn observe(&mut self, entry: usize, event: Event<'_, RustValues>) {
        narrator::tell(&self.hook.name, self.slot(entry), &event);
    }
}
