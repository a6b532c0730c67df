"""What built-in scanners see of Python objects, and what becomes of what they change."""

from __future__ import annotations

import copy
import enum
import re
from collections import Counter, OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from io import StringIO
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, ConfigDict, PrivateAttr, RootModel, SecretStr

from cpex.framework import PluginConfig, PluginPayload
from cpex.framework.builtin import BuiltinPlugin
from cpex.framework.memory import CopyOnWriteDict, CopyOnWriteList
from cpex.framework.models import GlobalContext, PluginContext

HOOK = "app_pre_step"


class Payload(PluginPayload):
    body: Any


def rewriter(pattern: str, replacement: str) -> BuiltinPlugin:
    rule = {"pattern": pattern, "replacement": replacement, "name": "rule"}
    return BuiltinPlugin(
        PluginConfig(name="rewrite", kind="builtin.regex_rewrite", hooks=[HOOK], config={"rules": [rule]})
    )


REWRITER = rewriter("bad(.?)", "good$1")


async def rewritten(body: Any, plugin: BuiltinPlugin = REWRITER) -> Any:
    """The body with what the plugin made of it; the very same if it changed nothing."""
    payload = Payload(body=None)
    object.__setattr__(payload, "__dict__", {"body": body})
    context = PluginContext(global_context=GlobalContext(request_id="1"))
    result = await getattr(plugin, HOOK)(payload, context)
    assert result.continue_processing
    return body if result.modified_payload is None else result.modified_payload.body


# Plain values: what a scanner of JSON would make of them.


def reference(value: Any) -> Any:
    """The same rewriting, on plain values, in the plainest Python."""
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        edited = edit(str(value))
        return edited if 1_000_000 <= value < 2**64 and edited != str(value) else value
    if isinstance(value, str):
        return edit(value)
    if isinstance(value, list):
        return [reference(item) for item in value]
    made: dict[str, Any] = {}
    for key, item in value.items():
        wanted = new = edit(key)
        number = 2
        while new != key and (new in value or new in made):
            new = f"{wanted} ({number})"
            number += 1
        made[new] = reference(item)
    return made


def edit(text: str) -> str:
    return re.sub("ab|12", "x", text)


TEXTS = st.text(alphabet="ab x1\u00e9\u4e2d\U0001f600", max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
EDITOR = rewriter("ab|12", "x")


@given(body=JSON)
async def test_json_values(body: Any) -> None:
    """Random JSON is rewritten as by plain code, in the same order, and the original is left as it was."""
    before = copy.deepcopy(body)
    after = await rewritten(body, EDITOR)
    assert after == reference(before)
    assert list_of_keys(after) == list_of_keys(reference(before))
    assert body == before and (after is body) == (reference(before) == before)


def list_of_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, list_of_keys(item)) for key, item in value.items()]
    return [list_of_keys(item) for item in value] if isinstance(value, list) else None


async def test_unchanged_parts_stay_what_they_are() -> None:
    body: Any = {"left": {"deep": ["fine"]}, "list": [{"a": 1}, "bad", ("x", "y")], "right": [1, 2]}
    after = await rewritten(body)
    assert after["list"][1] == "good" and body["list"][1] == "bad"
    assert after is not body and after["list"] is not body["list"]
    assert after["left"] is body["left"] and after["right"] is body["right"]
    assert after["list"][0] is body["list"][0] and after["list"][2] is body["list"][2]


async def test_nothing_found_nothing_made() -> None:
    body = {"a": ["b", {"c": 1.5}]}
    assert await rewritten(body) is body


# Classes of the program's own.


class Part(BaseModel):
    model_config = ConfigDict(extra="allow")
    text: str
    other: list[str] = []
    _private: str = PrivateAttr(default="bad private")


class SpecialPart(Part):
    def shout(self) -> str:
        return self.text.upper()


async def test_model_keeps_its_class() -> None:
    part = SpecialPart(text="bad", other=["kept"], more={"bad key": "bad"})
    after = await rewritten(part)
    assert type(after) is SpecialPart and after.shout() == "GOOD"
    assert after.other is part.other and after._private == "bad private"
    assert after.model_extra == {"more": {"good key": "good"}}
    assert after.model_fields_set == {"text", "other", "more"}
    assert part.text == "bad" and part.model_extra == {"more": {"bad key": "bad"}}


async def test_model_is_not_validated_again() -> None:
    class Strict(BaseModel):
        text: str

        def model_post_init(self, context: Any) -> None:
            created.append(self)

    created: list[Any] = []
    await rewritten(Strict(text="bad"))
    assert len(created) == 1


async def test_root_model() -> None:
    class Names(RootModel[dict[str, str]]):
        pass

    after = await rewritten(Names({"a": "bad"}))
    assert type(after) is Names and after.root == {"a": "good"}


async def test_names_of_fields_are_not_texts() -> None:
    class Model(BaseModel):
        bad: str

    body = Model(bad="fine")
    assert await rewritten(body) is body


async def test_secrets_are_not_read() -> None:
    class Model(BaseModel):
        token: SecretStr

    body = Model(token=SecretStr("bad"))
    assert await rewritten(body) is body


class Colour(str, enum.Enum):
    BAD = "bad"
    FINE = "fine"


class Plain(enum.Enum):
    BAD = "bad"


class Number(enum.IntEnum):
    CARD = 4111111111111111


async def test_enumerations() -> None:
    after = await rewritten([Colour.BAD, Colour.FINE, Plain.BAD])
    assert type(after[0]) is str and after == ["good", Colour.FINE, "good"]
    assert after[1] is Colour.FINE


async def test_numbers() -> None:
    digits = rewriter("[0-9]+", "#")
    body = [4111111111111111, 999_999, True, -5_000_000, 2**63 + 5, 2**64, 2**2000, 1e16, Decimal("5000000")]
    assert await rewritten(body, digits) == ["#", *body[1:4], "#", *body[5:8], "#"]
    assert await rewritten([Number.CARD], digits) == ["#"]


class Text(str):
    pass


async def test_derived_texts() -> None:
    after = await rewritten([Text("bad"), Text("fine")])
    assert type(after[0]) is str and type(after[1]) is Text


async def test_halves_of_surrogate_pairs_hide_nothing() -> None:
    assert "good" in (await rewritten("\ud800 bad"))
    assert await rewritten(["\udfff"]) == ["\udfff"]
    after = await rewritten({"\ud800 bad": "bad"})
    assert list(after.values()) == ["good"] and "bad" not in next(iter(after))


Point = namedtuple("Point", "name where")


class Pair(tuple[Any, ...]):
    pass


async def test_tuples() -> None:
    after = await rewritten((Point("bad", 1), (1, 2)))
    assert after == (("good", 1), (1, 2)) and type(after[0]) is Point
    pair: Any = Pair(["bad"])
    pair.label = "kept"
    made = await rewritten(pair)
    assert type(made) is Pair and made == ("good",) and vars(made) == {"label": "kept"}


async def test_sets() -> None:
    class Group(frozenset[str]):
        pass

    assert await rewritten({"bad", "fine"}) == {"good", "fine"}
    frozen = await rewritten(frozenset({"bad"}))
    assert type(frozen) is frozenset and frozen == {"good"}
    assert type(await rewritten(Group({"bad"}))) is Group


async def test_derived_dicts() -> None:
    class Settings(dict[str, Any]):
        pass

    own: Any = Settings(a="bad")
    own.label = "kept"
    after = await rewritten(own)
    assert type(after) is Settings and after == {"a": "good"} and vars(after) == {"label": "kept"}
    factory = await rewritten(defaultdict(list, {"a": "bad"}))
    assert type(factory) is defaultdict and factory.default_factory is list
    ordered = await rewritten(OrderedDict([("bad", 1), ("z", "bad"), ("a", 2)]))
    assert type(ordered) is OrderedDict and list(ordered.items()) == [("good", 1), ("z", "good"), ("a", 2)]
    ordered.move_to_end("z")
    assert list(ordered) == ["good", "a", "z"]
    assert await rewritten(Counter({"bad": 2})) == Counter({"good": 2})


async def test_derived_lists() -> None:
    class Items(list[Any]):
        pass

    after = await rewritten(Items(["bad", 1]))
    assert type(after) is Items and after == ["good", 1]


async def test_tracked_containers_become_plain() -> None:
    body = CopyOnWriteDict({"a": CopyOnWriteList(["bad"])})
    after = await rewritten(body)
    assert type(after) is dict and type(after["a"]) is list and after == {"a": ["good"]}


async def test_a_container_that_refuses_to_be_written() -> None:
    class Sealed(dict[str, str]):
        def __setitem__(self, key: str, value: str) -> None:
            raise TypeError("sealed")

        def __copy__(self) -> Sealed:
            return Sealed(self)

    with pytest.raises(TypeError, match="sealed"):
        await rewritten(Sealed(a="bad"))


@dataclass(frozen=True)
class Note:
    text: str
    tags: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Slotted:
    text: str


async def test_dataclasses() -> None:
    note = Note("bad", ["fine"])
    after = await rewritten(note)
    assert type(after) is Note and after.text == "good" and after.tags is note.tags and note.text == "bad"
    assert (await rewritten(Slotted("bad"))).text == "good"


async def test_addresses() -> None:
    assert await rewritten(AnyUrl("https://example.com/bad")) == "https://example.com/good"


async def test_keys() -> None:
    body = {"bad": 1, "good": 2, "bad!": 3, ("bad", 1): "bad", 7: "bad", None: 1}
    after = await rewritten(body)
    expected = {"good (2)": 1, "good": 2, "good!": 3, ("good", 1): "good", 7: "good", None: 1}
    assert list(after.items()) == list(expected.items())


async def test_what_is_no_text() -> None:
    body = [b"bad", bytearray(b"bad"), memoryview(b"bad"), datetime(2030, 1, 1), timedelta(1), 1j, object(), len, None]
    body += [UUID(int=7), SecretStr("bad"), Note, rewritten, Fraction(1, 3)]
    assert await rewritten(body) is body


class Attributed:
    def __init__(self, text: str) -> None:
        self.text = text


class Fixed(Attributed):
    """Slots beside attributes; one stays unset."""

    __slots__ = ("__hidden", "unset")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.__hidden = text


@pytest.mark.parametrize("make", [Attributed, lambda text: SimpleNamespace(text=text), Fixed])
async def test_attributes_of_objects(make: Any) -> None:
    before = make("bad")
    after = await rewritten(before)
    assert type(after) is type(before) and after.text == "good" and before.text == "bad"
    assert getattr(after, "_Fixed__hidden", "good") == "good"
    same = make("fine")
    assert await rewritten(same) is same


class Grade(enum.Enum):
    BAD = "bad"
    PAIR = ("bad", 1)
    FINE = "fine"


async def test_what_stands_for_a_text() -> None:
    assert await rewritten([Grade.BAD, Grade.PAIR]) == ["good", ("good", 1)]
    assert await rewritten(Grade.FINE) is Grade.FINE
    assert await rewritten(Path("/a/bad")) == "/a/good"
    seven = rewriter("7", "8")
    assert await rewritten(Decimal("7.5"), seven) == "8.5"
    assert await rewritten(IPv4Address("10.0.0.7"), seven) == "10.0.0.8"


# What must not go on unseen.


@pytest.mark.parametrize(
    "make",
    [
        lambda: (x for x in ["bad"]),
        lambda: iter(["bad"]),
        lambda: range(3),
        lambda: re.compile("bad"),
        lambda: ValueError("bad"),
        lambda: partial(print, "bad"),
        lambda: StringIO("bad"),
    ],
)
async def test_what_cannot_be_looked_into(make: Any) -> None:
    with pytest.raises(TypeError, match="cannot be looked into"):
        await rewritten({"a": [make()]})


def nested(levels: int) -> Any:
    body: Any = "bad"
    for _ in range(levels):
        body = [body]
    return body


async def test_depth() -> None:
    """A field of the payload is one level, and there are 128."""
    assert await rewritten(nested(127)) == reference_nested(127)
    with pytest.raises(ValueError, match="nested deeper than 128 levels"):
        await rewritten(nested(128))


def reference_nested(levels: int) -> Any:
    return "good" if levels == 0 else [reference_nested(levels - 1)]


async def test_cycles() -> None:
    body: list[Any] = ["fine"]
    body.append(body)
    with pytest.raises(ValueError, match="holds itself"):
        await rewritten(body)
    mapping: dict[str, Any] = {}
    mapping["a"] = mapping
    with pytest.raises(ValueError, match="holds itself"):
        await rewritten(mapping)


async def test_what_holds_the_same_many_times_over() -> None:
    body: Any = ["fine"]
    for _ in range(60):
        body = [body, body]
    with pytest.raises(ValueError, match="more than 1000000 values"):
        await rewritten(body)


async def test_what_changes_while_it_is_read() -> None:
    body: dict[str, Any] = {}

    class Odd:
        def __index__(self) -> int:
            body[str(len(body))] = "more"
            return 1

    body["odd"] = Odd()
    body["end"] = 1
    with pytest.raises(RuntimeError, match="has changed while it was read"):
        await rewritten(body)


async def test_errors_show_no_text() -> None:
    secret = "bad-secret"
    body: Any = secret
    for _ in range(200):
        body = {"level": body}
    with pytest.raises(ValueError) as raised:
        await rewritten(body)
    assert secret not in str(raised.value)
