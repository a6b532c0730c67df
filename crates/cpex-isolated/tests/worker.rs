//! Workers as real processes: whatever one does, its calls end, and the next one has its own answer.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::time::{Duration, Instant};

use cpex_isolated::worker::{
    Asked, Bounds, Breach, Call, Ended, Launch, Message, Worker, WorkerError, Workers, WorkersConfig, caller,
};
use cpex_remote::balance::{BreakerConfig, State};
use futures_util::future::join_all;
use proptest::prelude::*;

type Answered = Result<String, WorkerError>;

fn config(way: &[&str]) -> WorkersConfig {
    let program = env::current_exe().unwrap().parent().unwrap().join("../examples/scripted_worker");
    let launch = Launch {
        program,
        arguments: way.iter().map(Into::into).collect(),
        environment: vec![("PATH".into(), env::var_os("PATH").unwrap_or_default())],
        folder: None,
        sandbox: None,
    };
    WorkersConfig { limit: 1 << 20, ..WorkersConfig::new("P", launch, *b"{}") }
}

fn bounded(bounds: Bounds) -> Workers {
    Workers::new(WorkersConfig { bounds, ..config(&[]) })
}

fn workers() -> Workers {
    Workers::new(config(&[]))
}

fn ask(worker: &Worker, hook: &str, payload: &str) -> (Asked, impl Future<Output = Answered> + use<>) {
    let (caller, answer) = caller();
    let call = Call { hook, payload: payload.as_bytes(), context: b"{}", extensions: None, deadline: None };
    let asked = worker.call(call, caller).map_err(|(_, error)| error).unwrap();
    (asked, async move {
        let answer = answer.await.unwrap()?;
        Ok(match answer.message() {
            Message::Reply { result, .. } => String::from_utf8(result.to_vec()).unwrap(),
            Message::Failed(error) => format!("failed: {}", String::from_utf8_lossy(error)),
            other => panic!("{other:?}"),
        })
    })
}

async fn call(workers: &Workers, hook: &str, payload: &str) -> Answered {
    let worker = workers.worker().await?;
    let (_asked, answer) = ask(&worker, hook, payload);
    answer.await
}

async fn pid(workers: &Workers) -> i32 {
    call(workers, "pid", "").await.unwrap().parse().unwrap()
}

fn runs(process: i32) -> bool {
    let process = rustix::process::Pid::from_raw(process).unwrap();
    rustix::process::test_kill_process(process).is_ok()
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_thousand_calls_in_flight_each_have_their_own_answer() {
    let workers = workers();
    let worker = workers.start().await.unwrap();
    let calls = (0..1000_u64).map(|number| {
        // Those that came last are answered first.
        let payload = ((1000 - number) * 20).to_string();
        let (asked, answer) = ask(&worker, "wait", &payload);
        async move {
            let _asked = asked;
            assert_eq!(answer.await.unwrap(), payload);
        }
    });
    join_all(calls).await;
    assert_eq!(worker.outstanding(), 0);
    workers.close().await;
    assert!(!runs(worker.process().cast_signed()));
}

#[tokio::test]
async fn a_message_of_any_allowed_size_goes_both_ways_and_no_larger_one() {
    let workers = workers();
    let large = "x".repeat((1 << 20) - 100);
    assert_eq!(call(&workers, "echo", &large).await.unwrap(), large);
    let worker = workers.worker().await.unwrap();
    let (caller, _) = caller();
    let payload = vec![0; 1 << 20];
    let too_large =
        Call { hook: "echo", payload: &payload, context: b"{}", extensions: None, deadline: None };
    assert!(matches!(worker.call(too_large, caller), Err((_, WorkerError::TooLarge { .. }))));
    assert_eq!(call(&workers, "echo", "small").await.unwrap(), "small");
}

#[tokio::test]
async fn a_failure_of_the_plugin_is_an_answer() {
    let workers = workers();
    assert!(call(&workers, "fail", "").await.unwrap().contains("boom"));
    assert_eq!(workers.status()[0].starts, 1);
}

#[tokio::test]
async fn a_worker_that_ends_takes_its_calls_with_it_and_the_next_call_has_another() {
    let workers = workers();
    let first = pid(&workers).await;
    let worker = workers.worker().await.unwrap();
    let (_waiting, waiting) = ask(&worker, "wait", "60000000");
    let ended = call(&workers, "exit", "3").await.unwrap_err();
    assert!(ended.to_string().contains("ended with status 3"), "{ended}");
    assert_eq!(ended.code(), "DISCONNECTED");
    assert!(matches!(waiting.await, Err(WorkerError::Lost { why: Ended::Exited(_), .. })));
    assert_ne!(pid(&workers).await, first);
}

#[tokio::test]
async fn a_killed_worker_is_told_from_one_that_ends() {
    let workers = workers();
    let worker = workers.worker().await.unwrap();
    let (_waiting, waiting) = ask(&worker, "wait", "60000000");
    let process = rustix::process::Pid::from_raw(worker.process().cast_signed()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    let ended = waiting.await.unwrap_err();
    assert!(ended.to_string().contains("was killed by signal 9"), "{ended}");
    assert_eq!(call(&workers, "echo", "7").await.unwrap(), "7");
}

#[tokio::test]
async fn what_a_worker_has_started_ends_with_it() {
    let workers = workers();
    let child: i32 = call(&workers, "fork", "").await.unwrap().parse().unwrap();
    assert!(runs(child));
    workers.close().await;
    until(|| !runs(child) || is_zombie(child)).await;
}

/// Killed, and not yet reaped by whoever is its parent now.
fn is_zombie(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn a_call_that_is_given_up_is_stopped_and_nobody_is_killed() {
    let workers = workers();
    let before = pid(&workers).await;
    let worker = workers.worker().await.unwrap();
    let (asked, answer) = ask(&worker, "wait", "20000");
    drop(asked);
    assert_eq!(worker.outstanding(), 1);
    until(|| worker.outstanding() == 0).await;
    drop(answer);
    assert_eq!(pid(&workers).await, before);
}

#[tokio::test]
async fn a_worker_that_does_not_give_a_call_up_is_killed() {
    let workers = bounded(Bounds { give_up: Duration::from_millis(50), ..Bounds::default() });
    let worker = workers.worker().await.unwrap();
    let (_other, other) = ask(&worker, "wait", "60000000");
    let (asked, _) = ask(&worker, "stubborn", "");
    drop(asked);
    assert!(matches!(other.await, Err(WorkerError::Lost { why: Ended::Stubborn(_), .. })));
    assert_eq!(call(&workers, "echo", "1").await.unwrap(), "1");
}

#[tokio::test]
async fn a_worker_whose_event_loop_stands_still_is_killed() {
    let workers = bounded(Bounds { hang: Duration::from_millis(100), ..Bounds::default() });
    let hung = call(&workers, "hang", "").await.unwrap_err();
    assert!(matches!(hung, WorkerError::Lost { why: Ended::Hung(_), .. }), "{hung}");
    assert_eq!(call(&workers, "echo", "1").await.unwrap(), "1");
}

#[tokio::test]
async fn a_long_call_of_a_worker_whose_event_loop_turns_is_no_hang() {
    let workers = bounded(Bounds { hang: Duration::from_millis(600), ..Bounds::default() });
    assert_eq!(call(&workers, "wait", "2000000").await.unwrap(), "2000000");
    assert_eq!(workers.status()[0].starts, 1);
}

#[tokio::test]
async fn a_worker_that_takes_too_much_memory_is_killed() {
    let workers = bounded(Bounds { memory: Some(100 << 20), ..Bounds::default() });
    let leaked = call(&workers, "leak", "").await.unwrap_err();
    assert!(matches!(leaked, WorkerError::Lost { why: Ended::Memory { .. }, .. }), "{leaked}");
}

#[tokio::test]
async fn the_last_words_of_a_worker_are_told_to_those_whose_calls_it_took_with_it() {
    let ended = call(&workers(), "last words", "").await.unwrap_err();
    let said = ended.last_words().unwrap();
    assert_eq!(said.stdout, Vec::from_iter((4980..5000).map(|line| format!("line {line}"))));
    assert_eq!(said.stderr[18..], ["ERROR plugin: oops", "LAST WORDS"]);
    assert_eq!(said.stderr[0], "line 4982");
}

#[tokio::test]
async fn a_call_behind_one_that_hangs_is_not_sent_and_goes_to_the_next_worker() {
    let workers = bounded(Bounds { give_up: Duration::from_millis(200), ..Bounds::default() });
    let before = pid(&workers).await;
    let worker = workers.worker().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("note");
    let (asked, _) = ask(&worker, "hang", note.to_str().unwrap());
    until(|| note.exists()).await;
    drop(asked);
    assert!(workers.running().is_none());
    assert_ne!(pid(&workers).await, before);
    assert!(worker.is_over());
}

#[tokio::test]
async fn nobody_waits_for_a_worker_that_stands_still_where_another_can_be_started() {
    let bounds = Bounds { give_up: Duration::from_secs(60), ..Bounds::default() };
    let workers = Workers::new(WorkersConfig { count: 2, bounds, ..config(&[]) });
    workers.start().await.unwrap();
    let hanging = workers.worker().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("note");
    let (asked, _) = ask(&hanging, "hang", note.to_str().unwrap());
    until(|| note.exists()).await;
    drop(asked);
    call(&workers, "exit", "0").await.unwrap_err();
    pid(&workers).await;
    assert!(!hanging.is_over());
}

/// Were the sign of life lost that is asked for then, the worker would be doubted, and not used, for good.
#[tokio::test]
async fn a_worker_that_could_take_no_more_when_a_call_was_given_up_has_calls_again() {
    let workers = bounded(Bounds { give_up: Duration::from_secs(60), ..Bounds::default() });
    let before = pid(&workers).await;
    let worker = workers.worker().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("note");
    let (_paused, paused) = ask(&worker, "pause", note.to_str().unwrap());
    until(|| note.exists()).await;
    let mut asked = Vec::new();
    // Until there is no room for the smallest.
    for size in [1_000_000, 10_000, 100, 1] {
        let payload = vec![b'x'; size];
        let call =
            || Call { hook: "echo", payload: &payload, context: b"{}", extensions: None, deadline: None };
        let full = loop {
            match worker.call(call(), caller().0) {
                Ok(one) => asked.push(one),
                Err((_, error)) => break error,
            }
        };
        assert!(matches!(full, WorkerError::Full(_)), "{full}");
    }
    drop(asked);
    assert!(workers.running().is_none());
    std::fs::remove_file(&note).unwrap();
    paused.await.unwrap();
    assert_eq!(pid(&workers).await, before);
}

#[tokio::test]
async fn a_worker_that_is_slow_to_give_a_call_up_has_calls_as_long_as_its_event_loop_turns() {
    let workers = bounded(Bounds { give_up: Duration::from_secs(60), ..Bounds::default() });
    let before = pid(&workers).await;
    for _ in 0..20 {
        let worker = workers.worker().await.unwrap();
        let (asked, _) = ask(&worker, "stubborn", "");
        drop(asked);
        assert_eq!(pid(&workers).await, before);
    }
    assert_eq!(workers.status()[0].outstanding, 20);
}

#[tokio::test]
async fn a_worker_that_floods_its_output_harms_nobody() {
    let workers = workers();
    let worker = workers.worker().await.unwrap();
    let (_flood, _) = ask(&worker, "flood", "");
    for number in 0..100 {
        assert_eq!(call(&workers, "echo", &number.to_string()).await.unwrap(), number.to_string());
    }
    workers.close().await;
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_nobodys_answer_and_ends_the_worker() {
    for hook in ["unasked", "twice", "other", "pongs"] {
        let workers = workers();
        let worker = workers.worker().await.unwrap();
        let (_other, other) = ask(&worker, "wait", "60000000");
        let (_asked, _answer) = ask(&worker, hook, "1");
        let ended = other.await.unwrap_err();
        let is_breach = matches!(ended, WorkerError::Lost { why: Ended::Protocol(Breach::Unasked), .. });
        assert!(is_breach, "{hook}: {ended}");
        assert_eq!(call(&workers, "echo", "1").await.unwrap(), "1");
    }
}

#[tokio::test]
async fn a_worker_that_is_not_used_ends_and_the_next_call_has_another() {
    let workers = bounded(Bounds { idle: Some(Duration::from_millis(100)), ..Bounds::default() });
    let first = pid(&workers).await;
    until(|| !runs(first)).await;
    assert_eq!(workers.status()[0].process, None);
    assert_ne!(pid(&workers).await, first);
    // It is not held against the plugin.
    assert_eq!(workers.status()[0].breaker, State::Closed);
}

#[tokio::test]
async fn a_plugin_that_cannot_be_loaded_says_why() {
    let refused = Workers::new(config(&["refuse"])).start().await.unwrap_err();
    let WorkerError::Load(model) = refused else { panic!("{refused}") };
    assert!(String::from_utf8_lossy(&model).contains("no such class"));
}

#[tokio::test]
async fn a_worker_that_is_never_ready_is_an_error_that_says_what_it_said() {
    let ended = Workers::new(config(&["end"])).start().await.unwrap_err().to_string();
    assert!(ended.contains("ended with status 3") && ended.contains("no such module"), "{ended}");
    let old = Workers::new(config(&["old"])).start().await.unwrap_err();
    assert!(matches!(old, WorkerError::Version(0)), "{old}");
    let slow = WorkersConfig {
        bounds: Bounds { start: Duration::from_millis(50), ..Bounds::default() },
        ..config(&["sleep"])
    };
    let slow = Workers::new(slow).start().await.unwrap_err();
    assert!(matches!(slow, WorkerError::Slow { .. }), "{slow}");
    let mut missing = config(&[]);
    missing.launch.program = "/nowhere/python".into();
    let missing = Workers::new(missing).start().await.unwrap_err();
    assert!(matches!(missing, WorkerError::Start { .. }), "{missing}");
}

#[tokio::test]
async fn workers_that_end_again_and_again_are_not_started_for_a_while() {
    let breaker = BreakerConfig {
        failures: 3,
        wait: Duration::from_millis(200),
        longest_wait: Duration::from_secs(1),
        successes: 1,
    };
    let workers = Workers::new(WorkersConfig { breaker, ..config(&["brief"]) });
    let mut refused = None;
    while refused.is_none() {
        match workers.worker().await {
            Ok(worker) => until(|| worker.is_over()).await,
            Err(error) => refused = Some(error),
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.code(), "BREAKER_OPEN");
    let text = refused.to_string();
    assert!(text.contains("failed 3 times in a row") && text.contains("is tried after 0."), "{text}");
    assert_eq!(workers.status()[0].starts, 3);
    let opened = Instant::now();
    while workers.status()[0].starts == 3 {
        assert!(opened.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(10)).await;
        // It may be over before it is handed out.
        let _ = workers.worker().await;
    }
    assert_eq!(workers.status()[0].starts, 4);
}

#[tokio::test]
async fn workers_that_serve_others_are_started_however_often_a_call_ends_them() {
    let breaker = BreakerConfig { failures: 2, wait: Duration::from_secs(600), ..BreakerConfig::default() };
    let workers = Workers::new(WorkersConfig { breaker, ..config(&[]) });
    for _ in 0..4 {
        assert_eq!(call(&workers, "echo", "1").await.unwrap(), "1");
        assert_eq!(call(&workers, "exit", "1").await.unwrap_err().code(), "DISCONNECTED");
    }
    assert_eq!((workers.status()[0].faults, workers.status()[0].breaker), (4, State::Closed));
    // Nobody else is served by these.
    for _ in 0..2 {
        assert_eq!(call(&workers, "exit", "1").await.unwrap_err().code(), "DISCONNECTED");
    }
    assert_eq!(workers.worker().await.unwrap_err().code(), "BREAKER_OPEN");
}

#[tokio::test]
async fn a_call_goes_to_the_worker_with_the_fewest_calls() {
    let workers = Workers::new(WorkersConfig { count: 3, ..config(&[]) });
    workers.start().await.unwrap();
    let mut held = Vec::new();
    for _ in 0..9 {
        let worker = workers.worker().await.unwrap();
        held.push(ask(&worker, "wait", "60000000"));
    }
    let outstanding: Vec<_> = workers.status().iter().map(|worker| worker.outstanding).collect();
    assert_eq!(outstanding, [3, 3, 3]);
    drop(held);
    workers.close().await;
    assert!(workers.worker().await.is_err());
}

#[tokio::test]
async fn nothing_is_left_of_workers_that_are_dropped() {
    let workers = workers();
    let process = pid(&workers).await;
    drop(workers);
    until(|| !runs(process)).await;
}

/// What is done with one call: how long the worker takes, and after how long it is given up.
type Step = (u64, Option<u64>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// B14: however answers, time limits and cancellations come together, no answer is of another call.
    #[test]
    fn no_answer_is_ever_that_of_another_call(
        steps in prop::collection::vec((0..3000_u64, prop::option::of(0..3000_u64)), 1..120),
        kill_after in prop::option::of(0..4000_u64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(interleaved(&steps, kill_after));
    }
}

async fn interleaved(steps: &[Step], kill_after: Option<u64>) {
    let workers = workers();
    let worker = workers.worker().await.unwrap();
    let calls = steps.iter().enumerate().map(|(at, (takes, patience))| {
        // Each payload is unlike all others: the worker takes thousandths.
        let payload = (takes * 1000 + at as u64).to_string();
        let worker = worker.clone();
        async move {
            let (caller, answer) = caller();
            let call = Call {
                hook: "nanoseconds",
                payload: payload.as_bytes(),
                context: b"{}",
                extensions: None,
                deadline: None,
            };
            let Ok(asked) = worker.call(call, caller) else { return };
            let answer = async {
                let Ok(Ok(answer)) = answer.await else { return };
                match answer.message() {
                    Message::Reply { result, .. } => assert_eq!(result, payload.as_bytes()),
                    other => panic!("{other:?}"),
                }
            };
            match patience {
                Some(patience) => drop(tokio::time::timeout(Duration::from_micros(*patience), answer).await),
                None => answer.await,
            }
            drop(asked);
        }
    });
    let killed = async {
        if let Some(after) = kill_after {
            tokio::time::sleep(Duration::from_micros(after)).await;
            let process = rustix::process::Pid::from_raw(worker.process().cast_signed()).unwrap();
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
    };
    tokio::join!(join_all(calls), killed);
    if kill_after.is_some() {
        // A call that comes before anybody knows is one of those that go with it.
        until(|| worker.is_over()).await;
    }
    // Whatever has happened, the next call has its own answer.
    assert_eq!(call(&workers, "echo", "\"mine\"").await.unwrap(), "\"mine\"");
    workers.close().await;
}
