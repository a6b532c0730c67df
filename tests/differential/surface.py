"""Writes down, as JSON, every public name of whichever CPEX this interpreter has: objects are looked at, no file is.

Run by `test_surface.py` in both environments; knows the standard library only.
"""

import enum
import functools
import importlib
import inspect
import json
import logging
import pkgutil
import re
import sys
import types
import typing
import warnings
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_QUALIFIER = re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])")


def _text(value: Any) -> str:
    """Shows a value so that both packages agree on it: no addresses, no modules, no quotes around annotations."""
    shown = value.__name__ if isinstance(value, type) and not isinstance(value, types.GenericAlias) else repr(value)
    shown = _ADDRESS.sub("", shown).replace("~", "")
    return _QUALIFIER.sub("", shown)


def _annotation(value: Any) -> str:
    """Shows an annotation in one spelling: `Optional[X]` and `X | None` are the same."""
    shown = value if isinstance(value, str) else _text(value)
    shown = _QUALIFIER.sub("", shown.replace("'", "").replace('"', ""))
    shown = re.sub(r"ForwardRef\(([^)]*)\)", r"\1", shown)
    shown = shown.replace("NoneType", "None")
    while (match := re.search(r"\b(Optional|Union)\[", shown)) is not None:
        start, end = match.end(), _closing(shown, match.end())
        inside = " | ".join(_split(shown[start:end])) + (" | None" if match[1] == "Optional" else "")
        shown = shown[: match.start()] + inside + shown[end + 1 :]
    return re.sub(r"\b(Dict|List|Type|Set)\[", lambda found: found[0].lower(), shown)


def _closing(text: str, position: int) -> int:
    depth = 1
    while depth:
        depth += {"[": 1, "]": -1}.get(text[position], 0)
        position += 1
    return position - 1


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _signature(function: Any) -> Any:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "unknown"
    shown = [
        [
            parameter.name,
            parameter.kind.name,
            None if parameter.annotation is parameter.empty else _annotation(parameter.annotation),
            None if parameter.default is parameter.empty else _text(parameter.default),
        ]
        for parameter in signature.parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    returns = signature.return_annotation
    return {
        "async": inspect.iscoroutinefunction(function),
        "annotated": inspect.isfunction(function.__init__ if inspect.isclass(function) else function),
        "parameters": shown,
        "returns": None if returns is signature.empty else _annotation(returns),
    }


def _member(raw: Any) -> Any:
    """Describes what stands in a class under one name."""
    if inspect.isgetsetdescriptor(raw) or inspect.ismemberdescriptor(raw):
        return {"attribute": None}
    if isinstance(raw, property):
        return {"property": "writable" if raw.fset is not None else "read-only"}
    if isinstance(raw, functools.cached_property):
        return {"property": "read-only"}
    if isinstance(raw, (classmethod, staticmethod)):
        return {type(raw).__name__: _signature(raw.__func__)}
    return {"method": _signature(raw)} if callable(raw) else {"value": _text(raw)}


def _fields(model: Any) -> dict[str, Any]:
    model.model_rebuild()
    return {
        name: {
            "type": _annotation(field.annotation),
            "required": field.is_required(),
            "default": _annotation(_text(field.get_default())) if not field.is_required() else None,
            "factory": field.default_factory is not None,
            "alias": field.alias,
            "title": field.title,
            "constraints": sorted(_text(item) for item in field.metadata),
        }
        for name, field in model.model_fields.items()
    }


def _class(found: type) -> dict[str, Any]:
    shown: dict[str, Any] = {"is": "class", "bases": [base.__name__ for base in found.__mro__[1:]]}
    if issubclass(found, enum.Enum):
        return {**shown, "values": {name: found[name].value for name in found.__members__}}
    fields: Any = {}
    if hasattr(found, "model_fields"):
        fields = _fields(found)
        config = {key: value for key, value in getattr(found, "model_config", {}).items() if key != "defer_build"}
        shown |= {"fields": fields, "config": {key: _text(config[key]) for key in sorted(config)}}
    else:
        shown["init"] = _signature(found)
    members = {}
    for parent in reversed(found.__mro__):
        # What CPEX itself adds: a private class in between counts for the public one.
        if parent.__module__.split(".")[0] == "cpex":
            members.update({name: raw for name, raw in vars(parent).items() if not name.startswith(("_", "model_"))})
    shown["members"] = {name: _member(raw) for name, raw in sorted(members.items()) if name not in fields}
    return shown


def _name(found: Any) -> Any:
    """Describes what a module has under one name."""
    if isinstance(found, type) and not isinstance(found, types.GenericAlias):
        return _class(found)
    if isinstance(found, types.ModuleType):
        return {"is": "module"}
    if isinstance(found, (frozenset, set)):
        return {"is": "constant", "value": sorted(_text(item) for item in found)}
    if type(found).__module__ == "builtins" and not callable(found):
        try:
            return {"is": "constant", "value": json.dumps(found)}
        except TypeError:
            return {"is": type(found).__name__}
    if type(found).__module__ in ("typing", "types"):
        return {"is": "type", "value": _annotation(found)}
    if callable(found) and not isinstance(type(found), type(enum.Enum)):
        return {"is": "function", "signature": _signature(found)}
    return {"is": "object", "class": type(found).__name__}


def _home(found: Any, module: str) -> str:
    """Names the module that defines what was found; constants are at home where they are found."""
    if isinstance(found, types.ModuleType):
        return found.__name__
    return getattr(found, "__module__", None) or module


_NOTHING = object()


def _get(module: types.ModuleType, name: str) -> Any:
    """Looks a name up that may be there only with a package that is not installed."""
    try:
        return getattr(module, name, _NOTHING)
    except ImportError:
        return _NOTHING


def _module(name: str, asked: list[str]) -> dict[str, Any]:
    try:
        module = importlib.import_module(name)
    except Exception as error:
        return {"import": type(error).__name__}
    listed = set(getattr(module, "__all__", ()))
    lazy = {public for public in asked if _get(module, public) is not _NOTHING}
    names = {}
    for public in sorted({name for name in dir(module) if not name.startswith("_")} | listed | lazy):
        found = _get(module, public)
        if found is _NOTHING:
            continue
        home = _home(found, name)
        if home.split(".")[0] == "cpex" and not isinstance(found, typing.TypeVar) and public.isidentifier():
            names[public] = {"own": home == name or public in listed, **_name(found)}
    return {"all": sorted(listed), "names": names}


def main() -> None:
    """Prints the whole surface; standard input says, by module, which names to ask for although none are listed."""
    sys.tracebacklimit = 0  # nothing of the package under test is shown
    asked = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    root = importlib.import_module("cpex")
    public = [
        module.name
        for module in pkgutil.walk_packages(root.__path__, "cpex.", onerror=lambda name: None)
        if not any(part.startswith("_") for part in module.name.split("."))
    ]
    json.dump({name: _module(name, asked.get(name, [])) for name in ["cpex", *public]}, sys.stdout)


if __name__ == "__main__":
    main()
