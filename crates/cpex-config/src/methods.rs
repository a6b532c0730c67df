//! Methods of Python's `str` that templates use and `minijinja_contrib::pycompat` does not have.

use minijinja::value::{Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};

/// Calls a method that the value itself does not have.
pub(crate) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match (value.as_str(), string_method(method)) {
        (Some(text), Some(method)) => method(text, args),
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

type Method = fn(&str, &[Value]) -> Result<Value, Error>;

fn string_method(name: &str) -> Option<Method> {
    Some(match name {
        "casefold" => |text, args| none(args).map(|()| text.to_lowercase().into()),
        "index" => |text, args| {
            let (what,): (&str,) = from_args(args)?;
            let at = text
                .find(what)
                .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "substring not found"))?;
            Ok(text[..at].chars().count().into())
        },
        "ljust" => |text, args| pad(text, args, |text, filling| text + &filling),
        "partition" => |text, args| {
            let (separator,): (&str,) = from_args(args)?;
            Ok(match text.split_once(separator) {
                Some((before, after)) => triple(before, separator, after),
                None => triple(text, "", ""),
            })
        },
        "removeprefix" => |text, args| {
            let (prefix,): (&str,) = from_args(args)?;
            Ok(text.strip_prefix(prefix).unwrap_or(text).into())
        },
        "removesuffix" => |text, args| {
            let (suffix,): (&str,) = from_args(args)?;
            Ok(text.strip_suffix(suffix).unwrap_or(text).into())
        },
        "rjust" => |text, args| pad(text, args, |text, filling| filling + &text),
        "rpartition" => |text, args| {
            let (separator,): (&str,) = from_args(args)?;
            Ok(match text.rsplit_once(separator) {
                Some((before, after)) => triple(before, separator, after),
                None => triple("", "", text),
            })
        },
        "rsplit" => rsplit,
        "swapcase" => {
            |text, args| none(args).map(|()| text.chars().flat_map(swapped).collect::<String>().into())
        }
        "zfill" => |text, args| {
            let (width,): (usize,) = from_args(args)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let zeros = "0".repeat(width.min(MAX_WIDTH).saturating_sub(text.chars().count()));
            Ok(format!("{sign}{zeros}{digits}").into())
        },
        _ => return None,
    })
}

/// What padding may make of a text.
const MAX_WIDTH: usize = 10_000;

fn none(args: &[Value]) -> Result<(), Error> {
    from_args(args)
}

fn pad(text: &str, args: &[Value], join: fn(String, String) -> String) -> Result<Value, Error> {
    let (width, filling): (usize, Option<char>) = from_args(args)?;
    let missing = width.min(MAX_WIDTH).saturating_sub(text.chars().count());
    Ok(join(text.to_owned(), filling.unwrap_or(' ').to_string().repeat(missing)).into())
}

fn rsplit(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
    let pieces =
        most.and_then(|most| usize::try_from(most).ok()).map_or(usize::MAX, |most| most.saturating_add(1));
    let mut parts: Vec<&str> = match separator {
        Some("") => return Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        Some(separator) => text.rsplitn(pieces, separator).collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = text.trim_end();
            while parts.len() + 1 < pieces
                && let Some((before, word)) = rest.rsplit_once(char::is_whitespace)
            {
                parts.push(word);
                rest = before.trim_end();
            }
            if !rest.trim_start().is_empty() {
                parts.push(rest.trim_start());
            }
            parts
        }
    };
    parts.reverse();
    Ok(parts.into_iter().map(Value::from).collect())
}

fn swapped(c: char) -> Vec<char> {
    if c.is_lowercase() { c.to_uppercase().collect() } else { c.to_lowercase().collect() }
}

fn triple(before: &str, separator: &str, after: &str) -> Value {
    Value::from(Tuple::from([before.into(), separator.into(), after.into()]))
}
