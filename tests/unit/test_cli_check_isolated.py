"""`cpex check` and `cpex inspect` of isolated plugins: nothing is built, started or imported."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from cpex.framework._loading import LoadFailure
from cpex.tools.check._checked import Loading, check, opened
from cpex.tools.check._finding import Finding
from cpex.tools.check._inspection import inspect_config
from cpex.tools.check._inspection_formats import InspectFormat, write_inspection
from cpex.tools.check._plugins import _place

HEAD = """\
plugins:
  - name: guard
    kind: isolated_venv
    hooks: [tool_pre_invoke]
    {beside}
    config:
      class_name: guard.plugin.Guard
      script_path: plugins
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "plugins" / "guard"
    package.mkdir(parents=True)
    (package / "plugin.py").write_text("raise SystemExit('imported')\nclass Guard: pass\n")
    # Not the project: its places count from the folder of the config.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tmp_path


def findings(project: Path, config: str, beside: str = "", loading: Loading = Loading.CLASSES) -> list[Finding]:
    path = project / "config.yaml"
    path.write_text(HEAD.format(beside=beside) + config)
    return check(str(path), loading).findings


@pytest.mark.parametrize("loading", [Loading.NOTHING, Loading.BUILTIN, Loading.CLASSES, Loading.EVERYTHING])
def test_each_is_told_once_at_its_key(project: Path, loading: Loading) -> None:
    """Also where a manager tries it: what it says is the first of these."""
    config = """\
      workers: 1
      memory_limt: 300
      restart:
        wait: 2
        failure: 3
      sandbox:
        profile: strict
        netwrok: none
      environment:
        offline: false
        python: python3.99
"""
    found = findings(project, config, loading=loading)
    assert [(finding.code, finding.line, finding.plugin) for finding in found] == [
        ("isolated-plugin", 10, "guard"),
        ("isolated-plugin", 13, "guard"),
        ("isolated-plugin", 16, "guard"),
        ("isolated-plugin", 19, "guard"),
    ]
    assert found[0].message == "config.memory_limt: CPEX does not read it"
    assert found[0].hint.startswith("did you mean 'memory_limit'?")


def test_what_lost_its_value_or_its_indentation_is_told(project: Path) -> None:
    """As it reads it: with the templates, of which one names a variable that is not set."""
    config = """\
      memory_limit: {{ env.CPEX_NOWHERE }}
      environment:
      require_hashes: true
      profile: strict
"""
    found = [finding for finding in findings(project, config) if finding.code == "isolated-plugin"]
    assert [(finding.line, finding.message, finding.hint.partition(" (")[0]) for finding in found] == [
        (9, "config.memory_limit: it has no value: give it one, or leave the key out for the default", ""),
        (10, "config.environment: it has no value: give it one, or leave the key out for the default", ""),
        (11, "config.require_hashes: CPEX does not read it", "it belongs under config.environment as 'require_hashes'"),
        (12, "config.profile: CPEX does not read it", "it belongs under config.sandbox as 'profile'"),
    ]


def test_one_that_can_start_has_none(project: Path) -> None:
    assert findings(project, "      sandbox: strict\n      words: [a]\n") == []


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("      requirements_file: no.txt\n", 9),
        ("      sandbox: stritc\n", 9),
        ("      environment: {require_hash: true}\n", 9),
    ],
)
def test_the_line_is_that_of_the_key(project: Path, written: str, line: int) -> None:
    [finding] = findings(project, written)
    assert finding.line == line


@pytest.mark.parametrize(("beside", "code"), [("sandbox: strict", "invalid-value"), ("workers: 2", "unknown-key")])
def test_a_key_beside_config_is_told_where_it_belongs(project: Path, beside: str, code: str) -> None:
    found = {str(finding.code): finding for finding in findings(project, "", beside)}
    assert found[code].line == (5 if code == "unknown-key" else 2)
    assert found[code].hint == f"{beside.partition(':')[0]} belongs under config:"


@pytest.mark.parametrize(
    ("details", "place"),
    [
        (
            {"step": "install", "command": "pip", "requirements": "r.txt", "exit_code": 1},
            ("config", "requirements_file"),
        ),
        ({"step": 2}, ("kind",)),
        (None, ("kind",)),
    ],
)
def test_only_a_failed_build_is_at_the_requirements(
    project: Path, details: dict[str, object] | None, place: tuple[str, ...]
) -> None:
    path = project / "config.yaml"
    path.write_text(HEAD.format(beside="") + "      requirements_file: r.txt\n")
    with opened(str(path), Loading.NOTHING) as reading:
        [plugin] = reading.plugins
        failure = LoadFailure("guard", "isolated_venv", "initialize", "it is broken", details=details)
        assert _place(failure, plugin, None) == place


def test_keys_in_one_line_are_told_apart(project: Path) -> None:
    path = project / "config.json"
    entry = {"name": "guard", "kind": "isolated_venv", "workers": 2, "other": 1}
    config = {"class_name": "guard.plugin.Guard", "script_path": "plugins"}
    path.write_text(json.dumps({"plugins": [{**entry, "hooks": ["tool_pre_invoke"], "config": config}]}))
    hints = {finding.message: finding.hint for finding in check(str(path), Loading.NOTHING).findings}
    assert hints == {
        'unknown key "workers" in plugins[0]': "workers belongs under config:",
        'unknown key "other" in plugins[0]': "nothing reads it",
    }


@pytest.mark.parametrize("written", ["", "      sandbox: strict\n"])
def test_inspect_tells_the_sandbox(project: Path, written: str) -> None:
    path = project / "config.yaml"
    path.write_text(HEAD.format(beside="") + written)
    texts = []
    with opened(str(path), Loading.CLASSES) as reading:
        for to in (InspectFormat.TEXT, InspectFormat.JSON):
            stream = io.StringIO()
            write_inspection(inspect_config(reading, None), to, stream)
            texts.append(stream.getvalue())
    expected = "sandbox strict: network none, memory 512 MiB" if written else "sandbox none: all that the host may"
    assert f" {expected.partition(':')[0]}\n" in re.sub(" +\n", "\n", texts[0])
    assert json.loads(texts[1])["plugins"][0]["sandbox"].startswith(expected)
