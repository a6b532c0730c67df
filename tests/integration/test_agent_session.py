"""The example `examples/agent-session`, end to end: published plugins, unmodified, on a recorded session."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "agent-session"
PACKAGES = dict(
    line.split("==") for line in (EXAMPLE / "requirements.txt").read_text().splitlines() if not line.startswith("#")
)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trail") / "audit-trail.jsonl"


@pytest.fixture(scope="module")
def output(trail: Path) -> str:
    command = [sys.executable, "-m", "cpex", "run", "plugins.yaml", "session.jsonl", "--json"]
    environment = {"AUDIT_TRAIL": str(trail), "PATH": ""}
    done = subprocess.run(command, cwd=EXAMPLE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def entries(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture(scope="module")
def by_tool(entries: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in entries[:-1]:
        grouped.setdefault((entry["hook"], entry["subject"]), []).append(entry)
    return grouped


@pytest.mark.parametrize("package", PACKAGES)
def test_the_plugins_are_the_published_ones(package: str) -> None:
    assert version(package) == PACKAGES[package]
    assert any(requirement.startswith("cpex") for requirement in requires(package) or [])


def test_every_line_is_processed(entries: list[dict[str, Any]]) -> None:
    with (EXAMPLE / "session.jsonl").open() as session:
        lines = sum(1 for _ in session)
    assert lines >= 300
    assert [entry["type"] for entry in entries] == ["invocation"] * lines + ["summary"]
    decisions = Counter(entry["decision"] for entry in entries[:-1])
    assert decisions["failed"] == 0
    assert min(decisions["allowed"], decisions["modified"], decisions["blocked"]) > 0


def test_all_five_modes_take_part(entries: list[dict[str, Any]]) -> None:
    plugins = entries[-1]["plugins"]
    assert len(plugins) == 9
    assert all(sums["total"] > 0 for sums in plugins.values())


def test_blocks_what_must_not_reach_a_server(by_tool: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    blocked = Counter(
        (entry["plugins"][0], entry["code"])
        for (hook, _), group in by_tool.items()
        for entry in group
        if entry["decision"] == "blocked" and hook.endswith(("_pre_invoke", "_pre_fetch"))
    )
    assert blocked == {
        ("tool_allow_list", "TOOL_NOT_ALLOWED"): 2,
        ("sql_sanitizer", "SQL_SANITIZER"): 3,
        ("secrets_in_requests", "SECRETS_DETECTED"): 3,
        ("rate_limiter", "RATE_LIMIT"): 7,
    }


def test_redacts_and_cuts_what_comes_back(by_tool: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    (environment,) = by_tool["tool_post_invoke", "get-env"]
    assert environment["plugins"] == ["secrets_in_answers"]
    assert [change["new"] for change in environment["changes"]] == ["[SECRET]"]
    (commit,) = by_tool["tool_post_invoke", "git_show"]
    assert {change["new"] for change in commit["changes"]} == {"[SECRET]", "[PII]"}
    (insights,) = by_tool["resource_post_fetch", "memo://insights"]
    assert insights["decision"] == "modified"
    log = by_tool["tool_post_invoke", "read_text_file"][-2]
    assert log["plugins"] == ["output_length_guard"]


def test_no_secret_is_shown(output: str) -> None:
    for secret in ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "4111 1111", "astrid.berg@"):
        assert secret not in output


def test_the_trail_has_one_line_per_invocation_and_no_contents(output: str, trail: Path) -> None:
    text = trail.read_text()
    assert len(text.splitlines()) == output.count('"type": "invocation"')
    assert "AKIA" not in text


def test_the_report_for_people(trail: Path) -> None:
    command = [sys.executable, "-m", "cpex", "run", "plugins.yaml", "session.jsonl", "--only", "blocked"]
    environment = {"AUDIT_TRAIL": str(trail.with_name("second.jsonl")), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=EXAMPLE, env=environment, capture_output=True, text=True, check=True)
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "tool_allow_list" in done.stdout
    assert "AKIAIOSFODNN7EXAMPLE" not in done.stdout
