"""What the method of a hook may do, as far as its source says: block, rewrite, and which fields it looks at.

The answer is used to keep quiet where a plugin cannot do what its mode allows. It is therefore "may" unless the method
shows the contrary: a method that hands its work to something else may do anything.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Fields = frozenset[str] | None
"""Names of payload fields; None for all."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a method may do.

    Attributes:
        blocks: It may deny; None if the source does not say.
        rewrites: It may return a changed payload; None if the source does not say.
        reads: The payload fields that it looks at.
        writes: The payload fields that it may change.
    """

    blocks: bool | None = None
    rewrites: bool | None = None
    reads: Fields = None
    writes: Fields = None


UNKNOWN = Behaviour()


def behaviour(method: Callable[..., Any]) -> Behaviour:
    """Reads the source of a hook method.

    Args:
        method: The bound method.

    Returns:
        What it may do.
    """
    try:
        return _behaviour(ast.parse(textwrap.dedent(inspect.getsource(method))))
    except Exception:  # there are many ways for source to be missing or beyond reading, and one meaning
        return UNKNOWN


def overlap(one: Fields, other: Fields) -> bool:
    """Tells whether two sets of fields have a field in common, or may have."""
    if one is None or other is None:
        return one != frozenset() and other != frozenset()
    return bool(one & other)


def _behaviour(tree: ast.Module) -> Behaviour:
    function = tree.body[0] if tree.body else None
    if not isinstance(function, ast.AsyncFunctionDef) or len(function.args.args) < 2:
        return UNKNOWN
    payload, body = function.args.args[1].arg, list(_walk(function))
    reads = _fields_of(payload, body)
    results = [node.value for node in body if isinstance(node, ast.Return)]
    if not all(_is_result(result) for result in results):
        return Behaviour(reads=reads)
    keywords = [keyword for result in results if isinstance(result, ast.Call) for keyword in result.keywords]
    blocks = any(_may_be_other(keyword, "continue_processing", True) for keyword in keywords)
    changed = [keyword.value for keyword in keywords if _may_be_other(keyword, "modified_payload", None)]
    return Behaviour(blocks, bool(changed), reads, _union(_written(value, body) for value in changed))


def _walk(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _walk(child)


def _is_result(value: ast.expr | None) -> bool:
    """Tells whether a returned value is a result whose arguments can be seen."""
    if not isinstance(value, ast.Call) or value.args or any(keyword.arg is None for keyword in value.keywords):
        return False
    name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    return name.endswith("Result")


def _may_be_other(keyword: ast.keyword, name: str, usual: object) -> bool:
    return keyword.arg == name and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is usual)


def _fields_of(payload: str, body: list[ast.AST]) -> Fields:
    """The attributes of the payload that are used; None if it is used as a whole."""
    fields, uses = set[str](), 0
    for node in body:
        if isinstance(node, ast.Name) and node.id == payload:
            uses += 1
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == payload:
            uses -= 1
            if node.attr != "model_copy":
                fields.add(node.attr)
    return frozenset(fields) if uses == 0 else None


def _written(value: ast.expr, body: list[ast.AST]) -> Fields:
    """The fields that `payload.model_copy(update={…})` replaces; None if the value is anything else."""
    if isinstance(value, ast.Name):
        name = value.id
        given = [
            node.value
            for node in body
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
        ]
        if len(given) != 1 or isinstance(given[0], ast.Name):
            return None
        value = given[0]
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute) or value.func.attr != "model_copy":
        return None
    update = next((keyword.value for keyword in value.keywords if keyword.arg == "update"), None)
    if not isinstance(update, ast.Dict):
        return None
    keys = [key.value for key in update.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return frozenset(keys) if len(keys) == len(update.keys) else None


def _union(parts: Iterator[Fields]) -> Fields:
    fields: frozenset[str] = frozenset()
    for part in parts:
        if part is None:
            return None
        fields |= part
    return fields
