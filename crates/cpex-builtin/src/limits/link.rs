//! The way to Redis: one connection that many decisions use at once, made anew when it breaks.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use super::backend::{Question, Script};
use super::breaker::{Breaker, Outcome, Permit, Settings};
use super::moment::Moment;
use super::store::RedisConfig;
use crate::ConfigError;

/// How long connecting may take. Longer than a decision: it goes on when the decision that began it has given up.
const CONNECTING: Duration = Duration::from_secs(5);
/// After so many failures in a row, Redis is left alone for a while.
const FAILURES: u32 = 3;

/// A server, and what is known of its health.
///
/// Unlike `redis::aio::ConnectionManager`, it connects anew after every kind of failure: a wrong password that was
/// put right, or a primary that has become a replica, too.
pub(super) struct Link {
    client: Client,
    address: String,
    /// By [`Script`].
    scripts: [redis::Script; 3],
    timeout: Duration,
    connection: Mutex<OfProcess>,
    settings: Settings,
    breaker: Mutex<Breaker>,
}

type Slot = Arc<AsyncMutex<Option<MultiplexedConnection>>>;

/// The connection of one process. A forked child has nobody who would drive its parent's.
#[derive(Default)]
struct OfProcess {
    process: u32,
    slot: Slot,
}

/// Redis has not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    /// When it is asked again.
    pub(super) retry_after: Duration,
}

impl Link {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, ConfigError> {
        let client = Client::open(config.url.reveal()).map_err(|error| {
            let problem = match error.kind() {
                ErrorKind::InvalidClientConfig if config.url.reveal().starts_with("rediss:") => {
                    "TLS needs a build with the feature redis-tls"
                }
                _ => "expected redis://[user:password@]host[:port][/database], or rediss:// for TLS",
            };
            ConfigError::new("store.redis.url", problem)
        })?;
        let address = client.get_connection_info().addr().to_string();
        let open_for = config.retry_every.duration();
        let settings = Settings { consecutive: Some(FAILURES), rate: None, open_for, probes: 1 };
        Ok(Self {
            client,
            address,
            scripts: [
                redis::Script::new(include_str!("scripts/pour.lua")),
                redis::Script::new(include_str!("scripts/spend.lua")),
                redis::Script::new(include_str!("scripts/settle.lua")),
            ],
            timeout: config.timeout.duration(),
            connection: Mutex::default(),
            settings,
            breaker: Mutex::default(),
        })
    }

    /// One round trip, unless the server has not seen the script since it was started.
    pub(super) async fn ask<T>(
        &self,
        question: &Question,
        read: impl FnOnce(&[u64]) -> Option<T>,
    ) -> Result<T, Gone> {
        let permit = self.admit().map_err(|retry_after| Gone { retry_after })?;
        let problem = match timeout(self.timeout, self.attempt(question)).await {
            Ok(Ok(numbers)) => match read(&numbers) {
                Some(answer) => {
                    self.report(permit, Outcome::Success, "");
                    return Ok(answer);
                }
                None => "an answer that is not the script's".to_owned(),
            },
            Ok(Err(error)) => describe(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        self.disconnect();
        self.report(permit, Outcome::Failure, &problem);
        Err(Gone { retry_after: self.settings.open_for })
    }

    /// Asks a second time if the connection was lost: a charge that is made twice errs on the safe side. A
    /// settlement might be made twice too, and does not.
    async fn attempt(&self, question: &Question) -> RedisResult<Vec<u64>> {
        let mut invocation = self.scripts[question.script as usize].prepare_invoke();
        for key in &question.keys {
            invocation.key(key);
        }
        invocation.arg(&question.arguments);
        match invocation.invoke_async(&mut self.connection().await?).await {
            Err(error) if error.is_connection_dropped() && !matches!(question.script, Script::Settle) => {
                self.disconnect();
                invocation.invoke_async(&mut self.connection().await?).await
            }
            answer => answer,
        }
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let mut slot = self.slot().lock_owned().await;
        if let Some(connection) = &*slot {
            return Ok(connection.clone());
        }
        let client = self.client.clone();
        let limits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(CONNECTING));
        let connecting = tokio::spawn(async move {
            let connection = client.get_multiplexed_async_connection_with_config(&limits).await?;
            *slot = Some(connection.clone());
            Ok(connection)
        });
        connecting.await.unwrap_or_else(|_| Err(RedisError::from(std::io::Error::other("interrupted"))))
    }

    /// Whoever is connecting holds the lock; there is nothing to forget then.
    fn disconnect(&self) {
        if let Ok(mut slot) = self.slot().try_lock() {
            *slot = None;
        }
    }

    fn slot(&self) -> Slot {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if connection.process != process {
            *connection = OfProcess { process, slot: Slot::default() };
        }
        connection.slot.clone()
    }

    fn admit(&self) -> Result<Permit, Duration> {
        self.breaker().admit(&self.settings, Moment::monotonic())
    }

    fn report(&self, permit: Permit, outcome: Outcome, problem: &str) {
        let changed = self.breaker().report(&self.settings, permit, outcome, Moment::monotonic());
        match outcome {
            Outcome::Failure if changed => {
                tracing::warn!(server = self.address, problem, "Redis does not answer");
            }
            Outcome::Success if changed => tracing::info!(server = self.address, "Redis answers again"),
            _ => {}
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What kind of error, without the server's own words.
fn describe(error: &RedisError) -> String {
    error.code().map_or_else(|| error.category().to_owned(), |code| format!("{} ({code})", error.category()))
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("server", &self.address).finish_non_exhaustive()
    }
}
