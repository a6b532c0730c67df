//! Redis that dies, sleeps or does not let us in.

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cpex_builtin::limits::amount::Amount;
use cpex_builtin::limits::cost_budget::Settlement;
use cpex_builtin::limits::{Decision, Judge, RateLimiter, Verdict};
use serde_json::{Value, json};

use super::server::Server;
use super::{Caller, budget, caller, limiter};

fn daily(count: u32) -> Value {
    json!([{"rate": format!("{count}/day"), "key": ["user"]}])
}

/// Asks until Redis counts again.
async fn until_shared(limiter: &RateLimiter, who: &Caller) -> Decision {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let decision = limiter.check(None, who).await;
        if decision.judge == Judge::Shared {
            return decision;
        }
        assert!(Instant::now() < patience, "Redis is back, and nobody has noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn nothing_passes_while_redis_is_dead_and_it_goes_on_by_itself_afterwards() {
    let mut server = Server::start();
    let limiter = limiter(&server.url(), daily(100), json!({}));
    let alice = caller("alice", "acme");
    assert_eq!(limiter.check(None, &alice).await.quota.unwrap().remaining, 99);

    server.kill();
    for _ in 0..10 {
        let decision = limiter.check(None, &alice).await;
        assert!(matches!(decision.verdict, Verdict::Away { .. }), "{decision:?}");
        assert_eq!(decision.verdict.http_status(), Some(503));
        assert_eq!(decision.denial().unwrap().code, "LIMITS_AWAY");
        assert_eq!(decision.headers(), [("Retry-After", "1".to_owned())]);
    }

    server.restart();
    assert!(until_shared(&limiter, &alice).await.verdict.allowed());
}

#[tokio::test]
async fn a_restart_between_two_calls_is_not_seen() {
    let mut server = Server::start();
    let limiter = limiter(&server.url(), daily(100), json!({}));
    let alice = caller("alice", "acme");
    for _ in 0..3 {
        assert_eq!(limiter.check(None, &alice).await.judge, Judge::Shared);
        server.restart();
    }
    assert_eq!(limiter.check(None, &alice).await.quota.unwrap().remaining, 99, "it was restarted empty");
}

#[tokio::test]
async fn a_host_takes_its_share_while_redis_is_dead() {
    let mut server = Server::start();
    server.kill();
    let local = json!({"when_away": {"local": {"hosts": 4}}});
    let limiter = limiter(&server.url(), daily(100), local.clone());
    let budget = budget(&server.url(), json!([{"hard": 100, "per": "year"}]), local);
    let alice = caller("alice", "acme");
    let mut passed = (0, 0);
    for _ in 0..60 {
        let decision = limiter.check(None, &alice).await;
        let bought = budget.reserve_amount(Amount::new(1.0).unwrap(), &alice).await;
        assert_eq!((decision.judge, bought.judge), (Judge::Local, Judge::Local));
        passed.0 += usize::from(decision.verdict.allowed());
        passed.1 += usize::from(bought.verdict.allowed());
    }
    assert_eq!(passed, (25, 25));

    server.restart();
    assert_eq!(until_shared(&limiter, &alice).await.quota.unwrap().limit, 100);
}

#[tokio::test]
async fn everything_passes_uncounted_if_that_is_what_was_asked_for() {
    let mut server = Server::start();
    server.kill();
    let limiter = limiter(&server.url(), daily(1), json!({"when_away": "fail_open"}));
    for _ in 0..5 {
        let decision = limiter.check(None, &caller("alice", "acme")).await;
        assert_eq!((decision.verdict, decision.judge), (Verdict::Allowed, Judge::Nobody));
    }
}

#[tokio::test]
async fn a_settlement_that_redis_does_not_hear_is_lost_and_the_reservation_stays() {
    let mut server = Server::start();
    let local = json!({"when_away": {"local": {"hosts": 1}}});
    let budget = budget(&server.url(), json!([{"hard": 10, "within": "1h"}]), local);
    let nobody = caller("", "");
    let reserved = budget.reserve_amount(Amount::new(4.0).unwrap(), &nobody).await.reservation.unwrap();
    server.kill();
    assert_eq!(budget.settle_amount(&reserved, Amount::ZERO).await, Settlement::Lost);
    let here = budget.reserve_amount(Amount::new(3.0).unwrap(), &nobody).await;
    assert_eq!(here.judge, Judge::Local);
    server.restart();
    let back = budget.settle_amount(&here.reservation.unwrap(), Amount::ZERO).await;
    assert_eq!(back, Settlement::Settled(Amount::ZERO), "what was counted here is settled here");
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_away() {
    let server = Server::start();
    let impatient = limiter(&server.url(), daily(100), json!({"timeout": "50ms"}));
    let alice = caller("alice", "acme");
    until_shared(&impatient, &alice).await;
    redis::cmd("CLIENT").arg("PAUSE").arg(3_600_000).arg("ALL").exec(&mut server.client()).unwrap();
    for _ in 0..5 {
        let decision = impatient.check(None, &alice).await;
        assert!(matches!(decision.verdict, Verdict::Away { .. }), "an answer, though the server gives none");
    }
}

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_loaded_again() {
    let server = Server::start();
    let limiter = limiter(&server.url(), daily(100), json!({}));
    let alice = caller("alice", "acme");
    limiter.check(None, &alice).await;
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut server.client()).unwrap();
    let decision = limiter.check(None, &alice).await;
    assert_eq!((decision.judge, decision.quota.unwrap().remaining), (Judge::Shared, 98));
}

/// What is logged in this process, by the other tests too, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn hides(shown: &dyn Debug) {
    assert!(!format!("{shown:?} {shown:#?}").contains("hunter2"), "{shown:?}");
}

#[tokio::test]
async fn a_wrong_password_is_told_to_nobody_and_a_right_one_is_noticed() {
    let log = Log::default();
    let writer = log.clone();
    let listener = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    tracing::subscriber::set_global_default(listener.with_writer(move || writer.clone()).finish()).unwrap();

    let server = Server::with(&["--requirepass", "sesame"]);
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port);
    let limiter = limiter(&url, daily(100), json!({}));
    let alice = caller("alice", "acme");
    for _ in 0..5 {
        let decision = limiter.check(None, &alice).await;
        assert!(matches!(decision.verdict, Verdict::Away { .. }));
        hides(&decision);
    }
    hides(&limiter);

    let mut admin = redis::Client::open(format!("redis://:sesame@127.0.0.1:{}", server.port))
        .unwrap()
        .get_connection()
        .unwrap();
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("hunter2").exec(&mut admin).unwrap();
    assert!(until_shared(&limiter, &alice).await.verdict.allowed());

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let address = format!("127.0.0.1:{}", server.port);
    for told in ["Redis does not answer", "Redis answers again"] {
        assert!(log.lines().any(|line| line.contains(told) && line.contains(&address)), "{told}: {log}");
    }
    assert!(!log.contains("hunter2") && !log.contains("alice"), "{log}");
}
