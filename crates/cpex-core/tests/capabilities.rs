//! The table of extension slots (X1), what capabilities show (X2, X7), and the judgement of each change (B9).

use cpex_core::capability::Policy;
use cpex_core::extensions::Change::{
    self, Added, Altered, Blind, Grown, Removed, Replaced, Shrunk, Unchanged,
};
use cpex_core::extensions::Judgement::{self, Keep, Refuse, Take};
use cpex_core::extensions::{Breach, Refusal, judge};
use cpex_core::{Capabilities, Capability, Slot, Slots};

const SHRUNK: Change = Shrunk { was: 2, now: 1 };
const CHANGES: [Change; 8] = [Unchanged, Added, Grown, Altered, Replaced, SHRUNK, Removed, Blind];

const fn breach(change: Change) -> Judgement {
    Refuse(Refusal::Breach(change))
}

fn row(slot: Slot) -> (&'static str, String, Option<&'static str>, Option<&'static str>) {
    let Policy { path, tier, read, write } = slot.policy();
    (path, tier.to_string(), read.map(Capability::name), write.map(Capability::name))
}

fn all() -> Capabilities {
    Capability::ALL.into_iter().collect()
}

#[test]
fn each_slot_has_its_rules() {
    let immutable = "immutable".to_owned();
    let (monotonic, mutable) = ("monotonic".to_owned(), "mutable".to_owned());
    let open = |path| (path, immutable.clone(), None, None);
    let read = |path, read| (path, immutable.clone(), Some(read), None);
    let expected = [
        open("request"),
        open("provenance"),
        open("completion"),
        open("llm"),
        open("framework"),
        open("mcp"),
        open("meta"),
        read("agent", "read_agent"),
        read("security.subject", "read_subject"),
        read("security.subject.roles", "read_roles"),
        read("security.subject.teams", "read_teams"),
        read("security.subject.claims", "read_claims"),
        read("security.subject.permissions", "read_permissions"),
        open("security.objects"),
        open("security.data"),
        open("security.classification"),
        ("security.labels", monotonic.clone(), Some("read_labels"), Some("append_labels")),
        ("http", immutable.clone(), Some("read_headers"), Some("write_headers")),
        ("delegation", monotonic, Some("read_delegation"), Some("append_delegation")),
        read("delegation.origin_subject_id", "read_delegation"),
        ("custom", mutable, None, None),
    ];
    assert_eq!(Slot::ALL.map(row), expected);
}

#[test]
fn names_of_capabilities_are_read_back() {
    for capability in Capability::ALL {
        assert_eq!(Capability::named(capability.name()), Some(capability));
        let alone: Capabilities = [capability].into_iter().collect();
        assert!(Capability::ALL.iter().all(|other| alone.contains(*other) == (*other == capability)));
    }
    assert_eq!(Capability::named("read_everything"), None);
}

#[test]
fn each_capability_shows_what_it_is_for() {
    let seen = |capabilities: Capabilities| -> Vec<_> {
        let visible = capabilities.visible();
        Slot::ALL.into_iter().filter(|slot| visible.contains(*slot)).map(|slot| slot.policy().path).collect()
    };
    let open = seen(Capabilities::NONE);
    let expected = [
        "request",
        "provenance",
        "completion",
        "llm",
        "framework",
        "mcp",
        "meta",
        "security.objects",
        "security.data",
        "security.classification",
        "custom",
    ];
    assert_eq!(open, expected);
    let delegation = ["delegation", "delegation.origin_subject_id"];
    for (capability, shows) in [
        (Capability::ReadSubject, &["security.subject"][..]),
        (Capability::ReadRoles, &["security.subject", "security.subject.roles"]),
        (Capability::ReadTeams, &["security.subject", "security.subject.teams"]),
        (Capability::ReadClaims, &["security.subject", "security.subject.claims"]),
        (Capability::ReadPermissions, &["security.subject", "security.subject.permissions"]),
        (Capability::ReadAgent, &["agent"]),
        (Capability::ReadHeaders, &["http"]),
        (Capability::WriteHeaders, &["http"]),
        (Capability::ReadLabels, &["security.labels"]),
        (Capability::AppendLabels, &["security.labels"]),
        (Capability::ReadDelegation, &delegation),
        (Capability::AppendDelegation, &delegation),
    ] {
        let mut more = seen([capability].into_iter().collect());
        more.retain(|path| !open.contains(path));
        assert_eq!(more, shows, "{capability:?}");
    }
    assert_eq!(seen(all()).len(), Slot::ALL.len());
}

#[test]
fn each_change_has_its_judgement() {
    let immutable = Refuse(Refusal::Immutable);
    let removal = Refuse(Refusal::Removal);
    let blind = Refuse(Refusal::Blind);
    for slot in Slot::ALL {
        let expected = match slot {
            Slot::Custom => [Keep, Take, Take, Take, Take, Take, Take, Take],
            Slot::Http => [Keep, Take, Take, Take, Take, Take, removal, blind],
            Slot::Labels | Slot::Delegation => {
                let fixed = Refuse(Refusal::Fixed);
                [Keep, Take, Take, fixed, breach(Replaced), breach(SHRUNK), removal, blind]
            }
            _ => [Keep, immutable, immutable, immutable, immutable, immutable, immutable, immutable],
        };
        assert_eq!(CHANGES.map(|change| judge(slot, all(), change)), expected, "{slot:?}");
    }
}

#[test]
fn whoever_lacks_the_capability_to_write_changes_nothing() {
    for slot in [Slot::Labels, Slot::Http, Slot::Delegation] {
        let needed = slot.policy().write.unwrap();
        let others: Capabilities = Capability::ALL.into_iter().filter(|other| *other != needed).collect();
        assert_eq!(judge(slot, others, Unchanged), Keep);
        for change in &CHANGES[1..] {
            assert_eq!(judge(slot, others, *change), Refuse(Refusal::Lacks(needed)), "{slot:?} {change:?}");
        }
    }
}

#[test]
fn a_set_of_slots_holds_what_is_put_into_it() {
    let mut slots = Slots::NONE;
    assert!(slots.is_empty());
    slots.insert(Slot::Custom);
    slots.insert(Slot::Request);
    assert!(slots.contains(Slot::Custom) && slots.contains(Slot::Request) && !slots.contains(Slot::Http));
    slots.remove(Slot::Custom);
    assert_eq!(slots, [Slot::Request].into_iter().collect());
}

#[test]
fn why_something_is_refused_is_said_in_words() {
    let shrunk = Breach { slot: Slot::Delegation, change: SHRUNK };
    for (text, expected) in [
        (shrunk.to_string(), "shrank delegation chain (was 2 hops, now 1)"),
        (Breach { change: Replaced, ..shrunk }.to_string(), "modified existing delegation chain hops"),
        (Breach { slot: Slot::Labels, change: SHRUNK }.to_string(), "monotonic slot had elements removed"),
        (Refusal::Immutable.text(Slot::Agent), "slot has no write capability and cannot be modified"),
        (
            Refusal::Lacks(Capability::WriteHeaders).text(Slot::Http),
            "plugin lacks 'write_headers' capability",
        ),
        (Refusal::Phase.text(Slot::Http), "this mode cannot modify extensions"),
        (Refusal::Removal.text(Slot::Http), "slot cannot be emptied"),
        (Refusal::Fixed.text(Slot::Delegation), "only new hops may be added"),
        (Refusal::Blind.text(Slot::Delegation), "plugin was not shown what it would replace"),
        (Refusal::Breach(SHRUNK).text(Slot::Labels), "monotonic slot had elements removed"),
    ] {
        assert_eq!(text, expected);
    }
}
