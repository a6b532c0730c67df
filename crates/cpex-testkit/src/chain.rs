//! What plugins make of the extensions, worked out from what they were shown and what they wrote, and from the
//! words of the rules, not from the core's.

use cpex_core::extensions::Enforcement;
use cpex_core::{Capability, Slot};

use crate::extensions::Extensions;
use crate::oracle::{may_modify, yes_entries};
use crate::plugin::Plugin;
use crate::run::Run;

/// A plugin that returned extensions with its yes, and what became of them.
pub(crate) struct Link {
    pub(crate) entry: usize,
    /// The slots that it changed and may not change.
    pub(crate) forbidden: Vec<Slot>,
    /// The extensions after it, if it changed any.
    pub(crate) after: Option<Extensions>,
}

/// What the plugins that returned extensions made of them, in order.
pub(crate) fn links(run: &Run) -> Vec<Link> {
    let enforced = run.case.enforcement == Enforcement::Enforce;
    let original = run.case.extensions.clone().unwrap_or_default();
    let mut current = original;
    let mut links = Vec::new();
    for entry in yes_entries(run) {
        let Some((shown, written)) = writing(run, entry) else { continue };
        let is_changed = |slot: &Slot| shown.members(*slot) != written.members(*slot);
        let is_allowed = |slot: &Slot| {
            let new = written.members(*slot);
            let empties = new.is_empty() && *slot != Slot::Custom;
            let blind = *slot == Slot::Delegation && !new.starts_with(current.members(*slot));
            let kept = keeps(*slot, shown.members(*slot), new);
            may_modify(run, entry) && may_write(run.plugin(entry), *slot) && !empties && !blind && kept
        };
        let (allowed, forbidden): (Vec<_>, _) =
            Slot::ALL.into_iter().filter(is_changed).partition(is_allowed);
        let after = match () {
            () if !may_modify(run, entry) => None,
            () if !enforced => Some(written),
            () => (!allowed.is_empty())
                .then(|| allowed.iter().fold(current.clone(), |now, slot| take(&now, &written, *slot))),
        };
        if let Some(after) = &after
            && enforced
        {
            current = after.clone();
        }
        links.push(Link { entry, forbidden, after });
    }
    links
}

fn take(current: &Extensions, written: &Extensions, slot: Slot) -> Extensions {
    let (old, new) = (current.members(slot), written.members(slot));
    let added = new.iter().copied().filter(|label| !old.contains(label));
    current.with(
        slot,
        if slot == Slot::Labels { old.iter().copied().chain(added).collect() } else { new.to_vec() },
    )
}

/// What a plugin is shown of these extensions.
pub(crate) fn seen(plugin: Plugin, extensions: &Extensions) -> Option<Extensions> {
    let shown = Slot::ALL.into_iter().filter(|slot| may_read(plugin, *slot)).collect();
    (!plugin.blind).then(|| extensions.show(shown))
}

/// Did it take away from what may only grow?
pub(crate) fn breaches(run: &Run, entry: usize) -> bool {
    let Some((shown, written)) = writing(run, entry) else { return false };
    let plugin = run.plugin(entry);
    let enforced = run.case.enforcement == Enforcement::Enforce && may_modify(run, entry);
    let kept = |slot| keeps(slot, shown.members(slot), written.members(slot));
    enforced
        && [Slot::Labels, Slot::Delegation].into_iter().any(|slot| may_write(plugin, slot) && !kept(slot))
}

/// Is all there that was, if the slot may only grow? One that is emptied is no case of that.
fn keeps(slot: Slot, old: &[&str], new: &[&str]) -> bool {
    match slot {
        Slot::Labels => new.is_empty() || old.iter().all(|label| new.contains(label)),
        Slot::Delegation => new.is_empty() || new.starts_with(old),
        _ => true,
    }
}

pub(crate) fn may_read(plugin: Plugin, slot: Slot) -> bool {
    use Capability::{
        AppendDelegation, AppendLabels, ReadAgent, ReadClaims, ReadDelegation, ReadHeaders, ReadLabels,
        ReadPermissions, ReadRoles, ReadSubject, ReadTeams, WriteHeaders,
    };
    let any = |capabilities: &[Capability]| capabilities.iter().any(|c| plugin.capabilities.contains(*c));
    match slot {
        Slot::Agent => any(&[ReadAgent]),
        Slot::Subject => any(&[ReadSubject, ReadRoles, ReadTeams, ReadClaims, ReadPermissions]),
        Slot::SubjectRoles => any(&[ReadRoles]),
        Slot::SubjectTeams => any(&[ReadTeams]),
        Slot::SubjectClaims => any(&[ReadClaims]),
        Slot::SubjectPermissions => any(&[ReadPermissions]),
        Slot::Labels => any(&[ReadLabels, AppendLabels]),
        Slot::Http => any(&[ReadHeaders, WriteHeaders]),
        Slot::Delegation | Slot::DelegationOrigin => any(&[ReadDelegation, AppendDelegation]),
        Slot::Request
        | Slot::Provenance
        | Slot::Completion
        | Slot::Llm
        | Slot::Framework
        | Slot::Mcp
        | Slot::Meta
        | Slot::Objects
        | Slot::Data
        | Slot::Classification
        | Slot::Custom => true,
    }
}

pub(crate) fn may_write(plugin: Plugin, slot: Slot) -> bool {
    match slot {
        Slot::Custom => true,
        Slot::Http => plugin.capabilities.contains(Capability::WriteHeaders),
        Slot::Labels => plugin.capabilities.contains(Capability::AppendLabels),
        Slot::Delegation => plugin.capabilities.contains(Capability::AppendDelegation),
        _ => false,
    }
}

/// What a plugin was shown, and what it returned.
fn writing(run: &Run, entry: usize) -> Option<(Extensions, Extensions)> {
    let edits = run.plugin(entry).answer().extensions?;
    let shown = run.started().find(|s| s.entry == entry)?.shown.clone().unwrap_or_default();
    let written = edits.apply(Some(&shown));
    Some((shown, written))
}
