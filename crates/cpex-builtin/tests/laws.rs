//! Laws that hold for every text.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use cpex_builtin::finding::{Confidence, Finding, without_overlaps};
use cpex_builtin::pii::{Pii, PiiConfig, is_card_number, is_iban};
use cpex_builtin::prompt_injection::{PromptInjection, PromptInjectionConfig};
use cpex_builtin::secrets::{Secrets, SecretsConfig};
use cpex_builtin::{Detector, inspect};
use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const MARK: &str = "⟦R⟧";

fn pii() -> Pii {
    let config = json!({"redact": {"mask": MARK}, "min_confidence": "low"});
    Pii::new(serde_json::from_value::<PiiConfig>(config).expect("as the test says"))
        .expect("as the test says")
}

fn secrets() -> Secrets {
    let config = json!({"redact": {"mask": MARK}, "action": "redact", "min_confidence": "low"});
    Secrets::new(serde_json::from_value::<SecretsConfig>(config).expect("as the test says"))
        .expect("as the test says")
}

fn redacted(detector: &dyn Detector, text: &str) -> String {
    let payload = Value::from(text);
    let changed = inspect(&payload, &[detector]).expect("as the test says").changed;
    changed.map_or_else(|| text.to_owned(), |changed| changed.as_str().expect("as the test says").to_owned())
}

/// Whether the pieces between the marks stand in the text in their order, the first and last at its ends.
fn keeps_all_else(text: &str, output: &str) -> bool {
    let mut rest = text;
    let mut pieces = output.split(MARK);
    let Some(after) = rest.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    rest = after;
    pieces.all(|piece| {
        rest.find(piece).is_some_and(|at| {
            rest = &rest[at + piece.len()..];
            true
        })
    })
}

/// Texts of what detectors look for, put together at random.
fn texts() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        "[0-9]{1,19}",
        "[-. :@+()/=_'\"é世]",
        "[a-zA-Z]{1,8}",
        "[0-9a-f:]{2,12}",
        ".{0,6}",
        Just("4111 1111 1111 1111".to_owned()),
        Just("alice@example.com".to_owned()),
        Just("GB82WEST12345698765432".to_owned()),
        Just("password=".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just("AKIAQWERTYUIOPASDFGH".to_owned()),
        Just("phone ".to_owned()),
        Just("2001:db8::1".to_owned()),
        Just("://u:".to_owned()),
        Just("Bearer ".to_owned()),
        "[０-９＠\u{200b}\u{a0}–]{1,3}",
        Just("token: ghp_".to_owned()),
    ];
    prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
}

/// The processor time that this thread has taken: other work on the machine does not count.
fn own_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("it is not negative")
}

/// Time is linear in the text: sixteen times a bait takes about sixteen times as long. A step for each pair of bytes
/// would take two hundred and fifty-six times as long.
#[test]
fn time_grows_as_the_text_does() {
    let injection = PromptInjection::new(PromptInjectionConfig::default()).unwrap();
    let detectors: [(&str, &dyn Detector); 3] =
        [("pii", &pii()), ("secrets", &secrets()), ("injection", &injection)];
    let spent = |detector: &dyn Detector, text: &String| {
        let start = own_time();
        let _ = inspect(text, &[detector]);
        (own_time() - start).as_secs_f64()
    };
    for bait in [
        "4",
        "1 ",
        "1-",
        "a@",
        "@",
        "a",
        "a.",
        ":",
        "1:",
        "+",
        "(0",
        "GB82 ",
        "=",
        "key=",
        "password: ",
        "token is ",
        "-----BEGIN PRIVATE KEY-----",
        "-",
        "://:a@",
        "://a:",
        "eyJa.",
        "eyJaaaaaaaaa.eyJ",
        "ghp_",
        "Bearer ",
        "--token ",
        "\\",
        "ignore ",
        "ignore all previous ",
        "１",
        "\u{200b}a",
    ] {
        for (name, detector) in detectors {
            let (short, long) = (bait.repeat(4096 / bait.len()), bait.repeat(16 * (4096 / bait.len())));
            // Other work still makes a round longer, for memory is shared, and never shorter: one good round is enough.
            let least = (0..20).map(|_| spent(detector, &short)).fold(f64::INFINITY, f64::min);
            assert!((0..50).any(|_| spent(detector, &long) < 64.0 * least), "{name} for {bait:?}");
        }
    }
}

proptest! {
    #[test]
    fn redaction_keeps_all_other_text(text in texts()) {
        for detector in [&pii() as &dyn Detector, &secrets()] {
            prop_assert!(keeps_all_else(&text, &redacted(detector, &text)));
        }
    }

    #[test]
    fn findings_stand_on_characters_in_order(text in texts()) {
        for findings in [pii().find(&text, None), secrets().find(&text, None)] {
            let mut end = 0;
            for finding in findings {
                prop_assert!(finding.span.start >= end && text.get(finding.span.clone()).is_some_and(|found| !found.is_empty()));
                end = finding.span.end;
            }
        }
    }

    #[test]
    fn what_was_found_stays_covered(spans in prop::collection::vec((0_usize..40, 1_usize..12, 0_u8..3), 0..12)) {
        let findings: Vec<Finding> = spans.into_iter().map(|(start, length, sure)| {
            let confidence = [Confidence::Low, Confidence::Medium, Confidence::High][usize::from(sure)];
            Finding::new("any", start..start + length, confidence)
        }).collect();
        let covered = |findings: &[Finding]| findings.iter().flat_map(|f| f.span.clone()).collect::<BTreeSet<_>>();
        let mut left = findings.clone();
        without_overlaps(&mut left);
        prop_assert_eq!(covered(&left), covered(&findings));
        prop_assert!(left.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "{left:?}");
    }

    #[test]
    fn a_changed_digit_breaks_a_card(prefix in "4[0-9]{14}", at in 0_usize..16, by in 1_u8..10) {
        let valid: Vec<String> = (0..10).map(|check| format!("{prefix}{check}")).filter(|card| is_card_number(card)).collect();
        prop_assert_eq!(valid.len(), 1);
        let mut digits = valid[0].clone().into_bytes();
        digits[at] = b'0' + (digits[at] - b'0' + by) % 10;
        prop_assert!(!is_card_number(&String::from_utf8(digits).unwrap()));
    }

    #[test]
    fn an_iban_has_one_pair_of_check_digits(account in "[0-9]{18}") {
        let valid = (2..=98).filter(|check| is_iban(&format!("DE{check:02}{account}"))).count();
        prop_assert_eq!(valid, 1);
    }
}
