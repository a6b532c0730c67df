//! What `.venv` was made from, in the file that CPEX 0.1.x writes and reads.

use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::fingerprint::sha256;
use super::recipe::Recipe;

/// The file's content. CPEX 0.1.x passes over the last two.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Metadata {
    pub(super) venv_path: String,
    pub(super) requirements_file: Option<String>,
    pub(super) requirements_hash: String,
    #[serde(default)]
    pub(super) manifest_version: Option<String>,
    #[serde(default)]
    pub(super) manifest_hash: Option<String>,
    pub(super) python_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) environment: Option<String>,
}

impl Metadata {
    /// What the file has to say for an environment made from this recipe.
    pub(super) fn of(recipe: &Recipe, venv: &Path) -> io::Result<Self> {
        Ok(Self {
            venv_path: venv.to_string_lossy().into_owned(),
            requirements_file: recipe.requirements.as_ref().map(|path| path.to_string_lossy().into_owned()),
            requirements_hash: sha256(recipe.requirements.as_deref())?,
            manifest_version: Some(recipe.manifest_version.clone()),
            manifest_hash: Some(sha256(Some(&recipe.manifest))?),
            python_version: recipe.interpreter.version.clone(),
            fingerprint: None,
            environment: None,
        })
    }

    /// Reads the file. One that is malformed is none.
    pub(super) fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    /// Does an environment of CPEX 0.1.x go for one made from this recipe? The same rule as there, and it has to be of
    /// the same minor version of Python.
    pub(super) fn goes_for(&self, wanted: &Self) -> bool {
        fn minor(version: &str) -> Option<(&str, &str)> {
            let mut parts = version.split('.');
            Some((parts.next()?, parts.next()?))
        }
        self.requirements_hash == wanted.requirements_hash
            && (self.manifest_version.is_none() || self.manifest_version == wanted.manifest_version)
            && (self.manifest_hash.is_none() || self.manifest_hash == wanted.manifest_hash)
            && minor(&self.python_version).is_some()
            && minor(&self.python_version) == minor(&wanted.python_version)
    }
}
