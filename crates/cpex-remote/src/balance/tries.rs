//! A call, and what may be tried again of it.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout_at};

use super::config::Repeat;
use super::error::BalanceError;
use super::pool::{Held, Pool, is_callers_fault};
use crate::error::{Delivery, RemoteError};
use crate::reconnect;
use crate::remote::Remote;

/// How long a call may take, and what may be tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) limit: Duration,
    pub(super) repeat: Option<Repeat>,
}

impl Pool {
    /// Asks a server. What it did not take is asked of another; what it may have taken is asked again only as `repeat`
    /// says.
    pub(super) async fn ask<T, F: Future<Output = Result<T, RemoteError>>>(
        &self,
        Bounds { limit, repeat }: Bounds,
        ask: impl Fn(Arc<Remote>) -> F,
    ) -> Result<T, BalanceError> {
        let (began, ends) = (std::time::Instant::now(), Instant::now() + limit);
        let Repeat { retries, wait, hedge_after } =
            repeat.unwrap_or(Repeat { retries: 0, wait: Duration::ZERO, hedge_after: None });
        let mut waits = reconnect::delays(usize::try_from(retries).unwrap_or(usize::MAX), wait);
        let (mut hedge, mut retrying) = (hedge_after, false);
        let mut asked = Vec::new();
        let mut under_way = FuturesUnordered::new();
        // If that takes too long, so does the call.
        let _ = timeout_at(ends, self.look_up_first()).await;
        let Some(first) = self.choose(&asked) else { return Err(BalanceError::Open(self.targets())) };
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
                    if let Some(held) = self.choose(&asked) {
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
            let delivery = error.delivery();
            let given_up = |error| BalanceError::Remote { target: target.to_string(), error };
            if is_callers_fault(&error) {
                return Err(given_up(error));
            }
            if !under_way.is_empty() {
                continue;
            }
            let mut next = None;
            if delivery == Delivery::NotDelivered {
                next = self.choose(&asked);
                if next.is_none() {
                    // The servers may be elsewhere by now.
                    let _ = timeout_at(ends, self.look_up(began)).await;
                    next = self.choose(&asked);
                }
            }
            if next.is_none() {
                let Some(wait) = waits.next().filter(|wait| Instant::now() + *wait < ends) else {
                    return Err(given_up(error));
                };
                sleep(wait).await;
                retrying = true;
                // All have been asked, or there is but one: again, then.
                next = self.choose(&asked).or_else(|| {
                    asked.clear();
                    self.choose(&asked)
                });
            }
            let Some(held) = next else { return Err(given_up(error)) };
            if std::mem::take(&mut retrying) {
                self.retried(&held.server);
            }
            asked.push(held.server.number);
            under_way.push(attempt(self, held, ends, limit, &ask));
        }
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
