//! The table of extension slots: who may read each, and who may write it.

use core::fmt;

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

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Immutable => "immutable",
            Self::Monotonic => "monotonic",
            Self::Mutable => "mutable",
        })
    }
}
