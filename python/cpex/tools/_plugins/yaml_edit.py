"""Edits lists of a YAML file as text, so that comments, order, anchors and templates stay as they were written.

PyYAML says where everything stands; the edit cuts or inserts whole items there. Templates are never rendered: to find
places they are blanked out, character by character, so that places in the blanked text are places in the file.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.tokens import (
    BlockEndToken,
    BlockEntryToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    ScalarToken,
    Token,
)

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_STATEMENT = re.compile(r"\{%[-+]?\s*(?P<word>\w+)(?P<rest>.*?)%\}", re.DOTALL)
_BLOCKS = frozenset({"if", "for", "macro", "filter", "raw", "call", "with", "block", "autoescape"})
_OPENING = re.compile(r"\{(?=[{%#])")


class UneditableError(ValueError):
    """The file cannot be edited without changing more than was asked for."""


class YamlList:
    """The list under a key of a file's top-level mapping."""

    def __init__(self, text: str, key: str) -> None:
        """Finds the list.

        Args:
            text: The file.
            key: The key.

        Raises:
            UneditableError: If the text, without its templates, is not a YAML mapping, or the key holds no list.
        """
        self._text = text
        self._key = key
        blanked = _TEMPLATE.sub(_blank, text)
        try:
            root = yaml.compose(blanked, Loader=yaml.SafeLoader)
            self._tokens: list[Token] = [
                token
                for token in yaml.scan(blanked, Loader=yaml.SafeLoader)
                if not isinstance(token, (BlockEndToken, BlockMappingStartToken, BlockSequenceStartToken))
            ]
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise UneditableError(f"line {line}: {error.problem}") from error
        if root is not None and (not isinstance(root, MappingNode) or root.flow_style):
            raise UneditableError(f"line {root.start_mark.line + 1}: the top level is not a mapping in block style")
        self._root = root
        self._starts = [token.start_mark.index for token in self._tokens]
        self._name, self._value = self._find(key)
        if self._value is not None and not self._is_list(self._value):
            raise UneditableError(f"line {self._value.start_mark.line + 1}: '{key}' holds no list")

    def _find(self, key: str) -> tuple[Node | None, Node | None]:
        for name, value in self._root.value if self._root is not None else ():
            if name.value == key:
                return name, value
        return None, None

    @staticmethod
    def _is_list(value: Node) -> bool:
        return isinstance(value, SequenceNode) or value.tag == "tag:yaml.org,2002:null"

    @property
    def _list(self) -> SequenceNode | None:
        return self._value if isinstance(self._value, SequenceNode) else None

    @property
    def _items(self) -> list[Node]:
        return self._list.value if self._list is not None else []

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in the list, or there is no list."""
        return not self._items

    def items(self) -> list[dict[str, str]]:
        """Gives the plain fields of each item.

        Returns:
            For each item its fields with a scalar value, as text; those that hold templates are left out.
        """
        return [
            {
                name.value: value.value
                for name, value in (item.value if isinstance(item, MappingNode) else ())
                if isinstance(value, ScalarNode) and not self._is_templated(value)
            }
            for item in self._items
        ]

    def _is_templated(self, node: Node) -> bool:
        return _TEMPLATE.search(self._text, node.start_mark.index, node.end_mark.index) is not None

    def with_item(self, item: object) -> str:
        """Adds an item at the end, in the style of the list.

        Args:
            item: The item, of plain data. Text in it that looks like a template is written so that it stays text.

        Returns:
            The new text of the file.

        Raises:
            UneditableError: If the end of the list is inside of a template block that ends elsewhere.
        """
        if self._items and self._list is not None and self._list.flow_style:
            end = self._items[-1].end_mark.index
            return f"{self._text[:end]}, {_dump(item, flow=True).strip()}{self._text[end:]}"
        text = self._text
        if self._name is None:
            at, column, head = self._line_after(self._end_of(self._root)), 0, f"{self._key}:\n"
        elif self._items and self._list is not None:
            at, column, head = self._line_after(self._end_of(self._list)), self._list.start_mark.column, ""
        else:
            assert self._value is not None
            start, end = self._value.start_mark.index, self._value.end_mark.index
            text = f"{text[:start].rstrip(' ') if end > start else text[:start]}{text[end:]}"
            at, column, head = self._line_after(end) - (len(self._text) - len(text)), 2, ""
        before, after = text[:at], text[at:]
        newline = "\r\n" if "\r\n" in text else "\n"
        added = head + "".join(" " * column + line for line in _dump([item]).splitlines(keepends=True))
        if before and not before.endswith("\n"):
            before += newline
        return before + added.replace("\n", newline) + after

    def without_items(self, doomed: Callable[[dict[str, str]], bool]) -> str:
        """Removes items. Comments stay, but for those on the lines of an item.

        Args:
            doomed: Says of an item's plain fields whether it goes.

        Returns:
            The new text of the file.
        """
        fields = self.items()
        kept = [index for index, item in enumerate(fields) if not doomed(item)]
        if len(kept) == len(fields):
            return self._text
        assert self._list is not None and self._name is not None
        spans = self._flow_spans(kept) if self._list.flow_style else self._block_spans(kept)
        text = self._text
        for start, end in reversed(spans):
            text = text[:start] + text[end:]
        if not kept and not self._list.flow_style:
            colon = text.index(":", self._name.end_mark.index) + 1
            text = f"{text[:colon]} []{text[colon:]}"
        return text

    def _block_spans(self, kept: list[int]) -> list[tuple[int, int]]:
        """The lines of the items to remove: from their dash to their last word."""
        assert self._list is not None
        limit = self._list.end_mark.index
        dashes = [
            token.start_mark.index
            for token in self._tokens
            if isinstance(token, BlockEntryToken)
            and token.start_mark.column == self._list.start_mark.column
            and self._list.start_mark.index <= token.start_mark.index < limit
        ]
        return [
            (self._text.rfind("\n", 0, start) + 1, _next_line(self._text, self._last_before(end)))
            for index, (start, end) in enumerate(pairwise([*dashes, limit]))
            if index not in kept
        ]

    def _flow_spans(self, kept: list[int]) -> list[tuple[int, int]]:
        """The items to remove, each with one of its commas."""
        assert self._list is not None
        items = self._items
        if not kept:
            return [(items[0].start_mark.index, self._list.end_mark.index - 1)]
        last = kept[-1]
        before = [
            (items[index].start_mark.index, items[index + 1].start_mark.index)
            for index in range(last)
            if index not in kept
        ]
        return [*before, (items[last].end_mark.index, items[-1].end_mark.index)]

    def _end_of(self, node: Node | None) -> int:
        return self._last_before(node.end_mark.index) if node is not None else len(self._text)

    def _last_before(self, limit: int) -> int:
        """Where the last thing written before `limit` ends: the end of a block node lies behind its comments."""
        token = self._tokens[bisect_left(self._starts, limit) - 1]
        end: int = token.end_mark.index
        if isinstance(token, ScalarToken) and token.style in ("|", ">"):
            written = self._text[token.start_mark.index : end]
            is_kept = "+" in written.splitlines()[0]
            end = token.start_mark.index + len(written.rstrip(" ").removesuffix("\n") if is_kept else written.rstrip())
        return end

    def _line_after(self, index: int) -> int:
        """The first line behind `index` that is in no template block."""
        at = _next_line(self._text, index)
        depth = _open_blocks(self._text[:at])
        while depth > 0 and at < len(self._text):
            at = _next_line(self._text, at)
            depth = _open_blocks(self._text[:at])
            following = self._tokens[bisect_left(self._starts, index + 1) :]
            if any(
                token.start_mark.index < at and token.start_mark.index < token.end_mark.index for token in following
            ):
                raise UneditableError(f"the list '{self._key}' ends in a template block that goes on behind it")
        return at


def _blank(match: re.Match[str]) -> str:
    filler = "x" if match[0].startswith("{{") else " "
    return re.sub(r"[^\r\n]", filler, match[0])


def _next_line(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _open_blocks(text: str) -> int:
    depth = 0
    for statement in _STATEMENT.finditer(text):
        word = statement["word"]
        if word in _BLOCKS or (word == "set" and "=" not in statement["rest"]):
            depth += 1
        elif word.startswith("end"):
            depth -= 1
    return depth


def _dump(item: object, flow: bool = False) -> str:
    text = yaml.safe_dump(
        item, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=float("inf") if flow else 110
    )
    return _OPENING.sub('{{ "{" }}', text)
