"""The environment of a config: the `PLUGINS_*` variables, and those that its templates name."""

import os
import re
from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cpex.framework import settings as areas
from cpex.framework._compat import VARIABLE
from cpex.framework._settings import PluginsSettings
from cpex.framework._switches import STRICT_CONFIG, SWITCHES, check_release, is_strict

from .._problem import nearest
from ..settings import CatalogSettings
from ._codes import Code
from ._finding import Finding
from ._reading import Reading

_PREFIX = "PLUGINS_"
_KNOWN = frozenset(
    f"{_PREFIX}{name.upper()}"
    for name in (*PluginsSettings.model_fields, *CatalogSettings.model_fields, *SWITCHES, "allowed_dirs")
) | {STRICT_CONFIG, VARIABLE, "PLUGIN_REGISTRY_FILE"}
_NEAR = 0.8

_TEMPLATE = re.compile(
    r"""
    {\#.*?\#}
    | {%[-+]?\s*raw\s*[-+]?%}.*?{%[-+]?\s*endraw\s*[-+]?%}
    | {%[-+]?\s*(?P<statement>\w+).*?%}
    | {{[-+]?\s*env(?:\.(?P<name>\w+)|\[\s*(?P<quote>['"])(?P<key>[^'"]+)(?P=quote)\s*])\s*[-+]?}}
    | {{.*?}}
    """,
    re.DOTALL | re.VERBOSE,
)
_DEPTH = {"if": 1, "for": 1, "endif": -1, "endfor": -1}
_IN_COMMENT = re.compile(r"(?:^|\s)#")


def invalid_variables(reading: Reading) -> Iterator[Finding]:
    """Finds variables of ours with a value that they do not take. One that may be a secret is not repeated."""
    for read in (is_strict, check_release):
        try:
            read()
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            yield reading.finding(Code.INVALID_VARIABLE, (), message, hint)
    for area in areas.__all__:
        if not area.startswith("Plugins") or area == PluginsSettings.__name__:
            continue
        try:
            getattr(areas, area)()
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False):
                yield _invalid(reading, detail)


def unknown_variables(reading: Reading) -> Iterator[Finding]:
    """Finds variables whose name is nearly one of ours. Others may be the host's."""
    known = {name.removeprefix(_PREFIX): name for name in _KNOWN}
    for name in os.environ:
        prefix, _, rest = name.upper().partition("_")
        if name.upper() in _KNOWN or prefix not in ("PLUGIN", "PLUGINS"):
            continue
        near = nearest(rest, known, _NEAR)
        if near:
            hint = re.sub(r"\b[A-Z_]+\b", lambda found: known[found[0]], near)
            yield reading.finding(Code.UNKNOWN_VARIABLE, (), f"nothing reads the variable {name}", hint)


def unset_variables(reading: Reading) -> Iterator[Finding]:
    """Finds `{{ env.NAME }}` of variables that are not set, but for those under a condition or with a filter."""
    text, depth = reading.source.text, 0
    for found in _TEMPLATE.finditer(text):
        depth += _DEPTH.get(found["statement"], 0)
        name = found["name"] or found["key"]
        before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if not name or depth or name in os.environ or _IN_COMMENT.search(before):
            continue
        line, column = text.count("\n", 0, found.start()) + 1, len(before) + 1
        message = f"the variable {name} is not set: nothing stands in its place"
        hint = f"set it, or name a default: {{{{ env.{name} | default('…') }}}}"
        yield Finding(Code.UNSET_ENV, line, column, message, hint)


def _invalid(reading: Reading, detail: ErrorDetails) -> Finding:
    field = str(detail["loc"][0])
    name = field if field.upper() in _KNOWN else f"{_PREFIX}{field}"
    message = f"{name.upper()}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    hint = "write true or false" if detail["type"].startswith("bool") else ""
    if detail["type"] == "literal_error":
        hint = nearest(str(detail["input"]), re.findall(r"'([^']*)'", detail["msg"]))
    return reading.finding(Code.INVALID_VARIABLE, (), message, hint)
