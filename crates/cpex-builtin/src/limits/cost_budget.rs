//! How much may be spent in a time.
//!
//! An amount is reserved before a call and settled after it: what it turned out to cost replaces what was reserved,
//! and a call that failed is refunded. A reservation that is never settled stays spent. See
//! [`account`](super::account) for what is promised, and the [module](super) for what Redis adds.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::{Account, Calendar, Frame, Window};
use super::amount::Amount;
use super::backend::{Backend, Question, Ruling, Script, Share};
use super::cost::{CostConfig, CostError};
use super::decision::{Judge, Verdict, away};
use super::key::{Facts, KeySpec, Keys, Labelled};
use super::keyed::{Fades, Keyed};
use super::moment::{Moment, micros};
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
        let budgets = limits.iter().enumerate().map(|(index, limit)| Budget::new(index, limit));
        let budgets = budgets.collect::<Result<Vec<_>, _>>()?;
        let labels = budgets.iter().map(Budget::label).zip(limits);
        let labels = labels.map(|(label, limit)| Labelled { label, spec: limit.key }).collect();
        let keys = Keys::new(store.root("budget", name), labels)?;
        let backend = Backend::new(&store, |share| Ok(Accounts::new(&budgets, share)))?;
        Ok(Self { budgets, keys, cost, actual, refund_failures, backend })
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
        let actual = match &self.actual {
            _ if failed && self.refund_failures => Amount::ZERO,
            Some(actual) => actual.amount(result)?,
            None => reservation.amount,
        };
        Ok(self.settle_amount(reservation, actual).await)
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
        match self.verdict {
            Verdict::Allowed => None,
            Verdict::Limited { .. } => Some(Denial::new("BUDGET_EXCEEDED", "the budget is spent")),
            Verdict::Away { .. } => Some(away()),
        }
    }
}

/// A limit, compiled.
#[derive(Clone, Debug)]
struct Budget {
    hard: Option<Amount>,
    soft: Option<Amount>,
    window: Window,
}

impl Budget {
    fn new(index: usize, config: &BudgetConfig) -> Result<Self, ConfigError> {
        let wrong = |field: &str, problem: &str| ConfigError::new(format!("limits[{index}]{field}"), problem);
        let BudgetConfig { hard, soft, per, zone, within, key: _ } = config;
        let window = match (per, within) {
            (Some(per), None) => {
                let name = zone.as_deref().unwrap_or("UTC");
                let zone = TimeZone::get(name).map_err(|_| {
                    wrong(
                        ".zone",
                        "no such time zone is known here: expected an IANA name, such as Europe/Berlin",
                    )
                })?;
                Window::Calendar(*per, zone)
            }
            (None, Some(within)) if zone.is_none() => Window::Rolling(within.duration()),
            (None, Some(_)) => return Err(wrong(".zone", "a time zone goes with per, not with within")),
            _ => {
                return Err(wrong(
                    "",
                    "expected either per (day, week, month, year) or within (a time such as 1h)",
                ));
            }
        };
        match (hard, soft) {
            (None, None) => Err(wrong("", "expected hard, soft or both")),
            (Some(hard), Some(soft)) if soft > hard => Err(wrong(".soft", "expected no more than hard")),
            _ => Ok(Self { hard: *hard, soft: *soft, window }),
        }
    }

    /// The limit's name in Redis: the slots of one window mean nothing to another.
    fn label(&self) -> String {
        match &self.window {
            Window::Rolling(length) => format!("{}us", micros(*length)),
            Window::Calendar(calendar, zone) => {
                format!("{calendar:?}@{}", zone.iana_name().unwrap_or("UTC")).to_lowercase()
            }
        }
    }

    /// The share of one among `hosts`.
    fn share(&self, hosts: NonZeroU32) -> Self {
        let divide = |amount: Amount| Amount::from_micros(amount.micros() / u64::from(hosts.get()));
        Self { hard: self.hard.map(divide), soft: self.soft.map(divide), window: self.window.clone() }
    }

    /// How a caller stands, and when a call may pass that may not now.
    fn look(&self, account: &Account, frame: &Frame, amount: Amount, now: Moment) -> Look {
        let spent = account.spent(frame);
        let excess = self.hard.map_or(Amount::ZERO, |hard| spent.plus(amount).minus(hard));
        let refused = excess > Amount::ZERO;
        Look { spent, refusal: refused.then(|| account.frees(frame, excess, now)) }
    }
}

struct Look {
    spent: Amount,
    /// If it is refused: how long, or for ever.
    refusal: Option<Option<Duration>>,
}

/// What the accounts say about a call.
#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    spending: Vec<Spending>,
    /// The current slot of each account.
    slots: Vec<u64>,
}

impl Finding {
    fn of<'a>(
        accounts: impl Iterator<Item = (&'a Budget, &'a Account, Frame)>,
        amount: Amount,
        now: Moment,
    ) -> Self {
        let (mut refusals, mut spending, mut slots) = (Vec::new(), Vec::new(), Vec::new());
        for (budget, account, frame) in accounts {
            let Look { spent, refusal } = budget.look(account, &frame, amount, now);
            refusals.extend(refusal);
            spending.push(Spending { spent, hard: budget.hard, soft: budget.soft });
            slots.push(frame.current);
        }
        let longest = refusals.into_iter().max_by_key(|wait| (wait.is_none(), *wait));
        let verdict = match longest {
            None => Verdict::Allowed,
            Some(retry_after) => Verdict::Limited { retry_after },
        };
        if verdict.allowed() {
            for spending in &mut spending {
                spending.spent = spending.spent.plus(amount);
            }
        }
        Self { verdict, spending, slots }
    }

    /// Reads what Redis answered; see `scripts/spend.lua`.
    fn read(budgets: &[Budget], amount: Amount, numbers: &[u64]) -> Option<Self> {
        let ([_, now], mut rest) = numbers.split_first_chunk()?;
        let now = Moment::from_micros(*now);
        let mut accounts = Vec::with_capacity(budgets.len());
        for budget in budgets {
            let ([_, count], after) = rest.split_first_chunk()?;
            let (slots, after) = after.split_at_checked(usize::try_from(*count).ok()?.checked_mul(2)?)?;
            let account: Account =
                slots.chunks_exact(2).map(|slot| (slot[0], Amount::from_micros(slot[1]))).collect();
            accounts.push((budget, account, budget.window.frame(now)));
            rest = after;
        }
        let finding =
            Self::of(accounts.iter().map(|(budget, account, frame)| (*budget, account, *frame)), amount, now);
        (finding.verdict.allowed() == (numbers[0] == 1)).then_some(finding)
    }
}

/// The accounts of all keys, in memory.
#[derive(Debug)]
struct Accounts {
    budgets: Vec<Budget>,
    /// One lock for all: a decision is about several keys at once.
    keyed: Mutex<Keyed<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    account: Account,
    clears: Moment,
}

impl Fades for Kept {
    fn fades(&self) -> Moment {
        self.clears
    }
}

impl Accounts {
    fn new(budgets: &[Budget], share: Share) -> Self {
        let budgets = budgets.iter().map(|budget| budget.share(share.hosts)).collect();
        Self { budgets, keyed: Mutex::new(Keyed::new(share.max_keys.get())) }
    }

    fn decide(&self, names: &[String], amount: Amount, now: Moment) -> Finding {
        let empty = Account::default();
        let frames: Vec<Frame> = self.budgets.iter().map(|budget| budget.window.frame(now)).collect();
        let mut keyed = self.keyed.lock().unwrap_or_else(PoisonError::into_inner);
        let accounts = self.budgets.iter().zip(names).zip(&frames).map(|((budget, name), frame)| {
            (budget, keyed.get(name.as_bytes()).map_or(&empty, |kept| &kept.account), *frame)
        });
        let finding = Finding::of(accounts, amount, now);
        if finding.verdict.allowed() {
            for (name, frame) in names.iter().zip(&frames) {
                let kept = keyed.entry(name.as_bytes(), now, Kept::default);
                kept.account.spend(frame, amount);
                kept.clears = kept.account.clears(frame);
            }
        }
        finding
    }

    fn settle(&self, slots: &[(String, u64)], reserved: Amount, actual: Amount) {
        let mut keyed = self.keyed.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, slot) in slots {
            if let Some(kept) = keyed.get_mut(name.as_bytes()) {
                kept.account.settle(*slot, reserved, actual);
            }
        }
    }
}
