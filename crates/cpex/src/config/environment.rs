//! The variables of the environment that this host reads. Blank is as good as unset.

use std::env;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::error::ConfigError;

/// One of a few words.
pub(crate) fn word<T: for<'de> Deserialize<'de>>(name: &str) -> Result<Option<T>, ConfigError> {
    let Some(word) = value(name) else { return Ok(None) };
    let reader: StrDeserializer<'_, Error> = word.as_str().into_deserializer();
    T::deserialize(reader).map(Some).map_err(|error| {
        let text = error.to_string();
        let expected = text.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
        wrong(name, &format!("expected {}", expected.replace('`', "")))
    })
}

/// Yes or no.
pub(crate) fn flag(name: &str) -> Result<Option<bool>, ConfigError> {
    match value(name).as_deref() {
        None => Ok(None),
        Some("1" | "true" | "t" | "yes" | "y" | "on") => Ok(Some(true)),
        Some("0" | "false" | "f" | "no" | "n" | "off") => Ok(Some(false)),
        Some(_) => Err(wrong(name, "expected true or false")),
    }
}

/// Is what looks like a mistake to be one?
pub(crate) fn is_strict() -> Result<bool, ConfigError> {
    Ok(flag("PLUGINS_STRICT_CONFIG")?.unwrap_or(false))
}

/// An integer that is not below this.
pub(crate) fn integer(name: &str, least: u64) -> Result<Option<u64>, ConfigError> {
    let Some(text) = value(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if number >= least => Ok(Some(number)),
        _ => Err(wrong(name, &format!("expected an integer, {least} or more"))),
    }
}

/// A text, as it stands there.
#[cfg(feature = "external")]
pub(crate) fn text(name: &str) -> Option<String> {
    let text = env::var_os(name)?.to_string_lossy().into_owned();
    (!text.trim().is_empty()).then_some(text)
}

fn value(name: &str) -> Option<String> {
    let value = env::var_os(name)?.to_string_lossy().trim().to_lowercase();
    (!value.is_empty()).then_some(value)
}

pub(crate) fn wrong(name: &str, message: &str) -> ConfigError {
    ConfigError { place: None, path: name.to_owned(), message: message.to_owned() }
}
