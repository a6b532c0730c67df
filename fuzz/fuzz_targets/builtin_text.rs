//! Any text before every scanner: no panic, findings stand on characters, and what is redacted or cut stays so.

#![no_main]

use std::sync::LazyLock;

use cpex_builtin::inspect;
use cpex_builtin::plugin::Builtin;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Scanners that change texts, each with a mask that none of them finds anything in.
static SCANNERS: LazyLock<Vec<Builtin>> = LazyLock::new(|| {
    let redact = json!({"mask": " "});
    [
        ("deny_list", json!({"words": ["ab", "word", "ẞ"], "action": "redact", "redact": redact})),
        ("pii_redactor", json!({"min_confidence": "low", "redact": redact})),
        ("secrets_detector", json!({"min_confidence": "low", "action": "redact", "redact": redact})),
        ("prompt_injection", json!({"action": "report"})),
        ("url_filter", json!({"action": "redact", "redact": redact})),
        ("output_length", json!({"limit": 20})),
        ("output_length", json!({"limit": 20, "unit": "bytes"})),
        ("output_length", json!({"limit": 5, "unit": "tokens"})),
        ("regex_rewrite", json!({"rules": [{"pattern": "(a+)b?", "replacement": "<$1>"}]})),
    ]
    .into_iter()
    .map(|(kind, config)| Builtin::new(kind, kind, config).expect("the configuration is right"))
    .collect()
});

/// What a second look at the outcome of the first must leave as it is.
const LASTING: [&str; 2] = ["deny_list", "output_length"];

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let payload = json!({"text": text, "url": text, &*text: [text]});
    for scanner in SCANNERS.iter() {
        let detector = scanner.detector().expect("it is a scanner");
        let Ok(inspection) = inspect(&payload, &[detector]) else { continue };
        for sighting in inspection.reports[0].sightings() {
            let span = sighting.finding.span.clone();
            assert!(text.get(span.clone()).is_some(), "{}: {span:?} of {text:?}", scanner.name());
        }
        let Some(changed) = inspection.changed else { continue };
        if LASTING.contains(&scanner.name()) {
            let again = inspect(&changed, &[detector]).expect("it is no deeper than before");
            assert_eq!(again.changed, None::<Value>, "{}: {changed}", scanner.name());
        }
    }
});
