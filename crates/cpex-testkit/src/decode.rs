//! A case and operations from bytes, compactly, so that a fuzzer gets far by changing few of them.

use core::num::NonZeroUsize;

use arbitrary::{Result, Unstructured};
use cpex_core::extensions::Enforcement;
use cpex_core::payload::{Isolation, Rule};
use cpex_core::{Capabilities, Capability, OnError, Phase, Slot};

use crate::case::Case;
use crate::extensions::{Edit, Extensions, Writing};
use crate::fuzz::Op;
use crate::plugin::{Answer, Does, Plugin, Proposal, Unreadable};
use crate::when::{Asked, When};

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const KEYS: [&[&str]; 3] = [&[], &["x"], &["x", "y"]];
const CONDITIONS: [&[When]; 4] = [&[], &[], &[When::tenant("north")], &[When::tenant("south")]];
const PROPOSALS: [Proposal; 9] = [
    Proposal::Nothing,
    Proposal::Same,
    Proposal::Name,
    Proposal::Args,
    Proposal::NameAndArgs,
    Proposal::Subtype,
    Proposal::Other,
    Proposal::Foreign,
    Proposal::Incomparable,
];

/// A case of up to ten plugins.
pub(crate) fn case(u: &mut Unstructured<'_>) -> Result<Case> {
    let len = u.int_in_range(0..=NAMES.len())?;
    let plugins = NAMES[..len].iter().map(|name| plugin(u, name)).collect::<Result<_>>()?;
    Ok(Case {
        plugins,
        rule: *u.choose(&[Rule::Open, Rule::Writable, Rule::Closed])?,
        isolation: *u.choose(&[Isolation::Observers, Isolation::Always])?,
        extensions: if u.arbitrary()? { Some(Extensions::full()) } else { None },
        enforcement: *u.choose(&[
            Enforcement::Enforce,
            Enforcement::Enforce,
            Enforcement::Warn,
            Enforcement::Off,
        ])?,
        timeout_ms: None,
        pool: NonZeroUsize::new(u.int_in_range(0..=3)?),
        raise_denials: u.arbitrary()?,
        asked: Asked { tenant_id: *u.choose(&[None, Some("north")])?, ..Asked::NOTHING },
        state: &[],
        open_container: u.ratio(1, 8)?,
        aborts_at_ms: None,
        copies: if u.ratio(1, 8)? { Some(u.int_in_range(0..=3)?) } else { None },
    })
}

fn plugin(u: &mut Unstructured<'_>, name: &'static str) -> Result<Plugin> {
    Ok(Plugin {
        priority: u.int_in_range(0..=2)?,
        on_error: *u.choose(&[OnError::Fail, OnError::Ignore, OnError::Disable])?,
        when: u.choose(&CONDITIONS)?,
        disabled: u.ratio(1, 8)?,
        does: does(u)?,
        writes_state: u.choose(&KEYS)?,
        writes_metadata: u.choose(&KEYS)?,
        capabilities: capabilities(u)?,
        blind: u.ratio(1, 4)?,
        ..Plugin::new(name, *u.choose(&Phase::ALL)?)
    })
}

fn does(u: &mut Unstructured<'_>) -> Result<Does> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Does::Fail,
        1 => Does::Refuse,
        2 => Does::Interrupt,
        3 => Does::Hang,
        _ => Does::Answer(Answer {
            allow: u.ratio(3, 4)?,
            violation: *u.choose(&[None, Some("because")])?,
            proposal: *u.choose(&PROPOSALS)?,
            extensions: if u.arbitrary()? { Some(Writing([edit(u)?, edit(u)?, edit(u)?])) } else { None },
            retry_ms: u.int_in_range(-1..=100)?,
            unreadable: *u.choose(&[None, None, Some(Unreadable::State), Some(Unreadable::Metadata)])?,
        }),
    })
}

fn capabilities(u: &mut Unstructured<'_>) -> Result<Capabilities> {
    let bits: u16 = u.arbitrary()?;
    Ok(Capability::ALL.into_iter().filter(|capability| bits & 1 << *capability as u16 != 0).collect())
}

fn edit(u: &mut Unstructured<'_>) -> Result<Option<Edit>> {
    let slot = *u.choose(&Slot::ALL)?;
    Ok(match u.int_in_range(0..=5)? {
        0 => None,
        1 => Some(Edit::Put(slot, "x")),
        2 => Some(Edit::Shorten(slot)),
        3 => Some(Edit::Empty(slot)),
        _ => Some(Edit::Add(slot, u.choose(&["x", "y"])?)),
    })
}

/// Operations until the bytes are used up.
pub(crate) fn ops(u: &mut Unstructured<'_>) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    while !u.is_empty() {
        ops.push(match u.int_in_range(0..=15)? {
            0..=6 => Op::Poll,
            7 => Op::Abort,
            8 => Op::Pass(u.int_in_range(0..=9)?),
            9 => Op::TimeOut(entry(u)?),
            10 | 11 => Op::Cancelled(entry(u)?),
            _ => Op::End(entry(u)?),
        });
    }
    Ok(ops)
}

/// An index that may lie just outside the line-up.
fn entry(u: &mut Unstructured<'_>) -> Result<usize> {
    u.int_in_range(0..=NAMES.len())
}
