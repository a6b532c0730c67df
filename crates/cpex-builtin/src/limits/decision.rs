//! What the guards answer.

use std::time::Duration;

use crate::Denial;

/// Whether a call may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// A limit is reached.
    Limited {
        /// When it may pass; `None` if it never will, because it costs more than the limit holds.
        retry_after: Option<Duration>,
    },
    /// Nobody can tell, and the configuration says that this means no.
    Away {
        /// When it is worth another try.
        retry_after: Duration,
    },
}

/// Who counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// This process alone.
    Memory,
    /// Redis, for all hosts.
    Shared,
    /// This process, for its share, because Redis is away.
    Local,
    /// Nobody, because Redis is away.
    Nobody,
}

/// The rate limiter's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the call may go on.
    pub verdict: Verdict,
    /// Who counted.
    pub judge: Judge,
    /// The limit that is nearest, or that refused the longest; `None` if nobody counted.
    pub quota: Option<Quota>,
}

/// How a caller stands with one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Which of the configured limits, counted from 0.
    pub index: usize,
    /// How many calls it lets through at once.
    pub limit: u64,
    /// How many may follow at once.
    pub remaining: u64,
    /// How long until all of them are back.
    pub reset: Duration,
}

impl Verdict {
    /// Whether the call may go on.
    #[must_use]
    pub const fn allowed(self) -> bool {
        matches!(self, Self::Allowed)
    }

    /// How long to wait before another try, if there is a use in one.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Allowed => None,
            Self::Limited { retry_after } => retry_after,
            Self::Away { retry_after } => Some(retry_after),
        }
    }

    /// The HTTP status that says no; `None` if the call may go on.
    #[must_use]
    pub const fn http_status(self) -> Option<u16> {
        match self {
            Self::Allowed => None,
            Self::Limited { .. } => Some(429),
            Self::Away { .. } => Some(503),
        }
    }

    /// Says in a denial how to answer in HTTP, and when to come back.
    pub(super) fn tell(self, denial: Denial, headers: Vec<(&'static str, String)>) -> Denial {
        Denial {
            http_status: self.http_status(),
            http_headers: headers,
            retry_after: self.retry_after(),
            ..denial
        }
    }

    /// The header that says when to come back, in whole seconds.
    pub(super) fn retry_header(self) -> Option<(&'static str, String)> {
        self.retry_after().map(|wait| ("Retry-After", whole_seconds(wait).max(1).to_string()))
    }
}

impl Decision {
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds from now), and `Retry-After` if the call is refused.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let quota = self.quota.into_iter().flat_map(|quota| {
            [
                ("X-RateLimit-Limit", quota.limit),
                ("X-RateLimit-Remaining", quota.remaining),
                ("X-RateLimit-Reset", whole_seconds(quota.reset)),
            ]
        });
        quota.map(|(name, value)| (name, value.to_string())).chain(self.verdict.retry_header()).collect()
    }

    /// Why the call is refused; `None` if it may go on.
    #[must_use]
    pub fn denial(&self) -> Option<Denial> {
        let denial = match self.verdict {
            Verdict::Allowed => return None,
            Verdict::Limited { retry_after: Some(_) } => Denial::new("RATE_LIMITED", "too many calls"),
            Verdict::Limited { retry_after: None } => {
                Denial::new("RATE_LIMITED", "the call costs more than its limit lets through at once")
            }
            Verdict::Away { .. } => away(),
        };
        let denial = match self.quota {
            Some(quota) => denial.detail("limit", quota.limit).detail("remaining", quota.remaining),
            None => denial,
        };
        Some(self.verdict.tell(denial, self.headers()))
    }
}

/// The denial when nobody can tell.
pub(super) fn away() -> Denial {
    Denial::new("LIMITS_AWAY", "the limits cannot be checked at the moment")
}

/// Seconds, rounded up: too late is better than too early.
const fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + (duration.subsec_nanos() > 0) as u64
}
