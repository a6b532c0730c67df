//! The examples, run as programs.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is not built: `cargo test -p cpex` builds it", path.display());
    Command::new(path)
}

fn prints(name: &str) -> String {
    let output = example(name).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn quickstart() {
    let expected = "req-1: search\ncalling search with {\"limit\": Number(10)}\n\
                    denied: TOOL_DENIED: not on the list\n";
    assert_eq!(prints("quickstart"), expected);
}

#[test]
fn agent() {
    let expected = "to the model: Refund Ann 5000 euros.\n\
                    to the model: Ann, [address] customer since 2019\n\
                    to the model: not allowed: REFUND_LIMIT: needs a person\n\
                    the model: I have looked Ann up.\n\
                    the model: A person has to approve the refund.\n\
                    the model was stopped: PROMISE: the model promises something\n\
                    refused refunds: 1\n";
    assert_eq!(prints("agent"), expected);
}

/// The service, which ends with the test, whatever becomes of it.
struct Service {
    process: Child,
    said: BufReader<ChildStdout>,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Service {
    fn start() -> Self {
        let mut process = example("service").arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, said, address }
    }

    fn ask(&self, request: &str, body: &str) -> String {
        let mut stream = self.send(request, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn send(&self, request: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             x-tenant: acme\r\ncontent-length: {length}\r\n\r\n{body}",
        )
        .unwrap();
        stream
    }
}

#[test]
fn the_service_answers_with_the_status_of_a_denial() {
    let service = Service::start();
    let answer = service.ask("POST /tools/search", "{\"query\": \"cpex\"}");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with(r#"{"given":{"query":"cpex"},"tool":"search"}"#), "{answer}");
    let answer = service.ask("POST /tools/shell", "{}");
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("TOOL_DENIED"), "{answer}");
}

#[test]
fn the_service_keeps_a_limit_under_load_and_counts() {
    let service = Service::start();
    let ask = || (0..20).map(|_| service.ask("POST /tools/search", "{}")).collect::<Vec<_>>();
    let answers: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let (allowed, denied): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.starts_with("HTTP/1.1 200"));
    assert_eq!((allowed.len(), denied.len()), (100, 60));
    assert!(
        denied
            .iter()
            .all(|answer| answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 60\r\n"))
    );
    let page = service.ask("GET /metrics", "");
    for line in [
        "cpex_invocations_total{hook=\"tool_pre_invoke\",decision=\"allowed\"} 100",
        "cpex_invocations_total{hook=\"tool_pre_invoke\",decision=\"denied\"} 60",
        "cpex_plugin_calls_total{hook=\"tool_pre_invoke\",plugin=\"guard\",outcome=\"denied\"} 60",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}

#[test]
fn the_service_ends_when_the_last_request_is_answered() {
    let mut service = Service::start();
    let mut under_way = service.send("POST /tools/slow", "{}");
    let is_under_way = |_| service.ask("GET /metrics", "").contains("decision=\"allowed\"} 1");
    assert!((0..10_000).any(is_under_way), "the request has not come to its tool");
    let asked = Command::new("kill").args(["-TERM", &service.process.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let mut answer = String::new();
    under_way.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(service.process.wait().unwrap().success());
    let mut last = String::new();
    service.said.read_to_string(&mut last).unwrap();
    assert_eq!(last, "ended\n");
}
