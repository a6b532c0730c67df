//! What a peer sends, for the fuzz targets: every way in which it is read.

use super::events::Events;
use super::jsonrpc::{Message, on_one_line};
use super::lines::{Line, Lines};
use super::text::{Greeting, Said, ToolCall, call_params, read_call, read_name, read_reply, write_reply};
use crate::wire::Features;

const LIMIT: usize = 1000;

/// Reads the bytes in every way, and panics if what was read is not what is said again.
pub fn read_all(bytes: &[u8]) {
    lines(bytes);
    events(bytes);
    message(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(reply) = read_reply(text, "P")
    {
        assert_eq!(read_reply(&write_reply(&reply), "P").ok(), Some(reply));
    }
}

/// Lines are the same however the bytes come, and none is too long.
fn lines(bytes: &[u8]) {
    let read = |step: usize| {
        let mut lines = Lines::new(LIMIT);
        let mut found: Vec<_> = bytes.chunks(step).flat_map(|piece| lines.feed(piece)).collect();
        found.extend(lines.finish());
        found
    };
    let whole = read(bytes.len().max(1));
    assert!(whole.iter().all(|line| !matches!(line, Line::Text(text) if text.len() > LIMIT)));
    assert_eq!(whole, read(1));
}

/// So are events.
fn events(bytes: &[u8]) {
    let read = |step: usize| {
        let mut events = Events::default();
        bytes.chunks(step).flat_map(|piece| events.feed(piece)).collect::<Vec<_>>()
    };
    let whole = read(bytes.len().max(1));
    assert_eq!(whole, read(1));
    for event in whole {
        message(&event);
    }
}

fn message(bytes: &[u8]) {
    match Message::read(bytes) {
        Ok(Message::Request { params, .. }) => {
            let Some(params) = params else { return };
            if let Ok(ToolCall { arguments, .. }) = serde_json::from_str(params.get()) {
                let _ = read_name(arguments);
                let Ok(call) = read_call(arguments) else { return };
                let all = Features { json: true, context: true, extensions: true };
                let said = call_params(&call, all);
                let again: ToolCall<'_> = serde_json::from_str(&said).expect("what is said can be read");
                let again = read_call(again.arguments).ok().expect("what is said is a call");
                assert_eq!((&again.hook, &again.plugin), (&call.hook, &call.plugin));
                assert_eq!(again.payload.as_str(), on_one_line(call.payload.as_str()));
                assert_eq!(again.extensions.is_some(), call.extensions.is_some());
            }
        }
        Ok(Message::Answer { outcome: Ok(result), .. }) => {
            let _ = (Said::read(result), Greeting::read(result));
        }
        Ok(Message::Answer { .. } | Message::Notification { .. } | Message::Stray) => {}
        Err(fault) => {
            let told = fault.message(None);
            assert!(Message::read(told.as_bytes()).is_ok(), "a fault is a message");
        }
    }
}
