//! What a plugin is shown of the extensions, how what it returned compares, and what is merged.
//!
//! Who may do what is the core's to say. Here is only where each slot lives.

use cpex_core::extensions::{Change, Shown};
use cpex_core::{Slot, Slots};

use super::{Delegation, Extensions, Security, Subject};

/// What a plugin sees that is shown these slots.
pub(crate) fn show(all: &Extensions, slots: Slots) -> Extensions {
    fn part<T: Clone>(slots: Slots, slot: Slot, value: &Option<T>) -> Option<T> {
        if slots.contains(slot) { value.clone() } else { None }
    }
    Extensions {
        request: part(slots, Slot::Request, &all.request),
        agent: part(slots, Slot::Agent, &all.agent),
        http: part(slots, Slot::Http, &all.http),
        security: all.security.as_ref().map(|security| show_security(security, slots)),
        delegation: part(slots, Slot::Delegation, &all.delegation),
        mcp: part(slots, Slot::Mcp, &all.mcp),
        completion: part(slots, Slot::Completion, &all.completion),
        provenance: part(slots, Slot::Provenance, &all.provenance),
        llm: part(slots, Slot::Llm, &all.llm),
        framework: part(slots, Slot::Framework, &all.framework),
        meta: part(slots, Slot::Meta, &all.meta),
        custom: part(slots, Slot::Custom, &all.custom),
    }
}

fn show_security(all: &Security, slots: Slots) -> Security {
    let subject = all.subject.as_ref().filter(|_| slots.contains(Slot::Subject));
    Security {
        labels: if slots.contains(Slot::Labels) { all.labels.clone() } else { Default::default() },
        subject: subject.map(|subject| show_subject(subject, slots)),
        classification: all.classification.clone(),
        objects: all.objects.clone(),
        data: all.data.clone(),
    }
}

fn show_subject(all: &Subject, slots: Slots) -> Subject {
    fn part<T: Clone + Default>(slots: Slots, slot: Slot, value: &T) -> T {
        if slots.contains(slot) { value.clone() } else { T::default() }
    }
    Subject {
        roles: part(slots, Slot::SubjectRoles, &all.roles),
        teams: part(slots, Slot::SubjectTeams, &all.teams),
        claims: part(slots, Slot::SubjectClaims, &all.claims),
        permissions: part(slots, Slot::SubjectPermissions, &all.permissions),
        ..Subject::new(all.id.clone(), all.kind)
    }
}

/// How a slot of what a plugin returned compares with what it was shown. A slot that it left empty is not mentioned,
/// except for `custom`, which anyone may empty.
pub(crate) fn compare(slot: Slot, shown: &Shown<'_, Extensions>, written: &Extensions) -> Change {
    let (old, hidden) = match *shown {
        Shown::All(shown) => (Some(shown), None),
        Shown::Nothing(hidden) => (None, hidden),
    };
    macro_rules! plain {
        ($($path:tt)+) => {
            replaced(old.and_then(|old| old.$($path)+.as_ref()), written.$($path)+.as_ref())
        };
    }
    macro_rules! within {
        ($part:ident . $field:ident) => {
            collected(
                old.and_then(|old| old.$part()).map(|old| &old.$field),
                written.$part().map(|new| &new.$field),
            )
        };
    }
    match slot {
        Slot::Request => plain!(request),
        Slot::Provenance => plain!(provenance),
        Slot::Completion => plain!(completion),
        Slot::Llm => plain!(llm),
        Slot::Framework => plain!(framework),
        Slot::Mcp => plain!(mcp),
        Slot::Meta => plain!(meta),
        Slot::Agent => plain!(agent),
        Slot::Http => plain!(http),
        Slot::Custom => match (old.and_then(|old| old.custom.as_ref()), &written.custom) {
            (Some(_), None) => Change::Removed,
            (old, new) => replaced(old, new.as_ref()),
        },
        Slot::Subject => {
            let who = |subject: &Subject| (subject.id.clone(), subject.kind);
            replaced(old.and_then(Extensions::subject).map(who).as_ref(), written.subject().map(who).as_ref())
        }
        Slot::SubjectRoles => within!(subject.roles),
        Slot::SubjectTeams => within!(subject.teams),
        Slot::SubjectClaims => within!(subject.claims),
        Slot::SubjectPermissions => within!(subject.permissions),
        Slot::Objects => within!(security_part.objects),
        Slot::Data => within!(security_part.data),
        Slot::Classification => replaced(
            old.and_then(|old| old.security.as_ref()?.classification.as_ref()),
            written.security.as_ref().and_then(|new| new.classification.as_ref()),
        ),
        Slot::Labels => labels(old, written),
        Slot::Delegation => delegation(old, hidden, written),
        Slot::DelegationOrigin => origin(old.or(hidden), written),
    }
}

fn replaced<T: PartialEq>(old: Option<&T>, new: Option<&T>) -> Change {
    match (old, new) {
        (_, None) => Change::Unchanged,
        (None, Some(_)) => Change::Added,
        (Some(old), Some(new)) if old == new => Change::Unchanged,
        (Some(_), Some(_)) => Change::Replaced,
    }
}

/// Within security, an empty collection is as good as none.
fn collected<T: PartialEq + Default>(old: Option<&T>, new: Option<&T>) -> Change {
    let empty = T::default();
    replaced(old.filter(|old| **old != empty), new.filter(|new| **new != empty))
}

fn labels(old: Option<&Extensions>, written: &Extensions) -> Change {
    let Some(new) = written.security.as_ref().map(|security| &security.labels) else {
        return Change::Unchanged;
    };
    let Some(old) = old.and_then(|old| old.security.as_ref()).map(|security| &security.labels) else {
        return if new.is_empty() { Change::Unchanged } else { Change::Added };
    };
    let (was, now) = (old.len(), new.len());
    match (old.is_subset(new), was.cmp(&now)) {
        (false, _) => Change::Shrunk { was, now },
        (true, std::cmp::Ordering::Equal) => Change::Unchanged,
        (true, _) if was == 0 => Change::Added,
        (true, _) => Change::Grown,
    }
}

fn delegation(old: Option<&Extensions>, hidden: Option<&Extensions>, written: &Extensions) -> Change {
    fn of(extensions: Option<&Extensions>) -> Option<&Delegation> {
        extensions.and_then(|extensions| extensions.delegation.as_ref())
    }
    let Some(new) = &written.delegation else { return Change::Unchanged };
    match (of(old), of(hidden)) {
        (Some(old), _) => chain(old, new),
        (None, None) => Change::Added,
        (None, Some(hidden)) => match chain(hidden, new) {
            Change::Grown => Change::Grown,
            _ => Change::Blind,
        },
    }
}

fn chain(old: &Delegation, new: &Delegation) -> Change {
    let (was, now) = (old.chain.len(), new.chain.len());
    if now < was {
        return Change::Shrunk { was, now };
    }
    if !new.chain.starts_with(&old.chain) {
        return Change::Replaced;
    }
    if now > was {
        return Change::Grown;
    }
    // Once there is an origin, it is a slot of its own.
    let origin = if old.origin_subject_id.is_some() { &new.origin_subject_id } else { &None };
    let is_same = *new == Delegation { origin_subject_id: origin.clone(), ..old.clone() };
    if is_same { Change::Unchanged } else { Change::Altered }
}

/// The origin comes with the first hop, shown or not, and is part of it. From then on it is fixed.
fn origin(before: Option<&Extensions>, written: &Extensions) -> Change {
    let old = before.and_then(|before| before.delegation.as_ref()?.origin_subject_id.as_ref());
    match (old, &written.delegation) {
        (Some(_), Some(new)) if new.origin_subject_id.is_none() => Change::Removed,
        (Some(old), Some(new)) => replaced(Some(old), new.origin_subject_id.as_ref()),
        (None, _) | (_, None) => Change::Unchanged,
    }
}

/// The extensions with these slots as a plugin wrote them. What may only grow is kept beside what is added.
pub(crate) fn merge(current: Option<&Extensions>, written: &Extensions, slots: Slots) -> Extensions {
    let mut merged = current.cloned().unwrap_or_default();
    if slots.contains(Slot::Http) {
        merged.http.clone_from(&written.http);
    }
    if slots.contains(Slot::Custom) {
        merged.custom.clone_from(&written.custom);
    }
    if slots.contains(Slot::Labels)
        && let Some(new) = &written.security
    {
        merged.security.get_or_insert_default().labels.extend(new.labels.iter().cloned());
    }
    if slots.contains(Slot::Delegation)
        && let Some(new) = &written.delegation
    {
        let before = merged.delegation.take().and_then(|before| before.origin_subject_id);
        let origin_subject_id = before.or_else(|| new.origin_subject_id.clone());
        merged.delegation = Some(Delegation { origin_subject_id, ..new.clone() });
    }
    merged
}

impl Extensions {
    fn security_part(&self) -> Option<&Security> {
        self.security.as_ref()
    }

    fn subject(&self) -> Option<&Subject> {
        self.security.as_ref()?.subject.as_ref()
    }
}
