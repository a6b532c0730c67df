//! The accounts of all limits and keys: what they say about a call, in memory or as Redis tells them.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::account::{Account, Frame, Window};
use super::amount::Amount;
use super::backend::Share;
use super::cost_budget::{BudgetConfig, Spending};
use super::decision::Verdict;
use super::keyed::{Fades, Keyed};
use super::moment::{Moment, micros};
use crate::ConfigError;

/// A limit, compiled.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    pub(super) hard: Option<Amount>,
    pub(super) soft: Option<Amount>,
    pub(super) window: Window,
}

impl Budget {
    pub(super) fn new(index: usize, config: &BudgetConfig) -> Result<Self, ConfigError> {
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
    pub(super) fn label(&self) -> String {
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
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) spending: Vec<Spending>,
    /// The current slot of each account.
    pub(super) slots: Vec<u64>,
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
    pub(super) fn read(budgets: &[Budget], amount: Amount, numbers: &[u64]) -> Option<Self> {
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
pub(super) struct Accounts {
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
    pub(super) fn new(budgets: &[Budget], share: Share) -> Self {
        let budgets = budgets.iter().map(|budget| budget.share(share.hosts)).collect();
        Self { budgets, keyed: Mutex::new(Keyed::new(share.max_keys.get())) }
    }

    pub(super) fn decide(&self, names: &[String], amount: Amount, now: Moment) -> Finding {
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

    pub(super) fn settle(&self, slots: &[(String, u64)], reserved: Amount, actual: Amount) {
        let mut keyed = self.keyed.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, slot) in slots {
            if let Some(kept) = keyed.get_mut(name.as_bytes()) {
                kept.account.settle(*slot, reserved, actual);
            }
        }
    }
}
