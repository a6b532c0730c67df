use proptest::prelude::*;

use super::{PREFACE, Scan};

/// A frame of headers that are all plain text, after padding and priority if `long`.
fn headers(fields: &[(&[u8], &[u8])], long: bool) -> Vec<u8> {
    let mut block = Vec::new();
    if long {
        block.extend([3, 0, 0, 0, 0, 16]);
    }
    for (name, value) in fields {
        match *name {
            // By its place in the static table, or in full as gRPC's own library has it.
            b":authority" if long => block.push(0x41),
            name => {
                block.push(0x40);
                text(name, &mut block);
            }
        }
        text(value, &mut block);
    }
    // An indexed field, a new table size, one that is never indexed.
    block.extend([0x83, 0x3f, 0xe1, 0x1f, 0x1f, 0x08, 1, b'%']);
    if long {
        block.extend([0; 3]);
    }
    frame(1, if long { 0x2c } else { 0x04 }, &block)
}

fn text(text: &[u8], out: &mut Vec<u8>) {
    match text.len() {
        length @ 0..0x7f => out.push(length as u8),
        length => out.extend([0x7f, ((length - 0x7f) & 0x7f) as u8 | 0x80, ((length - 0x7f) >> 7) as u8]),
    }
    out.extend_from_slice(text);
}

fn frame(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], content].concat()
}

fn mended(mut bytes: Vec<u8>, pieces: &[usize]) -> Vec<u8> {
    let mut scan = Scan::default();
    let mut rest = &mut bytes[..];
    for piece in pieces {
        let (now, later) = rest.split_at_mut((*piece).min(rest.len()));
        scan.mend(now);
        rest = later;
    }
    scan.mend(rest);
    bytes
}

/// What a client sends whose authority is this.
fn sent(authority: &[u8]) -> Vec<u8> {
    let path: &[u8] = b"/a%2Fb";
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, b""),
        headers(
            &[
                (b":path", path),
                (b":authoritx", b"%"),
                (b":authority2", b"%"),
                (b":authority", authority),
                (b"x", b"100%"),
            ],
            false,
        ),
        frame(0, 0, b"\x41\x02%%"),
        headers(&[(b":authority", authority), (b"x-long", &[b'%'; 300])], true),
    ]
    .concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_authority_changes_however_the_bytes_arrive(
        authority in "(%2F|[a-z.%]){0,200}",
        pieces in proptest::collection::vec(0_usize..40, 0..60),
    ) {
        let expected = sent(authority.replace('%', "_").as_bytes());
        prop_assert_eq!(mended(sent(authority.as_bytes()), &pieces), expected);
    }

    #[test]
    fn no_bytes_are_anything_but_mended(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        pieces in proptest::collection::vec(0_usize..40, 0..20),
    ) {
        let bytes = [vec![0; PREFACE], bytes].concat();
        let whole = mended(bytes.clone(), &[]);
        prop_assert_eq!(&mended(bytes.clone(), &pieces), &whole);
        for (before, after) in bytes.iter().zip(&whole) {
            prop_assert!(before == after || (*before == b'%' && *after == b'_'));
        }
    }
}
