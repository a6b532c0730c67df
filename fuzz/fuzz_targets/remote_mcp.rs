//! MCP: whatever a peer says, on a line, in an event or as arguments of a tool, is read or refused, and what was read can
//! be said again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| cpex_remote::mcp::fuzzing::read_all(bytes));
