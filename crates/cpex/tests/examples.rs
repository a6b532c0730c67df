//! The examples, run as programs.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

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
                    the model: I have looked Ann up. A person has to approve the refund.\n\
                    refused refunds: 1\n";
    assert_eq!(prints("agent"), expected);
}

/// Ends the service, whatever becomes of the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn service() {
    let mut service = Service(example("service").arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(service.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap();
    let post = |tool: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let body = "{\"query\": \"cpex\"}";
        write!(
            stream,
            "POST /tools/{tool} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = post("search");
    assert!(
        answer.starts_with("HTTP/1.1 200")
            && answer.ends_with(r#"{"given":{"query":"cpex"},"tool":"search"}"#),
        "{answer}"
    );
    let answer = post("shell");
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("TOOL_DENIED"), "{answer}");
}
