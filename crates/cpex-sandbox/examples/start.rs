//! What a sandbox adds to the life of a process: medians of `/bin/true`, from the call until it runs, and until it has ended.
//!
//! `cargo run --release -p cpex-sandbox --example start`

use std::process::Command;
use std::time::Instant;

use cpex_sandbox::{Basis, Policy, Program};

const TIMES: usize = 300;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let basis = Basis::new(folder.path(), folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!("{:>40}  {:>8}  {:>8}  {:>8}", "microseconds", "prepare", "start", "end");
    let [started, ended] = medians(|| {
        let mut child = Command::new("/bin/true").spawn()?;
        let started = Instant::now();
        child.wait()?;
        Ok([started, Instant::now()])
    })?;
    println!("{:>40}  {:>8}  {started:>8}  {ended:>8}", "std::process::Command", "");
    for text in [r#""none""#, r#""default""#, r#""strict""#, r#"{"network": ["api.example.com:443"]}"#] {
        let policy: Policy = serde_json::from_str(text)?;
        let [prepared, _] = medians(|| {
            let prepared = policy.prepare(&basis)?;
            let done = Instant::now();
            drop(prepared);
            Ok([done, done])
        })?;
        let ready = policy.prepare(&basis)?;
        let [started, ended] = medians(|| {
            let child = ready.spawn(Program::new("/bin/true"))?;
            let started = Instant::now();
            runtime.block_on(child.wait());
            Ok([started, Instant::now()])
        })?;
        println!("{text:>40}  {prepared:>8}  {started:>8}  {ended:>8}");
    }
    Ok(())
}

/// Microseconds to the first of two moments, and from there to the second.
fn medians(
    act: impl Fn() -> Result<[Instant; 2], Box<dyn std::error::Error>>,
) -> Result<[u128; 2], Box<dyn std::error::Error>> {
    let mut times = [Vec::with_capacity(TIMES), Vec::with_capacity(TIMES)];
    for _ in 0..TIMES {
        let start = Instant::now();
        let [first, second] = act()?;
        times[0].push(first - start);
        times[1].push(second - first);
    }
    Ok(times.map(|mut times| {
        times.sort();
        times[TIMES / 2].as_micros()
    }))
}
