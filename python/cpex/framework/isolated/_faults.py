"""What is wrong with the entry of an isolated plugin, each with the field that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import ErrorDetails

from cpex.framework.loader._special import BuiltinConfigError
from cpex.framework.loader._suggest import did_you_mean

ModelT = TypeVar("ModelT", bound=BaseModel)

NO_VALUE: Final = "it has no value: give it one, or leave the key out for the default"
"""Also of what an unset variable in a template leaves."""

_MAPPINGS = ("model_type", "dict_type", "mapping_type")


class SettingError(BuiltinConfigError):
    """A field that its author has to mend.

    Attributes:
        others: What else is wrong with the same settings.
    """

    others: tuple[SettingError, ...] = ()

    @classmethod
    def of(cls, faults: Iterable[SettingError]) -> SettingError:
        """Make one error of several: the first, which knows the others.

        Args:
            faults: At least one.

        Returns:
            The error.
        """
        first, *others = faults
        first.others = tuple(others)
        return first


class MissingError(SettingError, FileNotFoundError):
    """A file or folder that a field names is not there."""


class Section(BaseModel):
    """Settings of which each has a value, or is left out."""

    model_config = ConfigDict(frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _has_a_value(cls, value: object) -> object:
        if value is None or value == "":
            raise ValueError(NO_VALUE)
        return value


def validated(model: type[ModelT], settings: Mapping[Any, Any], section: str) -> ModelT:
    """Read settings.

    Args:
        model: What they are.
        settings: As they are written.
        section: The path of their field in the entry.

    Returns:
        The settings.

    Raises:
        SettingError: If one is wrong; no value is in the message.
    """
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise SettingError.of(_fault(model, detail, section) for detail in details) from None


def _fault(model: type[BaseModel], detail: ErrorDetails, section: str) -> SettingError:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"])
    return SettingError(f"{section}{''.join(steps)}", _problem(model, detail))


def _problem(model: type[BaseModel], detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        *above, key = detail["loc"]
        for step in above:
            model = _below(model, step)
        known = list(model.model_fields)
        return f"nothing reads it{did_you_mean(key, known) or '; known are ' + ', '.join(known)}"
    if detail["type"] in _MAPPINGS:
        return "it is a mapping of settings"
    return detail["msg"].removeprefix("Value error, ")


def _below(model: type[BaseModel], step: int | str) -> type[BaseModel]:
    annotation = model.model_fields[str(step)].annotation
    assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation
