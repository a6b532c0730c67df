//! How much may be spent in a time.
//!
//! An amount is reserved before a call and settled after it: what it turned out to cost replaces what was reserved,
//! and a call that failed is refunded. A reservation that is never settled stays spent. See
//! [`account`](super::account) for what is promised, and the [module](super) for what Redis adds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::Calendar;
use super::accounts::{Accounts, Budget, Finding};
use super::amount::Amount;
use super::backend::{Backend, Question, Ruling, Script};
use super::cost::{CostConfig, CostError};
use super::decision::{Judge, Verdict, away};
use super::key::{Facts, KeySpec, Keys, Labelled, Part};
use super::moment::Moment;
use super::span::Span;
use super::store::StoreConfig;
use crate::{ConfigError, Denial};

/// Configuration of the cost budget.
///
/// ```yaml
/// limits:
///   - {hard: 50, soft: 40, per: month, zone: Europe/Berlin, key: [tenant]}
///   - {hard: 1, within: 1h, key: [user]}
/// cost: {fixed: 0.05}
/// actual: {terms: [{field: /usage/total_tokens, price: 2.5, per: 1000000}]}
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CostBudgetConfig {
    /// The limits. A call passes if it is within all hard ones.
    pub limits: Vec<BudgetConfig>,
    /// What is reserved for a call, from what it is called with.
    pub cost: CostConfig,
    /// What a call has cost, from its result. What was reserved, if not given.
    pub actual: Option<CostConfig>,
    /// Whether a call that failed costs nothing.
    #[serde(default = "yes")]
    pub refund_failures: bool,
    /// Where the sums are kept.
    #[serde(default)]
    pub store: StoreConfig,
}

/// One limit: `per` a period of the calendar, or `within` a time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BudgetConfig {
    /// A call that would exceed this is refused.
    pub hard: Option<Amount>,
    /// A call that exceeds this is reported.
    pub soft: Option<Amount>,
    /// The period of the calendar whose spending is summed up.
    pub per: Option<Calendar>,
    /// The time zone of `per`, by its IANA name. UTC, if not given.
    pub zone: Option<String>,
    /// The time up to now whose spending is summed up.
    pub within: Option<Span>,
    /// Whose spending is summed up together.
    #[serde(default)]
    pub key: KeySpec,
}

const fn yes() -> bool {
    true
}

/// Sums amounts up and refuses calls over a limit.
#[derive(Debug)]
pub struct CostBudget {
    budgets: Vec<Budget>,
    keys: Keys,
    parts: KeySpec,
    cost: CostConfig,
    actual: Option<CostConfig>,
    refund_failures: bool,
    backend: Backend<Accounts>,
}

/// The budget's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetDecision {
    /// Whether the call may go on.
    pub verdict: Verdict,
    /// Who counted.
    pub judge: Judge,
    /// How the caller stands with each limit, in their order; empty if nobody counted.
    pub spending: Vec<Spending>,
    /// What to settle after the call. `None` if nothing was reserved.
    pub reservation: Option<Reservation>,
}

/// How a caller stands with one limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spending {
    /// What was spent, with this call if it may go on.
    pub spent: Amount,
    /// No more than this may be spent.
    pub hard: Option<Amount>,
    /// More than this is reported.
    pub soft: Option<Amount>,
}

/// What a call has reserved, to be settled after it. It can be kept as JSON meanwhile, and names nobody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Reservation {
    judge: Judge,
    amount: Amount,
    /// Which accounts, and the slot of each that was spent in.
    slots: Vec<(String, u64)>,
}

/// What came of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The call costs what it has cost.
    Settled(Amount),
    /// Redis is away: the call costs what was reserved.
    Lost,
}

impl CostBudget {
    /// A cost budget. Those of the same name and Redis prefix share their sums.
    ///
    /// # Errors
    /// The field that cannot be used, and what would be right.
    pub fn new(name: &str, config: CostBudgetConfig) -> Result<Self, ConfigError> {
        let CostBudgetConfig { limits, cost, actual, refund_failures, store } = config;
        if limits.is_empty() {
            return Err(ConfigError::new("limits", "expected at least one limit"));
        }
        cost.validate("cost")?;
        actual.as_ref().map_or(Ok(()), |actual| actual.validate("actual"))?;
        if cost.is_free() && actual.as_ref().is_none_or(CostConfig::is_free) {
            let problem =
                "expected fixed or terms with a price, here or in actual: no call would cost anything";
            return Err(ConfigError::new("cost", problem));
        }
        let budgets = limits.iter().enumerate().map(|(index, limit)| Budget::new(index, limit));
        let budgets = budgets.collect::<Result<Vec<_>, _>>()?;
        let labels = budgets.iter().map(Budget::label).zip(limits);
        let labels = labels.map(|(label, limit)| Labelled { label, spec: limit.key }).collect();
        let keys = Keys::new(store.root("budget", name), labels)?;
        let backend = Backend::new(&store, |share| Ok(Accounts::new(&budgets, share)))?;
        Ok(Self { budgets, parts: keys.parts(), keys, cost, actual, refund_failures, backend })
    }

    /// The facts that calls are told apart by.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether an answer may have to be waited for.
    pub(crate) const fn asks_redis(&self) -> bool {
        self.backend.asks_redis()
    }

    /// Whether the price of a call depends on its payload.
    pub(crate) fn prices_payloads(&self) -> bool {
        !self.cost.terms.is_empty()
    }

    /// Whether what a call has cost depends on its result.
    pub(crate) const fn prices_results(&self) -> bool {
        self.actual.is_some()
    }

    /// Whether a settlement looks at the result.
    pub(crate) const fn looks_at_results(&self) -> bool {
        self.actual.is_some() || self.refund_failures
    }

    /// What is to be reserved for a call.
    pub(crate) fn price(&self, payload: &Value) -> Result<Amount, CostError> {
        self.cost.amount(payload)
    }

    /// What a call has cost, by its result.
    pub(crate) fn actual(
        &self,
        reservation: &Reservation,
        result: &Value,
        failed: bool,
    ) -> Result<Amount, CostError> {
        match &self.actual {
            _ if failed && self.refund_failures => Ok(Amount::ZERO),
            Some(actual) => actual.amount(result),
            None => Ok(reservation.amount),
        }
    }

    /// Decides about a call, and reserves what it is expected to cost.
    ///
    /// # Errors
    /// The call cannot be priced.
    pub async fn reserve(
        &self,
        payload: &Value,
        facts: &(impl Facts + Sync),
    ) -> Result<BudgetDecision, CostError> {
        Ok(self.reserve_amount(self.cost.amount(payload)?, facts).await)
    }

    /// Decides about a call that is expected to cost this much, and reserves it.
    pub async fn reserve_amount(&self, amount: Amount, facts: &(impl Facts + Sync)) -> BudgetDecision {
        let names = self.keys.names(facts);
        let now = Moment::wall();
        let question = || Question {
            script: Script::Spend,
            keys: names.clone(),
            arguments: self.arguments(amount, now),
        };
        let local = |accounts: &Accounts| accounts.decide(&names, amount, now);
        let read = |numbers: &[u64]| Finding::read(&self.budgets, amount, numbers);
        match self.backend.rule(local, question, read).await {
            Ruling::Counted(judge, Finding { verdict, spending, slots }) => {
                let slots = names.into_iter().zip(slots).collect();
                let reservation = verdict.allowed().then_some(Reservation { judge, amount, slots });
                BudgetDecision { verdict, judge, spending, reservation }
            }
            Ruling::Uncounted(verdict) => {
                BudgetDecision { verdict, judge: Judge::Nobody, spending: Vec::new(), reservation: None }
            }
        }
    }

    /// Settles a call by its result.
    ///
    /// # Errors
    /// The call cannot be priced; it costs what was reserved.
    pub async fn settle(
        &self,
        reservation: &Reservation,
        result: &Value,
        failed: bool,
    ) -> Result<Settlement, CostError> {
        Ok(self.settle_amount(reservation, self.actual(reservation, result, failed)?).await)
    }

    /// Settles a call at what it has cost. To be called once: a second time would settle it again.
    pub async fn settle_amount(&self, reservation: &Reservation, actual: Amount) -> Settlement {
        let Reservation { judge, amount, slots } = reservation;
        let question = || Question {
            script: Script::Settle,
            keys: slots.iter().map(|(name, _)| name.clone()).collect(),
            arguments: slots.iter().flat_map(|(_, slot)| [*slot, amount.micros(), actual.micros()]).collect(),
        };
        let settled = match judge {
            _ if *amount == actual => true,
            Judge::Shared => {
                matches!(
                    self.backend.rule(|_| (), question, |_| Some(())).await,
                    Ruling::Counted(Judge::Shared, ())
                )
            }
            _ => self.backend.memory().map(|accounts| accounts.settle(slots, *amount, actual)).is_some(),
        };
        if settled { Settlement::Settled(actual) } else { Settlement::Lost }
    }

    fn arguments(&self, amount: Amount, now: Moment) -> Vec<u64> {
        let limits = self.budgets.iter().flat_map(|budget| {
            let hard = budget.hard.map_or(0, |hard| hard.micros() + 1);
            [hard].into_iter().chain(budget.window.told(now))
        });
        [amount.micros()].into_iter().chain(limits).collect()
    }
}

impl BudgetDecision {
    /// The limits, by their place in the configuration, whose soft amount is exceeded.
    pub fn warnings(&self) -> impl Iterator<Item = (usize, &Spending)> {
        let exceeded = |spending: &Spending| spending.soft.is_some_and(|soft| spending.spent > soft);
        self.spending.iter().enumerate().filter(move |(_, spending)| exceeded(spending))
    }

    /// `Retry-After`, if the call is refused.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.verdict.retry_header().into_iter().collect()
    }

    /// Why the call is refused; `None` if it may go on.
    #[must_use]
    pub fn denial(&self) -> Option<Denial> {
        let denial = match self.verdict {
            Verdict::Allowed => return None,
            Verdict::Limited { .. } => Denial::new("BUDGET_EXCEEDED", "the budget is spent"),
            Verdict::Away { .. } => away(),
        };
        Some(self.verdict.tell(denial, self.headers()))
    }
}
