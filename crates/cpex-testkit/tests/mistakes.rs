//! What the compiler says of common mistakes with the macros. Its own words change from one release to the next: those of
//! the one that CI has are compared. Not in `cpex-macros`: all that the tests of such a crate need is built once more.

#[rustversion::attr(not(stable(1.95)), ignore = "another compiler has other words")]
#[test]
fn mistakes_are_told_in_plain_words() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
