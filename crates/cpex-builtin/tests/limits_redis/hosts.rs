//! Several hosts, several keys.

use std::env;
use std::process::{Command, Output, Stdio};

use cpex_builtin::limits::amount::Amount;
use cpex_builtin::limits::cost_budget::Settlement;
use cpex_builtin::limits::{Judge, Verdict};
use serde_json::json;

use super::server::Server;
use super::{budget, caller, limiter};

const URL: &str = "CPEX_TEST_URL";
const CALLS: usize = 400;

/// One host of the next test, in a process of its own: four tasks that call as fast as they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of two_processes_share_a_limit_and_a_budget_exactly"]
async fn host() {
    let url = env::var(URL).unwrap();
    let limiter = &limiter(&url, json!([{"rate": "500/day", "key": ["user"]}]), json!({}));
    let budget = &budget(&url, json!([{"hard": 5, "per": "year", "key": ["user"]}]), json!({}));
    let alice = &caller("alice", "acme");
    let (mut passed, mut spent) = (0, 0);
    for _ in 0..CALLS / 4 {
        let calls = futures_util::future::join_all((0..4).map(|_| async move {
            let decision = limiter.check(None, alice).await;
            let bought = budget.reserve_amount(Amount::new(0.01).unwrap(), alice).await;
            assert_eq!((decision.judge, bought.judge), (Judge::Shared, Judge::Shared));
            (usize::from(decision.verdict.allowed()), usize::from(bought.verdict.allowed()))
        }));
        for (call, purchase) in calls.await {
            passed += call;
            spent += purchase;
        }
    }
    println!("counted {passed} {spent}");
}

fn counted(output: &Output) -> [usize; 2] {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let numbers = text.lines().find_map(|line| line.strip_prefix("counted ")).unwrap();
    let (passed, spent) = numbers.split_once(' ').unwrap();
    [passed.parse().unwrap(), spent.parse().unwrap()]
}

#[test]
fn two_processes_share_a_limit_and_a_budget_exactly() {
    let server = Server::start();
    let start = || {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "hosts::host", "--ignored", "--nocapture"])
            .env(URL, server.url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let hosts = [start(), start()].map(|host| counted(&host.wait_with_output().unwrap()));
    let [[calls_a, bought_a], [calls_b, bought_b]] = hosts;
    assert_eq!(calls_a + calls_b, 500, "{hosts:?}");
    assert_eq!(bought_a + bought_b, 500, "{hosts:?}");
    assert!(calls_a > 0 && calls_b > 0, "both took part: {hosts:?}");
}

#[tokio::test]
async fn a_call_that_one_limit_refuses_is_charged_to_none() {
    let server = Server::start();
    let limits = json!([{"rate": "2/day", "key": ["user"]}, {"rate": "3/day", "key": ["tenant"]}]);
    let limiter = limiter(&server.url(), limits, json!({}));
    let (alice, bob) = (caller("alice", "acme"), caller("bob", "acme"));
    let mut passed = Vec::new();
    for who in [&alice, &alice, &alice, &alice, &bob, &bob] {
        passed.push(limiter.check(None, who).await.verdict.allowed());
    }
    assert_eq!(passed, [true, true, false, false, true, false]);
}

#[tokio::test]
async fn a_decision_over_several_keys_is_in_one_slot_of_a_cluster() {
    let server = Server::with(&["--cluster-enabled", "yes"]);
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16383).exec(&mut server.client()).unwrap();
    let limits = json!([{"rate": "2/day", "key": ["tenant", "user"]}, {"rate": "3/day", "key": ["tenant"]}]);
    let limiter = limiter(&server.url(), limits, json!({}));
    let decision = loop {
        let decision = limiter.check(None, &caller("alice", "acme")).await;
        if decision.judge == Judge::Shared {
            break decision;
        }
    };
    assert_eq!(decision.quota.unwrap().remaining, 1);
    let slots = names(&server).into_iter().map(|name| -> u16 {
        redis::cmd("CLUSTER").arg("KEYSLOT").arg(name).query(&mut server.client()).unwrap()
    });
    let slots: Vec<_> = slots.collect();
    assert_eq!(slots.len(), 2);
    assert_eq!(slots[0], slots[1]);
}

fn names(server: &Server) -> Vec<String> {
    redis::cmd("KEYS").arg("*").query(&mut server.client()).unwrap()
}

#[tokio::test]
async fn redis_knows_nobody_by_name_and_forgets_idle_keys() {
    let server = Server::start();
    let limits = json!([{"rate": "5/min", "key": ["user"]}]);
    limiter(&server.url(), limits, json!({"prefix": "house"})).check(None, &caller("alice", "acme")).await;
    let limits = json!([{"hard": 5, "within": "1h", "key": ["user"]}]);
    budget(&server.url(), limits, json!({"prefix": "house"}))
        .reserve_amount(Amount::new(1.0).unwrap(), &caller("alice", "acme"))
        .await;
    let names = names(&server);
    assert_eq!(names.len(), 2);
    for name in names {
        assert!(name.starts_with("house:") && !name.contains("alice"), "{name}");
        let milliseconds: i64 = redis::cmd("PTTL").arg(&name).query(&mut server.client()).unwrap();
        assert!((1..=66 * 60 * 1000 + 2).contains(&milliseconds), "{name} lives {milliseconds} ms");
    }
}

#[tokio::test]
async fn a_settled_call_costs_what_it_has_cost_and_a_refunded_one_nothing() {
    let server = Server::start();
    let limits =
        json!([{"hard": 10, "soft": 5, "within": "1h"}, {"hard": 10, "per": "day", "zone": "Asia/Tokyo"}]);
    let budget = budget(&server.url(), limits, json!({}));
    let amount = |number| Amount::new(number).unwrap();
    let nobody = caller("", "");

    let first = budget.reserve_amount(amount(6.0), &nobody).await;
    assert_eq!(first.warnings().map(|(index, _)| index).collect::<Vec<_>>(), [0]);
    let refused = budget.reserve_amount(amount(6.0), &nobody).await;
    assert!(matches!(refused.verdict, Verdict::Limited { retry_after: Some(_) }));
    assert_eq!(refused.denial().unwrap().code, "BUDGET_EXCEEDED");
    let never = budget.reserve_amount(amount(11.0), &nobody).await;
    assert_eq!(never.verdict, Verdict::Limited { retry_after: None });

    let kept = serde_json::to_string(&first.reservation.unwrap()).unwrap();
    let kept = serde_json::from_str(&kept).unwrap();
    assert_eq!(budget.settle_amount(&kept, amount(2.5)).await, Settlement::Settled(amount(2.5)));
    let second = budget.reserve_amount(amount(7.5), &nobody).await;
    assert!(second.verdict.allowed());
    assert_eq!(second.spending[1].spent, amount(10.0));
    let refunded = budget.settle(&second.reservation.unwrap(), &json!({}), true).await;
    assert_eq!(refunded, Ok(Settlement::Settled(Amount::ZERO)));
    let last = budget.reserve_amount(amount(0.0), &nobody).await;
    assert_eq!(last.spending.iter().map(|limit| limit.spent).collect::<Vec<_>>(), [amount(2.5), amount(2.5)]);
}
