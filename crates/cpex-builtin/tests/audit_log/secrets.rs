//! No secret is written: not by its name, not by its looks, not around the payload.

use std::time::SystemTime;

use cpex_builtin::audit_log::Record;
use serde_json::{Value, json};

use super::{lines, open};

const KEY: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

fn written(config: Value, record: Record<'_>) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut config = config;
    config["path"] = path.to_str().unwrap().into();
    open(config).write(record, SystemTime::now()).unwrap();
    lines(&path).remove(0)
}

fn about(payload: &Value) -> Record<'_> {
    super::record("1", Some(payload))
}

#[test]
fn what_a_name_tells_is_hidden_whatever_it_is() {
    let payload = json!({
        "headers": {
            "Authorization": "Basic aGk=", "Cookie": "a=b", "Set-Cookie": "a=b", "X-Api-Key": "k1",
            "Proxy-Authorization": "x", "X-Auth-Token": "t", "Accept": "text/html",
        },
        "args": {"password": "hi", "db_password": 7, "clientSecret": {"a": ["k2"]}, "api-key": ["k3"], "max_tokens": 5},
        "known": {"pwd": "correct horse", "secret_key": "dev-key", "passwort": "a b", "credentials": "c", "token_type": "x"},
        "list": [{"refreshToken": "t2", "note": "kept"}],
        "pin": "1234",
        "token": null,
    });
    let line = written(json!({"include_payload": true, "hide": ["PIN"]}), about(&payload));
    let hidden = "[HIDDEN]";
    assert_eq!(
        line["payload"],
        json!({
            "headers": {
                "Authorization": hidden, "Cookie": hidden, "Set-Cookie": hidden, "X-Api-Key": hidden,
                "Proxy-Authorization": hidden, "X-Auth-Token": hidden, "Accept": "text/html",
            },
            "args": {"password": hidden, "db_password": hidden, "clientSecret": hidden, "api-key": hidden, "max_tokens": 5},
            "known": {"pwd": hidden, "secret_key": hidden, "passwort": hidden, "credentials": hidden, "token_type": "x"},
            "list": [{"refreshToken": hidden, "note": "kept"}],
            "pin": hidden,
            "token": null,
        })
    );
}

#[test]
fn what_looks_like_a_secret_is_masked_in_every_field() {
    let payload = json!({"note": format!("use {KEY}"), KEY: 1});
    let uri = format!("https://example.com/?x={KEY}");
    let record = Record {
        hook: "resource_pre_fetch",
        request_id: KEY,
        user: Some(KEY),
        tenant_id: Some(KEY),
        subject: Some(&uri),
        payload: Some(&payload),
    };
    let line = written(json!({"include_payload": true}), record);
    assert!(!line.to_string().contains(KEY), "{line}");
    assert_eq!(line["subject"], "https://example.com/?x=[GITHUB_TOKEN]");
}

#[test]
fn a_payload_is_written_only_if_that_is_asked_for() {
    let payload = json!({"note": "private"});
    let line = written(json!({}), about(&payload));
    assert_eq!(line.get("payload"), None);
    assert_eq!(line["subject"], "search");
}

#[test]
fn what_is_nested_too_deeply_to_be_searched_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(json!({"path": folder.path().join("a"), "include_payload": true}));
    let deep = (0..200).fold(Value::Null, |below, _| json!([below]));
    let error = log.write(about(&deep), SystemTime::now()).unwrap_err();
    assert_eq!(error.to_string(), "the payload is nested deeper than 128 levels");
}
