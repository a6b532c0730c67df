"""Reads a config for its checks: as much of it as can be read, with the position of every part."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cpex import _core
from cpex.framework import HookPayloadPolicy, PluginConfig, PluginMode
from cpex.framework._compat import is_compatible
from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE
from cpex.framework.isolated._faults import SettingError
from cpex.framework.loader._special import DIRECTORY, FILE
from cpex.framework.loader.config import ConfigError, ConfigTemplateError
from cpex.framework.models import Config
from cpex.framework.settings import settings

from .._load import neighbours
from .._problem import nearest
from ._behaviour import Behaviour
from ._codes import Code
from ._finding import Finding, Source, printable
from ._survey import Survey, is_folder

STDIN = "-"
_LONGEST = 1000
_UNKNOWN_FILTER = re.compile(r"filter (\w+) is unknown")

_ModelT = TypeVar("_ModelT", bound=BaseModel)
Location = tuple[int | str, ...]


class UnusableConfigError(Exception):
    """A file of which nothing can be checked.

    Attributes:
        source: What could be read of it.
        finding: Why.
    """

    def __init__(self, source: Source, finding: Finding) -> None:
        super().__init__(finding.message)
        self.source, self.finding = source, finding


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of `plugins:`.

    Attributes:
        index: Its place in the list, from 0.
        data: What is written.
        config: The entry as the manager sees it; None if it is not valid.
    """

    index: int
    data: Any
    config: PluginConfig | None

    @property
    def name(self) -> str:
        """The plugin's name; empty if it has none."""
        name = self.written("name")
        return name if isinstance(name, str) else ""

    @property
    def hooks(self) -> list[str]:
        """Names of its hooks, in order; an item that is no text is empty."""
        hooks = self.written("hooks")
        return [hook if isinstance(hook, str) else "" for hook in hooks] if isinstance(hooks, list) else []

    @property
    def is_enabled(self) -> bool:
        """Whether a manager tries to load it."""
        return bool(self.written("mode") != PluginMode.DISABLED)

    def written(self, key: str) -> Any:
        """Returns what is written for a key; None if nothing is."""
        return self.data.get(key) if isinstance(self.data, dict) else None

    def at(self, *path: int | str) -> Location:
        """Returns the location of a part of the entry."""
        return ("plugins", self.index, *path)


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry that a manager loads."""

    entry: Entry
    config: PluginConfig

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.config.name


@dataclass
class Reading:
    """A config, read for its checks.

    Attributes:
        source: The text.
        data: What the text says.
        folder: Where plugins are looked for besides the import path.
        suspicious: Keys that stand twice, from the reader: kind, line, column, message.
        positions: Where each part stands.
        errors: What is not valid, each with its location in the whole.
        entries: The items of `plugins:`.
        settings: The config without its plugins; None if that part is not valid.
        policies: What plugins may write, per hook, if the host's policies are known.
        imports: Whether code of the application may be imported.
        survey: What came of loading the plugins; None if they were not loaded.
        behaviours: What the methods of plugins may do, by plugin and hook, as far as it was asked for.
    """

    source: Source
    data: dict[str, Any]
    folder: Path
    suspicious: list[tuple[str, int, int, str]]
    positions: _core.PositionIndex
    errors: list[tuple[Location, ErrorDetails]]
    entries: list[Entry]
    settings: Config | None
    policies: Mapping[str, HookPayloadPolicy] = field(default_factory=dict)
    imports: bool = True
    survey: Survey | None = None
    behaviours: dict[tuple[str, str], Behaviour] = field(default_factory=dict)

    @cached_property
    def enabled(self) -> list[Entry]:
        """The entries that are not disabled, valid or not."""
        return [entry for entry in self.entries if entry.is_enabled]

    @cached_property
    def plugins(self) -> list[Plugin]:
        """The plugins that a manager loads: the valid entries, without those whose name is taken."""
        first: dict[str, Entry] = {}
        for entry in self.enabled:
            first.setdefault(entry.name, entry)
        return [Plugin(entry, entry.config) for entry in first.values() if entry.config is not None]

    @cached_property
    def isolated(self) -> dict[int, list[SettingError]]:
        """What is wrong with isolated plugins, by the index of their entries."""
        plugins = [plugin for plugin in self.plugins if plugin.config.kind == ISOLATED_VENV_PLUGIN_TYPE]
        if not plugins:
            return {}
        from cpex.framework.isolated._review import faults

        folders = [folder for folder in self.config.plugin_dirs if is_folder(folder)]
        return {plugin.entry.index: faults(plugin.config, folders) for plugin in plugins}

    @property
    def config(self) -> Config:
        """The config, with the entries that are valid."""
        valid = [entry.config for entry in self.entries if entry.config is not None]
        return (self.settings or Config()).model_copy(update={"plugins": valid})

    def writable(self, hook: str) -> frozenset[str] | None:
        """Returns the payload fields that plugins may change on a hook; None if they may change any."""
        policy = self.policies.get(hook)
        if policy is not None:
            return frozenset(policy.writable_fields)
        return frozenset() if _denies_by_default() else None

    def plugin_at(self, at: Location) -> str:
        """Returns the name of the plugin that a location belongs to; empty if it belongs to none."""
        match at:
            case ("plugins", int(index), *_) if index < len(self.entries):
                return self.entries[index].name
        return ""

    def finding(self, code: Code, at: Location, message: str, hint: str = "", plugin: str = "") -> Finding:
        """Makes a finding at a location of the config."""
        line, column = self.positions.locate(at) or (1, 1)
        shown = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
        return Finding(code, line, column, printable(shown), printable(hint), plugin)


def read(path: str, policies: Mapping[str, HookPayloadPolicy]) -> Reading:
    """Reads a config.

    Args:
        path: The file; `-` is standard input.
        policies: The host's hook policies.

    Returns:
        What can be read of it, valid or not.

    Raises:
        UnusableConfigError: If it is no text, no YAML or no mapping.
    """
    source = _read_text(path)
    try:
        data, suspicious, positions = _core.load_config(source.text, source.name, os.environ, is_compatible())
    except ConfigError as error:
        code = Code.TEMPLATE if isinstance(error, ConfigTemplateError) else Code.SYNTAX
        message, _, hint = error.message.removeprefix(f"{source.name}:{error.line}:{error.column}: ").partition("; ")
        hint = _meant_filter(message) or hint
        raise UnusableConfigError(source, Finding(code, error.line, error.column, message, hint)) from error
    data = {} if data is None else data
    if not isinstance(data, dict):
        line, column = positions.locate(()) or (1, 1)
        what = f"a config must be a mapping, not {type(data).__name__}"
        finding = Finding(Code.NOT_A_MAPPING, line, column, what, "begin with `plugins:`")
        raise UnusableConfigError(source, finding)
    folder = Path.cwd() if path == STDIN else Path(path).resolve().parent
    errors, entries, rest = _validate(data)
    for entry in entries:
        if entry.config is not None:
            entry.config.__dict__[DIRECTORY] = str(folder)
            entry.config.__dict__[FILE] = str(folder / "-") if path == STDIN else os.path.abspath(path)
    return Reading(source, data, folder, suspicious, positions, errors, entries, rest, policies)


def _meant_filter(message: str) -> str:
    unknown = _UNKNOWN_FILTER.search(message)
    if unknown is None:
        return ""
    from jinja2.filters import FILTERS

    return nearest(unknown[1], FILTERS)


def _denies_by_default() -> bool:
    try:
        return settings.default_hook_policy == "deny"
    except ValidationError:  # an application does not start; the rule of the variables names it
        return False


def _read_text(path: str) -> Source:
    name = "<stdin>" if path == STDIN else path
    try:
        raw = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        hint = neighbours(Path(path)) if isinstance(error, FileNotFoundError) else ""
        finding = Finding(Code.UNREADABLE, 1, 1, f"cannot read the config: {reason}", hint)
        raise UnusableConfigError(Source(name, ""), finding) from error
    try:
        return Source(name, raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        finding = Finding(Code.UNREADABLE, line, column, "not UTF-8 text", "save the config as UTF-8")
        raise UnusableConfigError(Source(name, ""), finding) from error


def _validate(data: dict[str, Any]) -> tuple[list[tuple[Location, ErrorDetails]], list[Entry], Config | None]:
    """Validates the entries one by one, so that one mistake does not hide the next."""
    errors: list[tuple[Location, ErrorDetails]] = []
    listed = data.get("plugins")
    items = listed if isinstance(listed, list) else []
    rest = {key: value for key, value in data.items() if key != "plugins" or not isinstance(listed, list)}
    rest_of_it = _valid(Config, rest, (), errors)
    entries = [
        Entry(index, item, _valid(PluginConfig, item, ("plugins", index), errors)) for index, item in enumerate(items)
    ]
    return errors, entries, rest_of_it


def _valid(
    model: type[_ModelT], data: Any, at: Location, errors: list[tuple[Location, ErrorDetails]]
) -> _ModelT | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        errors += [((*at, *detail["loc"]), detail) for detail in details]
    except (ValueError, TypeError, OSError, RecursionError) as error:
        detail = ErrorDetails(type="value_error", loc=(), msg=str(error) or type(error).__name__, input=None)
        errors.append((at, detail))
    return None
