//! Tables: what headers and the audit log let through and write.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use cpex_builtin::audit_log::{AuditLog, AuditLogConfig, Record};
use cpex_builtin::header_injector::{HeaderInjector, HeaderInjectorConfig};
use serde_json::{Value, json};

#[test]
fn headers_are_added_kept_and_removed() {
    let read =
        |config: Value| HeaderInjector::new(serde_json::from_value::<HeaderInjectorConfig>(config).unwrap());
    let injector = read(json!({
        "headers": {
            "X-Request-Id": {"value": "r-{request_id}"},
            "accept": {"value": "text/plain"},
            "X-User": {"value": "{user}", "overwrite": true},
        },
        "remove": ["COOKIE"],
    }))
    .unwrap();
    let headers = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let known = |name: &str| match name {
        "request_id" => Some("7".to_owned()),
        "user" => Some("eve\r\nX-Admin: yes".to_owned()),
        _ => None,
    };
    let changed = injector.inject(&headers(&[("Accept", "*/*"), ("Cookie", "a=b")]), known);
    assert_eq!(changed, Some(headers(&[("Accept", "*/*"), ("X-Request-Id", "r-7")])));
    for headers in
        [json!({"a b": {"value": "x"}}), json!({"a": {"value": "x\ny"}}), json!({"a": {"value": "{nobody}"}})]
    {
        assert!(read(json!({"headers": headers})).is_err());
    }
}

#[test]
fn the_log_rotates_and_has_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let config = json!({"path": path, "include_payload": true, "max_bytes": 4096, "keep": 2});
    let log = AuditLog::open(serde_json::from_value::<AuditLogConfig>(config).unwrap()).unwrap();
    let payload = json!({"password": "tr0ub4dor&3x", "note": "n".repeat(900)});
    for number in 0..20 {
        let request_id = number.to_string();
        let record = Record {
            hook: "tool_pre_invoke",
            request_id: &request_id,
            user: None,
            tenant_id: None,
            subject: Some("search"),
            payload: Some(&payload),
        };
        log.write(record, SystemTime::UNIX_EPOCH + Duration::from_secs(number)).unwrap();
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let all = read("audit.jsonl.2") + &read("audit.jsonl.1") + &read("audit.jsonl");
    let lines: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> =
        lines.iter().map(|line| line["request_id"].as_str().unwrap().parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1) && numbers.last() == Some(&19));
    assert_eq!(lines.last().unwrap()["time"], "1970-01-01T00:00:19.000000Z");
    assert!(!all.contains("tr0ub4dor") && all.contains("[PASSWORD]"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}
