//! Frames between a host and a worker: the same however the bytes come, and what was read is what is said again.
#![no_main]

use cpex_isolated::worker::{Decoder, Frame, FrameError, Message};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, 1), whole);
    let mut again = Vec::new();
    for frame in &whole.0 {
        assert!(frame.body.len() <= LIMIT);
        if let Ok(message) = Message::read(frame) {
            let said = message.frame(frame.id, LIMIT).unwrap();
            // Some messages have no body, and one is not read if it has.
            assert_eq!(read(&said, 7).0, [frame.clone()]);
            again.extend(said);
        }
    }
    assert!(again.len() <= bytes.len());
});

fn read(bytes: &[u8], step: usize) -> (Vec<Frame>, Option<FrameError>) {
    let (mut decoder, mut frames) = (Decoder::new(LIMIT), Vec::new());
    for piece in bytes.chunks(step) {
        decoder.feed(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
