//! A worker for the tests, which does what it is called with: the hook says what, the payload how long or with what.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, exit};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

use cpex_isolated::worker::{Frame, Line, Message, Received};

fn main() {
    let way: Vec<String> = std::env::args().skip(1).collect();
    let way: Vec<&str> = way.iter().map(String::as_str).collect();
    match way[..] {
        ["end"] => {
            eprintln!("no such module");
            exit(3)
        }
        ["sleep"] => sleep(Duration::from_secs(60)),
        _ => {}
    }
    let line = Arc::new(Line::from_stdin(1 << 20).expect("a socket"));
    let Ok(hello) = line.hello() else { return };
    let greeting = match way[..] {
        ["refuse"] => Message::Failed(br#"{"message":"no such class","plugin_name":"P"}"#),
        ["old"] => Message::Ready(br#"{"protocol":0}"#),
        _ => Message::Ready(br#"{"protocol":1}"#),
    };
    line.send(&greeting, hello.id).expect("a host");
    if way == ["brief"] {
        exit(0);
    }
    let given_up = Arc::new(Mutex::new(HashSet::new()));
    loop {
        let Ok(received) = line.receive() else { return };
        for each in received {
            match each {
                Received::Call(frame) => {
                    let (line, given_up) = (line.clone(), given_up.clone());
                    if let Some(note) = payload_of(&frame, "hang") {
                        let _ = std::fs::write(note, "");
                        sleep(Duration::from_secs(60));
                    }
                    // Reads nothing until somebody removes the file.
                    if let Some(note) = payload_of(&frame, "pause") {
                        let _ = std::fs::write(note, "");
                        while Path::new(note).exists() {
                            sleep(Duration::from_millis(1));
                        }
                    }
                    spawn(move || answer(&line, &frame, &given_up));
                }
                Received::Cancel(id) => drop(given_up.lock().expect("no panic").insert(id)),
                Received::Finish => return,
            }
        }
        sleep(Duration::from_micros(200));
    }
}

fn payload_of<'f>(frame: &'f Frame, hook: &str) -> Option<&'f str> {
    match Message::read(frame) {
        Ok(Message::Call(call)) if call.hook == hook => std::str::from_utf8(call.payload).ok(),
        _ => None,
    }
}

fn answer(line: &Line, frame: &Frame, given_up: &Mutex<HashSet<u64>>) {
    let Ok(Message::Call(call)) = Message::read(frame) else { return };
    let number =
        || std::str::from_utf8(call.payload).ok().and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    let reply = Message::Reply { result: call.payload, context: Some(call.context) };
    match call.hook {
        // Answers after so many microseconds, or nanoseconds, unless nobody waits any more.
        "wait" | "nanoseconds" => {
            let unit = if call.hook == "wait" { 1000 } else { 1 };
            sleep(Duration::from_nanos(number() * unit));
            let reply =
                if given_up.lock().expect("no panic").contains(&frame.id) { Message::Dropped } else { reply };
            let _ = line.send(&reply, frame.id);
        }
        "fail" => drop(line.send(&Message::Failed(br#"{"message":"boom","plugin_name":"P"}"#), frame.id)),
        "pid" => {
            let id = std::process::id().to_string();
            let _ = line.send(&Message::Reply { result: id.as_bytes(), context: None }, frame.id);
        }
        "stubborn" => sleep(Duration::from_secs(60)),
        "exit" => exit(i32::try_from(number()).unwrap_or(1)),
        "unasked" => drop(line.send(&reply, frame.id + 1000)),
        "twice" => {
            let _ = line.send(&reply, frame.id);
            let _ = line.send(&reply, frame.id);
        }
        "other" => drop(line.send(&Message::Ready(b"{}"), frame.id)),
        // As fast as they are read, on a thread that nobody waits for.
        "pongs" => while line.send(&Message::Pong, 0).is_ok() {},
        "leak" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1_u8; 1 << 20]);
                sleep(Duration::from_millis(1));
            }
        }
        "flood" => {
            let text = [b'x'; 1000];
            let mut out = std::io::stdout().lock();
            for _ in 0..100_000 {
                let _ = out.write_all(&text).and_then(|()| out.write_all(b"\n"));
            }
        }
        // Says more than is kept, a record among it, and ends.
        "last words" => {
            let lines = (0..5_000).map(|line| format!("line {line}\n")).collect::<String>();
            let record = r#"{"level":40,"logger":"plugin","message":"oops","traceback":null}"#;
            print!("{lines}");
            eprint!("{lines}\u{1e}{record}\nLAST WORDS");
            exit(4)
        }
        // Leaves a child behind, whose number it answers with.
        "fork" => {
            #[expect(clippy::zombie_processes, reason = "it is left behind")]
            let child = Command::new("sleep").arg("60").spawn().expect("a child");
            let id = child.id().to_string();
            let _ = line.send(&Message::Reply { result: id.as_bytes(), context: None }, frame.id);
        }
        _ => drop(line.send(&reply, frame.id)),
    }
}
