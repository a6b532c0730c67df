//! Limits that hosts share, on a real server.

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use cpex::Manager;

use super::server::Server;
use super::{before, request, search, start, violation};

const URL: &str = "CPEX_TEST_URL";

fn yaml(url: &str, rate: &str, store: &str, entry: &str) -> String {
    format!(
        "plugins:\n  - name: limits\n    kind: builtin.rate_limiter\n    hooks: [tool_pre_invoke]\n    \
         required: true\n{entry}    config:\n      limits: [{{rate: {rate}, key: [user]}}]\n      \
         store: {{redis: {{url: '{url}', retry_every: 20ms, {store}}}}}\n"
    )
}

async fn passed(manager: &Manager, calls: usize) -> usize {
    let mut passed = 0;
    for _ in 0..calls {
        passed += usize::from(before(manager, &search("a"), &request()).await.is_allowed());
    }
    passed
}

/// One host of the next test, in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of two_managers_in_two_processes_share_a_limit_exactly"]
async fn host() {
    let manager = start(&yaml(&env::var(URL).unwrap(), "500/day", "timeout: 30s", "")).await.unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move { passed(&manager, 100).await })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.unwrap();
    }
    println!("counted {sum}");
}

#[test]
fn two_managers_in_two_processes_share_a_limit_exactly() {
    let server = Server::start();
    let start = || {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "redis::host", "--ignored", "--nocapture"])
            .env(URL, server.url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let counted = [start(), start()].map(|host| {
        let output = host.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("counted "));
        line.unwrap_or_else(|| panic!("{text}")).parse::<usize>().unwrap()
    });
    assert_eq!(counted.iter().sum::<usize>(), 500, "{counted:?}");
    assert!(counted.iter().all(|passed| *passed > 0), "both took part: {counted:?}");
}

/// Killed and started again in the middle: closed while it is away, counting once it is back.
#[tokio::test]
async fn fail_closed_while_redis_is_away() {
    let mut server = Server::start();
    let manager = start(&yaml(&server.url(), "100/day", "timeout: 30s", "")).await.unwrap();
    assert_eq!(passed(&manager, 3).await, 3);
    server.kill();
    let refused = violation(before(&manager, &search("a"), &request()).await);
    assert_eq!((&*refused.code, refused.http_status_code), ("LIMITS_AWAY", Some(503)));
    assert!(refused.http_headers.unwrap().contains_key("Retry-After"));
    server.restart();
    until_counted(&manager, "shared").await;
}

#[tokio::test]
async fn count_locally_while_redis_is_away() {
    let mut server = Server::start();
    let store = "timeout: 30s, when_away: {local: {hosts: 2}}";
    let manager = start(&yaml(&server.url(), "10/day", store, "")).await.unwrap();
    assert_eq!(passed(&manager, 2).await, 2);
    server.kill();
    assert_eq!(passed(&manager, 8).await, 5);
    server.restart();
    until_counted(&manager, "shared").await;
}

/// Asks until Redis counts again; gives up after a while.
async fn until_counted(manager: &Manager, by: &str) {
    let asking = async {
        loop {
            let outcome = before(manager, &search("a"), &request()).await;
            if outcome.is_allowed() && outcome.metadata["limits"]["judge"] == by {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("Redis counts again");
}

/// A server that takes connections and never answers: the entry's own time limit ends the call, and nothing passes.
#[tokio::test]
async fn a_limit_that_takes_too_long_does_not_pass() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let entry = "    timeout_ms: 50\n";
    let manager = start(&yaml(&url, "100/day", "timeout: 30s, when_away: fail_open", entry)).await.unwrap();
    let hook = &cpex::hooks::TOOL_PRE_INVOKE;
    let failed = manager.invoke(hook, &search("a"), &request()).await.unwrap_err();
    assert!(failed.to_string().contains("took longer than 50ms"), "{failed}");
}
