//! Any file as a plugin: it is refused, or what it answers is read or refused. Nothing hangs.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use cpex_remote::{Call, Json};
use cpex_wasm::{Plugin, Settings};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

const SETTINGS: &str = r#"{"module": "", "memory": "1MiB", "fuel": 100000}"#;

fuzz_target!(|bytes: &[u8]| {
    let settings = Settings::from_json(SETTINGS).expect("settings");
    let Ok(plugin) = Plugin::of_bytes("fuzzed", settings, bytes) else { return };
    let call = Call::new("a", "fuzzed", Json::empty_object(), Json::empty_object());
    let answered = RUNTIME.block_on(timeout(Duration::from_secs(5), plugin.invoke(&call)));
    assert!(answered.is_ok(), "fuel ends what does not end by itself");
});
