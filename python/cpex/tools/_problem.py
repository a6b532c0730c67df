"""What the commands say when an input cannot be used: what is wrong, where, and what would be right."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel
from pydantic_core import ErrorDetails

from cpex.framework.loader._suggest import closest


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing a person has to mend.

    Attributes:
        where: The place: `file`, `file:line` or `file:line:column`.
        what: What is wrong there.
        hint: What would be right; empty if there is nothing to add.
        line: The line number, if the place is a line of the session.
    """

    where: str
    what: str
    hint: str = ""
    line: int | None = None


class UnusableError(Exception):
    """The plugin config, a plugin it names, or the session as a whole cannot be used.

    Attributes:
        problems: What is wrong, at least one.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.where}: {problem.what}" for problem in problems))
        self.problems = problems


def nearest(name: str, known: Iterable[str], closeness: float = 0.6) -> str:
    """Returns "did you mean a or b?" for the names most like `name`, or an empty string."""
    matches = closest(name, known, 2, closeness)
    return f"did you mean {' or '.join(matches)}?" if matches else ""


def json_type(value: Any) -> str:
    """Returns the JSON name of a value's type. The value itself is never shown: it may be a secret."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "an object"
    return type(value).__name__


def describe_type(annotation: Any) -> str:
    """Returns an annotation the way a person would write it: `dict[str, Any] | None`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is NoneType:
        return "None"
    if origin is Union or origin is UnionType:
        return " | ".join(describe_type(argument) for argument in arguments)
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, RootModel):
            return describe_type(annotation.model_fields["root"].annotation)
        return annotation.__name__
    if origin is not None and hasattr(origin, "__name__"):
        return f"{origin.__name__}[{', '.join(describe_type(argument) for argument in arguments)}]"
    return str(annotation).removeprefix("typing.")


def describe_fields(model: type[BaseModel]) -> str:
    """Returns the fields a model takes, the required ones first: `name: str, headers: dict[str, str] (optional)`."""
    fields = sorted(model.model_fields.items(), key=lambda item: not item[1].is_required())
    return ", ".join(
        f"{name}: {describe_type(field.annotation)}{'' if field.is_required() else ' (optional)'}"
        for name, field in fields
    )


def unknown_fields(model: type[BaseModel], data: dict[str, Any]) -> list[str]:
    """Returns the keys of `data` that the model would drop without a word."""
    if issubclass(model, RootModel) or model.model_config.get("extra") in ("allow", "forbid"):
        return []
    aliases = {field.alias for field in model.model_fields.values()}
    return [key for key in data if key not in model.model_fields and key not in aliases]


def describe_error(error: ErrorDetails, prefix: str) -> str:
    """Returns a pydantic error as one clause: `payload.args: input should be a valid dictionary, got a list`."""
    path = prefix
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    if error["type"] == "missing":
        return f"{path} is missing"
    message = error["msg"][:1].lower() + error["msg"][1:]
    if error["type"] == "value_error":
        return f"{path}: {message.removeprefix('value error, ')}"
    return f"{path}: {message}, got {json_type(error['input'])}"
