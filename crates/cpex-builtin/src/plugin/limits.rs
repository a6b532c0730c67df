//! The limits: they may have to ask a Redis, and they remember a call until it has ended.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};

use super::builtin::Call;
use super::keep::Keeps;
use super::kind::Machine;
use super::payload::Payload;
use super::reply::{Answer, Reply};
use super::site::Moment;
use crate::denial::Denial;
use crate::limits::breaker::Outcome;
use crate::limits::circuit_breaker::{Admission, is_failure};
use crate::limits::cost_budget::{BudgetDecision, Reservation, Settlement};
use crate::limits::decision::Decision;
use crate::limits::{CircuitBreaker, CostBudget, Facts, Part, RateLimiter};

/// The facts that the keys of a limit consist of.
pub(super) fn parts(machine: &Machine) -> &[Part] {
    match machine {
        Machine::RateLimiter(limiter) => limiter.parts(),
        Machine::CostBudget(budget) => budget.parts(),
        Machine::CircuitBreaker(breaker) => breaker.parts(),
        _ => &[],
    }
}

/// Counts a call.
pub(super) fn rate<P: Payload>(
    limiter: &Arc<RateLimiter>,
    call: &Call<'_, P>,
) -> Result<Answer<P>, P::Error> {
    let known = Known::of(limiter.parts(), call)?;
    if !limiter.asks_redis() {
        return Ok(Answer::Now(counted(at_once(limiter.check(known.subject.as_deref(), &known))).about()));
    }
    let limiter = limiter.clone();
    Ok(Answer::Later(Box::pin(async move { counted(limiter.check(known.subject.as_deref(), &known).await) })))
}

fn counted(decision: Decision) -> Reply<Infallible> {
    let mut reply = Reply::from(decision.denial().map_or(Ok(()), Err));
    reply.retry_after = decision.verdict.retry_after();
    reply = reply.with("judge", json!(decision.judge));
    match decision.quota {
        Some(quota) => reply
            .with("limit", quota.limit)
            .with("remaining", quota.remaining)
            .with("reset_seconds", quota.reset.as_secs_f64()),
        None => reply,
    }
}

/// Reserves what a call may cost, or settles what it has cost. Without a place to keep it nothing is settled.
pub(super) fn cost<P: Payload>(
    budget: &Arc<CostBudget>,
    keeps: Option<&Keeps>,
    call: &Call<'_, P>,
) -> Result<Answer<P>, P::Error> {
    match (call.site.moment(), keeps) {
        (Moment::After, Some(keeps)) => settle(budget, keeps, call),
        (Moment::After, None) => Ok(Answer::Now(Reply::allow())),
        (Moment::Before | Moment::Other, keeps) => reserve(budget, keeps, call),
    }
}

fn reserve<P: Payload>(
    budget: &Arc<CostBudget>,
    keeps: Option<&Keeps>,
    call: &Call<'_, P>,
) -> Result<Answer<P>, P::Error> {
    let known = Known::of(budget.parts(), call)?;
    let payload = if budget.prices_payloads() { call.payload.json(None)? } else { None };
    let amount = match budget.price(payload.as_deref().unwrap_or(&Value::Null)) {
        Ok(amount) => amount,
        Err(error) => {
            let denial =
                Denial::new("COST_UNKNOWN", "the call cannot be priced").detail("problem", error.to_string());
            return Ok(Answer::Now(Reply::deny(denial)));
        }
    };
    let keep = keeps.map(|keeps| call.request.keep(keeps)).transpose()?;
    let place = keep.map(|keep| (keep, call.site.pair()));
    let reserved = |known: &Known, decision: BudgetDecision| {
        let reply = reply_to(&decision);
        if let (Some((keep, pair)), Some(reservation)) = (place, decision.reservation) {
            keep.put(&pair, known.subject.as_deref(), reservation);
        }
        reply
    };
    if !budget.asks_redis() {
        let decision = at_once(budget.reserve_amount(amount, &known));
        return Ok(Answer::Now(reserved(&known, decision).about()));
    }
    let budget = budget.clone();
    Ok(Answer::Later(Box::pin(async move {
        let decision = budget.reserve_amount(amount, &known).await;
        reserved(&known, decision)
    })))
}

fn reply_to(decision: &BudgetDecision) -> Reply<Infallible> {
    let mut reply = Reply::from(decision.denial().map_or(Ok(()), Err));
    reply.retry_after = decision.verdict.retry_after();
    let warnings: Vec<usize> = decision.warnings().map(|(index, _)| index).collect();
    reply = reply.with("judge", json!(decision.judge)).with("spending", json!(decision.spending));
    if warnings.is_empty() { reply } else { reply.with("warnings", warnings) }
}

fn settle<P: Payload>(
    budget: &Arc<CostBudget>,
    keeps: &Keeps,
    call: &Call<'_, P>,
) -> Result<Answer<P>, P::Error> {
    let keep = call.request.keep(keeps)?;
    let kept = keep.take::<Reservation>(&call.site.pair(), call.subject()?.as_deref());
    let Some(reservation) = kept else { return Ok(Answer::Now(Reply::allow())) };
    let result = if budget.looks_at_results() { call.payload.json(call.site.result())? } else { None };
    let result = result.as_deref().unwrap_or(&Value::Null);
    let actual = budget.actual(&reservation, result, is_failure(result));
    let actual = match actual {
        Ok(actual) => actual,
        Err(error) => {
            let problem = error.to_string();
            tracing::warn!(problem, "a call has cost what was reserved: its result cannot be priced");
            return Ok(Answer::Now(Reply::allow().with("unpriced", problem)));
        }
    };
    let told = |settlement| match settlement {
        Settlement::Settled(amount) => Reply::allow().with("cost", amount.number()),
        Settlement::Lost => Reply::allow().with("settled", false),
    };
    if !budget.asks_redis() {
        return Ok(Answer::Now(told(at_once(budget.settle_amount(&reservation, actual)))));
    }
    let budget = budget.clone();
    Ok(Answer::Later(Box::pin(async move {
        match budget.settle_amount(&reservation, actual).await {
            Settlement::Settled(amount) => Reply::allow().with("cost", amount.number()),
            Settlement::Lost => Reply::allow().with("settled", false),
        }
    })))
}

/// Asks to call a target, or tells what came of it.
pub(super) fn circuit<P: Payload>(
    breaker: &Arc<CircuitBreaker>,
    keeps: &Keeps,
    call: &Call<'_, P>,
) -> Result<Reply<P>, P::Error> {
    let (pair, keep) = (call.site.pair(), call.request.keep(keeps)?);
    if call.site.moment() == Moment::After {
        let admitted = keep.take::<Admitted>(&pair, call.subject()?.as_deref());
        if let Some(admitted) = admitted {
            let result = call.payload.json(call.site.result())?;
            admitted.report(breaker.outcome(result.as_deref().unwrap_or(&Value::Null)));
        }
        return Ok(Reply::allow());
    }
    let known = Known::of(breaker.parts(), call)?;
    Ok(match breaker.admit(&known) {
        Ok(admission) => {
            let admitted = Admitted { breaker: breaker.clone(), admission: Some(admission) };
            keep.put(&pair, known.subject.as_deref(), admitted);
            Reply::allow()
        }
        Err(refusal) => Reply::deny(refusal.denial()),
    })
}

/// An admission that is given back even if nobody tells what came of it.
struct Admitted {
    breaker: Arc<CircuitBreaker>,
    admission: Option<Admission>,
}

impl Admitted {
    fn report(mut self, outcome: Outcome) {
        if let Some(admission) = self.admission.take() {
            self.breaker.report(&admission, outcome);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take() {
            self.breaker.report(&admission, Outcome::Unknown);
        }
    }
}

/// What is known of a call, as far as a limit asks.
struct Known {
    subject: Option<String>,
    facts: Vec<(Part, String)>,
}

impl Known {
    fn of<P: Payload>(parts: &[Part], call: &Call<'_, P>) -> Result<Self, P::Error> {
        let subject = call.subject()?;
        let mut facts = Vec::with_capacity(parts.len());
        for part in parts {
            let fact = match part {
                Part::User => call.user()?,
                Part::Tenant => call.request.tenant()?.map(Into::into),
                Part::Server => call.request.server()?.map(Into::into),
                Part::Tool => None,
                Part::Header(name) => header(name, call)?,
            };
            facts.extend(fact.map(|fact| (part.clone(), fact)));
        }
        Ok(Self { subject, facts })
    }
}

impl Facts for Known {
    fn fact(&self, part: &Part) -> Option<&str> {
        match part {
            Part::Tool => self.subject.as_deref(),
            _ => self.facts.iter().find(|(known, _)| known == part).map(|(_, fact)| &**fact),
        }
    }
}

/// A header, of the payload or from beside it.
fn header<P: Payload>(name: &str, call: &Call<'_, P>) -> Result<Option<String>, P::Error> {
    let own = if call.site.headers().is_some() { call.payload.headers(call.site)? } else { None };
    let own = own.and_then(|own| own.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)));
    match own {
        Some((_, value)) => Ok(Some(value)),
        None => Ok(call.request.header(name)?.map(Into::into)),
    }
}

/// What counts in memory answers at once.
fn at_once<T>(counting: impl Future<Output = T>) -> T {
    match pin!(counting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("memory is not waited for"),
    }
}
