//! What goes between an invocation and its driver.

use core::num::NonZeroUsize;
use core::time::Duration;

use crate::extensions::Enforcement;
use crate::host::Values;
use crate::payload;
use crate::record::Fate;
use crate::verdict::Ending;

/// What holds for every plugin of one invocation.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What plugins may change in the payload.
    pub rule: payload::Rule,
    /// Whether those that may change the payload share it, where no policy stands between.
    pub isolation: payload::Isolation,
    /// What is made of extensions that a plugin may not write.
    pub enforcement: Enforcement,
    /// How long a plugin may take that has no limit of its own.
    pub timeout: Option<Duration>,
    /// How many concurrent plugins may run at once; `None`: all.
    pub pool: Option<NonZeroUsize>,
    /// The caller gets denials as errors: then nothing is started in the background after one.
    pub raise_denials: bool,
}

/// A plugin's answer.
pub struct Reply<V: Values> {
    /// Go on?
    pub allow: bool,
    /// Why not.
    pub violation: Option<V::Violation>,
    /// A payload to replace the one it was given.
    pub payload: Option<V::Payload>,
    /// Extensions to replace the ones it was given.
    pub extensions: Option<V::Extensions>,
    /// How long to wait before a retry, in milliseconds.
    pub retry_delay_ms: i64,
}

/// A plugin ended without an answer.
pub enum Fault<V: Values> {
    /// It raised an error, or its answer cannot be read.
    Error(V::Error),
    /// It took longer than this.
    Timeout(Option<Duration>),
    /// It raised a violation.
    Refusal(V::Error),
    /// It raised what no plugin may swallow.
    Interrupt(V::Error),
}

/// What the driver is to do.
pub enum Action<V: Values> {
    /// Run this plugin to its end before anything else.
    Call(Work<V>),
    /// Start this plugin beside the others.
    Spawn(Work<V>),
    /// Stop this plugin, and say when it has ended.
    Cancel(usize),
    /// Start this plugin in the background.
    Detach(Work<V>),
    /// Nothing until a plugin has ended.
    Wait,
    /// Take the outcome.
    Done,
}

/// A plugin to start.
pub struct Work<V: Values> {
    /// Its index in the line-up.
    pub entry: usize,
    /// What to show it.
    pub payload: V::Payload,
    /// What to show it of the extensions; `None` if there are none, or it takes none.
    pub extensions: Option<V::Extensions>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

impl<V: Values> Reply<V> {
    /// Go on, and nothing else.
    pub const ALLOW: Self =
        Self { allow: true, violation: None, payload: None, extensions: None, retry_delay_ms: 0 };

    /// Is its decision all that it says?
    #[inline]
    pub(crate) const fn is_bare(&self) -> bool {
        self.violation.is_none()
            && self.payload.is_none()
            && self.extensions.is_none()
            && self.retry_delay_ms == 0
    }
}

impl<V: Values> Fault<V> {
    /// How a call ends that ends with this.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        match self {
            Self::Error(_) => Ending::Failed,
            Self::Timeout(_) => Ending::TimedOut,
            Self::Refusal(_) => Ending::Refused,
            Self::Interrupt(_) => Ending::Interrupted,
        }
    }

    pub(crate) const fn fate(&self, disabled: bool) -> Fate {
        match self {
            Self::Error(_) => Fate::Failed { disabled },
            Self::Timeout(_) => Fate::TimedOut { disabled },
            Self::Refusal(_) => Fate::Refused,
            Self::Interrupt(_) => Fate::Interrupted,
        }
    }
}
