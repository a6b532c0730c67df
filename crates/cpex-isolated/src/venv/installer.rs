//! The commands that make and fill an environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::recipe::{Installer, Package, Recipe};

/// The interpreter of an environment.
pub(super) fn python_of(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// The command that makes an empty environment.
pub(super) fn make(recipe: &Recipe, folder: &Path) -> Command {
    let interpreter = &recipe.interpreter.executable;
    match &recipe.installer {
        Installer::Uv(uv) => {
            let mut command = uv_command(uv);
            command.args(["venv", "--no-project", "--python"]).arg(interpreter).arg(folder);
            command
        }
        Installer::Pip => {
            let mut command = Command::new(interpreter);
            command.args(["-I", "-m", "venv"]).arg(folder);
            command
        }
    }
}

/// The command that installs what the recipe asks for; none if it asks for nothing.
pub(super) fn install(recipe: &Recipe, folder: &Path) -> Option<Command> {
    if recipe.requirements.is_none() && recipe.packages.is_empty() {
        return None;
    }
    let python = python_of(folder);
    let mut command = match &recipe.installer {
        Installer::Uv(uv) => {
            let mut command = uv_command(uv);
            command.args(["pip", "install", "--no-progress", "--compile-bytecode"]);
            // A hard link would let the plugin write into the cache, from which others install.
            command.arg("--link-mode=copy").arg("--python").arg(python);
            command
        }
        Installer::Pip => {
            let mut command = Command::new(python);
            command.args(["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]);
            command
        }
    };
    if recipe.sources.offline {
        let has_places = !recipe.sources.find_links.is_empty();
        match &recipe.installer {
            Installer::Uv(_) if has_places => command.args(["--offline", "--no-index"]),
            Installer::Uv(_) => command.arg("--offline"),
            Installer::Pip => command.arg("--no-index"),
        };
    }
    command.args(recipe.sources.options());
    if let Some(requirements) = &recipe.requirements {
        command.arg("-r").arg(requirements);
        // What it names is relative to it.
        command.current_dir(requirements.parent().unwrap_or(&recipe.home));
    }
    for package in &recipe.packages {
        match package {
            Package::Archive(path) => command.arg(path),
            Package::Editable(path) => command.arg("-e").arg(path),
        };
    }
    Some(command)
}

fn uv_command(uv: &Path) -> Command {
    let mut command = Command::new(uv);
    command.env("UV_PYTHON_DOWNLOADS", "never");
    command
}
