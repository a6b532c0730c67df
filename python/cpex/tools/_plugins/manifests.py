"""Reading and writing `plugin-manifest.yaml`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cpex.framework.models import PluginManifest

from .kinds import convert_fqn_kind_in_place

MANIFEST = "plugin-manifest.yaml"
VERSIONS = "versions.json"

_NOT_SOURCES = frozenset({"build", "dist", "node_modules", "tests", "test", "__pycache__"})


def parse_manifest(text: str, name: str, *, convert: bool | None = True, **origin: Any) -> PluginManifest:
    """Reads a manifest.

    Args:
        text: YAML.
        name: How the plugin is called until its manifest is read; also its name if the manifest gives none.
        convert: Whether a class path as kind becomes ``isolated_venv``; None takes any kind as it is.
        origin: Where the plugin comes from: fields that replace those of the manifest.

    Returns:
        The manifest.

    Raises:
        RuntimeError: If it is not a manifest.
    """
    try:
        data = yaml.safe_load(text)
        if not isinstance(data, dict):
            raise ValueError(f"a manifest is a mapping such as 'name: ...', not {type(data).__name__}")
        data.setdefault("name", name)
        if "default_config" not in data and isinstance(data.get("default_configs"), dict):
            data["default_config"] = data.pop("default_configs")
        for optional, default in ("tags", []), ("default_config", {}):
            if data.get(optional) is None:
                data[optional] = default
        if convert is not None:
            convert_fqn_kind_in_place(data, convert)
        return PluginManifest.model_validate({**data, **origin})
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise RuntimeError(f"Failed to validate manifest for {name}: {'; '.join(faults)}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise RuntimeError(f"Failed to validate manifest for {name}: {error}") from error


def find_manifest(folder: Path) -> Path:
    """Finds the manifest of a package's sources or contents.

    Args:
        folder: The folder.

    Returns:
        The manifest that is nearest to it.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = sorted(_manifests(folder), key=lambda path: (len(path.parts), path))
    if not found:
        raise FileNotFoundError(f"{MANIFEST} not found in {folder.name}: a plugin package has one beside its module")
    return found[0]


def _manifests(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_SOURCES and not name.startswith(".")]
        if MANIFEST in files:
            yield Path(parent, MANIFEST)


def dump_manifest(manifest: PluginManifest) -> str:
    """Renders a manifest as YAML.

    Args:
        manifest: The manifest.

    Returns:
        The text.
    """
    return yaml.safe_dump(manifest.model_dump(mode="json"), allow_unicode=True)
