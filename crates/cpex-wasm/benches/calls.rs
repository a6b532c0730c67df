//! What a call costs: beside a function of this process, with an instance for each call and with one that is kept.
//!
//! `cargo bench -p cpex-wasm --profile fast` is quick to build. `CPEX_WASM_PLUGIN` names a file to measure as well.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "../tests/guests/mod.rs"]
#[allow(dead_code, reason = "no guest here misbehaves")]
mod guests;

use std::hint::black_box;
use std::time::Instant;

use cpex_remote::{Call, Json, Outcome, Reply};
use cpex_wasm::{Plugin, Settings};
use guests::{call, guest};
use tokio::runtime::{Builder, Runtime};

const WARM_UP: usize = 1_000;
const CALLS: usize = 20_000;

fn direct(call: &Call) -> Reply {
    let result = Json::new(r#"{"continue_processing":true}"#).unwrap();
    Reply { plugin: call.plugin.clone(), outcome: Outcome::Result(result), context: None }
}

/// The median and the 99th of a hundred, in nanoseconds.
fn measure(what: &str, mut call: impl FnMut()) {
    (0..WARM_UP).for_each(|_| call());
    let mut times: Vec<_> = (0..CALLS)
        .map(|_| {
            let begun = Instant::now();
            call();
            begun.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    println!("{what:<28} p50 {:>7} ns  p99 {:>7} ns", times[CALLS / 2], times[CALLS / 100 * 99]);
}

/// An instance for each call, one that is kept, and one for each call that counts its fuel.
const WAYS: [(&str, &str); 3] =
    [("fresh", ""), ("kept", r#", "reuse": true"#), ("fresh, fuel", r#", "fuel": 1000000"#)];

fn measure_plugin(runtime: &Runtime, what: &str, bytes: &[u8], call: &Call, ways: &[(&str, &str)]) {
    for (how, settings) in ways {
        let settings = Settings::from_json(&format!(r#"{{"module": ""{settings}}}"#)).unwrap();
        let plugin = Plugin::of_bytes("guard", settings, bytes).unwrap();
        measure(&format!("{what}, {how}"), || {
            black_box(runtime.block_on(plugin.invoke(black_box(call))).unwrap());
        });
    }
}

fn main() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let small = call(r#"{"name": "search", "args": {"query": "weather", "limit": 10}}"#);
    let large = call(&format!(r#"{{"name": "search", "args": {{"text": "{}"}}}}"#, "x".repeat(64 << 10)));
    measure("direct", || drop(black_box(direct(black_box(&small)))));
    let allows = guest("i32.const 16");
    measure_plugin(&runtime, "no-op", &allows, &small, &WAYS);
    // This guest frees nothing: kept, it would end at its limit.
    measure_plugin(&runtime, "no-op, 64 KiB", &allows, &large, &WAYS[..1]);
    if let Some(path) = std::env::var_os("CPEX_WASM_PLUGIN") {
        let name = "CPEX_WASM_PLUGIN";
        measure_plugin(&runtime, name, &std::fs::read(path).unwrap(), &small, &WAYS);
    }
}
