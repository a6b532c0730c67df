//! Limits that hosts share, on a real server.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![cfg(feature = "redis")]

mod away;
mod hosts;
mod models;
mod server;

use std::collections::BTreeMap;

use cpex_builtin::limits::{CostBudget, Part, RateLimiter};
use serde_json::{Value, json};

impl server::Server {
    /// A connection of the test's own.
    fn client(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }
}

type Caller = BTreeMap<Part, String>;

fn caller(user: &str, tenant: &str) -> Caller {
    BTreeMap::from([(Part::User, user.to_owned()), (Part::Tenant, tenant.to_owned())])
}

/// A limiter in Redis. `store` adds to the store's settings.
fn limiter(url: &str, limits: Value, store: Value) -> RateLimiter {
    let config = json!({"limits": limits, "store": with_url(url, store)});
    RateLimiter::new("guard", serde_json::from_value(config).unwrap()).unwrap()
}

fn budget(url: &str, limits: Value, store: Value) -> CostBudget {
    let config = json!({"limits": limits, "cost": {"fixed": 1}, "store": with_url(url, store)});
    CostBudget::new("guard", serde_json::from_value(config).unwrap()).unwrap()
}

fn with_url(url: &str, store: Value) -> Value {
    let mut redis = json!({"url": url, "timeout": "30s", "retry_every": "20ms"});
    redis.as_object_mut().unwrap().extend(store.as_object().unwrap().clone());
    json!({"redis": redis})
}
