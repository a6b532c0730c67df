//! The example of the README.

use serde_json::json;

use super::{after, before, request, search, start, violation};

#[tokio::test]
async fn the_example_of_the_readme_does_what_it_says() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## Built-in plugins").unwrap();
    let yaml = section.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let manager = start(yaml).await.unwrap_or_else(|error| panic!("{error}"));
    let refused = violation(before(&manager, &search("Internal only"), &request()).await);
    assert_eq!((&*refused.plugin, &*refused.code), ("words", "DENIED_WORD"));
    let outcome = after(&manager, json!({"author": "ann@example.com"}), &request()).await;
    assert_eq!(outcome.payload.unwrap().result["author"], "[EMAIL]");
    let mut passed = 0;
    let refused = loop {
        match before(&manager, &search("a"), &request()).await.violation {
            Some(refused) => break refused,
            None => passed += 1,
        }
    };
    assert!(passed >= 10, "the burst passes: {passed}");
    assert_eq!((&*refused.plugin, &*refused.code), ("limits", "RATE_LIMITED"));
}

/// The README names every kind.
#[test]
fn every_kind_is_in_the_readme() {
    for kind in &cpex::builtin::KINDS {
        assert!(include_str!("../../README.md").contains(&format!("`{}`", kind.name)), "{}", kind.name);
    }
}
