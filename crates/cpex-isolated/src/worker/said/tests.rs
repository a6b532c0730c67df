use proptest::prelude::*;
use tracing::Level;

use super::{LINE, Lines, Said, Stream};

fn said(stream: Stream, chunks: &[&[u8]]) -> Vec<Said> {
    let (mut lines, mut all) = (Lines::new(stream), Vec::new());
    for chunk in chunks {
        lines.feed(chunk, |line, cut| all.push(Said::of(line, cut, stream)));
    }
    lines.end(|line, cut| all.push(Said::of(line, cut, stream)));
    all
}

fn texts(stream: Stream, chunks: &[&[u8]]) -> Vec<String> {
    said(stream, chunks).into_iter().map(Said::line).collect()
}

const RECORD: &str =
    "\u{1e}{\"level\":40,\"logger\":\"my.plugin\",\"message\":\"oops\",\"traceback\":\"Trace\\n  line\"}\n";

#[test]
fn lines_are_put_together_from_pieces() {
    assert_eq!(texts(Stream::Out, &[b"a", b"b\nc\r\n\n", b"d"]), ["ab", "c", "d"]);
}

#[test]
fn a_long_line_is_cut() {
    let long = vec![b'x'; 2 * LINE];
    let texts = texts(Stream::Out, &[&long, b"y\n", b"next\n"]);
    assert_eq!(texts, [format!("{}…", "x".repeat(LINE)), "next".to_owned()]);
}

#[test]
fn a_terminal_is_told_nothing() {
    assert_eq!(
        texts(Stream::Err, &[b"\x1b[2Jall \xff clear\tnow\n"]),
        ["\u{fffd}[2Jall \u{fffd} clear\tnow"]
    );
}

#[test]
fn the_standard_error_is_a_warning() {
    let levels = |stream| said(stream, &[b"x\n"])[0].level;
    assert_eq!((levels(Stream::Out), levels(Stream::Err)), (Level::INFO, Level::WARN));
}

#[test]
fn a_record_has_a_level_a_logger_and_a_traceback() {
    let record = said(Stream::Err, &[RECORD.as_bytes()]).remove(0);
    assert_eq!(record.level, Level::ERROR);
    assert_eq!(record.logger.as_deref(), Some("my.plugin"));
    assert_eq!(record.text, "oops");
    // No line of it passes for a record of its own.
    assert_eq!(record.traceback.as_deref(), Some("  | Trace\n  |   line"));
}

#[test]
fn a_record_is_one_whatever_is_printed_around_it() {
    let half = ["no end", RECORD, "more\n", &RECORD[..20], RECORD].concat();
    let said = said(Stream::Err, &[half.as_bytes()]);
    let loggers: Vec<_> = said.iter().map(|said| said.logger.is_some()).collect();
    assert_eq!(loggers, [false, true, false, false, true]);
    assert_eq!((&*said[0].text, &*said[2].text), ("no end", "more"));
}

#[test]
fn the_standard_output_has_no_records() {
    assert_eq!(said(Stream::Out, &[RECORD.as_bytes()])[0].logger, None);
}

proptest! {
    /// Whatever is printed, and however it arrives, is shown without harm, and costs no more memory than a line may have.
    #[test]
    fn any_bytes_are_lines(bytes in prop::collection::vec(any::<u8>(), 0..20_000), at in 0..20_000_usize) {
        let (first, second) = bytes.split_at(at.min(bytes.len()));
        for stream in [Stream::Out, Stream::Err] {
            let whole = texts(stream, &[&bytes]);
            prop_assert_eq!(&texts(stream, &[first, second]), &whole);
            for text in whole {
                prop_assert!(text.len() <= 3 * LINE + 3);
                prop_assert!(!text.chars().any(|letter| letter.is_control() && letter != '\t'));
            }
        }
    }
}
