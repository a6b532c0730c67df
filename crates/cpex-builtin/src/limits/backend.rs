//! Who counts: this process, or Redis and, while it is away, what the configuration says.

use std::num::{NonZeroU32, NonZeroUsize};

use super::decision::{Judge, Verdict};
#[cfg(feature = "redis")]
use super::link::Link;
use super::store::StoreConfig;
#[cfg(feature = "redis")]
use super::store::WhenAway;
use crate::ConfigError;

/// Who counts. `M` is what counts in memory.
#[derive(Debug)]
pub(super) enum Backend<M> {
    Memory(M),
    #[cfg(feature = "redis")]
    Redis {
        link: Box<Link>,
        away: Away<M>,
    },
}

/// What stands in for Redis.
#[cfg(feature = "redis")]
#[derive(Debug)]
pub(super) enum Away<M> {
    Closed,
    Open,
    Local(M),
}

/// One question to Redis: a script, the keys it works on, and whole numbers. The answer is whole numbers too.
#[derive(Debug)]
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "nobody asks"))]
pub(super) struct Question {
    pub(super) script: Script,
    pub(super) keys: Vec<String>,
    pub(super) arguments: Vec<u64>,
}

/// The scripts that Redis runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Script {
    Pour,
    Spend,
    Settle,
}

/// What came of a question.
#[derive(Debug)]
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "memory always counts"))]
pub(super) enum Ruling<T> {
    Counted(Judge, T),
    Uncounted(Verdict),
}

/// How much memory to use, and among how many hosts the limits are divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) max_keys: NonZeroUsize,
    pub(super) hosts: NonZeroU32,
}

impl<M> Backend<M> {
    /// What the configuration asks for.
    pub(super) fn new(
        store: &StoreConfig,
        memory: impl FnOnce(Share) -> Result<M, ConfigError>,
    ) -> Result<Self, ConfigError> {
        match store {
            StoreConfig::Memory(config) => {
                memory(Share { max_keys: config.max_keys, hosts: NonZeroU32::MIN }).map(Self::Memory)
            }
            #[cfg(feature = "redis")]
            StoreConfig::Redis(config) => {
                let away = match config.when_away {
                    WhenAway::FailClosed => Away::Closed,
                    WhenAway::FailOpen => Away::Open,
                    WhenAway::Local { hosts, max_keys } => Away::Local(memory(Share { max_keys, hosts })?),
                };
                Ok(Self::Redis { link: Box::new(Link::new(config)?), away })
            }
        }
    }

    /// Whether an answer may have to be waited for.
    pub(super) const fn asks_redis(&self) -> bool {
        !matches!(self, Self::Memory(_))
    }

    /// What counts in this process, if anything does.
    pub(super) fn memory(&self) -> Option<&M> {
        match self {
            Self::Memory(memory) => Some(memory),
            #[cfg(feature = "redis")]
            Self::Redis { away, .. } => match away {
                Away::Local(memory) => Some(memory),
                Away::Closed | Away::Open => None,
            },
        }
    }

    /// Asks whoever counts: `local` in memory; or Redis a `question`, whose answer `read` understands.
    #[cfg_attr(not(feature = "redis"), allow(clippy::unused_async, unused_variables, reason = "nobody asks"))]
    pub(super) async fn rule<T>(
        &self,
        local: impl FnOnce(&M) -> T,
        question: impl FnOnce() -> Question,
        read: impl FnOnce(&[u64]) -> Option<T>,
    ) -> Ruling<T> {
        match self {
            Self::Memory(memory) => Ruling::Counted(Judge::Memory, local(memory)),
            #[cfg(feature = "redis")]
            Self::Redis { link, away } => match (link.ask(&question(), read).await, away) {
                (Ok(answer), _) => Ruling::Counted(Judge::Shared, answer),
                (Err(gone), Away::Closed) => {
                    Ruling::Uncounted(Verdict::Away { retry_after: gone.retry_after })
                }
                (Err(_), Away::Open) => Ruling::Uncounted(Verdict::Allowed),
                (Err(_), Away::Local(memory)) => Ruling::Counted(Judge::Local, local(memory)),
            },
        }
    }
}
