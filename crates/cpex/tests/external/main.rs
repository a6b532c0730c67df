//! External plugins in this host: a YAML file in, verdicts out, and a real server in between.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../cpex-remote/tests/certificates/mod.rs"]
mod certificates;
#[path = "../../../cpex-remote/examples/probe_server/probe.rs"]
mod probe;
#[path = "../../../cpex-remote/tests/world/mod.rs"]
mod witness;
mod world;

mod answers;
mod mistakes;
mod outages;

mod process;
mod published;
mod served;
mod tls;
