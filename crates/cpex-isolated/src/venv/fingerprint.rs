//! What tells environments apart: a hash of all that they are made of.

use std::io;
use std::path::Path;
use std::{fs, str};

use sha2::{Digest, Sha256};

use super::recipe::{Package, Recipe};
use super::requirements::Included;
use super::scrub::without_user_info;

/// Changed when environments are laid out anew.
const LAYOUT: &str = "1";

/// The fingerprint of an environment, in hexadecimal.
///
/// Who asks the index is no part of it, nor is what installs: neither changes what is installed.
pub(super) fn of(recipe: &Recipe, included: &[Included], manifest: &[u8]) -> io::Result<String> {
    let mut hash = Fields(Sha256::new());
    hash.text(LAYOUT);
    hash.text(env!("CARGO_PKG_VERSION"));
    hash.field(recipe.interpreter.executable.as_os_str().as_encoded_bytes());
    hash.text(&recipe.interpreter.version);
    hash.text(&recipe.interpreter.abi);
    hash.text(&recipe.manifest_version);
    hash.field(manifest);
    hash.list(included.len());
    for file in included {
        hash.text(&file.name);
        hash.field(&file.content);
    }
    hash.list(recipe.packages.len());
    for package in &recipe.packages {
        match package {
            Package::Archive(path) => hash.field(&fs::read(path)?),
            Package::Editable(path) => hash.field(path.as_os_str().as_encoded_bytes()),
        }
    }
    let sources = &recipe.sources;
    for places in [sources.index_url.as_slice(), &sources.extra_index_urls, &sources.find_links] {
        hash.list(places.len());
        places.iter().for_each(|place| hash.text(&without_user_info(place)));
    }
    hash.field(&[u8::from(sources.require_hashes), u8::from(sources.only_binary)]);
    Ok(hex(&hash.0.finalize()))
}

/// The SHA-256 of a file in hexadecimal; of nothing if there is none.
pub(super) fn sha256(file: Option<&Path>) -> io::Result<String> {
    let content = file.map_or_else(|| Ok(Vec::new()), content_of)?;
    Ok(hex(&Sha256::digest(content)))
}

/// The content of a file; nothing if there is none.
pub(super) fn content_of(file: &Path) -> io::Result<Vec<u8>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// Fields with their lengths, so that none can pass for another.
struct Fields(Sha256);

impl Fields {
    fn field(&mut self, bytes: &[u8]) {
        self.list(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.field(text.as_bytes());
    }

    fn list(&mut self, length: usize) {
        self.0.update((length as u64).to_le_bytes());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
