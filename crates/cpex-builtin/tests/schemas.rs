//! The JSON Schemas from which the reference pages are made are those of this build.

#![cfg(all(
    feature = "json_schema",
    feature = "otlp",
    feature = "policy",
    feature = "redis",
    feature = "schema",
    feature = "url_filter"
))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cpex_builtin::plugin::KINDS;

/// Writes what has changed, and fails then: to be committed.
#[test]
fn the_committed_schemas_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/builtin/schema");
    fs::create_dir_all(&folder).unwrap();
    let mut changed = Vec::new();
    for kind in &KINDS {
        let schema = kind.schema().unwrap();
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = folder.join(format!("{}.json", kind.name));
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            fs::write(&path, text).unwrap();
            changed.push(kind.name);
        }
    }
    assert!(
        changed.is_empty(),
        "docs/builtin/schema was out of date and is written anew; commit it: {changed:?}"
    );
    let there: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, KINDS.iter().map(|kind| format!("{}.json", kind.name)).collect());
}

/// Every key says what it means.
#[test]
fn every_key_has_a_description() {
    for kind in &KINDS {
        let schema = kind.schema().unwrap();
        let schema = schema.as_value();
        let objects = std::iter::once(schema)
            .chain(schema["$defs"].as_object().into_iter().flatten().map(|(_, def)| def));
        for object in objects {
            for (name, key) in object["properties"].as_object().into_iter().flatten() {
                assert!(key["description"].is_string(), "{}: {name} has no description", kind.name);
            }
        }
    }
}
