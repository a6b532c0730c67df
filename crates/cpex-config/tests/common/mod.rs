//! Values in a form that tests can compare and print.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cpex_config::{DateTime, Value};
use serde_json::{Value as Json, json};

/// The JSON form of `make_scalars.py`; collections by their items.
pub(crate) fn portable(value: &Value) -> Json {
    match value {
        Value::Null => json!({"null": true}),
        Value::Bool(value) => json!({"bool": value}),
        Value::Int(number) => json!({"int": number.to_string()}),
        Value::BigInt(number) => json!({"int": decimal(&number.digits, number.radix)}),
        Value::Float(number) => json!({"float": python_float(*number)}),
        Value::Str(text) => json!({"str": text}),
        Value::Bytes(bytes) => json!({"bytes": bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()}),
        Value::Date(date) => json!({"date": [date.year, date.month, date.day]}),
        Value::DateTime(DateTime { date, hour, minute, second, microsecond, offset }) => json!({"datetime": [
            date.year, date.month, date.day, hour, minute, second, microsecond, offset.map(|offset| offset.minutes)
        ]}),
        Value::Seq(items) | Value::Set(items) => items.iter().map(|item| portable(item.value())).collect(),
        Value::Map(pairs) | Value::Pairs(pairs) => {
            pairs.iter().map(|(key, value)| json!([portable(key.value()), portable(value.value())])).collect()
        }
    }
}

fn python_float(number: f64) -> String {
    let text = format!("{number:?}").to_lowercase();
    // Rust and Python differ only in the exponent's sign.
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => text,
    }
}

fn decimal(digits: &str, radix: u32) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut decimal = vec![0u32];
    for digit in digits.chars() {
        let mut carry = digit.to_digit(radix).unwrap();
        for place in &mut decimal {
            let value = *place * radix + carry;
            *place = value % 10;
            carry = value / 10;
        }
        while carry > 0 {
            decimal.push(carry % 10);
            carry /= 10;
        }
    }
    let digits: String = decimal.iter().rev().map(u32::to_string).collect();
    format!("{sign}{digits}")
}
