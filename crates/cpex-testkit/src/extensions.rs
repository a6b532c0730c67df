//! Extensions of the simulated world: the members of each slot, and what plugins write into them.

use std::collections::BTreeMap;
use std::fmt;

use cpex_core::extensions::{Change, Shown};
use cpex_core::{Slot, Slots};

/// The members of each slot. A slot that is not mentioned says nothing; one without members is emptied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(BTreeMap<Slot, Vec<&'static str>>);

/// What a plugin does to a slot of what it was shown, or of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Adds a member.
    Add(Slot, &'static str),
    /// Puts this one member in place of all others.
    Put(Slot, &'static str),
    /// Leaves out the first member.
    Shorten(Slot),
    /// Empties it.
    Empty(Slot),
    /// Does not mention it.
    Omit(Slot),
}

/// The extensions that a plugin hands back, as edits of those it was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writing(pub [Option<Edit>; 3]);

impl Writing {
    /// One edit.
    #[must_use]
    pub const fn one(edit: Edit) -> Self {
        Self([Some(edit), None, None])
    }

    /// What comes of the edits.
    #[must_use]
    pub fn apply(self, shown: Option<&Extensions>) -> Extensions {
        let mut written = shown.cloned().unwrap_or_default();
        for edit in self.0.into_iter().flatten() {
            match edit {
                Edit::Add(slot, member) => written.0.entry(slot).or_default().push(member),
                Edit::Put(slot, member) => drop(written.0.insert(slot, vec![member])),
                Edit::Shorten(slot) => {
                    let members = written.0.entry(slot).or_default();
                    members.drain(..members.len().min(1));
                }
                Edit::Empty(slot) => drop(written.0.insert(slot, Vec::new())),
                Edit::Omit(slot) => drop(written.0.remove(&slot)),
            }
        }
        written
    }
}

impl Extensions {
    /// These members.
    #[must_use]
    pub fn of(slots: &[(Slot, &[&'static str])]) -> Self {
        Self(slots.iter().map(|(slot, members)| (*slot, members.to_vec())).collect())
    }

    /// A member of its own in every slot.
    #[must_use]
    pub fn full() -> Self {
        Self(Slot::ALL.into_iter().map(|slot| (slot, vec![slot.policy().path])).collect())
    }

    /// The members of a slot.
    #[must_use]
    pub fn members(&self, slot: Slot) -> &[&'static str] {
        self.0.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// The slots that have members.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.0.iter().filter(|(_, members)| !members.is_empty()).map(|(slot, _)| *slot)
    }

    /// With these members of a slot.
    #[must_use]
    pub(crate) fn with(&self, slot: Slot, members: Vec<&'static str>) -> Self {
        let mut changed = self.clone();
        changed.0.insert(slot, members);
        changed
    }

    pub(crate) fn show(&self, slots: Slots) -> Self {
        Self(self.0.clone().into_iter().filter(|(slot, _)| slots.contains(*slot)).collect())
    }

    pub(crate) fn compare(slot: Slot, shown: Shown<'_, Self>, written: &Self) -> Change {
        let Some(new) = written.0.get(&slot) else { return Change::Unchanged };
        let (old, hidden) = match &shown {
            Shown::All(shown) => (shown.members(slot), &[][..]),
            Shown::Nothing(hidden) => (&[][..], hidden.map_or(&[][..], |hidden| hidden.members(slot))),
        };
        match (old.is_empty(), new.is_empty()) {
            _ if old == new => Change::Unchanged,
            (true, _) if slot == Slot::Delegation && !new.starts_with(hidden) => Change::Blind,
            (true, _) => Change::Added,
            (false, true) => Change::Removed,
            (false, false) if keeps(slot, old, new) => Change::Grown,
            (false, false) if slot == Slot::Delegation && new.len() >= old.len() => Change::Replaced,
            (false, false) => Change::Shrunk { was: old.len(), now: new.len() },
        }
    }

    pub(crate) fn merge(&self, written: &Self, slots: Slots) -> Self {
        let mut merged = self.clone();
        for (slot, new) in written.0.iter().filter(|(slot, _)| slots.contains(**slot)) {
            let members = merged.0.entry(*slot).or_default();
            if *slot == Slot::Labels {
                members.extend(new.iter().filter(|label| !self.members(Slot::Labels).contains(label)));
            } else {
                members.clone_from(new);
            }
        }
        merged
    }
}

/// Is all there that was? Labels have no order.
fn keeps(slot: Slot, old: &[&str], new: &[&str]) -> bool {
    match slot {
        Slot::Labels => old.iter().all(|label| new.contains(label)),
        _ => new.starts_with(old),
    }
}

/// `labels: a b; custom: c`
impl fmt::Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, slot) in self.slots().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", slot.policy().path, self.members(slot).join(" "))?;
        }
        Ok(())
    }
}
