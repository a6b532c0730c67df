//! What is taken of the extensions a plugin wrote: every change is judged by the table of slots.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::capability::{Capabilities, Capability, Policy, Slot, Slots, Tier};
use crate::host::{Host, Values};
use crate::plan::Entry;

/// How a slot of what a plugin returned compares with what the plugin was shown of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The same, or not mentioned.
    Unchanged,
    /// Something where there was nothing.
    Added,
    /// What there was, and more.
    Grown,
    /// The same members, but something else about them.
    Altered,
    /// Something else.
    Replaced,
    /// Fewer members than there were, or others.
    Shrunk {
        /// How many there were.
        was: usize,
        /// How many are left.
        now: usize,
    },
    /// Nothing where there was something.
    Removed,
    /// Something where the plugin was shown nothing, and what there is cannot be kept beside it.
    Blind,
}

/// What a plugin was shown of the extensions it answers with.
#[derive(Debug)]
pub enum Shown<'a, E> {
    /// The slot, as it is here.
    All(&'a E),
    /// Nothing, although it may be here.
    Nothing(Option<&'a E>),
}

/// What is made of a plugin's writing where it breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// It is not taken, and told; taking away from what may only grow is a failure of the plugin.
    Enforce,
    /// It is told. The extensions a plugin returns are taken as they are.
    Warn,
    /// Nothing: the extensions a plugin returns are taken as they are.
    Off,
}

/// Why a change of a slot is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The phase only observes.
    Phase,
    /// Nobody may write the slot.
    Immutable,
    /// The plugin lacks the capability.
    Lacks(Capability),
    /// The slot cannot be emptied.
    Removal,
    /// The slot can grow; what is there is fixed.
    Fixed,
    /// The plugin was not shown what it would replace.
    Blind,
    /// It takes away from what may only grow.
    Breach(Change),
}

/// What the rules say of a change of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// There is none.
    Keep,
    /// It is taken.
    Take,
    /// It is not taken.
    Refuse(Refusal),
}

/// A plugin took away from what may only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Of which slot.
    pub slot: Slot,
    /// How.
    pub change: Change,
}

/// What became of the extensions a plugin returned: the ones to go on with, if any of its changes was taken, and
/// which broke the rules.
pub(crate) struct Acceptance<E> {
    pub(crate) extensions: Option<E>,
    pub(crate) refused: Vec<(Slot, Refusal)>,
}

/// Judges a change of a slot by a plugin with these capabilities.
#[must_use]
pub const fn judge(slot: Slot, capabilities: Capabilities, change: Change) -> Judgement {
    let Policy { tier, write, .. } = slot.policy();
    let granted = match (tier, write) {
        (Tier::Mutable, _) => Ok(()),
        (Tier::Immutable | Tier::Monotonic, None) => Err(Refusal::Immutable),
        (Tier::Immutable | Tier::Monotonic, Some(needed)) => {
            if capabilities.contains(needed) {
                Ok(())
            } else {
                Err(Refusal::Lacks(needed))
            }
        }
    };
    match (change, granted, tier) {
        (Change::Unchanged, _, _) => Judgement::Keep,
        (_, Err(refusal), _) => Judgement::Refuse(refusal),
        (_, Ok(()), Tier::Mutable) | (Change::Added | Change::Grown, Ok(()), _) => Judgement::Take,
        (Change::Removed, Ok(()), _) => Judgement::Refuse(Refusal::Removal),
        (Change::Blind, Ok(()), _) => Judgement::Refuse(Refusal::Blind),
        (_, Ok(()), Tier::Immutable) => Judgement::Take,
        (Change::Altered, Ok(()), Tier::Monotonic) => Judgement::Refuse(Refusal::Fixed),
        (Change::Replaced | Change::Shrunk { .. }, Ok(()), Tier::Monotonic) => {
            Judgement::Refuse(Refusal::Breach(change))
        }
    }
}

/// What the rules say of all that a plugin wrote.
#[derive(Debug)]
pub struct Review {
    /// The slots whose change is taken.
    pub taken: Slots,
    /// The slots whose change is not, and why.
    pub refused: Vec<(Slot, Refusal)>,
}

/// Judges all that a plugin wrote which was shown some slots of the extensions.
///
/// # Errors
/// Those of the comparison.
pub fn review<E, X>(
    extensions: Option<&E>,
    shown: Slots,
    capabilities: Capabilities,
    mut compare: impl FnMut(Slot, Shown<'_, E>) -> Result<Change, X>,
) -> Result<Review, X> {
    let mut review = Review { taken: Slots::NONE, refused: Vec::new() };
    for slot in Slot::ALL {
        let before = match extensions {
            Some(extensions) if shown.contains(slot) => Shown::All(extensions),
            hidden => Shown::Nothing(hidden),
        };
        match judge(slot, capabilities, compare(slot, before)?) {
            Judgement::Keep => {}
            Judgement::Take => review.taken.insert(slot),
            Judgement::Refuse(why) => review.refused.push((slot, why)),
        }
    }
    Ok(review)
}

/// Which part of the extensions that a plugin returned is taken.
pub(crate) fn accept<V: Values>(
    host: &mut impl Host<V>,
    index: usize,
    entry: &Entry<V::Plugin>,
    enforcement: Enforcement,
    current: Option<&V::Extensions>,
    written: V::Extensions,
) -> Result<Acceptance<V::Extensions>, V::Error> {
    let may_modify = entry.phase.rules().may_modify;
    if enforcement == Enforcement::Off {
        return Ok(Acceptance { extensions: may_modify.then_some(written), refused: Vec::new() });
    }
    let compare = |slot, shown: Shown<'_, _>| host.compare(slot, shown, &written);
    let Review { taken, refused } = review(current, entry.shown, entry.capabilities, compare)?;
    if !may_modify {
        let is_changed =
            |slot: &Slot| taken.contains(*slot) || refused.iter().any(|(other, _)| other == slot);
        let changed = Slot::ALL.into_iter().filter(is_changed);
        return Ok(Acceptance {
            extensions: None,
            refused: changed.map(|slot| (slot, Refusal::Phase)).collect(),
        });
    }
    if enforcement == Enforcement::Warn {
        return Ok(Acceptance { extensions: Some(written), refused });
    }
    let breach = refused.iter().find_map(|(slot, why)| match why {
        Refusal::Breach(change) => Some(Breach { slot: *slot, change: *change }),
        _ => None,
    });
    if let Some(breach) = breach {
        return Err(host.breach(index, breach));
    }
    let extensions = if taken.is_empty() { None } else { Some(host.merge(current, &written, taken)?) };
    Ok(Acceptance { extensions, refused })
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.slot, self.change) {
            (Slot::Delegation, Change::Shrunk { was, now }) => {
                write!(f, "shrank delegation chain (was {was} hops, now {now})")
            }
            (Slot::Delegation, _) => f.write_str("modified existing delegation chain hops"),
            _ => f.write_str("monotonic slot had elements removed"),
        }
    }
}

impl Refusal {
    /// Why, in words, for a change of this slot.
    #[must_use]
    pub fn text(self, slot: Slot) -> String {
        match self {
            Self::Phase => "this mode cannot modify extensions".into(),
            Self::Immutable => "slot has no write capability and cannot be modified".into(),
            Self::Lacks(capability) => format!("plugin lacks '{}' capability", capability.name()),
            Self::Removal => "slot cannot be emptied".into(),
            Self::Fixed => "only new hops may be added".into(),
            Self::Blind => "plugin was not shown what it would replace".into(),
            Self::Breach(change) => Breach { slot, change }.to_string(),
        }
    }
}
