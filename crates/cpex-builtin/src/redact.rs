//! What takes the place of a finding: a mask, a keyed hash, or a token that a vault can turn back.

use std::collections::BTreeMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::error::ConfigError;
use crate::finding::Finding;
use crate::vault::{MemoryVault, Vault};

/// A key shorter than this can be guessed.
const SHORTEST_KEY: usize = 16;

/// How findings are made unreadable.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RedactConfig {
    /// What takes the place of a finding.
    pub strategy: Strategy,
    /// The mask. `{kind}` stands for the kind in capitals.
    pub mask: String,
    /// How many letters and digits at the end stay readable under a mask; the others become `*`. 0 uses `mask`.
    pub keep_last: usize,
    /// The key of `hash` and `tokenise`, of at least 16 bytes. Take it from the environment, not from the file.
    pub key: Option<Key>,
}

impl Default for RedactConfig {
    fn default() -> Self {
        Self { strategy: Strategy::Mask, mask: "[{kind}]".to_owned(), keep_last: 0, key: None }
    }
}

/// What takes the place of a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// A fixed text, or stars with the end left readable.
    #[default]
    Mask,
    /// `[EMAIL:…]` with a keyed hash: equal texts stay equal, and nobody without the key can try out texts.
    Hash,
    /// The same as `hash`, and the vault remembers the text, so that an answer can be turned back.
    Tokenise,
}

/// A key, which is never printed.
#[derive(Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Key(String);

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Makes findings unreadable, each kind in its own way if it has one.
pub struct Redactor {
    means: Means,
    kinds: BTreeMap<String, Means>,
}

enum Means {
    Mask(String),
    Partial { keep: usize },
    Hash(Hmac<Sha256>),
    Tokenise(Hmac<Sha256>, Arc<dyn Vault>),
}

impl Redactor {
    /// Compiles the configuration at `field`. Tokens are kept in the memory of this process.
    ///
    /// # Errors
    /// A strategy with a key has none, or a short one.
    pub fn new(config: RedactConfig, field: &str) -> Result<Self, ConfigError> {
        let vault: Arc<dyn Vault> = Arc::new(MemoryVault::default());
        Ok(Self { means: Means::new(config, field, &vault)?, kinds: BTreeMap::new() })
    }

    /// Compiles the configurations at `redact` and `redact_kinds`. Tokens are kept in `vault`.
    ///
    /// # Errors
    /// A strategy with a key has none, or a short one.
    pub fn with_kinds(
        config: RedactConfig,
        kinds: BTreeMap<String, RedactConfig>,
        vault: &Arc<dyn Vault>,
    ) -> Result<Self, ConfigError> {
        let kinds = kinds.into_iter().map(|(kind, config)| {
            let means = Means::new(config, &format!("redact_kinds.{kind}"), vault)?;
            Ok((kind, means))
        });
        Ok(Self { kinds: kinds.collect::<Result<_, _>>()?, means: Means::new(config, "redact", vault)? })
    }

    /// Replaces the findings, which are in order and do not overlap.
    #[must_use]
    pub fn redact(&self, text: &str, findings: &[Finding]) -> String {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for finding in findings {
            out.push_str(&text[end..finding.span.start]);
            self.replace(finding, &text[finding.span.clone()], &mut out);
            end = finding.span.end;
        }
        out.push_str(&text[end..]);
        out
    }

    fn replace(&self, finding: &Finding, found: &str, out: &mut String) {
        let kind = &*finding.kind;
        match self.kinds.get(kind).unwrap_or(&self.means) {
            Means::Mask(mask) if !mask.contains('{') => out.push_str(mask),
            Means::Mask(mask) => out.push_str(&mask.replace("{kind}", &kind.to_ascii_uppercase())),
            Means::Partial { .. } if finding.grown => stars(found, 0, out),
            Means::Partial { keep } => stars(found, *keep, out),
            Means::Hash(mac) => out.push_str(&token(mac, kind, found)),
            Means::Tokenise(mac, vault) => {
                let token = token(mac, kind, found);
                vault.keep(&token, found);
                out.push_str(&token);
            }
        }
    }
}

impl Means {
    fn new(config: RedactConfig, field: &str, vault: &Arc<dyn Vault>) -> Result<Self, ConfigError> {
        Ok(match config.strategy {
            Strategy::Mask if config.keep_last > 0 => Self::Partial { keep: config.keep_last },
            Strategy::Mask => Self::Mask(config.mask),
            Strategy::Hash => Self::Hash(keyed(config.key, field)?),
            Strategy::Tokenise => Self::Tokenise(keyed(config.key, field)?, vault.clone()),
        })
    }
}

/// Never more than half of the letters and digits stay readable.
fn stars(found: &str, keep: usize, out: &mut String) {
    let mut left = found.chars().filter(|c| c.is_alphanumeric()).count();
    let keep = keep.min(left / 2);
    for character in found.chars() {
        let secret = character.is_alphanumeric() && left > keep;
        left -= usize::from(character.is_alphanumeric());
        out.push(if secret { '*' } else { character });
    }
}

/// 80 bits as letters: no detector takes it for a number.
fn token(mac: &Hmac<Sha256>, kind: &str, found: &str) -> String {
    let mut mac = mac.clone();
    mac.update(kind.as_bytes());
    mac.update(&[0]);
    mac.update(found.as_bytes());
    let digest = mac.finalize().into_bytes();
    let letters =
        digest.iter().take(10).flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(b'a' + half));
    let mut token = format!("[{}:", kind.to_ascii_uppercase());
    token.extend(letters);
    token.push(']');
    token
}

fn keyed(key: Option<Key>, field: &str) -> Result<Hmac<Sha256>, ConfigError> {
    let problem = |problem: &str| ConfigError::new(format!("{field}.key"), problem);
    let Key(key) = key.ok_or_else(|| problem("missing: the strategies hash and tokenise need a key"))?;
    if key.len() < SHORTEST_KEY {
        return Err(problem("too short: give at least 16 bytes"));
    }
    Hmac::new_from_slice(key.as_bytes()).map_err(|_| problem("not usable"))
}
