//! What the detectors find in the committed corpora, to the text: a change of a detector shows here as a change of
//! counts. `docs/builtin/quality.md` has the figures of the held-out corpus.

use std::collections::BTreeMap;
use std::path::Path;

use cpex_builtin::finding::Finding;
use cpex_builtin::pii::{Pii, PiiConfig};
use cpex_builtin::secrets::{Secrets, SecretsConfig};
use serde::Deserialize;

/// A text and its labels: kind, first character, and the character after the last.
#[derive(Deserialize)]
struct Row {
    text: String,
    labels: Vec<(String, usize, usize)>,
}

fn corpus(name: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/data").join(name);
    // A sign stands inside of keys, since hosts of code refuse files with keys.
    let lines = std::fs::read_to_string(path).expect("the corpus is committed").replace('¦', "");
    lines.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

/// Of each kind, how many labels were covered as a whole and how many were not; and the findings that touch no label.
fn counts(rows: &[Row], find: impl Fn(&str) -> Vec<Finding>) -> (BTreeMap<&str, (usize, usize)>, usize) {
    let (mut kinds, mut false_alarms) = (BTreeMap::<&str, (usize, usize)>::new(), 0);
    for row in rows {
        let findings = find(&row.text);
        let byte = |character: usize| {
            row.text.char_indices().nth(character).map_or(row.text.len(), |(byte, _)| byte)
        };
        let labels: Vec<_> =
            row.labels.iter().map(|(kind, start, end)| (kind, byte(*start)..byte(*end))).collect();
        for (kind, label) in &labels {
            let found = findings.iter().any(|f| f.span.start <= label.start && label.end <= f.span.end);
            let count = kinds.entry(kind.as_str()).or_default();
            if found { count.0 += 1 } else { count.1 += 1 }
        }
        let touches = |f: &&Finding| labels.iter().any(|(_, l)| f.span.start < l.end && l.start < f.span.end);
        false_alarms += findings.len() - findings.iter().filter(touches).count();
    }
    (kinds, false_alarms)
}

fn pii(text: &str) -> Vec<Finding> {
    thread_local!(static PII: Pii = Pii::new(PiiConfig::default()).expect("valid"));
    PII.with(|pii| pii.find(text, None))
}

fn secrets(text: &str) -> Vec<Finding> {
    thread_local!(static SECRETS: Secrets = Secrets::new(SecretsConfig::default()).expect("valid"));
    SECRETS.with(|secrets| secrets.find(text, None))
}

#[test]
fn personal_data_of_the_development_corpus() {
    let rows = corpus("pii.jsonl");
    let (kinds, false_alarms) = counts(&rows, pii);
    let expected = [
        ("card", (38, 2)),
        ("email", (40, 0)),
        ("iban", (40, 0)),
        ("ip", (40, 0)),
        ("phone", (39, 1)),
        ("ssn", (40, 0)),
    ];
    assert_eq!((kinds, false_alarms), (expected.into(), 0));
}

#[test]
fn personal_data_in_the_sentences_of_others() {
    let rows = corpus("presidio.jsonl");
    let (kinds, false_alarms) = counts(&rows, pii);
    let expected = [
        ("card", (127, 9)),
        ("email", (49, 0)),
        ("iban", (20, 1)),
        ("ip", (14, 0)),
        ("phone", (53, 39)),
        ("ssn", (16, 0)),
    ];
    assert_eq!((kinds, false_alarms), (expected.into(), 0));
}

#[test]
fn secrets_of_the_development_corpus() {
    let rows = corpus("secrets.jsonl");
    let (mut kinds, false_alarms) = counts(&rows, secrets);
    // The tokens of Telegram, Terraform and Entra ID have no prefix.
    let (tokens, others) = (kinds.remove("cloud_token"), kinds);
    assert_eq!((tokens, false_alarms), (Some((5, 5)), 0));
    assert_eq!((others.len(), others.values().all(|counts| *counts == (10, 0))), (17, true), "{others:?}");
}
