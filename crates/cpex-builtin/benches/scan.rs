//! What it costs to look at a text, by the kilobyte: prose, JSON, texts full of findings, and baits.

use std::hint::black_box;

use cpex_builtin::pii::{Pii, PiiConfig};
use cpex_builtin::prompt_injection::{PromptInjection, PromptInjectionConfig};
use cpex_builtin::secrets::{Secrets, SecretsConfig};
use cpex_builtin::{Detector, inspect};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The length of each text, in bytes.
const SIZE: usize = 16 * 1024;

const TEXTS: [(&str, &str); 7] = [
    (
        "prose",
        "The weather in the north was fair, and nobody thought of the harvest before the end of the week. ",
    ),
    ("json", r#"{"id": 4711, "name": "Alice", "tags": ["a", "b"], "note": "nothing to see", "ok": true}, "#),
    (
        "findings",
        "Write to alice@example.com or call +1 415 555 2671; password = 'tr0ub4dor&3x', card 4111 1111 1111 1111. ",
    ),
    ("base64", "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4"),
    ("digits", "4111111111111112"),
    ("at signs", "a@a.b@"),
    ("assignments", "token=password:secret="),
];

fn scan(criterion: &mut Criterion) {
    let detectors: [(&str, Box<dyn Detector>); 3] = [
        ("pii", Box::new(Pii::new(PiiConfig::default()).expect("valid"))),
        ("secrets", Box::new(Secrets::new(SecretsConfig::default()).expect("valid"))),
        (
            "prompt_injection",
            Box::new(PromptInjection::new(PromptInjectionConfig::default()).expect("valid")),
        ),
    ];
    for (name, detector) in &detectors {
        let mut group = criterion.benchmark_group(*name);
        group.throughput(Throughput::Bytes(SIZE as u64));
        for (kind, piece) in TEXTS {
            let text = piece.repeat(SIZE / piece.len() + 1)[..SIZE].to_owned();
            group.bench_function(kind, |bencher| bencher.iter(|| inspect(black_box(&text), &[&**detector])));
        }
    }
}

criterion_group!(benches, scan);
criterion_main!(benches);
