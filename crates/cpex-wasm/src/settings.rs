//! What an entry says of a plugin.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::{Map, Value};

use crate::engine::INSTANCES;
use crate::error::ConfigError;
use crate::module;

/// The `config` of an entry of kind `wasm`.
///
/// ```
/// use cpex_wasm::Settings;
///
/// let settings: Settings = serde_json::from_str(r#"{"module": "guard.wasm", "memory": "16MiB"}"#)?;
/// assert_eq!(settings.memory, 16 << 20);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// The file of the plugin.
    pub module: PathBuf,
    /// What the SHA-256 of the file must be.
    #[serde(default, deserialize_with = "digest")]
    pub sha256: Option<[u8; 32]>,
    /// How much of wasmtime's fuel a call may use: about one unit an instruction. No limit without it; time is one.
    #[serde(default)]
    pub fuel: Option<NonZeroU64>,
    /// How many bytes an instance may hold in its memories and tables.
    #[serde(default = "usual_memory", deserialize_with = "bytes")]
    pub memory: usize,
    /// How many calls may run at a time; a further one waits.
    #[serde(default = "usual_instances", deserialize_with = "places")]
    pub instances: NonZeroUsize,
    /// May a call get an instance that has answered others before?
    #[serde(default)]
    pub reuse: bool,
    /// The plugin's own settings.
    #[serde(default)]
    pub config: Map<String, Value>,
}

impl Settings {
    /// Reads the JSON of an entry's `config`.
    ///
    /// # Errors
    /// If something in it is missing, unknown or of no use.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let reader = &mut serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(reader).map_err(|error| {
            let field = error.path().to_string();
            ConfigError::new(if field == "." { "" } else { &field }, problem(error.inner()))
        })
    }

    /// Looks whether there is such a module, without opening it: what can be known before it is compiled. A relative path
    /// begins at `root`.
    ///
    /// # Errors
    /// If there is no such file, or it is too large.
    pub fn look(&self, root: &Path) -> Result<(), ConfigError> {
        module::look(&root.join(&self.module))
    }
}

const fn usual_memory() -> usize {
    64 << 20
}

const fn usual_instances() -> NonZeroUsize {
    const USUAL: NonZeroUsize = NonZeroUsize::new(16).unwrap();
    USUAL
}

/// Without the place in the text, which nobody has seen.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((problem, _)) => problem.to_owned(),
        None => text,
    }
}

fn digest<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<[u8; 32]>, D::Error> {
    let wrong = || D::Error::custom("expected the SHA-256 of the module: 64 hexadecimal digits");
    let Some(text) = Option::<String>::deserialize(reader)? else { return Ok(None) };
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(Some(digest))
}

/// As many as there can be in all.
fn places<'de, D: Deserializer<'de>>(reader: D) -> Result<NonZeroUsize, D::Error> {
    let there_are = |instances: &NonZeroUsize| instances.get() <= INSTANCES as usize;
    let instances = NonZeroUsize::deserialize(reader).ok().filter(there_are);
    instances.ok_or_else(|| D::Error::custom(format!("expected a number from 1 to {INSTANCES}")))
}

/// Bytes, as a number or with a unit.
fn bytes<'de, D: Deserializer<'de>>(reader: D) -> Result<usize, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Bytes(usize),
        Text(String),
    }
    let parsed = match Written::deserialize(reader) {
        Ok(Written::Bytes(bytes)) => Some(bytes),
        Ok(Written::Text(text)) => {
            [("KiB", 10), ("MiB", 20), ("GiB", 30)].into_iter().find_map(|(unit, shift)| {
                text.strip_suffix(unit)?.trim().parse::<usize>().ok()?.checked_mul(1 << shift)
            })
        }
        Err(_) => None,
    };
    // What WebAssembly of 32 bits can address.
    parsed
        .filter(|bytes| (1 << 16..=1 << 32).contains(bytes))
        .ok_or_else(|| D::Error::custom("expected bytes, such as \"64MiB\": from 64KiB to 4GiB"))
}
