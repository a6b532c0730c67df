"""The entries of installed plugins in the plugin configuration file."""

import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from cpex.framework import ConfigLoader, PluginMode
from cpex.framework._files import replace_file
from cpex.framework.models import Config, PluginManifest
from cpex.tools import cli
from cpex.tools.settings import get_catalog_settings

from .yaml_edit import UneditableError, YamlList

_FIELDS = ("name", "kind", "description", "author", "version", "hooks", "tags", "mode", "priority", "config")
_PRIORITY = 100


def instance_name_is_unique(config: Config, suggested_instance_name: str) -> bool:
    """Says whether a name is free.

    Args:
        config: A configuration.
        suggested_instance_name: The name.

    Returns:
        Whether no plugin has it.
    """
    return all(plugin.name != suggested_instance_name for plugin in config.plugins or [])


def check_plugins_config_yaml() -> None:
    """Makes sure that an entry can be added to the configuration file, before anything is installed.

    Raises:
        RuntimeError: If the file cannot be read or edited.
    """
    path = _path()
    with _explained(path):
        _load(path)
        YamlList(_read(path), "plugins")


def update_plugins_config_yaml(manifest: PluginManifest) -> None:
    """Adds a plugin to the configuration file, in place: the rest of the file stays as it is written.

    The entry runs sequentially with priority 100. If its name is taken it gets a number. If the file names no
    `plugin_dirs`, the plugins' folder becomes one.

    Args:
        manifest: The plugin.

    Raises:
        RuntimeError: If the file cannot be read or edited; it is unchanged then.
    """
    path = _path()
    with _explained(path):
        config = _load(path)
        suggested = manifest.suggest_instance_name()
        name, number = suggested, 0
        while not cli.instance_name_is_unique(config, name):
            number += 1
            name = f"{suggested}_{number}"
        entry = manifest.create_instance_config(name, PluginMode.SEQUENTIAL, _PRIORITY)
        fields = entry.model_dump(mode="json", include=set(_FIELDS), exclude_none=True)
        text = YamlList(_read(path), "plugins").with_item({key: fields[key] for key in _FIELDS if key in fields})
        if (folders := YamlList(text, "plugin_dirs")).is_empty:
            text = folders.with_item(get_catalog_settings().FOLDER)
        path.parent.mkdir(parents=True, exist_ok=True)
        before = [plugin.name for plugin in config.plugins or []]
        _replace(path, text, [*before, name])


def remove_from_plugins_config_yaml(manifest: PluginManifest) -> bool:
    """Removes a plugin from the configuration file, in place: the rest of the file stays as it is written.

    Removed are the entries of its kind with its name, or the name it was given when it was installed, with or without
    a number.

    Args:
        manifest: The plugin.

    Returns:
        Whether there was such an entry.

    Raises:
        RuntimeError: If the file cannot be read or edited; it is unchanged then.
    """
    path = _path()
    names = (re.escape(name) for name in {manifest.name, manifest.suggest_instance_name()})
    name = re.compile(rf"(?:{'|'.join(names)})(?:_\d+)?")

    def is_its(fields: dict[str, str]) -> bool:
        return fields.get("kind") == manifest.kind and name.fullmatch(fields.get("name", "")) is not None

    with _explained(path):
        if not path.is_file():
            return False
        config = _load(path)
        entries = YamlList(_read(path), "plugins")
        gone = [fields["name"] for fields in entries.items() if is_its(fields)]
        if not gone:
            return False
        kept = [plugin.name for plugin in config.plugins or [] if plugin.name not in gone]
        _replace(path, entries.without_items(is_its), kept)
    return True


def _path() -> Path:
    return Path(cli.settings.config_file)


def _read(path: Path) -> str:
    if not path.is_file():
        return ""
    with open(path, encoding="utf-8", newline="") as file:  # line ends as they are
        return file.read()


def _load(path: Path) -> Config:
    # A file that is not there is about to be made: nobody need be warned of it.
    with nullcontext() if path.is_file() else _silent_loader():
        loaded: Config = cli.ConfigLoader.load_config(str(path))
    return loaded


def _replace(path: Path, text: str, names: list[str]) -> None:
    """Replaces the file, if the new one loads and holds the plugins it should."""
    handle, trial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".trial")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        with _silent_loader():
            loaded = ConfigLoader.load_config(trial)
    finally:
        os.unlink(trial)
    found = [plugin.name for plugin in loaded.plugins or []]
    if found != names:
        raise UneditableError("the place of the entry depends on a template; edit the file by hand")
    replace_file(path, text)


@contextmanager
def _silent_loader() -> Iterator[None]:
    """What there is to say of the file was said when it was read first."""
    logger = logging.getLogger("cpex.framework.loader.config")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError) as error:
        raise RuntimeError(f"Failed to edit {path}: {error}") from error
