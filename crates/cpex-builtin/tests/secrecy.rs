//! No secret of a configuration and none of a payload is told: in no log, record, refusal, error or `Debug`.

#![cfg(all(
    feature = "json_schema",
    feature = "otlp",
    feature = "policy",
    feature = "redis",
    feature = "url_filter"
))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex};

use cpex_builtin::plugin::{Answer, Builtin, Call, Decision, KINDS, Nobody, Power, Reply, Site};
use cpex_builtin::text::TooDeep;
use serde_json::{Value, json};

/// What only a configuration knows.
const CONFIGURED: &str = "cfg-Xq7Lr2Vw9Tz4Kp8Nd3";
/// What only payloads have: by its looks, and by the name beside it.
const LOOKS: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
const NAMED: &str = "tr0ub4dor&3-xyz";

const PRE: &str = "tool_pre_invoke";
const POST: &str = "tool_post_invoke";

/// Each kind with its secrets, and where it is asked. A schema is no secret: who does not fit it is told what would.
fn cases(folder: &str) -> Vec<(&'static str, Value, &'static str)> {
    let hash = json!({"strategy": "hash", "key": CONFIGURED});
    let redis =
        || json!({"redis": {"url": format!("redis://me:{CONFIGURED}@127.0.0.1:1/0"), "timeout": "50ms"}});
    let away = json!({"endpoint": "http://127.0.0.1:9/v1/logs", "headers": {"x-key": CONFIGURED}, "timeout": "100ms"});
    vec![
        ("deny_list", json!({"words": [CONFIGURED, LOOKS]}), PRE),
        ("deny_list", json!({"words": [LOOKS], "action": "redact", "redact": hash}), PRE),
        ("regex_rewrite", json!({"rules": [{"pattern": LOOKS, "replacement": CONFIGURED}]}), PRE),
        ("pii_redactor", json!({"redact": hash, "custom": {"own": LOOKS}, "allow": [CONFIGURED]}), PRE),
        ("pii_redactor", json!({"action": "deny", "custom": {"own": LOOKS}}), PRE),
        ("secrets_detector", json!({"allow": [CONFIGURED]}), PRE),
        ("secrets_detector", json!({"action": "redact", "redact": hash}), POST),
        ("prompt_injection", json!({"patterns": {LOOKS: 1.0, CONFIGURED: 1.0}}), POST),
        (
            "json_schema",
            json!({"arguments": {"*": {"properties": {"key": {"const": "fast"}, "password": {"maxLength": 3}}}}}),
            PRE,
        ),
        ("output_length", json!({"limit": 5, "action": "deny"}), POST),
        ("output_length", json!({"limit": 30, "ellipsis": CONFIGURED}), POST),
        ("rate_limiter", json!({"limits": [{"rate": "1/day", "key": ["user"]}], "store": redis()}), PRE),
        (
            "cost_budget",
            json!({"limits": [{"hard": 1, "per": "day"}], "cost": {"terms": [{"field": "/args/password", "price": 1}]}}),
            PRE,
        ),
        (
            "cost_budget",
            json!({"limits": [{"hard": 1, "per": "day"}], "cost": {"fixed": 1}, "store": redis()}),
            PRE,
        ),
        ("circuit_breaker", json!({"failure": [{"field": "/error", "equals": CONFIGURED}]}), PRE),
        ("url_filter", json!({"allow_hosts": [format!("{}.example", CONFIGURED.to_lowercase())]}), PRE),
        (
            "audit_log",
            json!({"path": format!("{folder}/audit.jsonl"), "include_payload": true, "otlp": away}),
            PRE,
        ),
        (
            "policy",
            json!({"rules": [{"name": "r", "when": format!("payload.args.key == '{CONFIGURED}' || payload.args.nothing == 1"), "effect": "allow"}]}),
            PRE,
        ),
        ("header_injector", json!({"headers": {"Authorization": {"value": CONFIGURED}}}), "http_pre_request"),
    ]
}

fn payload(hook: &str) -> Value {
    let texts = json!({
        "key": LOOKS, "password": NAMED, "url": format!("https://ann:{NAMED}@{LOOKS}.test/?page=2&t%6Fken={NAMED}&next=/cb?password={NAMED}"),
        "command": format!("open --url=https://h/%3Fsecret%3D{NAMED} --password='{NAMED}' --token=\"{NAMED}\" a=b=password={NAMED}"),
        LOOKS: 1, "note": format!("my password is {NAMED}, my key {LOOKS}"),
    });
    match hook {
        POST => json!({"name": "search", "result": texts}),
        "http_pre_request" => json!({"headers": {"Authorization": NAMED, "X-Key": LOOKS}}),
        _ => json!({"name": "search", "args": texts}),
    }
}

/// What a reply tells others than the plugin behind.
fn told(reply: &Reply<Value>) -> String {
    let denial = match &reply.decision {
        Decision::Deny(denial) => Some(denial),
        Decision::Allow | Decision::Modify(_) => None,
    };
    format!("{denial:?} {:?}", reply.metadata)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn asked(kind: &str, config: Value, hook: &str, said: &mut String) {
    let mut builtin = Builtin::new(kind, "it", config).unwrap_or_else(|error| panic!("{kind}: {error}"));
    // These look at both ends of a call.
    let pair = matches!(kind, "circuit_breaker" | "cost_budget");
    let hooks = if pair { vec![PRE, POST] } else { vec![hook] };
    let sites: Vec<Site> = hooks.into_iter().map(Site::of).collect();
    builtin
        .attach(&sites.iter().collect::<Vec<_>>(), Power::Full)
        .unwrap_or_else(|error| panic!("{kind}: {error}"));
    builtin.open().unwrap();
    let request = Nobody::<TooDeep>::default();
    // A limit refuses the second; a server that is away is left alone after some.
    for site in sites.iter().cycle().take(8) {
        let payload = payload(site.hook());
        let reply = match builtin.call(&Call { site, payload: &payload, request: &request }) {
            Ok(Answer::Now(reply)) => told(&reply),
            Ok(Answer::Later(later)) => told(&later.await.about()),
            Err(failure) => format!("{failure} {failure:?}"),
        };
        writeln!(said, "{kind}: {reply}").unwrap();
    }
    builtin.close();
    writeln!(said, "{builtin:?}").unwrap();
}

/// The configuration with each of its secrets in a form that is none, and with unknown keys.
fn mistakes(config: &Value) -> Vec<Value> {
    match config {
        Value::Object(fields) => {
            let changed = fields.iter().flat_map(|(name, value)| {
                mistakes(value).into_iter().map(|value| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), value);
                    Value::Object(fields)
                })
            });
            let mut unknown = fields.clone();
            unknown.insert("nope".to_owned(), json!(CONFIGURED));
            changed.chain([Value::Object(unknown)]).collect()
        }
        Value::Array(items) => items.iter().flat_map(mistakes).map(|item| json!([item])).collect(),
        Value::String(text) if text.contains(CONFIGURED) => vec![
            json!({"nope": text}),
            json!([text]),
            json!(format!("{text}\n")),
            json!(text.replace(CONFIGURED, &format!("[{CONFIGURED}"))),
            json!(&CONFIGURED[..15]),
        ],
        _ => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(folder.path().to_str().unwrap());
    let kinds: BTreeSet<&str> = cases.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, KINDS.iter().map(|kind| kind.name).collect());

    let log = Log::default();
    let writer = log.clone();
    let listener = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_ansi(false);
    tracing::subscriber::set_global_default(listener.with_writer(move || writer.clone()).finish()).unwrap();

    let mut said = String::new();
    for (kind, config, hook) in cases {
        for mistake in mistakes(&config) {
            if let Err(error) = Builtin::new(kind, "it", mistake) {
                writeln!(said, "{kind}: {error} {error:?}").unwrap();
            }
        }
        asked(kind, config, hook, &mut said).await;
    }
    said += &std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    let logs = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logs.contains("Redis does not answer") && logs.contains("ExportError"), "{logs}");
    assert!(
        said.contains("SECRET_DETECTED") && said.contains("COST_UNKNOWN") && said.contains("[HIDDEN]"),
        "{said}"
    );
    for line in said.lines().chain(logs.lines()) {
        for secret in
            [&CONFIGURED[..15], &CONFIGURED.to_lowercase()[..15], LOOKS, &LOOKS.to_lowercase(), NAMED]
        {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}
