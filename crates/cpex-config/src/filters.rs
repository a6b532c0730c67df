//! Where Jinja's filters differ from minijinja's.

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, State, Value, filters};

use crate::emit::{self, Json};

/// Registers the filters.
pub(crate) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("tojson", |value: Value| Value::from_object(Json(value)));
    for name in ["e", "escape", "forceescape"] {
        environment.add_filter(name, |value: &Value| Value::from_safe_string(escape(&emit::text(value))));
    }
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("string", |value: &Value| emit::text(value));
}

/// Escapes text for HTML as Python's markupsafe does.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Jinja falls back to the default where minijinja fails.
fn int(
    state: &State<'_, '_>,
    value: &Value,
    default: Option<Value>,
    base: Option<u32>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let fallback = fallback(default.as_ref(), &kwargs, Value::from(0))?;
    Ok(filters::int(state, &trimmed(value), default, base, kwargs).unwrap_or(fallback))
}

fn float(
    state: &State<'_, '_>,
    value: &Value,
    default: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let fallback = fallback(default.as_ref(), &kwargs, Value::from(0.0))?;
    Ok(filters::float(state, &trimmed(value), default, kwargs).unwrap_or(fallback))
}

fn fallback(default: Option<&Value>, kwargs: &Kwargs, zero: Value) -> Result<Value, Error> {
    Ok(match default {
        Some(default) => default.clone(),
        None => kwargs.get::<Option<Value>>("default")?.unwrap_or(zero),
    })
}

/// Python's `int` and `float` read over blanks around a number.
fn trimmed(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| Value::from(text.trim()))
}
