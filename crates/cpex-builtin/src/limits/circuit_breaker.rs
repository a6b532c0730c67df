//! Leaves a target alone that keeps failing.
//!
//! One [`breaker`](super::breaker) per key, in this process: each host finds out for itself whether it reaches a
//! target.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::breaker::{Breaker, FailureRate, Outcome, Permit, Settings, State};
use super::decision::Verdict;
use super::key::{Facts, KeySpec, Keys, Labelled, Part};
use super::keyed::Keyed;
use super::moment::Moment;
use super::span::Span;
use super::store::MemoryConfig;
use crate::{ConfigError, Denial};

/// Configuration of the circuit breaker.
///
/// ```yaml
/// key: [server, tool]
/// consecutive: 5
/// failure_rate: {share: 0.5, window: 1m, minimum: 20}
/// open_for: 30s
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CircuitBreakerConfig {
    /// What a target is.
    pub key: KeySpec,
    /// Opens after so many failures in a row.
    pub consecutive: Option<NonZeroU32>,
    /// Opens when failures reach a share of the calls.
    pub failure_rate: Option<FailureRateConfig>,
    /// How long it stays open.
    pub open_for: Span,
    /// How many probes must succeed to close it again; as many run at once.
    pub probes: NonZeroU32,
    /// What makes a result a failure: any of these.
    pub failure: Vec<FailureTest>,
    /// How many targets are remembered.
    pub max_keys: NonZeroUsize,
}

/// A share of failed calls.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FailureRateConfig {
    /// Above 0, up to 1.
    pub share: f64,
    /// Of the calls in this time.
    pub window: Span,
    /// If they are at least so many.
    pub minimum: NonZeroU32,
}

/// A field of the result that tells of a failure.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FailureTest {
    /// Where it stands in the result: a JSON pointer, such as `/isError`.
    pub field: String,
    /// What it is then.
    pub equals: Value,
}

/// Fields of a result that say of themselves that it is a failure.
const FAILURES: [&str; 2] = ["/isError", "/is_error"];

/// Whether a result says of itself that it is a failure.
pub(crate) fn is_failure(result: &Value) -> bool {
    FAILURES.iter().any(|field| result.pointer(field) == Some(&Value::Bool(true)))
}

impl Default for CircuitBreakerConfig {
    /// Per tool; five failures in a row; 30 seconds; one probe; results that say `isError` or `is_error`.
    fn default() -> Self {
        let test = |field: &&str| FailureTest { field: (*field).to_owned(), equals: Value::Bool(true) };
        Self {
            key: vec![Part::Tool],
            consecutive: const { NonZeroU32::new(5) },
            failure_rate: None,
            open_for: Span::seconds(30),
            probes: NonZeroU32::MIN,
            failure: FAILURES.iter().map(test).collect(),
            max_keys: MemoryConfig::default().max_keys,
        }
    }
}

/// Refuses calls to targets that keep failing.
///
/// ```
/// use cpex_builtin::limits::breaker::Outcome;
/// use cpex_builtin::limits::{CircuitBreaker, CircuitBreakerConfig, Part};
/// use std::collections::BTreeMap;
///
/// let breaker = CircuitBreaker::new(CircuitBreakerConfig::default())?;
/// let call = BTreeMap::from([(Part::Tool, "search")]);
/// for _ in 0..5 {
///     let entry = breaker.admit(&call).map_err(|refusal| refusal.denial().reason)?;
///     breaker.report(&entry, Outcome::Failure);
/// }
/// assert!(breaker.admit(&call).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CircuitBreaker {
    settings: Settings,
    failure: Vec<FailureTest>,
    keys: Keys,
    parts: KeySpec,
    breakers: Mutex<Keyed<Breaker>>,
}

/// The right to call a target once, to be given back with the outcome. It can be kept as JSON meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Admission {
    target: String,
    permit: Permit,
}

/// The target is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For how long.
    pub retry_after: Duration,
}

impl Refusal {
    /// Why the call is refused.
    #[must_use]
    pub fn denial(&self) -> Denial {
        let away = Verdict::Away { retry_after: self.retry_after };
        let denial = Denial::new("CIRCUIT_OPEN", "the target keeps failing and is left alone for a while");
        away.tell(denial, away.retry_header().into_iter().collect())
    }
}

impl CircuitBreaker {
    /// A circuit breaker, all of whose targets are well.
    ///
    /// # Errors
    /// The field that cannot be used, and what would be right.
    pub fn new(config: CircuitBreakerConfig) -> Result<Self, ConfigError> {
        let CircuitBreakerConfig { key, consecutive, failure_rate, open_for, probes, failure, max_keys } =
            config;
        if consecutive.is_none() && failure_rate.is_none() {
            return Err(ConfigError::new(
                "consecutive",
                "expected this or failure_rate: it would never open",
            ));
        }
        if failure_rate.is_some_and(|rate| !(rate.share > 0.0 && rate.share <= 1.0)) {
            return Err(ConfigError::new("failure_rate.share", "expected a share above 0 and up to 1"));
        }
        if let Some(index) = failure.iter().position(|test| !test.field.starts_with('/')) {
            let problem = "expected a JSON pointer, such as /isError";
            return Err(ConfigError::new(format!("failure[{index}].field"), problem));
        }
        let rate = failure_rate.map(|FailureRateConfig { share, window, minimum }| FailureRate {
            share,
            window: window.duration(),
            minimum: minimum.get(),
        });
        let parts = key.clone();
        Ok(Self {
            settings: Settings {
                consecutive: consecutive.map(NonZeroU32::get),
                rate,
                open_for: open_for.duration(),
                probes: probes.get(),
            },
            failure,
            parts,
            keys: Keys::new(String::new(), vec![Labelled { label: String::new(), spec: key }])?,
            breakers: Mutex::new(Keyed::new(max_keys.get())),
        })
    }

    /// The facts that targets are told apart by.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Asks to call a target.
    ///
    /// # Errors
    /// The target is left alone.
    pub fn admit(&self, facts: &impl Facts) -> Result<Admission, Refusal> {
        let (target, now) = (self.target(facts), Moment::monotonic());
        let mut breakers = self.lock();
        let breaker = breakers.entry(target.as_bytes(), now, Breaker::default);
        let permit = breaker.admit(&self.settings, now);
        permit.map(|permit| Admission { target, permit }).map_err(|retry_after| Refusal { retry_after })
    }

    /// Tells what came of a call that was admitted.
    pub fn report(&self, admission: &Admission, outcome: Outcome) {
        let now = Moment::monotonic();
        let mut breakers = self.lock();
        let breaker = breakers.entry(admission.target.as_bytes(), now, Breaker::default);
        breaker.report(&self.settings, admission.permit, outcome, now);
    }

    /// What a result says about its target.
    #[must_use]
    pub fn outcome(&self, result: &Value) -> Outcome {
        let failed = self.failure.iter().any(|test| result.pointer(&test.field) == Some(&test.equals));
        if failed { Outcome::Failure } else { Outcome::Success }
    }

    /// The state of a target, for operators.
    pub fn state(&self, facts: &impl Facts) -> State {
        let breakers = self.lock();
        let breaker = breakers.get(self.target(facts).as_bytes());
        breaker.map_or(State::Closed, |breaker| breaker.state(Moment::monotonic()))
    }

    fn target(&self, facts: &impl Facts) -> String {
        self.keys.names(facts).remove(0)
    }

    fn lock(&self) -> MutexGuard<'_, Keyed<Breaker>> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
