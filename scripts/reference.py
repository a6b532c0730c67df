"""Reference pages written by the code they describe: a hook of MkDocs.

A page says `<!-- generated: NAME -->` where a table belongs. Names, types and defaults come from the models as they
are imported; descriptions come from the docstrings below their fields, and a field without one fails the build.
"""

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

_PLACE = re.compile(r"^<!-- generated: (?P<name>[a-z-]+) -->$", re.MULTILINE)
_SOURCES = Path(__file__).parents[1] / "python"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the generated parts of a page into their places.

    Args:
        markdown: The page as it was written.

    Returns:
        The page as it is rendered.

    Raises:
        KeyError: If a page asks for a part that does not exist.
    """
    return _PLACE.sub(lambda place: "\n".join(_PARTS[place["name"]]()), markdown)


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


_PARTS = {"configuration": configuration, "environment": environment, "hooks": hooks, "command-line": command_line}


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
