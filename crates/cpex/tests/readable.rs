//! What the compiler says of common mistakes.

#[test]
fn mistakes_are_told_in_plain_words() {
    trybuild::TestCases::new().compile_fail("tests/readable/*.rs");
}
