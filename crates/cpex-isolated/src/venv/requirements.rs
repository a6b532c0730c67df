//! Requirements files: which files count, and what is in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::BuildError;

/// More files than anybody includes.
const MOST_FILES: usize = 100;

/// A requirements file, or one that it includes.
pub(super) struct Included {
    /// As it is named where it is included.
    pub(super) name: String,
    /// Where it is, without links.
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
}

/// The files that a requirements file is made of: itself, and all that it includes, without links.
///
/// # Errors
///
/// If one cannot be read, or is in none of these folders.
pub fn requirements_files(file: &Path, roots: &[PathBuf]) -> Result<Vec<PathBuf>, BuildError> {
    let files = read(file, roots).map_err(BuildError::Requirements)?;
    Ok(files.into_iter().map(|file| file.path).collect())
}

/// Reads a requirements file and all that it includes (`-r`, `-c`), each once. Pages are left to the installer.
pub(super) fn read(file: &Path, roots: &[PathBuf]) -> Result<Vec<Included>, String> {
    let roots = roots.iter().filter_map(|root| root.canonicalize().ok()).collect::<Vec<_>>();
    let mut seen = BTreeSet::new();
    let mut read = Vec::new();
    let mut open =
        vec![(file.file_name().unwrap_or_default().to_string_lossy().into_owned(), file.to_owned())];
    while let Some((name, path)) = open.pop() {
        let real = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
        if !roots.iter().any(|root| real.starts_with(root)) {
            return Err(format!("'{name}' leads out of the plugin's folder, to {}", real.display()));
        }
        if !seen.insert(real.clone()) {
            continue;
        }
        if seen.len() > MOST_FILES {
            return Err(format!("more than {MOST_FILES} files are included"));
        }
        let content = fs::read(&real).map_err(|error| format!("{}: {error}", real.display()))?;
        let folder = real.parent().unwrap_or(&real).to_owned();
        let included = includes(&String::from_utf8_lossy(&content));
        open.extend(included.into_iter().rev().map(|name| (name.clone(), folder.join(name))));
        read.push(Included { name, path: real, content });
    }
    Ok(read)
}

/// The files that a requirements file includes, in its order.
fn includes(text: &str) -> Vec<String> {
    text.replace("\\\r\n", "").replace("\\\n", "").lines().filter_map(included).collect()
}

fn included(line: &str) -> Option<String> {
    let line = line.trim_start();
    let rest = ["--requirement", "--constraint"]
        .iter()
        .find_map(|option| line.strip_prefix(option).filter(|rest| rest.starts_with(['=', ' ', '\t'])))
        .or_else(|| line.strip_prefix("-r"))
        .or_else(|| line.strip_prefix("-c"))?;
    let value = rest.trim_start_matches([' ', '\t', '=']);
    let value = value.split(" #").next().unwrap_or(value).trim().trim_matches(['"', '\'']);
    (!value.is_empty() && !value.contains("://")).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::includes;

    #[test]
    fn includes_are_found_in_every_spelling() {
        let text = "-r a.txt\n--requirement=b.txt # why\n  -c 'c.txt'\nrequests\n-rd.txt\n--constraint \\\n e.txt\n\
            -r https://host/f.txt\n# -r g.txt\n--require-hashes\n";
        assert_eq!(includes(text), ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"]);
    }
}
