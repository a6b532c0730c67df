//! The simulated host: what plugins write, and what the pipeline asks and notes.

use std::collections::BTreeMap;
use std::sync::Arc;

use cpex_core::extensions::{Breach, Change, Shown};
use cpex_core::host::{Event, Restriction};
use cpex_core::payload::{Discard, Relation};
use cpex_core::{Host, LineUp, Slot, Slots};

use crate::case::Case;
use crate::extensions::Extensions;
use crate::plugin::{Plugin, Unreadable};
use crate::values::{Body, Kind, Payload, Sim};

/// Who has written what the shared state holds before any plugin runs.
pub const CALLER: &str = "caller";

/// What one request shares between its plugins.
#[derive(Clone, Debug)]
pub struct Request {
    line_up: Arc<LineUp<Plugin>>,
    open_container: bool,
    copies: Option<usize>,
    /// Key → the plugin that wrote it last.
    pub state: BTreeMap<&'static str, &'static str>,
    /// Key → the plugin that wrote it last.
    pub metadata: BTreeMap<&'static str, &'static str>,
    /// The plugins whose state was merged, in order.
    pub merged_state: Vec<usize>,
    /// The plugins whose metadata was merged, in order.
    pub merged_metadata: Vec<usize>,
    /// The plugins taken out of service.
    pub disabled: Vec<usize>,
    /// The plugins that took away from what may only grow, and how.
    pub breaches: Vec<(usize, Breach)>,
    /// What the pipeline said as it happened.
    pub notes: Vec<(usize, Note)>,
    /// Making a copy was interrupted.
    pub interrupted: bool,
}

/// An [`Event`] without what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the events")]
pub enum Note {
    Suppressed,
    Denied,
    Halted,
    Discarded(Discard),
    Trimmed,
    Refused,
    Ignored,
    Disabled,
    Raised,
}

impl Request {
    /// A request to which nothing was written yet.
    #[must_use]
    pub fn new(case: &Case, line_up: Arc<LineUp<Plugin>>) -> Self {
        Self {
            line_up,
            open_container: case.open_container,
            copies: case.copies,
            state: case.state.iter().map(|key| (*key, CALLER)).collect(),
            metadata: BTreeMap::new(),
            merged_state: Vec::new(),
            merged_metadata: Vec::new(),
            disabled: Vec::new(),
            breaches: Vec::new(),
            notes: Vec::new(),
            interrupted: false,
        }
    }

    fn plugin(&self, entry: usize) -> Plugin {
        self.line_up.entries()[entry].plugin
    }
}

impl Host<Sim> for Request {
    fn share(&self, payload: &Payload) -> Payload {
        payload.share()
    }

    fn is_same(&self, a: &Payload, b: &Payload) -> bool {
        a.is(b)
    }

    fn is_open_container(&self, _: &Payload) -> bool {
        self.open_container
    }

    fn isolate(&mut self, _entry: usize, payload: &Payload) -> Result<Payload, &'static str> {
        match &mut self.copies {
            Some(0) => {
                self.interrupted = true;
                return Err("interrupted while copying");
            }
            Some(copies) => *copies -= 1,
            None => {}
        }
        Ok(payload.isolate())
    }

    fn relation(&self, _: &Payload, proposed: &Payload) -> Relation {
        match proposed.body().kind {
            Kind::Base | Kind::Sub | Kind::Incomparable => Relation::SameKind,
            Kind::Other => Relation::OtherPayload,
            Kind::Foreign => Relation::Foreign,
        }
    }

    fn restrict(
        &mut self,
        target: &Payload,
        proposed: &Payload,
    ) -> Result<Restriction<Payload>, &'static str> {
        let (old, new) = (target.body(), proposed.body());
        if new.kind == Kind::Incomparable {
            return Err("cannot be compared");
        }
        let payload = (old.args != new.args)
            .then(|| Body { args: new.args.clone(), author: new.author, ..old.clone() }.into());
        let trimmed = if old.name == new.name { vec![] } else { vec!["name".into()] };
        Ok(Restriction { payload, trimmed })
    }

    fn merge_state(&mut self, entry: usize) -> Result<(), &'static str> {
        let plugin = self.plugin(entry);
        if plugin.answer().unreadable == Some(Unreadable::State) {
            return Err("unreadable");
        }
        self.merged_state.push(entry);
        self.state.extend(plugin.writes_state.iter().map(|key| (*key, plugin.name)));
        self.state.retain(|key, _| !plugin.drops_state.contains(key));
        Ok(())
    }

    fn merge_metadata(&mut self, entry: usize) -> Result<(), &'static str> {
        let plugin = self.plugin(entry);
        if plugin.answer().unreadable == Some(Unreadable::Metadata) {
            return Err("unreadable");
        }
        self.merged_metadata.push(entry);
        self.metadata.extend(plugin.writes_metadata.iter().map(|key| (*key, plugin.name)));
        Ok(())
    }

    fn show(&mut self, extensions: &Extensions, slots: Slots) -> Result<Extensions, &'static str> {
        Ok(extensions.show(slots))
    }

    fn compare(
        &mut self,
        slot: Slot,
        shown: Shown<'_, Extensions>,
        written: &Extensions,
    ) -> Result<Change, &'static str> {
        Ok(Extensions::compare(slot, shown, written))
    }

    fn merge(
        &mut self,
        current: Option<&Extensions>,
        written: &Extensions,
        slots: Slots,
    ) -> Result<Extensions, &'static str> {
        Ok(current.unwrap_or(&Extensions::default()).merge(written, slots))
    }

    fn breach(&mut self, entry: usize, breach: Breach) -> &'static str {
        self.breaches.push((entry, breach));
        "breach"
    }

    fn disable(&mut self, entry: usize) {
        self.disabled.push(entry);
    }

    fn observe(&mut self, entry: usize, event: Event<'_, Sim>) {
        let note = match event {
            Event::Suppressed(_) => Note::Suppressed,
            Event::Denied(_) => Note::Denied,
            Event::Halted(_) => Note::Halted,
            Event::Discarded(why, _) => Note::Discarded(why),
            Event::Trimmed(_) => Note::Trimmed,
            Event::Refused(_) => Note::Refused,
            Event::Ignored(_) => Note::Ignored,
            Event::Disabled(_) => Note::Disabled,
            Event::Raised(_) => Note::Raised,
        };
        self.notes.push((entry, note));
    }
}
