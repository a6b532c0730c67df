//! A built-in plugin, and how it is called.

use std::fmt;

use serde_json::Value;

use super::attach::{Misplaced, Power};
use super::keep::Keeps;
use super::kind::{Kind, Machine, Make};
use super::payload::Payload;
use super::reply::{Answer, Failure, Reply};
use super::request::{Request, User};
use super::site::{Moment, Site};
use super::{gates, limits};
use crate::error::ConfigError;
use crate::finding::Report;
use crate::inspect::{Detector, inspect};

/// A built-in plugin, whatever its kind. Immutable once it is attached: share it.
pub struct Builtin {
    kind: &'static Kind,
    name: Box<str>,
    pub(super) machine: Machine,
    pub(super) settles: bool,
    keeps: Keeps,
}

/// A call of a plugin.
pub struct Call<'a, P: Payload> {
    /// The hook.
    pub site: &'a Site,
    /// What it is about.
    pub payload: &'a P,
    /// Who asks.
    pub request: &'a dyn Request<Error = P::Error>,
}

impl Builtin {
    /// Makes a plugin of its kind (`builtin.deny_list`, or without the prefix), the name of its entry, and its
    /// configuration: an object, or `null` for an empty one. Limits of the same name share their counts in Redis.
    ///
    /// Does no IO but looking whether the file of an audit log can be there: see [`open`](Self::open).
    ///
    /// # Errors
    /// The path of the field below `config`, what is wrong with it and what would be right; the values of the
    /// configuration are not in the message. The path is empty if it is the kind, or the configuration as a whole.
    pub fn new(kind: &str, name: &str, config: Value) -> Result<Self, ConfigError> {
        let kind = Kind::named(kind)?;
        let config = if config.is_null() { Value::Object(serde_json::Map::new()) } else { config };
        let machine = match kind.make {
            Make::Here(make) => make(name, config)?,
            Make::Off(feature) => {
                let problem = format!(
                    "the kind {:?} is not in this build: it needs the cargo feature {feature:?} of cpex-builtin",
                    kind.name
                );
                return Err(ConfigError::new("", problem));
            }
        };
        Ok(Self { kind, name: name.into(), machine, settles: false, keeps: Keeps::default() })
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// The name of its entry.
    #[must_use]
    pub const fn name(&self) -> &str {
        &self.name
    }

    /// The hooks to attach it to if its entry names none: those of its [`Kind`] where it has something to do. Empty
    /// if nobody can guess them.
    #[must_use]
    pub fn hooks(&self) -> Vec<&'static str> {
        let hooks = self.kind.hooks.iter().copied();
        hooks.filter(|hook| super::attach::at_one(self, &Site::of(hook)).is_ok()).collect()
    }

    /// Whether it is worth to show it the headers beside the payload: it asks for some.
    #[must_use]
    pub fn asks_for_headers(&self) -> bool {
        limits::parts(&self.machine).iter().any(|part| matches!(part, crate::limits::Part::Header(_)))
    }

    /// The detector of a text scanner; `None` for other kinds.
    #[must_use]
    pub fn detector(&self) -> Option<&dyn Detector> {
        match &self.machine {
            Machine::Scanner(detector) => Some(&**detector),
            _ => None,
        }
    }

    /// Attaches it to hooks, all at once, in the order of its entry.
    ///
    /// # Errors
    /// It could do nothing at one of them, or not all that its configuration asks for.
    pub fn attach(&mut self, sites: &[&Site], power: Power) -> Result<(), Misplaced> {
        super::attach::check(self, sites, power)?;
        self.settles = sites.iter().any(|site| site.moment() == Moment::After);
        Ok(())
    }

    /// Opens what it writes to, so that a start fails where a call would: the file of an audit log.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self) -> Result<(), ConfigError> {
        match &self.machine {
            Machine::AuditLog(log) => log.open(),
            _ => Ok(()),
        }
    }

    /// Whether to [`close`](Self::close) it may have to be waited for.
    #[must_use]
    pub fn lingers(&self) -> bool {
        matches!(&self.machine, Machine::AuditLog(log) if log.is_sending())
    }

    /// Ends it, after the last call: what an audit log has not yet sent to a receiver of OpenTelemetry logs is sent.
    /// If it [lingers](Self::lingers) this blocks, for at most twice the `timeout` of the receiver.
    pub fn close(&self) {
        if let Machine::AuditLog(log) = &self.machine {
            log.close();
        }
    }

    /// Calls it.
    ///
    /// # Errors
    /// The payload or the request cannot be read, or the audit log cannot be written: a failure for `on_error`. What
    /// a policy, a schema or a price cannot decide is a denial.
    pub fn call<P: Payload>(&self, call: &Call<'_, P>) -> Result<Answer<P>, Failure<P::Error>> {
        let reply = match &self.machine {
            Machine::Scanner(detector) => scan(&**detector, call.payload)?,
            #[cfg(feature = "json_schema")]
            Machine::JsonSchema(schema) => gates::json_schema(schema, call)?,
            #[cfg(feature = "policy")]
            Machine::Policy(policy) => gates::policy(policy, call)?,
            Machine::HeaderInjector(injector) => gates::inject(injector, call)?,
            Machine::AuditLog(log) => gates::audit(log, call)?,
            Machine::RateLimiter(limiter) => return Ok(limits::rate(limiter, call)?),
            Machine::CostBudget(budget) => {
                return Ok(limits::cost(budget, self.settles.then_some(&self.keeps), call)?);
            }
            Machine::CircuitBreaker(breaker) => limits::circuit(breaker, &self.keeps, call)?,
        };
        Ok(Answer::Now(reply))
    }
}

impl<P: Payload> Call<'_, P> {
    /// What the call is about.
    pub(super) fn subject(&self) -> Result<Option<String>, P::Error> {
        let Some(field) = self.site.subject() else { return Ok(None) };
        Ok(self.payload.text(field)?.map(std::borrow::Cow::into_owned))
    }

    /// What tells the user from others.
    pub(super) fn user(&self) -> Result<Option<String>, P::Error> {
        Ok(self.request.user().map(User::name)?.map(std::borrow::Cow::into_owned))
    }
}

impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Self::Payload(error)
    }
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builtin")
            .field("kind", &self.kind.name)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// One walk for one scanner.
pub(super) fn scan<P: Payload>(detector: &dyn Detector, payload: &P) -> Result<Reply<P>, P::Error> {
    let mut inspection = inspect(payload, &[detector])?;
    let report = inspection.reports.pop().unwrap_or_default();
    Ok(told(report, inspection.changed))
}

/// What a scanner says by its report.
pub(super) fn told<P>(report: Report, changed: Option<P>) -> Reply<P> {
    let counts: serde_json::Map<String, Value> =
        report.counts().iter().map(|(kind, count)| (kind.to_string(), (*count).into())).collect();
    let reply = match report.denial {
        Some(denial) => Reply::deny(denial),
        None => Reply::modify(changed),
    };
    let reply = if counts.is_empty() { reply } else { reply.with("findings", counts) };
    report.notes.into_iter().fold(reply, |reply, (key, value)| reply.with(&key, value))
}

/// Hosts share plugins among threads.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Builtin>();
};
