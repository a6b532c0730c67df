//! Every scalar form reads as PyYAML's `safe_load` reads it: `data/scalars.json` says how, and
//! `make_scalars.py` wrote that.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::portable;
use cpex_config::{Environment, Templates, load};
use serde_json::Value as Json;

/// PyYAML takes these for errors of its own, and the text is better YAML than that.
const KINDER: &[&str] = &["2001-12-14\t21:59:43"];

fn table() -> Vec<(String, Json)> {
    let rows: Vec<(String, Json)> = serde_json::from_str(include_str!("data/scalars.json")).unwrap();
    rows.into_iter().filter(|(text, _)| !KINDER.contains(&text.as_str())).collect()
}

fn read(text: &str, templates: Templates<'_>) -> Json {
    match load(text, "scalars.yaml", templates) {
        Ok(document) => portable(document.root().unwrap().get("key").unwrap().value()),
        Err(_) => serde_json::json!({"error": true}),
    }
}

#[test]
fn scalars_read_as_pyyaml_reads_them() {
    for (text, expected) in table() {
        assert_eq!(read(&format!("key: {text}\n"), Templates::Off), expected, "{text:?}");
    }
}

#[test]
fn a_value_from_the_environment_is_typed_as_if_it_were_written_there() {
    for (text, expected) in table() {
        let environment = Environment::from([("X".to_owned(), text.clone())]);
        let found = read("key: {{ env.X }}\n", Templates::Values(&environment));
        let is_special = expected.get("error").is_some() || text.starts_with(['!', '"', '\'']);
        let expected = if is_special { serde_json::json!({"str": text}) } else { expected };
        assert_eq!(found, expected, "{text:?}");
    }
}
