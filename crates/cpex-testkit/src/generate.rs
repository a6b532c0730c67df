//! Random cases and random things a driver might do.

use core::num::NonZeroUsize;

use cpex_core::extensions::Enforcement;
use cpex_core::payload::{Isolation, Rule};
use cpex_core::{Capability, OnError, Phase, Slot};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use crate::case::Case;
use crate::extensions::{Edit, Extensions, Writing};
use crate::fuzz::Op;
use crate::plugin::{Answer, Does, Plugin, Proposal, Unreadable};
use crate::when::{Asked, When};

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const KEYS: [&[&str]; 4] = [&[], &["x"], &["y"], &["x", "y"]];
const MEMBERS: [&[&str]; 4] = [&[], &["p"], &["p"], &["p", "q"]];
const CONDITIONS: [&[When]; 5] = [
    &[When::tenant("north")],
    &[When::tenant("south"), When { server_id: Some("s1"), ..When::ANY }],
    &[When { user_pattern: Some("ali"), content_type: Some("text/html"), ..When::ANY }],
    &[When { tool: Some("t"), ..When::tenant("north") }],
    &[When { tool: Some("other"), ..When::ANY }],
];

prop_compose! {
    /// Any case of up to ten plugins.
    pub fn cases()(
        plugins in vec(plugins(), 0..=NAMES.len()),
        rule in prop::sample::select(vec![Rule::Open, Rule::Open, Rule::Writable, Rule::Closed]),
        isolation in prop::sample::select(vec![Isolation::Observers, Isolation::Observers, Isolation::Always]),
        extensions in of(extensions()),
        enforcement in prop::sample::select(vec![
            Enforcement::Enforce, Enforcement::Enforce, Enforcement::Enforce, Enforcement::Warn, Enforcement::Off,
        ]),
        timeout_ms in of(0..50_u64),
        pool in of(1..4_usize),
        raise_denials in any::<bool>(),
        asked in asked(),
        state in prop::sample::select(&KEYS[..]),
        open_container in prop::bool::weighted(0.1),
        aborts_at_ms in prop::option::weighted(0.1, 0..100_u64),
        copies in prop::option::weighted(0.1, 0..4_usize),
    ) -> Case {
        let named = |(plugin, name)| Plugin { name, ..plugin };
        let plugins = plugins.into_iter().zip(NAMES).map(named).collect();
        let pool = pool.and_then(NonZeroUsize::new);
        Case {
            plugins, rule, isolation, extensions, enforcement, timeout_ms, pool, raise_denials, asked, state,
            open_container, aborts_at_ms, copies,
        }
    }
}

prop_compose! {
    fn plugins()(
        phase in prop::sample::select(&Phase::ALL[..]),
        priority in 0..3_i64,
        on_error in prop::sample::select(vec![OnError::Fail, OnError::Ignore, OnError::Disable]),
        timeout_ms in of(0..50_u64),
        when in prop_oneof![4 => Just(&[][..]), 1 => prop::sample::select(&CONDITIONS[..])],
        disabled in prop::bool::weighted(0.1),
        takes_ms in prop_oneof![Just(0), 0..60_u64],
        does in doings(),
        writes_state in prop::sample::select(&KEYS[..]),
        drops_state in prop::sample::select(&KEYS[..]),
        writes_metadata in prop::sample::select(&KEYS[..]),
        resists in prop::bool::weighted(0.2),
        capabilities in vec(prop::sample::select(&Capability::ALL[..]), 0..6),
        blind in prop::bool::weighted(0.2),
    ) -> Plugin {
        let capabilities = capabilities.into_iter().collect();
        Plugin {
            name: "",
            phase, priority, on_error, timeout_ms, when, disabled, takes_ms, does,
            writes_state, drops_state, writes_metadata, resists, capabilities, blind,
        }
    }
}

prop_compose! {
    fn asked()(
        server_id in of(prop::sample::select(vec!["s1", "s2"])),
        tenant_id in of(prop::sample::select(vec!["north", "south"])),
        content_type in of(prop::sample::select(vec!["text/html", "Text/HTML; charset=utf-8", "text/plain"])),
        user in of(prop::sample::select(vec!["alice", "bob"])),
    ) -> Asked {
        Asked { server_id, tenant_id, content_type, user }
    }
}

fn doings() -> impl Strategy<Value = Does> {
    prop_oneof![
        10 => answers().prop_map(Does::Answer),
        2 => Just(Does::Fail),
        1 => Just(Does::Refuse),
        1 => Just(Does::Interrupt),
        1 => Just(Does::Hang),
    ]
}

prop_compose! {
    fn answers()(
        allow in prop::bool::weighted(0.8),
        violation in of(Just("because")),
        proposal in prop::sample::select(vec![
            Proposal::Nothing, Proposal::Nothing, Proposal::Same, Proposal::Name, Proposal::Args,
            Proposal::NameAndArgs, Proposal::Subtype, Proposal::Other, Proposal::Foreign,
            Proposal::Incomparable,
        ]),
        extensions in of(writings()),
        retry_ms in prop_oneof![Just(0), -5..1000_i64],
        unreadable in prop::option::weighted(
            0.1, prop::sample::select(vec![Unreadable::State, Unreadable::Metadata]),
        ),
    ) -> Answer {
        Answer { allow, violation, proposal, extensions, retry_ms, unreadable }
    }
}

prop_compose! {
    fn extensions()(
        members in vec(prop::sample::select(&MEMBERS[..]), Slot::ALL.len()),
    ) -> Extensions {
        let some: Vec<_> = Slot::ALL.into_iter().zip(members).filter(|(_, members)| !members.is_empty()).collect();
        Extensions::of(&some)
    }
}

/// Edits, most of them of slots that somebody may write.
fn writings() -> impl Strategy<Value = Writing> {
    let guarded = prop::sample::select(vec![Slot::Labels, Slot::Delegation, Slot::Http, Slot::Custom]);
    let slot = prop_oneof![3 => guarded, 1 => prop::sample::select(&Slot::ALL[..])];
    let edit =
        (slot, prop::sample::select(vec!["p", "r", "s"]), 0..6).prop_map(|(slot, member, how)| match how {
            0 => Edit::Put(slot, member),
            1 => Edit::Shorten(slot),
            2 => Edit::Empty(slot),
            _ => Edit::Add(slot, member),
        });
    [of(edit.clone()), of(edit.clone()), of(edit)].prop_map(Writing)
}

/// Anything a driver might do, in any order, right or wrong.
pub fn ops() -> impl Strategy<Value = Vec<Op>> {
    let entry = || 0..=NAMES.len();
    let op = prop_oneof![
        8 => Just(Op::Poll),
        6 => entry().prop_map(Op::End),
        1 => entry().prop_map(Op::TimeOut),
        2 => entry().prop_map(Op::Cancelled),
        1 => Just(Op::Abort),
        1 => (0..20_u64).prop_map(Op::Pass),
    ];
    vec(op, 0..64)
}
