//! Tables: what schemas, URLs, policies, headers and the audit log let through and write.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use cpex_builtin::audit_log::{AuditLog, AuditLogConfig, Record};
use cpex_builtin::header_injector::{HeaderInjector, HeaderInjectorConfig};
use serde_json::{Value, json};

#[cfg(feature = "url_filter")]
#[test]
fn urls_are_read_as_browsers_do() {
    use cpex_builtin::url_filter::{UrlFilter, UrlFilterConfig};
    let filter =
        |config: Value| UrlFilter::new(serde_json::from_value::<UrlFilterConfig>(config).unwrap()).unwrap();
    let default = filter(json!({}));
    for private in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://169.254.169.254/latest/",
        "http://localhost:8080/",
        "http://db.internal/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://100.64.0.1/",
        "http://0/",
        "http:\\\\127.0.0.1\\",
        "http://ⓛocalhost/",
        "http://１２７.0.0.1/",
        "http://127.0.0.1./",
    ] {
        assert_eq!(default.objection(private), Some("private_address"), "{private}");
    }
    for (url, objection) in [
        ("https://example.com/a?b", None),
        ("http://93.184.215.14/", None),
        ("https://user:pw@example.com/", Some("userinfo")),
        ("https://example.com@evil.test/", Some("userinfo")),
        ("ftp://example.com/", Some("denied_scheme")),
        ("javascript:alert(1)", Some("denied_scheme")),
        ("http://[::1", Some("malformed_url")),
    ] {
        assert_eq!(default.objection(url), objection, "{url}");
    }
    let narrow =
        filter(json!({"allow_hosts": ["example.com", "*.example.org"], "deny_hosts": ["bad.example.org"]}));
    for (url, allowed) in [
        ("https://EXAMPLE.com./", true),
        ("https://a.example.org/", true),
        ("https://example.org/", false),
        ("https://bad.example.org/", false),
        ("https://notexample.com/", false),
        ("https://example.com.evil.test/", false),
    ] {
        assert_eq!(narrow.objection(url).is_none(), allowed, "{url}");
    }
    let payload = json!({"host": "127.0.0.1", "text": "see https://example.com."});
    let inspection = cpex_builtin::inspect(&payload, &[&default]).unwrap();
    assert_eq!(inspection.denied().unwrap().sightings()[0].place, "/host");
    let foreign = filter(json!({"allow_international": false}));
    assert_eq!(foreign.objection("https://еxample.com/"), Some("international_host"));
}

#[cfg(feature = "json_schema")]
#[test]
fn a_value_that_does_not_fit_is_placed_and_not_told() {
    use cpex_builtin::json_schema::{JsonSchema, JsonSchemaConfig, Side};
    let read = |config: Value| JsonSchema::new(serde_json::from_value::<JsonSchemaConfig>(config).unwrap());
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]});
    let schemas = read(json!({"arguments": {"add": schema}, "require_schema": true})).unwrap();
    assert!(schemas.check(Side::Arguments, "add", &json!({"age": 3})).is_ok());
    let denial = schemas.check(Side::Arguments, "add", &json!({"age": "hidden"})).unwrap_err();
    assert_eq!((denial.code, &denial.details["problems"][0]["place"]), ("SCHEMA_MISMATCH", &json!("/age")));
    assert!(!format!("{denial:?}").contains("hidden"));
    assert_eq!(schemas.check(Side::Results, "add", &json!(1)).unwrap_err().code, "SCHEMA_MISSING");
    let error = read(json!({"results": {"add": {"type": "integr"}}})).map(|_| ()).unwrap_err();
    assert!(error.field.starts_with("results.add"), "{error}");
    assert!(read(json!({"results": {"add": {"$ref": "https://example.com/schema"}}})).is_err());
}

#[cfg(feature = "policy")]
#[test]
fn the_first_rule_that_holds_decides_and_a_failing_one_denies() {
    use cpex_builtin::policy::{Facts, Policy, PolicyConfig};
    let policy = |rules: Value| Policy::new(serde_json::from_value::<PolicyConfig>(rules).unwrap());
    let rules = policy(json!({"rules": [
        {"name": "admins", "when": "user != null && 'admin' in user.roles", "effect": "allow"},
        {"name": "deletes", "when": "payload.name.startsWith('delete_')", "effect": "deny", "reason": "no"},
    ]}))
    .unwrap();
    let decide = |payload: Value, user: Value| {
        let facts = Facts { payload: &payload, user: &user, request: &Value::Null, hook: "tool_pre_invoke" };
        rules.decide(&facts).map_err(|denial| denial.code)
    };
    assert_eq!(decide(json!({"name": "delete_all"}), json!({"roles": ["admin"]})), Ok(()));
    assert_eq!(decide(json!({"name": "delete_all"}), Value::Null), Err("POLICY_DENIED"));
    assert_eq!(decide(json!({"name": "list"}), Value::Null), Ok(()));
    assert_eq!(decide(json!({}), Value::Null), Err("POLICY_FAILED"));
    for when in ["payload.", "secret == 1"] {
        let error = policy(json!({"rules": [{"name": "x", "when": when, "effect": "deny"}]}))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.field, "rules[0].when");
    }
}

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
