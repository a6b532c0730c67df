//! Runs a detector over texts: one JSON string a line in, one a line out, redacted; at last the nanoseconds spent.
//!
//! `cargo run --release --example scan -- pii '{"entities": ["email"]}' < texts.jsonl`

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::Instant;

use cpex_builtin::pii::{Pii, PiiConfig};
use cpex_builtin::prompt_injection::{PromptInjection, PromptInjectionConfig};
use cpex_builtin::secrets::{Secrets, SecretsConfig};
use cpex_builtin::{Detector, inspect};
use serde::de::DeserializeOwned;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, config) =
        (arguments.first().map_or("pii", String::as_str), arguments.get(1).map_or("{}", String::as_str));
    let detector: Box<dyn Detector> = match name {
        "pii" => Box::new(Pii::new(read::<PiiConfig>(config)?)?),
        "secrets" => Box::new(Secrets::new(read::<SecretsConfig>(config)?)?),
        "prompt_injection" => Box::new(PromptInjection::new(read::<PromptInjectionConfig>(config)?)?),
        other => return Err(format!("no detector {other:?}: pii, secrets or prompt_injection").into()),
    };
    let texts = stdin().lock().lines().map(|line| Ok(serde_json::from_str(&line?)?));
    let texts: Vec<String> = texts.collect::<Result<_, Box<dyn Error>>>()?;
    let mut out = stdout().lock();
    for text in &texts {
        let inspection = inspect(text, &[&*detector])?;
        let said = match inspection.denied() {
            Some(_) => serde_json::Value::Null,
            None => inspection.changed.as_ref().unwrap_or(text).as_str().into(),
        };
        writeln!(out, "{said}")?;
    }
    writeln!(out, "{}", fastest(&texts, &*detector))?;
    Ok(())
}

fn read<T: DeserializeOwned>(config: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(config)
}

/// The nanoseconds of the fastest of some rounds over all texts.
fn fastest(texts: &[String], detector: &dyn Detector) -> u128 {
    let round = || {
        let start = Instant::now();
        for text in texts {
            let _ = black_box(inspect(black_box(text), &[detector]));
        }
        start.elapsed().as_nanos()
    };
    (0..7).map(|_| round()).min().unwrap_or_default()
}
