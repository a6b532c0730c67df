//! Whose calls are counted together.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ConfigError;

/// A fact about a call that a key may consist of.
///
/// ```
/// use cpex_builtin::limits::Part;
///
/// assert_eq!("header:X-Api-Key".parse(), Ok(Part::Header("x-api-key".into())));
/// assert!("usr".parse::<Part>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
pub enum Part {
    /// Who calls: `user`.
    User,
    /// For which tenant: `tenant`.
    Tenant,
    /// Which server is called: `server`.
    Server,
    /// Which tool, prompt, resource or agent is called: `tool`.
    Tool,
    /// A header of the request, by its name in lower case: `header:x-api-key`.
    Header(String),
}

/// What is known about a call.
pub trait Facts {
    /// One fact, if it is known.
    fn fact(&self, part: &Part) -> Option<&str>;
}

impl<T: AsRef<str>> Facts for BTreeMap<Part, T> {
    fn fact(&self, part: &Part) -> Option<&str> {
        self.get(part).map(AsRef::as_ref)
    }
}

/// The facts that tell callers apart; all calls are counted together if there are none. Calls about which a fact is
/// not known are counted together too.
pub type KeySpec = Vec<Part>;

/// Not a part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected user, tenant, server, tool or header:<name>, found {0:?}")]
pub struct BadPart(String);

impl FromStr for Part {
    type Err = BadPart;

    fn from_str(text: &str) -> Result<Self, BadPart> {
        match text {
            "user" => Ok(Self::User),
            "tenant" => Ok(Self::Tenant),
            "server" => Ok(Self::Server),
            "tool" => Ok(Self::Tool),
            _ => match text.strip_prefix("header:").map(str::trim) {
                Some(name) if is_header(name) => Ok(Self::Header(name.to_ascii_lowercase())),
                _ => Err(BadPart(text.to_owned())),
            },
        }
    }
}

/// A name that no header can have would be the same unknown for all callers.
fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl TryFrom<String> for Part {
    type Error = BadPart;

    fn try_from(text: String) -> Result<Self, BadPart> {
        text.parse()
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_string()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
            Self::Tenant => f.write_str("tenant"),
            Self::Server => f.write_str("server"),
            Self::Tool => f.write_str("tool"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

/// The keys of a guard's limits.
#[derive(Debug)]
pub(super) struct Keys {
    /// Before every name in Redis: what guard, and for whom.
    root: String,
    limits: Vec<Labelled>,
    /// What all keys have in common.
    common: KeySpec,
}

/// A limit's key, and what the limit is called in Redis.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Labelled {
    pub(super) label: String,
    pub(super) spec: KeySpec,
}

/// Longer keys are kept as their digest.
const LONGEST: usize = 128;

impl Keys {
    pub(super) fn new(root: String, limits: Vec<Labelled>) -> Result<Self, ConfigError> {
        for (index, limit) in limits.iter().enumerate() {
            let spec = &limit.spec;
            if let Some(part) = (1..spec.len()).find(|part| spec[..*part].contains(&spec[*part])) {
                let problem = format!("{} is there twice", spec[part]);
                return Err(ConfigError::new(format!("limits[{index}].key[{part}]"), problem));
            }
            if let Some(same) = limits[..index].iter().position(|other| other == limit) {
                let problem = format!("limits[{same}] has the same time and key: one of them is too many");
                return Err(ConfigError::new(format!("limits[{index}]"), problem));
            }
        }
        let mut common = limits.first().map(|limit| limit.spec.clone()).unwrap_or_default();
        common.retain(|part| limits.iter().all(|limit| limit.spec.contains(part)));
        common.sort();
        Ok(Self { root, limits, common })
    }

    /// The facts that the keys consist of, each once.
    pub(super) fn parts(&self) -> KeySpec {
        let mut parts: KeySpec = self.limits.iter().flat_map(|limit| limit.spec.iter().cloned()).collect();
        parts.sort();
        parts.dedup();
        parts
    }

    /// A limit's key in memory, unlike that of every other limit and caller, and of bounded length. Reuses the
    /// buffer.
    pub(super) fn bytes<'b>(&self, limit: usize, facts: &impl Facts, buffer: &'b mut Vec<u8>) -> &'b [u8] {
        buffer.clear();
        buffer.extend(limit.to_le_bytes());
        spell(&self.limits[limit].spec, facts, buffer);
        if buffer.len() > LONGEST {
            let digest = Sha256::digest(&*buffer);
            buffer.clear();
            buffer.extend((!limit).to_le_bytes());
            buffer.extend(digest);
        }
        buffer
    }

    /// The limits' names in Redis, `root:{common}:label:digest`: all of a decision are in one slot of a cluster, and
    /// the callers are spread over its slots by what all limits' keys have in common.
    pub(super) fn names(&self, facts: &impl Facts) -> Vec<String> {
        let mut buffer = Vec::new();
        let mut digest = |spec: &[Part]| {
            buffer.clear();
            buffer.extend(self.root.as_bytes());
            spell(spec, facts, &mut buffer);
            hexadecimal(&Sha256::digest(&buffer)[..16])
        };
        let common = digest(&self.common);
        let root = &self.root;
        let name = |limit: &Labelled| format!("{root}:{{{common}}}:{}:{}", limit.label, digest(&limit.spec));
        self.limits.iter().map(name).collect()
    }
}

/// Each fact with what it is and its length before it, so that no two callers are spelt alike, nor a user and a tenant
/// of one name.
fn spell(spec: &[Part], facts: &impl Facts, buffer: &mut Vec<u8>) {
    for part in spec {
        match part {
            Part::User => buffer.push(b'u'),
            Part::Tenant => buffer.push(b't'),
            Part::Server => buffer.push(b's'),
            Part::Tool => buffer.push(b'o'),
            Part::Header(name) => {
                buffer.push(b'h');
                buffer.extend((name.len() as u64).to_le_bytes());
                buffer.extend(name.as_bytes());
            }
        }
        match facts.fact(part) {
            Some(fact) => {
                buffer.extend((fact.len() as u64 + 1).to_le_bytes());
                buffer.extend(fact.as_bytes());
            }
            None => buffer.extend(0u64.to_le_bytes()),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
