//! The table as other languages read it, and what makes it worth reading.

use std::collections::BTreeSet;

use cpex_testkit::scenarios::{all, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/driver/data/scenarios.json");

#[test]
fn the_file_says_what_the_table_says() {
    let written = std::fs::read_to_string(FILE).unwrap();
    let update = "cargo run -p cpex-testkit --example scenarios > tests/driver/data/scenarios.json";
    assert!(written == json(), "the file is out of date: {update}");
}

#[test]
fn no_two_scenarios_are_called_the_same() {
    let mut names = BTreeSet::new();
    for scenario in all() {
        assert!(
            names.insert((scenario.cites, scenario.says.clone())),
            "{}: {}",
            scenario.cites,
            scenario.says
        );
    }
}

#[test]
fn what_differs_differs() {
    for scenario in all() {
        for difference in &scenario.differs {
            assert_ne!(difference.expected.as_ref(), Some(&scenario.expected), "{}", scenario.says);
        }
    }
}
