"""Models, messages, names and decision points (B1, B4, B29, B34, B35, C11, C16, C17, C19, C20)."""

from typing import Any

import pytest

from . import models
from .conftest import Probe, RunBoth
from .outcome import Raised

row = pytest.mark.row

TABLE: list[Any] = [
    pytest.param(models.short_violation, [], "", Raised("ValidationError"), marks=row("B1")),
    pytest.param(models.hook_of_ones_own, [], "Letter", None, marks=row("B4")),
    pytest.param(models.text_of_a_view, [], "hello", Raised("AttributeError"), marks=row("B4")),
    pytest.param(models.promised_names, [], [], list(models.PROMISED), marks=row("B4")),
    pytest.param(models.dotted_name, [], 1, "not found", marks=row("B4")),
    pytest.param(models.binary_resource, [], "/w== base64", Raised("UnicodeDecodeError"), marks=row("B34")),
    pytest.param(
        models.private_address, ["http://127.0.0.1/"], Raised("ValueError"), Raised("ValueError"), marks=row("B29")
    ),
    pytest.param(models.private_address, ["http://127.1/"], Raised("ValueError"), "taken", marks=row("B29")),
    pytest.param(models.private_address, ["http://2130706433/"], Raised("ValueError"), "taken", marks=row("B29")),
    pytest.param(models.imported_at_once, [], [False, False, False], [True, True, True], marks=row("B35", "C16")),
    pytest.param(models.names_by_path, [], True, True, marks=row("B35")),
    pytest.param(models.borrowed_name, [], False, True, marks=row("C17")),
    pytest.param(models.malformed_endpoint, ["http://127.0.0.1:9/{tool", {}], "made", "asked: error", marks=row("C11")),
    pytest.param(models.malformed_endpoint, ["localhost:1/x", {}], "made", "asked: True", marks=row("C11")),
    pytest.param(
        models.malformed_endpoint, ["http://127.0.0.1:9/", {"x": "a\nb"}], "made", "asked: True", marks=row("C11")
    ),
    pytest.param(models.uri_matches, ["file:///a\nb", "**"], True, False, marks=row("C19")),
    pytest.param(models.uri_matches, ["file:///a\n", "file:///a"], False, True, marks=row("C19")),
    pytest.param(models.size_of_a_view, [], 4, Raised("UnicodeEncodeError"), marks=row("C20")),
]


@pytest.mark.parametrize(("probe", "arguments", "here", "there"), TABLE)
def test_row(run_both: RunBoth, probe: Probe, arguments: list[Any], here: Any, there: Any) -> None:
    assert run_both(probe, *arguments) == (here, there)
