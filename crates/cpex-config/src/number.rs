//! Integers and floats as YAML 1.1 writes them: octals with a leading zero, underscores, base 60.

/// An integer beyond 128 bits, kept as digits for a host that has such numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BigInt {
    /// A sign, if negative, and digits of the radix.
    pub digits: String,
    /// 2, 8, 10 or 16.
    pub radix: u32,
}

/// An integer of any size.
pub(crate) enum Integer {
    Small(i128),
    Big(BigInt),
}

/// Does a plain scalar read as an integer?
pub(crate) fn is_int(text: &str) -> bool {
    let digits = unsigned(text);
    if let Some(rest) = digits.strip_prefix("0b") {
        return all_of(rest, |b| matches!(b, b'0' | b'1' | b'_'));
    }
    if let Some(rest) = digits.strip_prefix("0x") {
        return all_of(rest, |b| b.is_ascii_hexdigit() || b == b'_');
    }
    if let Some(rest) = digits.strip_prefix('0') {
        return rest.is_empty() || all_of(rest, |b| matches!(b, b'0'..=b'7' | b'_'));
    }
    let mut parts = digits.split(':');
    let head = parts.next().unwrap_or_default();
    head.starts_with(|c: char| matches!(c, '1'..='9'))
        && all_of(head, is_decimal)
        && parts.all(is_sexagesimal_digit)
}

/// Does a plain scalar read as a float?
pub(crate) fn is_float(text: &str) -> bool {
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let digits = unsigned(text);
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let Some((whole, rest)) = digits.split_once('.') else { return false };
    if whole.is_empty() {
        // YAML 1.1 gives no sign to a float that begins with its point.
        let fraction = without_exponent(rest);
        return digits.len() == text.len()
            && fraction.starts_with(|c: char| c.is_ascii_digit())
            && all_of(fraction, is_decimal);
    }
    if !whole.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    match whole.split_once(':') {
        None => all_of(whole, is_decimal) && without_exponent(rest).bytes().all(is_decimal),
        Some((head, tail)) => {
            all_of(head, is_decimal)
                && tail.split(':').all(is_sexagesimal_digit)
                && rest.bytes().all(is_decimal)
        }
    }
}

/// Reads an integer, or `None` if the text is none.
pub(crate) fn parse_int(text: &str) -> Option<Integer> {
    let text: String = text.chars().filter(|&c| c != '_').collect();
    let negative = text.starts_with('-');
    let digits = unsigned(&text);
    if digits == "0" {
        return Some(Integer::Small(0));
    }
    if let Some(rest) = digits.strip_prefix("0b") {
        return parse_radix(rest, 2, negative);
    }
    if let Some(rest) = digits.strip_prefix("0x") {
        return parse_radix(rest, 16, negative);
    }
    if let Some(rest) = digits.strip_prefix('0') {
        return parse_radix(rest.strip_prefix(['o', 'O']).unwrap_or(rest), 8, negative);
    }
    if digits.contains(':') {
        let total = digits.split(':').try_fold(0i128, |total, digit| {
            let digit: i128 = digit.trim().parse().ok()?;
            total.checked_mul(60)?.checked_add(digit)
        })?;
        return Some(Integer::Small(if negative { -total } else { total }));
    }
    parse_radix(digits, 10, negative)
}

/// Reads a float, or `None` if the text is none.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text: String = text.chars().filter(|&c| c != '_').flat_map(char::to_lowercase).collect();
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let digits = unsigned(&text);
    let magnitude = match digits {
        ".inf" => f64::INFINITY,
        ".nan" => return Some(f64::NAN),
        _ if digits.contains(':') => {
            let mut total = 0.0;
            let mut base = 1.0;
            for digit in digits.rsplit(':') {
                total += digit.trim().parse::<f64>().ok()? * base;
                base *= 60.0;
            }
            total
        }
        _ => digits.trim().parse().ok()?,
    };
    Some(sign * magnitude)
}

fn parse_radix(digits: &str, radix: u32, negative: bool) -> Option<Integer> {
    let digits = digits.trim();
    if !all_of(digits, |b| char::from(b).is_digit(radix)) {
        return None;
    }
    let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
    Some(match i128::from_str_radix(&signed, radix) {
        Ok(number) => Integer::Small(number),
        Err(_) => Integer::Big(BigInt { digits: signed, radix }),
    })
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn is_decimal(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

fn is_sexagesimal_digit(part: &str) -> bool {
    matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
}

/// A mantissa without its exponent, which YAML 1.1 wants signed; an exponent without sign stays in.
fn without_exponent(text: &str) -> &str {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return text };
    match exponent.strip_prefix(['-', '+']) {
        Some(digits) if all_of(digits, |b| b.is_ascii_digit()) => mantissa,
        _ => text,
    }
}

fn all_of(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}
