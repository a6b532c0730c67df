//! The table of scenarios: particular cases and what comes of them, as the semantics say. It is data, so that every
//! driver can be held to it: the simulated world, tokio, and asyncio, which reads it as JSON.
//!
//! Where a driver differs on purpose, the scenario says so, and why.

use crate::case::Case;

mod background;
mod concurrent;
mod expected;
mod failures;
mod halts;
mod json;
mod modes;
mod policies;
mod selection;
mod state;
mod tiers;

pub use expected::Expected;
pub use json::json;

/// A case, and what the semantics say of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The rule, as numbered in the semantics.
    pub cites: &'static str,
    /// What it shows.
    pub says: String,
    /// What is run.
    pub case: Case,
    /// What comes of it.
    pub expected: Expected,
    /// The drivers of which something else is expected.
    pub differs: Vec<Difference>,
}

/// A driver that plays the table, beside the simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// That of the Rust host.
    Tokio,
    /// That of the Python host.
    Asyncio,
}

/// What is expected of one driver, on purpose.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Of which.
    pub driver: Driver,
    /// Why.
    pub because: &'static str,
    /// What comes of the case there; `None`: it cannot be said there.
    pub expected: Option<Expected>,
}

impl Scenario {
    /// What a driver is held to; `None` if the case cannot be said there.
    #[must_use]
    pub fn expected_of(&self, driver: Driver) -> Option<&Expected> {
        match self.differs.iter().find(|difference| difference.driver == driver) {
            Some(difference) => difference.expected.as_ref(),
            None => Some(&self.expected),
        }
    }

    /// The same, which cannot be said to this driver.
    fn unsaid(mut self, driver: Driver, because: &'static str) -> Self {
        self.differs.push(Difference { driver, because, expected: None });
        self
    }

    /// The same, of which this comes under this driver.
    fn but(
        mut self,
        driver: Driver,
        because: &'static str,
        change: impl FnOnce(Expected) -> Expected,
    ) -> Self {
        let expected = Some(change(self.expected.clone()));
        self.differs.push(Difference { driver, because, expected });
        self
    }
}

/// A scenario that cites a rule.
fn rule(cites: &'static str, says: impl Into<String>, case: Case, expected: Expected) -> Scenario {
    let expected = expected.of(&case);
    Scenario { cites, says: says.into(), case, expected, differs: Vec::new() }
}

/// Every scenario.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [
        modes::table(),
        selection::table(),
        state::table(),
        halts::table(),
        failures::table(),
        concurrent::table(),
        background::table(),
        policies::table(),
        tiers::table(),
    ]
    .concat()
}
