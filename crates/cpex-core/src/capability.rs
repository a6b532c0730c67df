//! The table of extension slots: who may read each, who may write it, and what is taken of what a plugin wrote.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::host::{Host, Values};
use crate::plan::Entry;

/// What a plugin's configuration may grant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the configuration")]
pub enum Capability {
    ReadSubject,
    ReadRoles,
    ReadTeams,
    ReadClaims,
    ReadPermissions,
    ReadAgent,
    ReadHeaders,
    WriteHeaders,
    ReadLabels,
    AppendLabels,
    ReadDelegation,
    AppendDelegation,
}

/// How a slot may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Not at all, unless it has a capability of its own for that.
    Immutable,
    /// Only by growing.
    Monotonic,
    /// Freely, by anyone.
    Mutable,
}

/// A part of the extensions with rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named by their paths in the table")]
pub enum Slot {
    Request,
    Provenance,
    Completion,
    Llm,
    Framework,
    Mcp,
    Meta,
    Agent,
    Subject,
    SubjectRoles,
    SubjectTeams,
    SubjectClaims,
    SubjectPermissions,
    Objects,
    Data,
    Classification,
    Labels,
    Http,
    Delegation,
    DelegationOrigin,
    Custom,
}

/// The rules of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its path in the extensions.
    pub path: &'static str,
    /// How it may change.
    pub tier: Tier,
    /// What it takes to read it; `None`: nothing.
    pub read: Option<Capability>,
    /// What it takes to write it, which implies reading.
    pub write: Option<Capability>,
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u16);

/// A set of slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots(u32);

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

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 12] = [
        Self::ReadSubject,
        Self::ReadRoles,
        Self::ReadTeams,
        Self::ReadClaims,
        Self::ReadPermissions,
        Self::ReadAgent,
        Self::ReadHeaders,
        Self::WriteHeaders,
        Self::ReadLabels,
        Self::AppendLabels,
        Self::ReadDelegation,
        Self::AppendDelegation,
    ];

    /// Its name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadSubject => "read_subject",
            Self::ReadRoles => "read_roles",
            Self::ReadTeams => "read_teams",
            Self::ReadClaims => "read_claims",
            Self::ReadPermissions => "read_permissions",
            Self::ReadAgent => "read_agent",
            Self::ReadHeaders => "read_headers",
            Self::WriteHeaders => "write_headers",
            Self::ReadLabels => "read_labels",
            Self::AppendLabels => "append_labels",
            Self::ReadDelegation => "read_delegation",
            Self::AppendDelegation => "append_delegation",
        }
    }

    /// The capability of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }
}

impl Slot {
    /// Every slot.
    pub const ALL: [Self; 21] = [
        Self::Request,
        Self::Provenance,
        Self::Completion,
        Self::Llm,
        Self::Framework,
        Self::Mcp,
        Self::Meta,
        Self::Agent,
        Self::Subject,
        Self::SubjectRoles,
        Self::SubjectTeams,
        Self::SubjectClaims,
        Self::SubjectPermissions,
        Self::Objects,
        Self::Data,
        Self::Classification,
        Self::Labels,
        Self::Http,
        Self::Delegation,
        Self::DelegationOrigin,
        Self::Custom,
    ];

    /// The parts of a subject that are read one by one. Whoever reads one of them sees who the subject is.
    pub const SUBJECT_PARTS: [Self; 4] =
        [Self::SubjectRoles, Self::SubjectTeams, Self::SubjectClaims, Self::SubjectPermissions];

    /// The rules of this slot.
    #[must_use]
    pub const fn policy(self) -> Policy {
        use Capability::{
            AppendDelegation, AppendLabels, ReadAgent, ReadClaims, ReadDelegation, ReadHeaders, ReadLabels,
            ReadPermissions, ReadRoles, ReadSubject, ReadTeams, WriteHeaders,
        };
        use Tier::{Immutable, Monotonic, Mutable};
        #[rustfmt::skip]
        let (path, tier, read, write) = match self {
            Self::Request            => ("request",                      Immutable, None,                  None),
            Self::Provenance         => ("provenance",                   Immutable, None,                  None),
            Self::Completion         => ("completion",                   Immutable, None,                  None),
            Self::Llm                => ("llm",                          Immutable, None,                  None),
            Self::Framework          => ("framework",                    Immutable, None,                  None),
            Self::Mcp                => ("mcp",                          Immutable, None,                  None),
            Self::Meta               => ("meta",                         Immutable, None,                  None),
            Self::Agent              => ("agent",                        Immutable, Some(ReadAgent),       None),
            Self::Subject            => ("security.subject",             Immutable, Some(ReadSubject),     None),
            Self::SubjectRoles       => ("security.subject.roles",       Immutable, Some(ReadRoles),       None),
            Self::SubjectTeams       => ("security.subject.teams",       Immutable, Some(ReadTeams),       None),
            Self::SubjectClaims      => ("security.subject.claims",      Immutable, Some(ReadClaims),      None),
            Self::SubjectPermissions => ("security.subject.permissions", Immutable, Some(ReadPermissions), None),
            Self::Objects            => ("security.objects",             Immutable, None,                  None),
            Self::Data               => ("security.data",                Immutable, None,                  None),
            Self::Classification     => ("security.classification",      Immutable, None,                  None),
            Self::Labels             => ("security.labels",              Monotonic, Some(ReadLabels),      Some(AppendLabels)),
            Self::Http               => ("http",                         Immutable, Some(ReadHeaders),     Some(WriteHeaders)),
            Self::Delegation         => ("delegation",                   Monotonic, Some(ReadDelegation),  Some(AppendDelegation)),
            Self::DelegationOrigin   => ("delegation.origin_subject_id", Immutable, Some(ReadDelegation),  None),
            Self::Custom             => ("custom",                       Mutable,   None,                  None),
        };
        Policy { path, tier, read, write }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// Is it one of them?
    #[must_use]
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u16 != 0
    }

    /// What they let a plugin see.
    #[must_use]
    pub fn visible(self) -> Slots {
        let granted = |capability: Option<Capability>| capability.is_some_and(|c| self.contains(c));
        let may_read = |slot: &Slot| {
            let policy = slot.policy();
            policy.read.is_none() || granted(policy.read) || granted(policy.write)
        };
        let mut visible: Slots = Slot::ALL.into_iter().filter(may_read).collect();
        if Slot::SUBJECT_PARTS.into_iter().any(|part| visible.contains(part)) {
            visible.insert(Slot::Subject);
        }
        if visible.contains(Slot::Delegation) {
            visible.insert(Slot::DelegationOrigin);
        }
        visible
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().fold(0, |bits, capability| bits | 1 << capability as u16))
    }
}

impl Slots {
    /// No slot.
    pub const NONE: Self = Self(0);

    /// Is it one of them?
    #[must_use]
    pub const fn contains(self, slot: Slot) -> bool {
        self.0 & slot.bit() != 0
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds a slot.
    pub const fn insert(&mut self, slot: Slot) {
        self.0 |= slot.bit();
    }

    /// Takes a slot away.
    pub const fn remove(&mut self, slot: Slot) {
        self.0 &= !slot.bit();
    }
}

impl FromIterator<Slot> for Slots {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Self {
        Self(slots.into_iter().fold(0, |bits, slot| bits | slot.bit()))
    }
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

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Immutable => "immutable",
            Self::Monotonic => "monotonic",
            Self::Mutable => "mutable",
        })
    }
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
