//! `header_injector`: headers that every request gets.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::error::ConfigError;

/// The configuration of `header_injector`. Names are compared without case, and `_` is `-` in them: many servers take
/// one for the other.
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
    /// Its value, in ASCII. `{request_id}`, `{user}`, `{tenant_id}`, `{server_id}` and `{hook}` stand for what is known
    /// of the request; `{{` is a brace.
    pub value: String,
    /// Whether it takes the place of one that is there. That one goes even if something that the value refers to is
    /// not known: nobody can then pretend to be the value.
    #[serde(default)]
    pub overwrite: bool,
}

/// A header may carry a key.
impl fmt::Debug for HeaderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderConfig").field("overwrite", &self.overwrite).finish_non_exhaustive()
    }
}

/// They say where a message ends and who carries it: whoever sets them can smuggle a second one.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

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
    /// A name is none by RFC 9110, is there twice, or frames the message; a value has a line break or another sign
    /// that is no printable ASCII, or refers to something unknown; or there is nothing to do.
    pub fn new(config: HeaderInjectorConfig) -> Result<Self, ConfigError> {
        if config.headers.is_empty() && config.remove.is_empty() {
            return Err(ConfigError::new("headers", "expected a header here, or a name in remove"));
        }
        let names: Vec<&String> = config.headers.keys().collect();
        if let Some(second) =
            (1..names.len()).find(|at| names[..*at].iter().any(|one| is_same(one, names[*at])))
        {
            let field = format!("headers.{}", names[second]);
            return Err(ConfigError::new(
                field,
                "it is there twice: case does not tell headers apart, nor does _ from -",
            ));
        }
        for (index, name) in config.remove.iter().enumerate() {
            check_name(name, &format!("remove[{index}]"))?;
        }
        let headers = config.headers.into_iter().map(|(name, header)| {
            let field = format!("headers.{name}");
            check_name(&name, &field)?;
            if FRAMING.iter().any(|framing| is_same(framing, &name)) {
                return Err(ConfigError::new(field, "it frames the message: only who sends it may set it"));
            }
            let field = format!("{field}.value");
            if !is_value(&header.value) {
                return Err(ConfigError::new(field, "expected printable ASCII without spaces at its ends"));
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
        changed.retain(|name, _| !self.remove.iter().any(|removed| is_same(removed, name)));
        for header in &self.headers {
            if header.overwrite {
                changed.retain(|name, _| !is_same(name, &header.name));
            } else if changed.keys().any(|name| is_same(name, &header.name)) {
                continue;
            }
            if let Some(value) = header.value(&known) {
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
        // What stands in the braces may be a part of a key: it is not told.
        let known = KNOWN.iter().find(|known| **known == name).ok_or_else(|| {
            problem(format!(
                "what is in braces is not known; there are {}; write {{{{ for a brace",
                KNOWN.join(", ")
            ))
        })?;
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

/// Signs beyond ASCII become other ones where a client cuts them to a byte: `Ċ` a line break.
fn is_value(value: &str) -> bool {
    value.chars().all(|sign| sign == ' ' || sign.is_ascii_graphic()) && value.trim() == value
}

fn is_same(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    one.bytes().map(plain).eq(other.bytes().map(plain))
}
