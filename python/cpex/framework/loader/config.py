"""Plugin configuration files: reading them into models and writing models back."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from cpex import _core
from cpex.framework._compat import is_compatible
from cpex.framework._switches import SETTING_PLACES, SWITCHES, is_strict, plugin_settings
from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE, WASM_PLUGIN_TYPE
from cpex.framework.loader._known_keys import suspicious_keys
from cpex.framework.loader._special import DIRECTORY, FILE, is_builtin
from cpex.framework.models import Config, PluginConfig

if TYPE_CHECKING:
    from cpex.framework.loader._config_errors import ConfigError as ConfigError
    from cpex.framework.loader._config_errors import ConfigKeyError as ConfigKeyError
    from cpex.framework.loader._config_errors import ConfigSyntaxError as ConfigSyntaxError
    from cpex.framework.loader._config_errors import ConfigTemplateError as ConfigTemplateError

__all__ = ["ConfigLoader", "ConfigSaver", "file_of", "place_of", "plugin_settings"]

logger = logging.getLogger(__name__)

_Location: TypeAlias = tuple[str | int, ...]
_Places: TypeAlias = "list[tuple[PluginConfig, dict[_Location, str]]]"

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")

_PLACES_ATTRIBUTE = "_places"


class ConfigLoader:
    """Reads plugin configuration files."""

    @staticmethod
    def load_config(config: str, use_jinja: bool = True) -> Config:
        """Read a plugin configuration file.

        The text is a Jinja template with one variable, `env`, and then YAML as PyYAML's `safe_load` reads it. What
        an expression prints becomes part of a value, byte for byte; it can't add keys or items. With
        `PLUGINS_COMPAT=0.1.4` it is escaped for HTML and becomes YAML text, as in that release.

        Keys that nothing reads, keys given twice and a file without plugins are logged as warnings with file, line and
        column, or raised if `PLUGINS_STRICT_CONFIG` is true. Its hooks are looked at when the plugins are loaded.

        Args:
            config: Path of the file. A file that does not exist is an empty configuration, with a warning.
            use_jinja: Whether the text is a template.

        Returns:
            The configuration.

        Raises:
            ConfigTemplateError: If a template does not parse or render.
            ConfigSyntaxError: If the text is not YAML; also a `yaml.YAMLError`.
            ConfigKeyError: If there are suspicious keys, or no plugins, and `PLUGINS_STRICT_CONFIG` is true.
            FileNotFoundError: If there is no such file and `PLUGINS_STRICT_CONFIG` is true.
            UnicodeDecodeError: If the file is not UTF-8.
            TypeError: If the text is not a mapping with strings as keys.
            pydantic.ValidationError: If a value is not what its key takes. Its notes say where each one stands.
        """
        path = os.path.normpath(config)
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            if is_strict():
                raise
            logger.warning("%s: there is no such file; the configuration is empty, and no plugin will run", path)
            return Config(plugins=[], plugin_dirs=[])
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            error.reason += f"; {path}:{line}: a configuration is UTF-8 text, save it as such"
            raise
        env = os.environ if use_jinja else None
        data, problems, positions = _core.load_config(text, path, env, is_compatible())
        data = data or {}
        _check_top(data, path, positions)
        _report([*problems, *suspicious_keys(data, positions)], path)
        # Else it would be built as a part of the other, and once more for who writes an entry.
        PluginConfig.model_rebuild()
        try:
            loaded = Config(**data)
        except ValidationError as error:
            _annotate(error, path, positions)
            raise
        # Beside the fields: it is nothing that the author wrote.
        loaded.__dict__[_PLACES_ATTRIBUTE] = _places(loaded, path, positions)
        for entry in loaded.plugins or ():
            if entry.kind == WASM_PLUGIN_TYPE:
                entry.__dict__[DIRECTORY] = os.path.dirname(path)
        settings = SWITCHES.keys() & plugin_settings(loaded).keys()
        loaded.__dict__[SETTING_PLACES] = {
            name: _place(path, positions, ("plugin_settings", name)) for name in settings
        }
        for entry in loaded.plugins or ():
            entry.__dict__[FILE] = os.path.abspath(path)
        return loaded


class ConfigSaver:
    """Writes plugin configuration files."""

    @staticmethod
    def save_config(config: Config, config_path: str) -> None:
        """Write a configuration as YAML.

        Args:
            config: The configuration.
            config_path: Path of the file, which is replaced.

        Raises:
            RuntimeError: If the file can't be written.
        """
        import yaml

        try:
            with open(os.path.normpath(config_path), "w", encoding="utf-8") as file:
                yaml.safe_dump(config.model_dump(mode="json"), file)
        except OSError as error:
            raise RuntimeError(f"Error saving PluginConfig to {config_path}") from error


def place_of(entry: PluginConfig, config: Config, field: str = "") -> str | None:
    """Tell where a plugin's entry stands, or a field of it.

    Args:
        entry: One of the plugins of the configuration.
        config: The configuration.
        field: The path of a field in the entry: `hooks[1]`, or in that of a built-in plugin `config.rules[2].pattern`.

    Returns:
        File, line and column, separated by colons; None if the entry was not read from a file.
    """
    places: _Places = config.__dict__.get(_PLACES_ATTRIBUTE, [])
    known = next((known for of, known in places if of is entry), None)
    if known is None:
        return None
    location = location_of(field)
    reached = (location[:length] for length in range(len(location), -1, -1))
    return next(known[part] for part in reached if part in known)


def file_of(entry: PluginConfig) -> str | None:
    """Tell which file a plugin's entry, or a copy of it, was read from.

    Args:
        entry: The entry.

    Returns:
        The absolute path; None if it was not read from a file.
    """
    file: str | None = entry.__dict__.get(FILE)
    return file


def location_of(field: str) -> _Location:
    """Take the path of a field apart.

    Args:
        field: The path, such as `config.rules[2].pattern`.

    Returns:
        The keys and indexes on the way to it.
    """
    steps = _STEP.findall(field)
    return tuple(int(index) if index else key for index, key in steps)


def __getattr__(name: str) -> Any:
    if name in ("ConfigError", "ConfigKeyError", "ConfigSyntaxError", "ConfigTemplateError"):
        from cpex.framework.loader import _config_errors

        return getattr(_config_errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _check_top(data: Any, path: str, positions: _core.PositionIndex) -> None:
    if not isinstance(data, dict):
        line, column = positions.locate(()) or (1, 1)
        raise TypeError(
            f"{path}:{line}:{column}: a configuration must be a mapping such as 'plugins: [...]', "
            f"not {type(data).__name__}"
        )
    strings = dict.fromkeys(key for key in data if isinstance(key, str))
    if len(strings) < len(data):
        _, line, column, _ = positions.unknown_keys(strings)[0]
        raise TypeError(f"{path}:{line}:{column}: keywords must be strings; quote this key")


def _report(problems: Iterable[tuple[str, int, int, str]], path: str) -> None:
    ordered = sorted(problems, key=lambda problem: problem[1:3])
    lines = [f"{path}:{line}:{column}: {message}" for _, line, column, message in ordered]
    if lines and is_strict():
        from cpex.framework.loader._config_errors import ConfigKeyError

        _, line, column, _ = ordered[0]
        raise ConfigKeyError("\n".join(lines), path, line, column)
    for text in lines:
        logger.warning("%s", text)


def _annotate(error: ValidationError, path: str, positions: _core.PositionIndex) -> None:
    """Says of each error where it stands, in a note and in the log, and never what value stands there."""
    from cpex.framework.loader._suggest import suggestion

    for detail in error.errors(include_url=False):
        place = _place(path, positions, detail["loc"])
        text = f"{place}: {_name(detail['loc'])}: {detail['msg']}{suggestion(detail)}"
        error.add_note(text)
        logger.error("%s", text)


def _places(config: Config, path: str, positions: _core.PositionIndex) -> _Places:
    return [
        (entry, {below: _place(path, positions, ("plugins", index, *below)) for below in _parts(entry)})
        for index, entry in enumerate(config.plugins or ())
    ]


def _parts(entry: PluginConfig) -> Iterator[_Location]:
    """The entry itself, its hooks, and the fields that plugins which are no class of the application complain about."""
    yield ()
    yield from _nested(("hooks",), entry.hooks)
    if entry.kind in (ISOLATED_VENV_PLUGIN_TYPE, WASM_PLUGIN_TYPE) or is_builtin(entry.kind):
        yield from _nested(("config",), entry.config)


def _nested(at: _Location, value: Any) -> Iterator[_Location]:
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _nested((*at, key), item)


def _place(path: str, positions: _core.PositionIndex, loc: Iterable[str | int]) -> str:
    line, column = positions.locate(loc) or (1, 1)
    return f"{path}:{line}:{column}"


def _name(loc: tuple[int | str, ...]) -> str:
    parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return "".join(parts).lstrip(".") or "configuration"
