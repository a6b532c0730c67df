//! What a decision costs, in memory and over a local Redis (`CPEX_REDIS_URL`, or no Redis at all).

use std::collections::BTreeMap;
use std::env;
use std::hint::black_box;

use cpex_builtin::limits::amount::Amount;
use cpex_builtin::limits::{CircuitBreaker, CostBudget, Part, RateLimiter};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn caller() -> BTreeMap<Part, &'static str> {
    BTreeMap::from([(Part::User, "alice@example.com"), (Part::Tenant, "acme"), (Part::Tool, "search")])
}

fn limiter(limits: &Value, store: &Value) -> RateLimiter {
    let config = json!({"limits": limits, "store": store});
    RateLimiter::new("bench", serde_json::from_value(config).expect("well-formed")).expect("valid")
}

/// Rounds of many calls in one future, so that it is the calls that are measured.
fn rate(criterion: &mut Criterion, name: &str, limits: &Value, store: &Value) {
    let (runtime, limiter, caller) = (runtime(), limiter(limits, store), caller());
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let start = std::time::Instant::now();
                for _ in 0..rounds {
                    black_box(limiter.check(None, black_box(&caller)).await);
                }
                start.elapsed()
            })
        });
    });
}

fn limits(criterion: &mut Criterion) {
    let one = json!([{"rate": "1000000/s", "key": ["user"]}]);
    let three = json!([
        {"rate": "1000000/s", "key": ["user"]},
        {"rate": "1000000/s", "key": ["tenant"]},
        {"rate": "1000000/s", "key": ["tenant", "tool"]},
    ]);
    let used_up = json!([{"rate": "1/day", "key": ["user"]}]);
    let memory = json!({"memory": {}});
    rate(criterion, "rate: one limit, passes", &one, &memory);
    rate(criterion, "rate: one limit, refuses", &used_up, &memory);
    rate(criterion, "rate: three limits, passes", &three, &memory);

    let caller = caller();
    let config = json!({"limits": [{"soft": 1, "within": "1h", "key": ["user"]}], "cost": {}});
    let budget =
        CostBudget::new("bench", serde_json::from_value(config).expect("well-formed")).expect("valid");
    let amount = Amount::from_micros(1);
    let runtime = runtime();
    criterion.bench_function("budget: reserve", |bencher| {
        bencher.iter(|| runtime.block_on(budget.reserve_amount(amount, black_box(&caller))));
    });

    let breaker = CircuitBreaker::new(Default::default()).expect("valid");
    criterion.bench_function("breaker: admit", |bencher| bencher.iter(|| breaker.admit(black_box(&caller))));

    if let Ok(url) = env::var("CPEX_REDIS_URL") {
        let redis = json!({"redis": {"url": url, "timeout": "10s"}});
        rate(criterion, "rate: one limit, Redis", &one, &redis);
        rate(criterion, "rate: three limits, Redis", &three, &redis);
        ping(criterion, &url);
    }
}

/// The floor: a round trip on the same kind of connection.
fn ping(criterion: &mut Criterion, url: &str) {
    let runtime = runtime();
    let client = redis::Client::open(url).expect("an address");
    let mut connection =
        runtime.block_on(client.get_multiplexed_async_connection()).expect("a server that listens");
    criterion.bench_function("PING", |bencher| {
        bencher.iter(|| runtime.block_on(redis::cmd("PING").exec_async(&mut connection)));
    });
}

criterion_group!(benches, limits);
criterion_main!(benches);
