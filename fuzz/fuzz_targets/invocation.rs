//! Any operations against an invocation, in any order: it must not panic, and every law holds.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| cpex_testkit::fuzz::fuzz_one(bytes));
