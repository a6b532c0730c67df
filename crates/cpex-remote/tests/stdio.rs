//! A server of ours over its standard streams, as the process that started it sees it. W15.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod side_by_side;
#[allow(dead_code, reason = "no call here fails")]
mod words;

use std::env;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cpex_remote::mcp::{Client, ClientConfig, Endpoint, Launch, MAX_MESSAGE, Program};
use cpex_remote::{Delivery, Remote};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use words::{call, result, value};

const PATIENCE: Duration = Duration::from_secs(60);

fn binary() -> String {
    env::current_exe().unwrap().parent().unwrap().join("../examples/probe_server").display().to_string()
}

struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(binary())
            .arg("stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, stdin, stdout }
    }

    async fn say(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).await.unwrap();
        stdin.write_all(b"\n").await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let line = timeout(PATIENCE, self.stdout.next_line()).await.unwrap().unwrap().unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a message: {line}"))
    }

    async fn call(&mut self, id: u64, name: &str, args: Value) {
        let call = call(name, args);
        let arguments = json!({
            "hook_type": call.hook, "plugin_name": call.plugin, "payload": value(&call.payload), "context": value(&call.context),
        });
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "invoke_hook", "arguments": arguments}});
        self.say(message.to_string().as_bytes()).await;
    }

    async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn what_a_plugin_prints_does_not_come_among_the_messages() {
    let mut server = Server::start();
    server.call(1, "print", json!({})).await;
    assert_eq!(server.hear().await["id"], 1);
    drop(server.stdin.take());
    assert!(server.ended().await.success(), "the end of its input is its own");
    assert_eq!(server.stdout.next_line().await.unwrap(), None);
    let mut printed = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut printed).await.unwrap();
    assert_eq!(printed, "printed by a plugin\n");
}

#[tokio::test]
async fn lines_that_are_no_messages_are_answered_and_do_no_harm() {
    let mut server = Server::start();
    for (line, code) in [
        (b"garbage".to_vec(), -32700),
        (vec![0xff; 100], -32700),
        (b"[]".to_vec(), -32600),
        (vec![b'x'; MAX_MESSAGE + 1], -32600),
    ] {
        server.say(&line).await;
        assert_eq!(server.hear().await["error"]["code"], code);
    }
    server.say(b"\r").await;
    server.say(br#"{"jsonrpc":"2.0","id":"last","method":"ping"}"#).await;
    assert_eq!(server.hear().await, json!({"jsonrpc": "2.0", "id": "last", "result": {}}));
}

#[tokio::test]
async fn a_call_given_up_does_not_hold_up_the_others() {
    // W86
    let mut server = Server::start();
    server.call(1, "sleep", json!({"seconds": 600})).await;
    server.call(2, "allow", json!({})).await;
    assert_eq!(server.hear().await["id"], 2);
    server.say(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    let cancelled = server.hear().await;
    assert_eq!((&cancelled["id"], &cancelled["error"]["message"]), (&json!(1), &json!("Request cancelled")));
}

#[tokio::test]
async fn calls_under_way_finish_before_it_ends() {
    let mut server = Server::start();
    server.call(1, "sleep", json!({"seconds": 0.3})).await;
    drop(server.stdin.take());
    assert_eq!(server.hear().await["id"], 1);
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn what_comes_too_late_is_turned_away() {
    let mut server = Server::start();
    server.call(1, "sleep", json!({"seconds": 600})).await;
    server.call(2, "allow", json!({})).await;
    assert_eq!(server.hear().await["id"], 2);
    let child = server.child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap())).unwrap();
    kill_process(child, Signal::TERM).unwrap();
    loop {
        server.say(br#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#).await;
        let answer = server.hear().await;
        assert_eq!(answer["id"], 3);
        if answer.get("error").is_some() {
            assert_eq!(answer["error"]["code"], -32002);
            break;
        }
    }
    server.say(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    assert_eq!(server.hear().await["error"]["message"], "Request cancelled");
    assert!(server.ended().await.success());
}

async fn connect() -> Client {
    let program = Program::new(Launch::Command(vec![binary(), "stdio".to_owned()]));
    let config = ClientConfig::new(Endpoint::Stdio(program));
    Client::connect(words::NAME, ClientConfig { timeout: PATIENCE, ..config }).await.unwrap()
}

#[tokio::test]
async fn a_client_calls_side_by_side_and_starts_a_server_that_died_again() {
    let client = Arc::new(Remote::Mcp(Box::new(connect().await)));
    assert_eq!(value(&client.plugin_config().await.unwrap().unwrap())["name"], words::NAME);
    side_by_side::check(&client, 200).await;
    // W82: a call in flight when the server dies is a fault, and the next one gets its own answer.
    let killed = client.invoke(&call("exit", json!({}))).await.unwrap_err();
    assert_eq!(killed.delivery(), Delivery::Unknown, "{killed}");
    let args = json!({"text": "again\nand again"});
    let echoed = client.invoke(&call("echo", args.clone())).await.unwrap();
    assert_eq!(result(&echoed)["modified_payload"]["args"], args);
    client.close().await;
    client.invoke(&call("allow", json!({}))).await.unwrap();
}
