//! The guards in one process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::thread::scope;

use cpex_builtin::limits::amount::Amount;
use cpex_builtin::limits::breaker::{Outcome, State};
use cpex_builtin::limits::cost_budget::Settlement;
use cpex_builtin::limits::{CircuitBreaker, CostBudget, Facts, Judge, Part, RateLimiter, Verdict};
use serde_json::{Value, json};
use tokio::runtime::Builder;

fn now<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn limiter(config: Value) -> RateLimiter {
    RateLimiter::new("guard", serde_json::from_value(config).expect("well-formed")).expect("valid")
}

fn budget(config: Value) -> CostBudget {
    CostBudget::new("guard", serde_json::from_value(config).expect("well-formed")).expect("valid")
}

fn facts<const N: usize>(facts: [(Part, &'static str); N]) -> BTreeMap<Part, &'static str> {
    BTreeMap::from(facts)
}

fn passes(limiter: &RateLimiter, facts: &(impl Facts + Sync)) -> bool {
    now(limiter.check(None, facts)).verdict.allowed()
}

#[test]
fn threads_share_a_limit_and_a_budget_exactly() {
    let limiter = limiter(json!({"limits": [{"rate": "1000/day", "key": ["user"]}]}));
    let budget = budget(json!({"limits": [{"hard": 1, "per": "year"}], "cost": {"fixed": 0.001}}));
    let alice = facts([(Part::User, "alice")]);
    let call = || {
        let calls = (0..500).filter(|_| passes(&limiter, &alice)).count();
        let reserve = || now(budget.reserve(&Value::Null, &alice)).unwrap().verdict.allowed();
        (calls, (0..500).filter(|_| reserve()).count())
    };
    let counts = scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(counts.iter().map(|(calls, _)| calls).sum::<usize>(), 1000);
    assert_eq!(counts.iter().map(|(_, reserved)| reserved).sum::<usize>(), 1000);
}

/// Who calls themselves by a tenant's name spends nothing of the tenant's.
#[test]
fn a_user_and_a_tenant_of_one_name_are_two() {
    let limits =
        json!([{"hard": 9, "within": "1h", "key": ["user"]}, {"hard": 5, "within": "1h", "key": ["tenant"]}]);
    let budget = budget(json!({"limits": limits, "cost": {"fixed": 1}}));
    let both = facts([(Part::User, "acme"), (Part::Tenant, "acme")]);
    for spent in [1.0, 2.0] {
        let decision = now(budget.reserve(&Value::Null, &both)).unwrap();
        assert_eq!(
            decision.spending.iter().map(|one| one.spent.number()).collect::<Vec<_>>(),
            [spent, spent]
        );
    }
    let alone = facts([(Part::User, "acme"), (Part::Tenant, "other")]);
    let decision = now(budget.reserve(&Value::Null, &alone)).unwrap();
    assert_eq!(decision.spending.iter().map(|one| one.spent.number()).collect::<Vec<_>>(), [3.0, 1.0]);
}

#[test]
fn a_call_that_one_limit_refuses_is_charged_to_none() {
    let limits = json!([{"rate": "2/day", "key": ["user"]}, {"rate": "3/day", "key": ["tenant"]}]);
    let limiter = limiter(json!({"limits": limits}));
    let alice = facts([(Part::User, "alice"), (Part::Tenant, "acme")]);
    let bob = facts([(Part::User, "bob"), (Part::Tenant, "acme")]);
    assert_eq!([&alice, &alice, &alice, &alice].map(|who| passes(&limiter, who)), [true, true, false, false]);
    assert_eq!([&bob, &bob].map(|who| passes(&limiter, who)), [true, false]);
}

#[test]
fn callers_are_told_apart_by_every_part_of_the_key_and_by_nothing_else() {
    let limiter = limiter(json!({"limits": [{"rate": "1/day", "key": ["tenant", "user", "header:X-Team"]}]}));
    let team = || Part::Header("x-team".to_owned());
    assert!(passes(&limiter, &facts([(Part::Tenant, "a"), (Part::User, "bc")])));
    assert!(
        passes(&limiter, &facts([(Part::Tenant, "ab"), (Part::User, "c")])),
        "the seam is part of the key"
    );
    assert!(passes(&limiter, &facts([(Part::Tenant, "a")])), "an unknown user is not an empty name");
    assert!(passes(&limiter, &facts([(Part::Tenant, "a"), (Part::User, "")])));
    assert!(passes(&limiter, &facts([(Part::Tenant, "a"), (Part::User, "bc"), (team(), "red")])));
    assert!(!passes(&limiter, &facts([(Part::Tenant, "a"), (Part::User, "bc"), (Part::Tool, "search")])));
}

#[test]
fn callers_with_long_names_are_told_apart_too() {
    let limiter = limiter(json!({"limits": [{"rate": "1/day", "key": ["user"]}]}));
    let [long, longer] = [1000, 1001].map(|length| BTreeMap::from([(Part::User, "x".repeat(length))]));
    assert_eq!([&long, &longer, &long].map(|who| passes(&limiter, who)), [true, true, false]);
}

#[test]
fn a_tool_counts_what_it_costs_and_a_free_one_nothing() {
    let config = json!({"limits": [{"rate": "10/day"}], "costs": {"research": 4, "ping": 0, "huge": 11}});
    let limiter = limiter(config);
    let nobody = facts([]);
    let remaining = |tool| now(limiter.check(Some(tool), &nobody)).quota.unwrap().remaining;
    assert_eq!([remaining("research"), remaining("search"), remaining("ping")], [6, 5, 5]);
    let huge = now(limiter.check(Some("huge"), &nobody));
    assert_eq!(huge.verdict, Verdict::Limited { retry_after: None });
    assert!(huge.denial().unwrap().reason.contains("costs more"));
    assert_eq!([remaining("research"), remaining("search")], [1, 0]);
    assert!(now(limiter.check(Some("ping"), &nobody)).verdict.allowed());
}

#[test]
fn a_decision_tells_the_caller_how_it_stands() {
    let limiter = limiter(json!({"limits": [{"rate": "1000/day"}, {"rate": "2/h", "burst": 1}]}));
    let nobody = facts([]);
    let first = now(limiter.check(None, &nobody));
    assert_eq!(
        (first.judge, first.quota.unwrap().index),
        (Judge::Memory, 1),
        "the limit with the least left"
    );
    assert_eq!(
        first.headers(),
        [("X-RateLimit-Limit", "1"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1800")]
            .map(|(name, value)| (name, value.to_owned()))
    );
    assert_eq!(first.denial(), None);

    let second = now(limiter.check(None, &nobody));
    let wait = second.verdict.retry_after().unwrap();
    assert!((1..=1800).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(second.verdict.http_status(), Some(429));
    assert!(
        second.headers().iter().any(|(name, value)| *name == "Retry-After" && value.parse::<u64>().is_ok())
    );
    let denial = second.denial().unwrap();
    assert_eq!((denial.code, &denial.details["remaining"]), ("RATE_LIMITED", &json!(0)));
}

#[test]
fn a_flood_of_callers_is_forgotten_before_one_who_has_used_up_their_limit() {
    let config = json!({
        "limits": [{"rate": "100/day", "key": ["user"]}], "costs": {"all": 100}, "store": {"memory": {"max_keys": 4}},
    });
    let limiter = limiter(config);
    let alice = facts([(Part::User, "alice")]);
    assert!(now(limiter.check(Some("all"), &alice)).verdict.allowed());
    for number in 0..1000 {
        assert!(passes(&limiter, &BTreeMap::from([(Part::User, format!("user {number}"))])));
    }
    assert!(!passes(&limiter, &alice));
}

#[test]
fn a_call_is_priced_by_what_its_payload_counts() {
    let budget = budget(json!({
        "limits": [{"hard": 10, "per": "day"}],
        "cost": {"fixed": 1},
        "actual": {"terms": [
            {"field": "/usage/input", "price": 2.5, "per": 1_000_000},
            {"field": "/usage/output", "price": 10, "per": 1_000_000, "missing": 0},
        ]},
    }));
    let nobody = facts([]);
    let reserve = || now(budget.reserve(&Value::Null, &nobody)).unwrap();
    let settle = |result: Value| now(budget.settle(&reserve().reservation.unwrap(), &result, false));
    let amount = |number| Settlement::Settled(Amount::new(number).unwrap());
    assert_eq!(settle(json!({"usage": {"input": 1000, "output": 200}})), Ok(amount(0.0045)));
    assert_eq!(settle(json!({"usage": {"input": 1}})), Ok(amount(0.000_003)), "rounded up to the millionth");
    assert_eq!(reserve().spending[0].spent, Amount::new(1.004_503).unwrap());
    for result in [json!({}), json!({"usage": {"input": "many"}}), json!({"usage": {"input": -5}})] {
        assert_eq!(settle(result).unwrap_err().field, "/usage/input");
    }
    assert_eq!(
        reserve().spending[0].spent,
        Amount::new(5.004_503).unwrap(),
        "what cannot be priced stays reserved"
    );
}

#[test]
fn a_soft_limit_warns_and_never_refuses() {
    let budget = budget(json!({"limits": [{"soft": 2, "within": "1h"}], "cost": {"fixed": 1}}));
    let nobody = facts([]);
    let warned = (0..4).map(|_| {
        let decision = now(budget.reserve(&Value::Null, &nobody)).unwrap();
        assert!(decision.verdict.allowed());
        decision.warnings().count()
    });
    assert_eq!(warned.collect::<Vec<_>>(), [0, 0, 1, 1]);
}

#[test]
fn targets_break_one_by_one_and_only_for_what_counts_as_a_failure() {
    let breaker = CircuitBreaker::new(serde_json::from_value(json!({"consecutive": 2})).unwrap()).unwrap();
    let [search, mail] = ["search", "mail"].map(|tool| facts([(Part::Tool, tool)]));
    let call = |target: &BTreeMap<Part, &'static str>, result: Value| {
        let admission = breaker.admit(target).unwrap();
        let kept = serde_json::to_value(&admission).unwrap();
        breaker.report(&serde_json::from_value(kept).unwrap(), breaker.outcome(&result));
    };
    call(&search, json!({"isError": true}));
    call(&search, json!({"isError": false, "text": "is_error"}));
    call(&search, json!({"is_error": true}));
    assert_eq!(breaker.state(&search), State::Closed);
    call(&search, json!({"isError": true}));
    assert_eq!((breaker.state(&search), breaker.state(&mail)), (State::Open, State::Closed));
    let refusal = breaker.admit(&search).unwrap_err();
    assert!(refusal.retry_after.as_secs() <= 30);
    assert_eq!(refusal.denial().code, "CIRCUIT_OPEN");
    let admission = breaker.admit(&mail).unwrap();
    breaker.report(&admission, Outcome::Unknown);
    assert_eq!(breaker.state(&mail), State::Closed);
}

#[test]
fn a_breaker_remembers_failures_of_targets_that_make_room_for_each_other() {
    let config = json!({"consecutive": 1, "max_keys": 8});
    let breaker = CircuitBreaker::new(serde_json::from_value(config).unwrap()).unwrap();
    let target = |number: u32| BTreeMap::from([(Part::Tool, format!("tool {number}"))]);
    let admission = breaker.admit(&target(0)).unwrap();
    for number in 1..100 {
        let other = breaker.admit(&target(number)).unwrap();
        breaker.report(&other, Outcome::Success);
    }
    breaker.report(&admission, Outcome::Failure);
    assert_eq!(breaker.state(&target(0)), State::Open);
}
