//! How many calls pass in a time.
//!
//! Several limits hold at once, each for its own key: `5/s` for a user and `10000/day` for their tenant. See
//! [`bucket`](super::bucket) for what is promised, and the [module](super) for what Redis adds.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::backend::{Backend, Question, Ruling, Script, Share};
use super::bucket::{Bucket, Level};
use super::decision::{Decision, Judge, Quota, Verdict};
use super::key::{Facts, KeySpec, Keys, Labelled, Part};
use super::keyed::{Fades, Keyed};
use super::moment::Moment;
use super::rate::Rate;
use super::store::StoreConfig;
use crate::ConfigError;

/// Configuration of the rate limiter.
///
/// ```yaml
/// limits:
///   - {rate: 5/s, burst: 10, key: [user]}
///   - {rate: 10000/day, key: [tenant]}
/// costs: {deep_research: 20}
/// store: {redis: {url: "redis://cache:6379", when_away: {local: {hosts: 4}}}}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RateLimiterConfig {
    /// The limits. A call passes if it is within all of them.
    pub limits: Vec<LimitConfig>,
    /// What a call counts, by tool. Others count 1; a call that counts 0 always passes.
    #[serde(default)]
    pub costs: BTreeMap<String, u32>,
    /// Where the counts are kept.
    #[serde(default)]
    pub store: StoreConfig,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// How many calls in the long run, such as `100/min`.
    pub rate: Rate,
    /// How many at once, after a pause. As many as the rate counts, if not given.
    pub burst: Option<NonZeroU32>,
    /// Whose calls are counted together.
    #[serde(default)]
    pub key: KeySpec,
}

/// Counts calls and refuses those over a limit.
///
/// ```
/// use cpex_builtin::limits::{Part, RateLimiter};
/// use std::collections::BTreeMap;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let config = serde_json::json!({"limits": [{"rate": "2/day", "key": ["user"]}]});
/// let limiter = RateLimiter::new("guard", serde_json::from_value(config)?)?;
/// let alice = BTreeMap::from([(Part::User, "alice")]);
/// assert!(limiter.check(None, &alice).await.verdict.allowed());
/// assert!(limiter.check(None, &alice).await.verdict.allowed());
/// assert!(!limiter.check(None, &alice).await.verdict.allowed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RateLimiter {
    buckets: Vec<Bucket>,
    keys: Keys,
    parts: KeySpec,
    costs: BTreeMap<String, u32>,
    backend: Backend<Levels>,
}

impl RateLimiter {
    /// A rate limiter. Those of the same name and Redis prefix share their counts.
    ///
    /// # Errors
    /// The field that cannot be used, and what would be right.
    pub fn new(name: &str, config: RateLimiterConfig) -> Result<Self, ConfigError> {
        let RateLimiterConfig { limits, costs, store } = config;
        if limits.is_empty() {
            return Err(ConfigError::new("limits", "expected at least one limit"));
        }
        let compile = |(index, limit): (usize, &LimitConfig)| {
            let burst = limit.burst.unwrap_or(limit.rate.count());
            Bucket::new(limit.rate, burst)
                .map_err(|error| ConfigError::new(format!("limits[{index}].rate"), error.to_string()))
        };
        let buckets = limits.iter().enumerate().map(compile).collect::<Result<Vec<_>, _>>()?;
        // A level means nothing to a limit of another rate.
        let label = |limit: LimitConfig| Labelled { label: limit.rate.to_string(), spec: limit.key };
        let keys = Keys::new(store.root("rate", name), limits.into_iter().map(label).collect())?;
        let backend = Backend::new(&store, |share| Levels::new(&buckets, share))?;
        Ok(Self { buckets, parts: keys.parts(), keys, costs, backend })
    }

    /// The facts that calls are told apart by.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether an answer may have to be waited for.
    pub(crate) const fn asks_redis(&self) -> bool {
        self.backend.asks_redis()
    }

    /// Decides about a call of a tool, at the cost that is configured for it.
    pub async fn check(&self, tool: Option<&str>, facts: &(impl Facts + Sync)) -> Decision {
        let cost = tool.and_then(|tool| self.costs.get(tool)).copied().unwrap_or(1);
        self.check_cost(cost, facts).await
    }

    /// Decides about a call that counts as many as `cost`.
    pub async fn check_cost(&self, cost: u32, facts: &(impl Facts + Sync)) -> Decision {
        let question = || Question {
            script: Script::Pour,
            keys: self.keys.names(facts),
            arguments: self.buckets.iter().flat_map(|b| [b.capacity, b.drain, b.pour(cost)]).collect(),
        };
        let local = |levels: &Levels| levels.decide(&self.keys, facts, cost, Moment::monotonic());
        let ruling = self.backend.rule(local, question, |numbers| {
            let (fits, drops) = numbers.split_first()?;
            (drops.len() == self.buckets.len()).then(|| Finding::of(&self.buckets, drops, cost, *fits == 1))
        });
        match ruling.await {
            Ruling::Counted(judge, Finding { verdict, quota }) => Decision { verdict, judge, quota },
            Ruling::Uncounted(verdict) => Decision { verdict, judge: Judge::Nobody, quota: None },
        }
    }
}

/// What the levels say about a call.
#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    quota: Option<Quota>,
}

impl Finding {
    /// Names the limit with the least left; of a refusal, the one that lasts the longest.
    fn of(buckets: &[Bucket], drops: &[u64], cost: u32, fits: bool) -> Self {
        let look = |(index, (bucket, before)): (usize, (&Bucket, &u64))| {
            let pour = bucket.pour(cost);
            let (wait, drops) = match fits {
                true => (Some(Duration::ZERO), before + pour),
                false => (bucket.retry_after(*before, pour), *before),
            };
            let (limit, remaining) = (bucket.burst(), bucket.remaining(drops));
            (wait, Quota { index, limit, remaining, reset: bucket.empties(drops) })
        };
        let nearest = buckets
            .iter()
            .zip(drops)
            .enumerate()
            .map(look)
            .max_by_key(|(wait, quota)| (wait.is_none(), *wait, Reverse(quota.remaining), quota.reset));
        let (wait, quota) = nearest.unzip();
        let verdict = if fits { Verdict::Allowed } else { Verdict::Limited { retry_after: wait.flatten() } };
        Self { verdict, quota }
    }
}

/// The levels of all keys, in memory.
#[derive(Debug)]
struct Levels {
    buckets: Vec<Bucket>,
    /// One lock for all: a decision is about several keys at once.
    keyed: Mutex<Keyed<Filled>>,
}

#[derive(Clone, Copy, Debug)]
struct Filled {
    level: Level,
    empty: Moment,
}

impl Fades for Filled {
    fn fades(&self) -> Moment {
        self.empty
    }
}

impl Levels {
    fn new(buckets: &[Bucket], share: Share) -> Result<Self, ConfigError> {
        let divide = |(index, bucket): (usize, &Bucket)| {
            bucket.share(share.hosts).ok_or_else(|| {
                let problem =
                    format!("limits[{index}] has a burst of {} to divide: one is left none", bucket.burst());
                ConfigError::new("store.redis.when_away.local.hosts", problem)
            })
        };
        let buckets = buckets.iter().enumerate().map(divide).collect::<Result<_, _>>()?;
        Ok(Self { buckets, keyed: Mutex::new(Keyed::new(share.max_keys.get())) })
    }

    fn decide(&self, keys: &Keys, facts: &impl Facts, cost: u32, now: Moment) -> Finding {
        let mut keyed = self.keyed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = Vec::with_capacity(64);
        let drops: Vec<u64> = (0..)
            .zip(&self.buckets)
            .map(|(limit, bucket)| {
                let filled = keyed.get(keys.bytes(limit, facts, &mut buffer));
                filled.map_or(0, |filled| bucket.drops(filled.level, now))
            })
            .collect();
        let fits =
            self.buckets.iter().zip(&drops).all(|(bucket, drops)| bucket.fits(*drops, bucket.pour(cost)));
        if fits {
            for (limit, bucket) in self.buckets.iter().enumerate() {
                let key = keys.bytes(limit, facts, &mut buffer);
                let filled = keyed.entry(key, now, || Filled { level: Level::default(), empty: now });
                filled.level = bucket.after(filled.level, now, bucket.pour(cost));
                filled.empty = filled.level.at + bucket.empties(filled.level.drops);
            }
        }
        Finding::of(&self.buckets, &drops, cost, fits)
    }
}
