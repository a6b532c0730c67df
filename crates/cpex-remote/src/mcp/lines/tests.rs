use proptest::prelude::*;

use super::{Line, Lines};

fn text(line: &str) -> Line {
    Line::Text(line.as_bytes().to_vec())
}

#[test]
fn a_line_that_is_too_long_is_told_of_once_and_the_next_one_is_whole() {
    let mut lines = Lines::new(4);
    assert_eq!(lines.feed(b"abcd\nabcde"), [text("abcd")]);
    assert_eq!(lines.feed(&[b'x'; 1000]), []);
    assert!(lines.begun.is_empty(), "nothing of it is kept");
    assert_eq!(lines.feed(b"\nok\r\n\n"), [Line::TooLong, text("ok")]);
    lines.feed(b"end");
    assert_eq!((lines.finish(), lines.finish()), (Some(text("end")), None));
}

proptest! {
    /// However the bytes are cut, the lines are the same.
    #[test]
    fn lines_do_not_depend_on_how_bytes_arrive(
        bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..60),
        cuts in prop::collection::vec(0usize..60, 0..8),
    ) {
        let mut at_once = Lines::new(5);
        let mut expected = at_once.feed(&bytes);
        expected.extend(at_once.finish());
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let (mut pieces, mut found, mut from) = (Lines::new(5), Vec::new(), 0);
        for to in cuts {
            found.extend(pieces.feed(&bytes[from..to]));
            from = to;
        }
        found.extend(pieces.finish());
        prop_assert_eq!(found, expected);
    }
}
