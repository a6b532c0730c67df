//! Any bytes, as configuration text and as the value of a variable: no panic, and every error says where.

#![no_main]

use cpex_config::{Environment, Templates, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // What follows a NUL is the value of a variable.
    let (text, value) = text.split_once('\0').unwrap_or((&text, ""));
    let environment = Environment::from([("X".to_owned(), value.to_owned())]);
    for templates in [Templates::Off, Templates::Values(&environment), Templates::Textual(&environment)] {
        match load(text, "fuzz.yaml", templates) {
            Ok(document) => {
                let lines = text.matches(['\n', '\r']).count() + value.matches(['\n', '\r']).count() + 1;
                assert!(document.problems().iter().all(|problem| problem.position.line <= lines));
            }
            Err(error) => {
                let at = error.location().position;
                assert!(at.line > 0 && at.column > 0, "{error}");
                assert!(error.to_string().starts_with("fuzz.yaml:"), "{error}");
            }
        }
    }
});
