"""Small values for Hypothesis: chances, state, and what the fields of each hook's payload hold."""

from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from .case import CUSTOM_HOOK

mostly = st.sampled_from((False, *(True,) * 4))


@cache
def one_in(count: int) -> st.SearchStrategy[bool]:
    """Returns a strategy that draws True once in `count` times, and shrinks to False."""
    return st.sampled_from((*(False,) * (count - 1), True))


text = st.text("abcxyz -_./é", max_size=6)
keys = st.sampled_from(("k", "n", "s", "l", "new"))
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    text,
    st.fixed_dictionaries({"k": st.integers(0, 9)}),
    st.lists(st.integers(0, 9), max_size=2),
)
scopes = st.sampled_from(("global.state", "global.state", "global.metadata", "local.state", "local.metadata"))
metadata = st.dictionaries(
    st.sampled_from(("m", "last", "nested", "_decision_plugin")), st.one_of(text, st.integers(0, 9), st.just({"k": 1}))
)

ARGS: Final = st.dictionaries(st.sampled_from(("a", "b", "n", "l")), values, max_size=3)
HEADERS: Final = st.dictionaries(st.sampled_from(("X-A", "Accept")), text, max_size=2)
_NAME: Final = st.sampled_from(("t", "search", ""))
_RESULT: Final = st.one_of(ARGS, text, st.lists(st.integers(0, 9), max_size=2), st.none())

# The payload's fields, by hook: what they hold at first and what plugins put there.
FIELDS: Final[dict[str, dict[str, st.SearchStrategy[Any]]]] = {
    "tool_pre_invoke": {"name": _NAME, "args": ARGS, "headers": st.one_of(st.none(), HEADERS)},
    "tool_post_invoke": {"name": _NAME, "result": _RESULT},
    "prompt_pre_fetch": {"prompt_id": _NAME, "args": HEADERS},
    "prompt_post_fetch": {"prompt_id": _NAME, "result": _RESULT},
    "resource_pre_fetch": {"uri": _NAME, "metadata": ARGS},
    "resource_post_fetch": {"uri": _NAME, "content": _RESULT},
    "agent_pre_invoke": {"agent_id": _NAME, "messages": st.lists(_RESULT, max_size=2), "parameters": ARGS},
    "http_pre_request": {"path": _NAME, "method": st.just("GET"), "headers": HEADERS},
    "http_auth_check_permission": {"user_email": st.just("a@b.c"), "permission": _NAME},
    CUSTOM_HOOK: {"recipient": _NAME, "subject": text, "tags": st.lists(text, max_size=2), "headers": HEADERS},
}
