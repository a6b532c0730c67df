//! What a sandbox adds to the start of a process: medians of starts of `/bin/true`, from the call until it has ended.
//!
//! `cargo run --release -p cpex-sandbox --example start`

use std::process::Command;
use std::time::{Duration, Instant};

use cpex_sandbox::{Basis, Policy, Program};

const TIMES: usize = 300;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let bare = median(|| Ok(drop(Command::new("/bin/true").status()?)))?;
    println!("{:>10}  {:>6} us", "Command", bare.as_micros());
    for text in [r#""none""#, r#""default""#, r#""strict""#, r#"{"network": ["api.example.com:443"]}"#] {
        let policy: Policy = serde_json::from_str(text)?;
        let prepared = policy.prepare(&Basis::new(folder.path(), folder.path()))?;
        let running = median(|| Ok(drop(prepared.spawn(Program::new("/bin/true"))?)))?;
        let ended = median(|| {
            let child = prepared.spawn(Program::new("/bin/true"))?;
            runtime.block_on(child.wait());
            Ok(())
        })?;
        println!("{text:>10}  {:>6} us, {} us of them until it runs", ended.as_micros(), running.as_micros());
        let preparing = median(|| Ok(drop(policy.prepare(&Basis::new(folder.path(), folder.path()))?)))?;
        println!("{:>10}  {:>6} us to prepare, once", "", preparing.as_micros());
    }
    Ok(())
}

fn median(mut act: impl FnMut() -> Result<(), Box<dyn std::error::Error>>) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = Instant::now();
        act()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[TIMES / 2])
}
