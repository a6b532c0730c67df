//! `header_injector`: headers that every request gets.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::error::ConfigError;

/// The configuration of `header_injector`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HeaderInjectorConfig {
    /// The headers by their names.
    pub headers: BTreeMap<String, HeaderConfig>,
    /// Names of headers that are taken away first.
    pub remove: Vec<String>,
}

/// A header.
#[derive(Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HeaderConfig {
    /// Its value. `{user}` and other names in braces stand for what is known of the request; `{{` is a brace.
    pub value: String,
    /// Whether it takes the place of one that is there.
    #[serde(default)]
    pub overwrite: bool,
}

/// A header may carry a key.
impl fmt::Debug for HeaderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderConfig").field("overwrite", &self.overwrite).finish_non_exhaustive()
    }
}

/// What a value may refer to.
const KNOWN: [&str; 5] = ["request_id", "user", "tenant_id", "server_id", "hook"];

/// Adds and removes headers.
pub struct HeaderInjector {
    headers: Vec<Header>,
    remove: Vec<String>,
}

struct Header {
    name: String,
    parts: Vec<Part>,
    overwrite: bool,
}

enum Part {
    Text(String),
    Known(&'static str),
}

impl HeaderInjector {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A name is none by RFC 9110, a value has a line break or another control sign, or refers to something unknown.
    pub fn new(config: HeaderInjectorConfig) -> Result<Self, ConfigError> {
        for (index, name) in config.remove.iter().enumerate() {
            check_name(name, &format!("remove[{index}]"))?;
        }
        let headers = config.headers.into_iter().map(|(name, header)| {
            let field = format!("headers.{name}");
            check_name(&name, &field)?;
            let field = format!("{field}.value");
            if !is_value(&header.value) {
                return Err(ConfigError::new(
                    field,
                    "a line break or another control sign cannot stand in a header",
                ));
            }
            Ok(Header { name, parts: parts(&header.value, &field)?, overwrite: header.overwrite })
        });
        Ok(Self { headers: headers.collect::<Result<_, _>>()?, remove: config.remove })
    }

    /// What the values refer to.
    pub(crate) fn refers_to(&self) -> impl Iterator<Item = &'static str> {
        let parts = self.headers.iter().flat_map(|header| &header.parts);
        parts.filter_map(|part| match part {
            Part::Known(name) => Some(*name),
            Part::Text(_) => None,
        })
    }

    /// The headers with the changes, `None` if there are none. `known` tells what is known of the request; a header
    /// that refers to something that is not known, or could not stand in a header, is left out.
    pub fn inject(
        &self,
        headers: &BTreeMap<String, String>,
        known: impl Fn(&str) -> Option<String>,
    ) -> Option<BTreeMap<String, String>> {
        let mut changed = headers.clone();
        changed.retain(|name, _| !self.remove.iter().any(|removed| removed.eq_ignore_ascii_case(name)));
        for header in &self.headers {
            let there = changed.keys().any(|name| name.eq_ignore_ascii_case(&header.name));
            if there && !header.overwrite {
                continue;
            }
            if let Some(value) = header.value(&known) {
                changed.retain(|name, _| !name.eq_ignore_ascii_case(&header.name));
                changed.insert(header.name.clone(), value);
            }
        }
        (changed != *headers).then_some(changed)
    }
}

impl Header {
    fn value(&self, known: impl Fn(&str) -> Option<String>) -> Option<String> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Known(name) => known(name),
        });
        parts.collect::<Option<String>>().filter(|value| is_value(value))
    }
}

fn parts(value: &str, field: &str) -> Result<Vec<Part>, ConfigError> {
    let problem = |problem: String| ConfigError::new(field, problem);
    let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), value);
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        if rest[at..].starts_with("{{") || rest[at..].starts_with("}}") {
            text.push_str(&rest[at..=at]);
            rest = &rest[at + 2..];
            continue;
        }
        let inner = rest[at..].strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, after) =
            inner.ok_or_else(|| problem("a brace has no partner; write {{ or }} for a brace".to_owned()))?;
        let known = KNOWN.iter().find(|known| **known == name);
        let known =
            known.ok_or_else(|| problem(format!("{name:?} is not known; there are {}", KNOWN.join(", "))))?;
        parts.extend([Part::Text(std::mem::take(&mut text)), Part::Known(known)]);
        rest = after;
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    Ok(parts)
}

fn check_name(name: &str, field: &str) -> Result<(), ConfigError> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.is_empty() && name.bytes().all(token) {
        return Ok(());
    }
    Err(ConfigError::new(field, "no name of a header: use letters, digits and hyphens"))
}

fn is_value(value: &str) -> bool {
    !value.chars().any(char::is_control)
}
