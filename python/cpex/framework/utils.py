"""Helpers shared by the framework, its clients and plugins."""

import importlib
import logging
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict

from cpex._core import get_matchable_value, matches, normalize_content_type, payload_matches
from cpex.framework._lazy import names_from

__all__ = [
    "StructuredData",
    "coerce_messages",
    "coerce_nested",
    "find_package_path",
    "get_attr",
    "get_matchable_value",
    "import_module",
    "manifest_filename_for_class",
    "matches",
    "normalize_content_type",
    "parse_class_name",
    "payload_matches",
]

logger = logging.getLogger(__name__)

_BLOCKED_MODULE_PREFIXES = (
    "os",
    "sys",
    "subprocess",
    "shutil",
    "socket",
    "http.server",
    "ctypes",
    "importlib",
    "builtins",
    "code",
    "codeop",
    "compileall",
    "runpy",
)
_COERCE_MAX_DEPTH = 20
_COERCE_MAX_BREADTH = 500
_MANIFEST_NAME = "plugin-manifest.yaml"
_MISSING = object()


class StructuredData(BaseModel):
    """A dict whose keys can be read as attributes."""

    model_config = ConfigDict(extra="allow", defer_build=True)


def coerce_nested(v: Any, *, _depth: int = 0) -> Any:
    """Turns dicts, at any depth, into objects with attributes.

    Args:
        v: Anything; only dicts and lists are looked into.

    Returns:
        ``StructuredData`` for a dict, a list for a list, else the value. What is nested deeper than 20 levels,
        is broader than 500 entries, or has keys that are not strings stays plain.
    """
    if _depth >= _COERCE_MAX_DEPTH:
        return v
    if isinstance(v, dict):
        if len(v) > _COERCE_MAX_BREADTH:
            logger.warning(
                "coerce_nested: dict has %d keys (limit %d); returning as plain dict", len(v), _COERCE_MAX_BREADTH
            )
            return v
        if not all(isinstance(key, str) for key in v):
            return v
        return StructuredData.model_validate({key: coerce_nested(item, _depth=_depth + 1) for key, item in v.items()})
    if isinstance(v, list):
        if len(v) > _COERCE_MAX_BREADTH:
            logger.warning(
                "coerce_nested: list has %d items (limit %d); skipping coercion", len(v), _COERCE_MAX_BREADTH
            )
            return v
        return [coerce_nested(item, _depth=_depth + 1) for item in v]
    return v


def coerce_messages(v: Any) -> Any:
    """Turns the dicts of a message list into objects with attributes.

    Args:
        v: A list of messages; anything else is left alone.

    Returns:
        The list, its dicts coerced.
    """
    if not isinstance(v, list):
        return v
    return [coerce_nested(message) if isinstance(message, dict) else message for message in v]


def _read(obj: Any, name: str) -> Any:
    if hasattr(obj, name):
        return getattr(obj, name)
    return obj.get(name, _MISSING) if isinstance(obj, dict) else _MISSING


def get_attr(obj: Any, attr: str, default: Any = "") -> Any:
    """Reads an attribute or a dict key, whichever there is.

    Args:
        obj: Any object, a dict, or None.
        attr: The name; ``a.b`` walks from one to the next if there is no such name itself.
        default: What to return if it is missing or falsy.

    Returns:
        The value or the default.
    """
    if obj is None:
        return default
    value = _read(obj, attr)
    if value is _MISSING and "." in attr:
        value = obj
        for name in attr.split("."):
            value = _read(value, name)
            if value is _MISSING:
                break
    return default if value is _MISSING else value or default


def parse_class_name(name: str) -> tuple[str, str]:
    """Splits a class path.

    Args:
        name: E.g. ``package.module.Class``.

    Returns:
        The module and the class; the module is empty if there is none.
    """
    module, _, class_name = name.rpartition(".")
    return module, class_name


def manifest_filename_for_class(class_name: str) -> str:
    """Names the manifest file of a plugin class.

    Args:
        class_name: The class path.

    Returns:
        The path with everything but letters, digits, ``-`` and ``_`` made a hyphen, and the manifest suffix.
    """
    stem = re.sub(r"[^\w-]", "-", class_name).strip("-") or "plugin"
    return f"{stem}.{_MANIFEST_NAME}"


@cache
def import_module(mod_name: str) -> ModuleType:
    """Imports the module of a plugin class.

    Args:
        mod_name: Name of the module.

    Returns:
        The module; the same one for the same name.

    Raises:
        ImportError: If the module is one that no plugin may be.
    """
    if ".." in mod_name or "/" in mod_name or "\\" in mod_name:
        raise ImportError(f"Plugin module name '{mod_name}' contains invalid characters.")
    if any(mod_name == prefix or mod_name.startswith(f"{prefix}.") for prefix in _BLOCKED_MODULE_PREFIXES):
        raise ImportError(f"Plugin module '{mod_name}' is blocked for security reasons.")
    return importlib.import_module(mod_name)


def _manifest_folder(distribution_name: str) -> Path | None:
    from importlib.metadata import PackageNotFoundError, files

    try:
        manifest_files = files(distribution_name) or []
    except (PackageNotFoundError, ValueError):
        return None
    for file in manifest_files:
        if file.name == _MANIFEST_NAME:
            return Path(str(file.locate())).parent
    return None


def find_package_path(package_name: str) -> Path:
    """Finds the folder of an installed plugin package.

    Args:
        package_name: Name of a distribution, or of a module.

    Returns:
        The folder of the distribution's plugin manifest, else the module's.

    Raises:
        RuntimeError: If there is neither.
    """
    from importlib.util import find_spec

    folder = _manifest_folder(package_name)
    if folder is not None:
        return folder
    try:
        spec = find_spec(package_name) if package_name else None
    except (ImportError, ValueError) as error:
        raise RuntimeError(f"Error locating package {package_name}: {error}") from error
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0])
    if spec is not None and spec.has_location and spec.origin:
        return Path(spec.origin).parent
    raise RuntimeError(f"Could not find installed package: {package_name}")


# The first needs an HTTP framework.
__getattr__ = names_from(
    __name__,
    {
        "cpex.framework._orjson_response": ("ORJSONResponse",),
        "cpex.framework.models": ("GlobalContext", "PluginCondition"),
    },
)
