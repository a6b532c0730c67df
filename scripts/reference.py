"""Reference pages written by the code they describe: a hook of MkDocs.

A page says `<!-- generated: NAME -->` where a table belongs. Names, types and defaults come from the models as they
are imported; descriptions come from the docstrings below their fields, and a field without one fails the build.

The tables of the built-in plugins, `<!-- generated: builtin KIND -->`, come from the JSON Schemas in
`docs/builtin/schema`, which a test of the crate `cpex-builtin` keeps.
"""

import json
import re
import typing
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import griffe
import typer.cli
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cpex.framework import get_hook_registry
from cpex.framework._settings import PluginsSettings
from cpex.framework.hooks.registry import hook_names, register_all_hooks
from cpex.framework.models import Config
from cpex.tools.cli import app

_PLACE = re.compile(r"^<!-- generated: (?P<name>[a-z-]+)(?: (?P<of>[a-z_]+))? -->$", re.MULTILINE)
_SOURCES = Path(__file__).parents[1] / "python"
_SCHEMAS = Path(__file__).parents[1] / "docs" / "builtin" / "schema"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the generated parts of a page into their places.

    Args:
        markdown: The page as it was written.

    Returns:
        The page as it is rendered.

    Raises:
        KeyError: If a page asks for a part that does not exist.
    """

    def part(place: re.Match[str]) -> str:
        return "\n".join(builtin(place["of"]) if place["name"] == "builtin" else _PARTS[place["name"]]())

    return _PLACE.sub(part, markdown)


def configuration() -> Iterator[str]:
    """One section for each mapping of a configuration file, from the outermost in.

    Yields:
        Lines of Markdown.
    """
    for path, model in _sections(Config, ()):
        yield f"\n## {_heading(path, model)}\n"
        yield f"{_docstring(model)}\n"
        yield "| key | type | default | meaning |"
        yield "|---|---|---|---|"
        for name, field in model.model_fields.items():
            yield _row(f"`{field.alias or name}`", _type(field.annotation), _default(field), _meaning(model, name))


def environment() -> Iterator[str]:
    """The table of the environment variables.

    Yields:
        Lines of Markdown.
    """
    yield "| variable | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in PluginsSettings.model_fields.items():
        variables = ", ".join(f"`{variable}`" for variable in _variables(name, field))
        yield _row(variables, _type(field.annotation), _default(field), _meaning(PluginsSettings, name))


def hooks() -> Iterator[str]:
    """The table of the built-in hooks.

    Yields:
        Lines of Markdown.
    """
    registry = get_hook_registry()
    register_all_hooks()
    yield "| hook | payload | a plugin may return |"
    yield "|---|---|---|"
    for hook in hook_names():
        payload, result = registry.get_payload_type(hook), registry.get_result_type(hook)
        if payload is not None and result is not None:
            returned = result.__pydantic_generic_metadata__["args"][0]
            yield _row(f"`{hook}`", _reference(payload), _reference(returned))


def command_line() -> Iterator[str]:
    """The help of every command.

    Yields:
        Markdown.
    """
    command = typer.main.get_command(app)
    yield typer.cli.get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="cpex"), name="cpex")


def builtin(kind: str) -> Iterator[str]:
    """The table of the configuration of a built-in plugin.

    Args:
        kind: The kind, without `builtin.`.

    Yields:
        Lines of Markdown.
    """
    schema = json.loads((_SCHEMAS / f"{kind}.json").read_text(encoding="utf-8"))
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    yield from _keys(schema, schema.get("$defs", {}), "")


_PARTS = {"configuration": configuration, "environment": environment, "hooks": hooks, "command-line": command_line}


def _keys(schema: dict[str, Any], types: dict[str, Any], path: str) -> Iterator[str]:
    required = schema.get("required", [])
    for name, key in sorted(schema.get("properties", {}).items(), key=lambda item: item[0] not in required):
        value = _resolved(key, types)
        default = json.dumps(key["default"], ensure_ascii=False) if "default" in key else ""
        default = "required" if name in required else f"`{default}`" if default not in ("", "null", "[]", "{}") else "—"
        meaning = [_paragraph(key), *_choices(value)]
        yield _row(f"`{path}{name}`", _json_type(value, types), default, " ".join(filter(None, meaning)))
        yield from _below(value, types, f"{path}{name}")


def _below(value: dict[str, Any], types: dict[str, Any], path: str) -> Iterator[str]:
    if value.get("type") == "object" and isinstance(value.get("additionalProperties"), dict):
        yield from _below(_resolved(value["additionalProperties"], types), types, f"{path}.\u200b*")
    elif "properties" in value:
        yield from _keys(value, types, f"{path}.")
    elif "items" in value:
        yield from _below(_resolved(value["items"], types), types, f"{path}[]")
    for variant in value.get("oneOf", []):
        for name, inner in variant.get("properties", {}).items():
            yield _row(f"`{path}.{name}`", "mapping", "—", _paragraph(variant))
            yield from _below(_resolved(inner, types), types, f"{path}.{name}")


def _resolved(key: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    for option in key.get("anyOf", []):
        if option.get("type") != "null":
            return _resolved(option, types)
    reference = key.get("$ref")
    return key if reference is None else _resolved(types[reference.rpartition("/")[2]], types)


def _choices(value: dict[str, Any]) -> list[str]:
    return [f"`{one['const']}`: {_paragraph(one)}" for one in value.get("oneOf", []) if "const" in one]


def _json_type(value: dict[str, Any], types: dict[str, Any]) -> str:
    if "oneOf" in value:
        kinds = {"name": any("const" in one for one in value["oneOf"])}
        kinds["mapping"] = any("properties" in one for one in value["oneOf"])
        return " or ".join(name for name, there in kinds.items() if there)
    kinds = value.get("type", "any")
    kind: str = next(one for one in kinds if one != "null") if isinstance(kinds, list) else kinds
    if kind == "array":
        return f"list of {_json_type(_resolved(value['items'], types), types)}"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"mapping to {_json_type(_resolved(value['additionalProperties'], types), types)}"
    return {"string": "text", "boolean": "true or false", "object": "mapping"}.get(kind, kind)


def _paragraph(described: dict[str, Any]) -> str:
    text = described.get("description", "").partition("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


def _sections(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        for below in _models(field.annotation):
            repeated = "[]" if _is_list(field.annotation) else ""
            yield from _sections(below, (*path, name + repeated))


def _heading(path: tuple[str, ...], model: type[BaseModel]) -> str:
    where = ".".join(path).replace("[].", "[]\N{ZERO WIDTH SPACE}.")
    return f"`{where}`" if path else f"The file (`{model.__name__}`)"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) is list or any(map(_is_list, typing.get_args(annotation)))


def _type(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " \\| ".join(f"`{member.value}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " \\| ".join(f"`{value}`" for value in arguments)
    if origin is dict:
        return "mapping"
    if origin in (list, set, frozenset):
        return f"list of {_type(arguments[0])}"
    if arguments:
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    return {"str": "text", "bool": "true or false", "int": "integer", "float": "number", "SecretStr": "text"}.get(
        annotation.__name__, "any"
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Enum):
        value = value.value
    if value is None or value is PydanticUndefined or value in ([], frozenset()):
        return "—"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _variables(name: str, field: FieldInfo) -> list[str]:
    if isinstance(field.validation_alias, AliasChoices):
        return [str(alias) for alias in field.validation_alias.choices]
    return [f"PLUGINS_{name.upper()}"]


def _meaning(model: type[BaseModel], field: str) -> str:
    for base in model.__mro__:
        member = _class(base).members.get(field) if issubclass(base, BaseModel) and base is not BaseModel else None
        if member is not None and member.docstring is not None:
            return " ".join(member.docstring.value.split())
    raise LookupError(f"{model.__module__}.{model.__qualname__}.{field} has no docstring; the reference needs one")


def _docstring(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n")[0].partition(". ``")[0].replace("``", "`")


@cache
def _class(model: type) -> griffe.Class:
    found = _package()["framework"]
    name = model.__name__
    for module in ("_settings", "settings", *(f"_models.{part}" for part in found["_models"].modules)):
        try:
            return typing.cast(griffe.Class, found[f"{module}.{name}"])
        except KeyError:
            continue
    raise LookupError(f"no source for {name}")


@cache
def _package() -> griffe.Module:
    return typing.cast(griffe.Module, griffe.load("cpex", search_paths=[_SOURCES]))


def _reference(model: Any) -> str:
    return f"[`{model.__name__}`][{model.__module__}.{model.__name__}]" if model is not dict else "`dict`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
