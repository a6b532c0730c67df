use proptest::prelude::*;

use super::Events;

#[test]
fn the_data_of_events_is_found_whatever_is_around_it() {
    let stream = b": comment\nid: 1\nretry: 5\ndata:\n\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\ndata:x\r\r\nevent: none\n\ndata: begun";
    let mut events = Events::default();
    let found = events.feed(stream);
    assert_eq!(found, [b"".to_vec(), b"{\"a\":\n1}".to_vec(), b"x".to_vec()]);
    assert_eq!(events.begun(), "data: begun".len());
}

proptest! {
    /// However the bytes are cut, the events are the same.
    #[test]
    fn events_do_not_depend_on_how_bytes_arrive(
        parts in prop::collection::vec(prop::sample::select(vec!["data:", "data: ", "x", "\n", "\r", "\r\n", ":"]), 0..40),
        cut in 0usize..200,
    ) {
        let bytes = parts.concat().into_bytes();
        let expected = Events::default().feed(&bytes);
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let mut events = Events::default();
        let mut found = events.feed(first);
        found.extend(events.feed(second));
        prop_assert_eq!(found, expected);
    }
}
