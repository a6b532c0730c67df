//! A call, and what may be tried again of it.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout_at};

use super::config::Repeat;
use super::error::BalanceError;
use super::pool::{Held, Pool};
use crate::error::{Delivery, RemoteError};
use crate::message::LATE;
use crate::reconnect;
use crate::remote::Remote;

/// How long a call may take, and what may be tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) limit: Duration,
    /// How often a call that no server got is tried again, and after how long at first.
    pub(super) reconnects: (usize, Duration),
    pub(super) repeat: Option<Repeat>,
}

impl Pool {
    /// Asks a server. What it did not get is asked of the others, and of all again after a while; what it may have got is
    /// asked again only as `repeat` says. Whoever loses `patience` drops the call.
    pub(super) async fn ask<T, F: Future<Output = Result<T, RemoteError>>>(
        &self,
        Bounds { limit, reconnects, repeat }: Bounds,
        patience: Option<Duration>,
        ask: impl Fn(Arc<Remote>) -> F,
    ) -> Result<T, BalanceError> {
        let (began, ends) = (std::time::Instant::now(), Instant::now() + limit);
        let late = patience.and_then(|patience| began.checked_add(patience.mul_f64(LATE)));
        let Repeat { retries, wait, hedge_after } =
            repeat.unwrap_or(Repeat { retries: 0, wait: Duration::ZERO, hedge_after: None });
        let mut to_repeat = reconnect::delays(usize::try_from(retries).unwrap_or(usize::MAX), wait);
        let mut to_reconnect = reconnect::delays(reconnects.0, reconnects.1);
        let (mut hedge, mut rounds) = (hedge_after, 1);
        let mut asked = Vec::new();
        let mut under_way = FuturesUnordered::new();
        // If that takes too long, so does the call.
        let _ = timeout_at(ends, self.look_up_first()).await;
        let Some(first) = self.choose(&asked, late) else { return Err(BalanceError::Open(self.targets())) };
        asked.push(first.server.number);
        under_way.push(attempt(self, first, ends, limit, &ask));
        loop {
            let slow = async {
                match hedge {
                    Some(after) => sleep(after).await,
                    None => pending().await,
                }
            };
            let ended = tokio::select! {
                biased;
                Some(ended) = under_way.next() => ended,
                () = slow => {
                    hedge = None;
                    if let Some(held) = self.choose(&asked, late) {
                        self.hedged(&held.server);
                        asked.push(held.server.number);
                        under_way.push(attempt(self, held, ends, limit, &ask));
                    }
                    continue;
                }
            };
            let (target, error) = match ended {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let given_up = |error| BalanceError::Remote { target: target.to_string(), error };
            if error.is_of_the_call() {
                return Err(given_up(error));
            }
            if !under_way.is_empty() {
                continue;
            }
            let is_delivered = error.delivery() != Delivery::NotDelivered;
            let mut next = None;
            if !is_delivered {
                next = self.choose(&asked, late);
                if next.is_none() {
                    // The servers may be elsewhere by now.
                    let _ = timeout_at(ends, self.look_up(began)).await;
                    next = self.choose(&asked, late);
                }
            }
            if next.is_none() {
                // Who has waited for a connection to be free has waited already.
                let is_reached = is_delivered || matches!(error, RemoteError::Busy(_));
                let wait = if is_reached { None } else { to_reconnect.next() }.or_else(|| to_repeat.next());
                let Some(wait) = wait.filter(|wait| Instant::now() + *wait < ends) else {
                    return Err(given_up(after(rounds, error)));
                };
                sleep(wait).await;
                rounds += 1;
                // All have been asked, or there is but one: again, then.
                next = self.choose(&asked, late).or_else(|| {
                    asked.clear();
                    let mut held = self.choose(&asked, late)?;
                    held.again = !is_delivered;
                    Some(held)
                });
                if let Some(held) = &next {
                    self.retried(&held.server);
                }
            }
            let Some(held) = next else { return Err(given_up(after(rounds, error))) };
            asked.push(held.server.number);
            under_way.push(attempt(self, held, ends, limit, &ask));
        }
    }
}

/// An error, and how often it was tried to reach a server.
fn after(rounds: usize, error: RemoteError) -> RemoteError {
    match error {
        RemoteError::Connect { target, source } if rounds > 1 => {
            RemoteError::Reconnect { target, attempts: rounds, source }
        }
        RemoteError::Reconnect { target, source, .. } => {
            RemoteError::Reconnect { target, attempts: rounds, source }
        }
        error => error,
    }
}

/// One try on one server. If it fails, where that is.
async fn attempt<T, F: Future<Output = Result<T, RemoteError>>>(
    pool: &Pool,
    held: Held<'_>,
    ends: Instant,
    limit: Duration,
    ask: &impl Fn(Arc<Remote>) -> F,
) -> Result<T, (Arc<str>, RemoteError)> {
    let server = held.server.clone();
    let asking = async { ask(server.remote(&pool.plugin).await?).await };
    let ended = timeout_at(ends, asking).await.unwrap_or(Err(RemoteError::TimedOut(limit)));
    held.end(&ended);
    ended.map_err(|error| (server.target.clone(), error))
}
