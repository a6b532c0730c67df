//! What a call costs: beside a function of this process, with an instance that is kept and with one for each call.

use std::hint::black_box;
use std::path::Path;

use cpex_remote::{Call, Json, Outcome, Reply};
use cpex_wasm::{Plugin, Settings};
use criterion::{Criterion, criterion_group, criterion_main};

#[path = "../tests/guests/mod.rs"]
mod guests;

fn direct(call: &Call) -> Reply {
    let result = Json::new(r#"{"continue_processing":true}"#).expect("JSON");
    Reply { plugin: call.plugin.clone(), outcome: Outcome::Result(result), context: None }
}

/// The plugin of `examples/wasm-plugin`, if `CPEX_WASM_PLUGIN` says where it is.
fn real(settings: &str) -> Option<Plugin> {
    let module = std::env::var("CPEX_WASM_PLUGIN").ok()?;
    let settings = Settings::from_json(&format!(r#"{{"module": "{module}"{settings}}}"#)).expect("settings");
    Some(Plugin::load("guard", settings, Path::new("")).expect("a plugin"))
}

fn benchmarks(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let call = guests::call(r#"{"name": "search", "args": {"query": "weather", "limit": 10}}"#);
    criterion.bench_function("direct", |bench| bench.iter(|| direct(black_box(&call))));
    let mut bench = |name: &str, plugin: Plugin| {
        criterion.bench_function(name, |bench| {
            bench.iter(|| runtime.block_on(plugin.invoke(black_box(&call))).expect("a reply"));
        });
    };
    let guest = guests::guest("i32.const 16");
    bench("no-op, kept", guests::loaded(&guest, r#", "reuse": true"#));
    bench("no-op, fresh", guests::loaded(&guest, ""));
    bench("no-op, kept, fuel", guests::loaded(&guest, r#", "reuse": true, "fuel": 1000000"#));
    if let (Some(kept), Some(fresh)) = (real(r#", "reuse": true"#), real("")) {
        bench("Rust SDK, kept", kept);
        bench("Rust SDK, fresh", fresh);
    }
}

criterion_group!(calls, benchmarks);
criterion_main!(calls);
