use std::time::Duration;

use super::{Backlog, Batch, KEPT, LINES};

const NOW: Duration = Duration::from_secs(100);

fn heard(lines: usize) -> Backlog {
    let mut backlog = Backlog::default();
    for line in 0..lines {
        backlog.hear(line.to_string().as_bytes(), false);
    }
    backlog
}

fn numbers(batch: &Batch) -> Vec<usize> {
    let number = |line: &[u8]| String::from_utf8_lossy(line).parse().unwrap_or(usize::MAX);
    batch.lines.iter().map(|line| number(&line.bytes)).collect()
}

#[test]
fn of_too_much_the_last_part_is_kept_and_the_rest_is_counted() {
    let batch = heard(LINES * 5).take(NOW, false);
    assert_eq!(batch.left_out, Some(LINES as u64 * 4));
    assert_eq!(numbers(&batch), Vec::from_iter(LINES * 4..LINES * 5));
}

#[test]
fn so_many_lines_are_told_in_a_second_and_no_more() {
    let mut backlog = heard(LINES - 10);
    assert_eq!(backlog.take(NOW, false).lines.len(), LINES - 10);
    for line in 0..30_u8 {
        backlog.hear(&[line], false);
    }
    assert_eq!(backlog.rest(NOW), Some(Duration::ZERO));
    assert_eq!(backlog.take(NOW, false).lines.len(), 10);
    let soon = NOW + Duration::from_millis(400);
    assert_eq!(backlog.take(soon, false), Batch::default());
    assert_eq!(backlog.rest(soon), Some(Duration::from_millis(600)));
    let next = soon + Duration::from_millis(600);
    assert_eq!(backlog.take(next, false).lines.len(), 20);
    assert_eq!(backlog.rest(next), None);
}

#[test]
fn when_there_is_no_more_to_come_all_that_was_kept_is_told_at_once() {
    let mut backlog = heard(LINES);
    assert_eq!(backlog.take(NOW, false).lines.len(), LINES);
    for line in 0..2 * LINES {
        backlog.hear(line.to_string().as_bytes(), false);
    }
    let batch = backlog.take(NOW, true);
    assert_eq!(batch.left_out, Some(LINES as u64));
    assert_eq!(numbers(&batch), Vec::from_iter(LINES..2 * LINES));
    assert_eq!(backlog.take(NOW, true), Batch::default());
}

#[test]
fn what_is_left_out_is_told_once_in_a_while() {
    let mut backlog = heard(LINES + 1);
    assert_eq!(backlog.take(NOW, false).left_out, Some(1));
    for second in 1..10 {
        for _ in 0..LINES + 3 {
            backlog.hear(b"more", false);
        }
        assert_eq!(backlog.take(NOW + Duration::from_secs(second), false).left_out, None);
    }
    // Also if nothing more is said.
    let rest = backlog.rest(NOW + Duration::from_secs(9));
    assert_eq!(rest, Some(Duration::from_secs(1)));
    assert_eq!(backlog.take(NOW + Duration::from_secs(10), false).left_out, Some(27));
}

#[test]
fn the_last_lines_are_kept_told_or_not() {
    let mut backlog = heard(KEPT);
    let _ = backlog.take(NOW, false);
    backlog.hear(b"1000", false);
    let last: Vec<_> = backlog.last().map(|line| line.bytes.clone()).collect();
    assert_eq!((last.len(), &*last[0], &*last[KEPT - 1]), (KEPT, &b"1000"[..], &b"1"[..]));
}
