//! Any text as the configuration of a Rust host: no panic, whatever the manager makes of it, and an error has words.

#![no_main]

use cpex::config::Config;
use cpex::{Context, Json, Manager, plugin};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Guard {
    limit: usize,
}

#[plugin]
impl Guard {
    #[hook("ping")]
    fn check(&self, payload: &Json) -> Result<(), cpex::Violation> {
        if payload.len() > self.limit { Err(cpex::Violation::new("LIMIT", "too many")) } else { Ok(()) }
    }
}

async fn play(config: Config) -> Result<(), cpex::Error> {
    let manager = Manager::builder().kind("app.Guard", |config: Guard| config).config(config).start().await?;
    let answer = manager.invoke_json("ping", json!({"a": 1}), &Context::new("1")).await;
    if let Err(error) = answer {
        assert!(!error.to_string().is_empty());
    }
    manager.shutdown().await;
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be made");
    let started = Config::parse(&text, "fuzz.yaml").and_then(|config| runtime.block_on(play(config)));
    if let Err(error) = started {
        assert!(!error.to_string().is_empty());
    }
});
