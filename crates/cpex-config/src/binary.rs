//! `!!binary`: base64 as Python's `base64.decodebytes` reads it, characters outside the alphabet skipped.

/// Decodes base64 text, or `None` if it is not ASCII or its padding is wrong.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut block, mut filled, mut padding) = (0u32, 0u32, 0u32);
    for byte in text.bytes() {
        if byte == b'=' {
            padding += u32::from(filled >= 2);
            if filled >= 2 && filled + padding >= 4 {
                return Some(bytes);
            }
            continue;
        }
        let Some(six) = sextet(byte) else { continue };
        padding = 0;
        block = block << 6 | six;
        filled = (filled + 1) % 4;
        match filled {
            1 => {}
            2 => bytes.push((block >> 4) as u8),
            3 => bytes.push((block >> 2) as u8),
            _ => bytes.push(block as u8),
        }
    }
    (filled == 0).then_some(bytes)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}
