//! Whether a plugin has something to do at its hooks. A guard that silently does nothing is the worst outcome.

use super::builtin::Builtin;
use super::kind::Machine;
use super::limits;
use super::site::{Moment, Site};
use crate::limits::Part;

/// What the mode of an entry lets a plugin do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Stop the call and change the payload: `sequential`.
    Full,
    /// Change the payload: `transform`.
    Modify,
    /// Stop the call: `concurrent`.
    Block,
    /// Neither: `audit` and `fire_and_forget`. What it would have done is in the report.
    Observe,
}

/// A plugin could do nothing at a hook, or not all that its configuration asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Misplaced {
    /// Which of the hooks; `None` if it is not about one of them.
    pub hook: Option<usize>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

pub(super) fn check(builtin: &Builtin, sites: &[&Site], power: Power) -> Result<(), Misplaced> {
    for (index, site) in sites.iter().enumerate() {
        at_one(builtin, site).map_err(|problem| Misplaced {
            hook: Some(index),
            problem: format!("{} can do nothing at {:?}: {problem}", builtin.kind().name, site.hook()),
        })?;
    }
    let all = |problem| Err(Misplaced { hook: None, problem });
    if changes(builtin) && power == Power::Block {
        return all(format!(
            "{} is to change something, and a concurrent plugin cannot: use the mode sequential",
            builtin.kind().name
        ));
    }
    match together(builtin, sites) {
        Some(problem) => all(problem),
        None => Ok(()),
    }
}

pub(super) fn at_one(builtin: &Builtin, site: &Site) -> Result<(), String> {
    let not = |fine: bool, problem: &str| if fine { Ok(()) } else { Err(problem.to_owned()) };
    if limits::parts(&builtin.machine).iter().any(|part| matches!(part, Part::Header(_)))
        && !site.knows_headers()
    {
        return Err(
            "its key has a header, and no header is known there; give it the capability read_headers"
                .to_owned(),
        );
    }
    let tells_apart =
        |part| limits::parts(&builtin.machine).contains(&part) && site.moment() != Moment::After;
    if tells_apart(Part::Tool) && site.subject().is_none() {
        return Err("its key has tool, and no tool, prompt, resource or agent is known there".to_owned());
    }
    match &builtin.machine {
        Machine::Scanner(detector) => not(
            !detector.rewrites() || site.returns_payload(),
            "it changes texts, and what this hook is about cannot be changed; another action can deny or report",
        ),
        #[cfg(feature = "json_schema")]
        Machine::JsonSchema(schema) => match site.moment() {
            Moment::After if site.result().is_none() => Err("no result is known there".to_owned()),
            Moment::After => not(schema.has_results(), "it has no schema for results"),
            _ if site.arguments().is_none() => Err("no arguments are known there".to_owned()),
            _ => not(schema.has_arguments(), "it has no schema for arguments"),
        },
        #[cfg(feature = "policy")]
        Machine::Policy(_) => Ok(()),
        Machine::AuditLog(_) => Ok(()),
        Machine::HeaderInjector(_) => not(
            site.headers().is_some() && (site.returns_headers() || site.returns_payload()),
            "it carries no headers that plugins may change",
        ),
        Machine::RateLimiter(_) => {
            not(site.moment() != Moment::After, "what it would refuse has happened; use the hook before it")
        }
        Machine::CostBudget(_) | Machine::CircuitBreaker(_) => not(
            site.moment() != Moment::Other,
            "nobody knows whether something is to happen or has happened there; use a hook with pre or post in its name",
        ),
    }
}

/// What is wrong with all hooks together.
fn together(builtin: &Builtin, sites: &[&Site]) -> Option<String> {
    let kind = builtin.kind().name;
    let at = |moment| sites.iter().filter(move |site| site.moment() == moment);
    let lonely = |one: Moment, other: Moment| {
        at(one).find(|site| !at(other).any(|partner| partner.pair() == site.pair())).map(|site| site.hook())
    };
    match &builtin.machine {
        Machine::CostBudget(budget) => {
            if let Some(hook) = lonely(Moment::After, Moment::Before) {
                return Some(format!(
                    "{kind} settles at {hook:?} what it never reserved: attach it to the hook before it, too"
                ));
            }
            let hook = lonely(Moment::Before, Moment::After).filter(|_| budget.prices_results())?;
            Some(format!(
                "{kind} has an actual cost and never sees a result: attach it to the hook after {hook:?}, too"
            ))
        }
        Machine::CircuitBreaker(_) => {
            let hook =
                lonely(Moment::After, Moment::Before).or_else(|| lonely(Moment::Before, Moment::After))?;
            Some(format!(
                "{kind} must see both ends of a call, the hook before it and the one after it: {hook:?} is alone"
            ))
        }
        #[cfg(feature = "json_schema")]
        Machine::JsonSchema(schema) => {
            if schema.has_arguments() && at(Moment::Before).next().is_none() {
                return Some(format!(
                    "{kind} has schemas for arguments and never sees any: attach it to a hook before a call, too"
                ));
            }
            (schema.has_results() && at(Moment::After).next().is_none()).then(|| {
                format!(
                    "{kind} has schemas for results and never sees any: attach it to a hook after a call, too"
                )
            })
        }
        _ => None,
    }
}

fn changes(builtin: &Builtin) -> bool {
    match &builtin.machine {
        Machine::Scanner(detector) => detector.rewrites(),
        Machine::HeaderInjector(_) => true,
        _ => false,
    }
}
