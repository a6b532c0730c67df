//! Frames of a Unix socket: nothing is read beyond what is announced, allowed and there.
#![no_main]

use cpex_remote::unix::read_frame;
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut rest = bytes;
        loop {
            let before = rest;
            match read_frame(&mut rest, LIMIT).await {
                Ok(Some(frame)) => {
                    assert!(frame.len() <= LIMIT);
                    assert_eq!(before[..4], (frame.len() as u32).to_be_bytes());
                    assert_eq!(before[4..][..frame.len()], frame[..]);
                }
                Ok(None) => {
                    assert!(before.is_empty());
                    return;
                }
                Err(_) => return,
            }
        }
    });
});
