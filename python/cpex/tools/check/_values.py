"""Values that are not what their keys take."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails

from cpex.framework import OnError, PluginMode
from cpex.framework._models.config import LEGACY_IGNORE, LEGACY_MODES
from cpex.framework._switches import ALLOWED_DIRS, SWITCHES, allowed_dirs, switch
from cpex.framework.extensions.tiers import Capability
from cpex.framework.loader.plugin import PluginLoader

from .._problem import describe_error, nearest
from ._codes import Code
from ._finding import Finding
from ._reading import Reading
from ._survey import is_folder

_SPECIAL = (
    (re.compile(r"SSRF protection"), Code.BLOCKED_URL, "use a public address or a host name"),
    (re.compile(r"sandbox is a key of the plugin's"), Code.INVALID_VALUE, "sandbox belongs under config:"),
    (re.compile(r"TLS file path does not exist"), Code.TLS_FILE, "the path is taken from the working directory"),
    (re.compile(r"as 'external' with 'config'"), Code.EXTERNAL_CONFIG, "move it to the config of the plugin server"),
)
_NAMES = {"mode": tuple(PluginMode), "on_error": tuple(OnError)}
_ITEM = re.compile(r"[\w./*-]{1,60}")
_CAPABILITIES = sorted(capability.value for capability in Capability)


def invalid_values(reading: Reading) -> Iterator[Finding]:
    """Finds what the models refuse."""
    for at, detail in reading.errors:
        located: ErrorDetails = {**detail, "loc": at}
        code, hint = _classify(located)
        yield reading.finding(code, at, describe_error(located, ""), hint, reading.plugin_at(at))


def _classify(detail: ErrorDetails) -> tuple[Code, str]:
    key, given = detail["loc"][-1] if detail["loc"] else "", detail["input"]
    if detail["type"] == "missing":
        return Code.MISSING_KEY, ""
    if key == "version" and isinstance(given, int | float):
        return Code.UNQUOTED_VERSION, f'write it as text: version: "{given}"'
    if key == "capabilities":
        named = re.search(r"Unknown capability: '([^']*)'", detail["msg"])
        known = nearest(named[1], _CAPABILITIES) if named else ""
        return Code.UNKNOWN_CAPABILITY, known
    for pattern, code, hint in _SPECIAL:
        if pattern.search(detail["msg"]):
            return code, hint
    if key in _NAMES:
        near = nearest(given, _NAMES[key]) if isinstance(given, str) else ""
        return Code.INVALID_VALUE, near or f"one of: {', '.join(_NAMES[key])}"
    if detail["type"] in ("list_type", "set_type", "frozenset_type"):
        return Code.INVALID_VALUE, _as_list(str(key), given)
    if detail["type"] in ("enum", "literal_error") and isinstance(given, str):
        return Code.INVALID_VALUE, nearest(given, re.findall(r"'([^']*)'", detail["msg"]))
    return Code.INVALID_VALUE, ""


def _as_list(key: str, given: Any) -> str:
    if isinstance(given, str):
        return f"write a list: {key}: [{given if _ITEM.fullmatch(given) else '…'}]"
    return "write a list: put a dash before each item" if isinstance(given, dict) else "write a list"


def capabilities_form(reading: Reading) -> Iterator[Finding]:
    """Finds capabilities that are a single text, or something that grants none."""
    for plugin in reading.plugins:
        given = plugin.entry.data.get("capabilities")
        if given is None or isinstance(given, list):
            continue
        meaning = "taken as one capability" if isinstance(given, str) else "none is granted"
        hint = f"write a list: capabilities: [{given}]" if isinstance(given, str) else "write a list"
        at = plugin.entry.at("capabilities")
        yield reading.finding(Code.CAPABILITIES_FORM, at, f"capabilities is not a list: {meaning}", hint, plugin.name)


def legacy_modes(reading: Reading) -> Iterator[Finding]:
    """Notes modes under the names of older files. They are taken, and mean what they meant."""
    for entry in reading.entries:
        written = entry.written("mode")
        modern = LEGACY_MODES.get(written) if isinstance(written, str) else None
        if modern is None:
            continue
        ignores = written == LEGACY_IGNORE and entry.written("on_error") is None
        hint = f"write mode: {modern}{' and on_error: ignore' if ignores else ''}"
        message = f"mode {written!r} is the old name of {modern.value!r}"
        yield reading.finding(Code.LEGACY_MODE, entry.at("mode"), message, hint, entry.name)


def invalid_settings(reading: Reading) -> Iterator[Finding]:
    """Finds what the manager would refuse under `plugin_settings`."""
    for name, values in SWITCHES.items():
        try:
            switch(reading.config, name)
        except (ValueError, TypeError) as error:
            at = ("plugin_settings", name)
            hint = f"leave it out, or write {name}: {values[0]}"
            yield reading.finding(Code.INVALID_SETTING, at, str(error), hint)
    try:
        allowed_dirs(reading.config)
    except ValueError as error:
        yield reading.finding(Code.INVALID_SETTING, ("plugin_settings", ALLOWED_DIRS), str(error))


def plugin_dirs(reading: Reading) -> Iterator[Finding]:
    """Finds directories that are not there, or that the loader drops."""
    try:
        roots = allowed_dirs(reading.config)
    except ValueError:
        return  # the setting itself is what is wrong
    for index, folder in enumerate(reading.config.plugin_dirs):
        at = ("plugin_dirs", index)
        if not is_folder(folder):
            hint = f"it is taken from the working directory, {Path.cwd()}"
            yield reading.finding(Code.PLUGIN_DIR, at, f"there is no directory {folder!r}", hint)
            continue
        loader = PluginLoader()
        loader.append_to_search_path([folder], allowed_dirs=roots)
        if not loader.plugin_dirs:
            hint = "name it in PLUGINS_ALLOWED_DIRS, or in allowed_dirs under plugin_settings"
            yield reading.finding(Code.PLUGIN_DIR, at, f"directory {folder!r} is not allowed: it is left out", hint)
