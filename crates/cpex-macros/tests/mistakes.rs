//! What the compiler says of common mistakes. Its own words change from one release to the next: those of the one that
//! CI has are compared.

#[rustversion::attr(not(stable(1.95)), ignore = "another compiler has other words")]
#[test]
fn mistakes_are_told_in_plain_words() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
