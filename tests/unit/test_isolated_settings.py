"""What can be told of the entry of an isolated plugin before anything is built: settings, places, class."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cpex.framework import PluginConfig
from cpex.framework.isolated._keys import KEYS
from cpex.framework.isolated._review import faults
from cpex.framework.isolated._sandbox import Sandbox
from cpex.framework.isolated._workers import WorkerSettings
from cpex.framework.isolated.client import IsolatedVenvPlugin

MODULE = "class Guard: pass\nOther = Guard\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "plugins" / "guard"
    package.mkdir(parents=True)
    (package / "plugin.py").write_text(MODULE)
    (package / "requirements.txt").touch()
    monkeypatch.chdir(tmp_path)
    return package


def entry(**config: Any) -> PluginConfig:
    settings = {"class_name": "guard.plugin.Guard", "script_path": "plugins", "requirements_file": "requirements.txt"}
    config = {key: value for key, value in {**settings, **config}.items() if value != "absent"}
    return PluginConfig(name="p", kind="isolated_venv", config=config)


def told(**config: Any) -> list[str]:
    return [str(fault) for fault in faults(entry(**config), [])]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sandbx", "sandbox"),
        ("Sandbox", "sandbox"),
        ("sandboxed", "sandbox"),
        ("memory_limt", "memory_limit"),
        ("memorylimit", "memory_limit"),
        ("enviroment", "environment"),
        ("worker", "workers"),
        ("pass_envs", "pass_env"),
        ("idle_timout", "idle_timeout"),
    ],
)
def test_a_key_that_nearly_is_ours_is_an_error(folder: Path, written: str, meant: str) -> None:
    """The plugin would run without what was asked for. Who gives ours, too, means what is written."""
    [fault] = told(**{written: "strict"})
    assert fault.startswith(f"config.{written}: CPEX does not read it; did you mean '{meant}'?")
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        IsolatedVenvPlugin(entry(**{written: "strict"}))
    given: dict[str, Any] = {"sandbox": "none", "environment": {}, "workers": 1, "pass_env": [], "idle_timeout": 60}
    assert told(**{written: "strict", **given, "memory_limit": "unlimited"}) == []


def test_other_keys_are_the_plugins_own(folder: Path) -> None:
    own = ("orders", "markers", "start_time", "timeout", "sandbox_url", "memory", "env", "scripts", "class_names")
    assert told(**dict.fromkeys(own, 1)) == []


@pytest.mark.parametrize("empty", [None, ""])
@pytest.mark.parametrize("key", sorted({*KEYS} - {"class_name", "script_path", "requirements_file", "sandbox"}))
def test_a_key_of_ours_without_a_value_is_an_error(folder: Path, key: str, empty: str | None) -> None:
    """Its author has asked for something: what an unset variable in a template leaves is not the default."""
    expected = [f"config.{key}: it has no value: give it one, or leave the key out for the default"]
    assert told(**{key: empty}) == expected
    with pytest.raises(ValueError, match=f"config.{key}: it has no value"):
        IsolatedVenvPlugin(entry(**{key: empty}))


@pytest.mark.parametrize(("section", "key"), [("restart", "wait"), ("environment", "index_url")])
def test_nor_is_one_inside_a_section(folder: Path, section: str, key: str) -> None:
    """`index_url` of an unset variable would be the public index."""
    [fault] = told(**{section: {key: None}})
    assert fault.startswith(f"config.{section}.{key}: it has no value")


def test_keys_of_0_1_4_may_be_without_a_value(folder: Path) -> None:
    """Z1: it reads the one, and not the other."""
    assert told(requirements_file=None) == []
    assert faults(entry(script_path=None), ["plugins"]) == []


@pytest.mark.parametrize(
    ("written", "value", "section", "name"),
    [
        ("require_hashes", True, "environment", "require_hashes"),
        ("require-hashes", True, "environment", "require_hashes"),
        ("only_binary", None, "environment", "only_binary"),
        ("find_links", ["wheels"], "environment", "find_links"),
        ("extra_index_urls", [], "environment", "extra_index_urls"),
        ("index_url", "https://pypi.example.com/simple/", "environment", "index_url"),
        ("installer", "pip", "environment", "installer"),
        ("profile", "strict", "sandbox", "profile"),
        ("sandbox-profile", "strict", "sandbox", "profile"),
    ],
)
def test_a_key_that_belongs_into_a_section_is_an_error(
    folder: Path, written: str, value: Any, section: str, name: str
) -> None:
    """A line that lost its indentation: the plugin would be installed, or run, without what was asked for."""
    start = f"config.{written}: CPEX does not read it; it belongs under config.{section} as '{name}' (if "
    other: dict[str, Any] = {"environment": {"offline": False}, "sandbox": {"network": "none"}}
    for beside in ({}, other):
        [fault] = told(**{written: value}, **beside)
        assert fault.startswith(start)
    with pytest.raises(ValueError, match=f"it belongs under config.{section}"):
        IsolatedVenvPlugin(entry(**{written: value}))
    assert [fault for fault in told(**{written: value, section: None}) if fault.startswith(start)]
    meant = {
        "require_hashes": False,
        "only_binary": False,
        "find_links": [],
        "extra_index_urls": [],
        "index_url": "https://pypi.org/simple",
        "installer": "auto",
        "profile": "none",
    }
    assert told(**{written: value, section: {name: meant[name]}}) == []


def test_who_names_a_profile_has_a_profile_of_his_own(folder: Path) -> None:
    assert told(profile="default", sandbox="none") == []


@pytest.mark.parametrize(
    "own",
    [
        {"profile": "production"},
        {"profile": {"default": 1}},
        {"profile": None},
        {"index_url": "https://vectors.example.com"},
        {"index_url": None},
        {"installer": "apt"},
        {"python": "3.12", "offline": True, "timeout": 3},
        {"failures": 3, "wait": 1, "network": "none", "memory": "1GiB"},
    ],
)
def test_what_may_be_the_plugins_own_is(folder: Path, own: dict[str, Any]) -> None:
    assert told(**own) == []


def test_all_keys_are_known() -> None:
    assert set(WorkerSettings.model_fields) < set(KEYS)
    assert set(KEYS) - set(WorkerSettings.model_fields) == {
        "class_name",
        "script_path",
        "requirements_file",
        "environment",
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"restart": {"failure": 3}}, ['config.restart.failure: nothing reads it; did you mean "failures"?']),
        ({"restart": {"successes": 3}}, ["config.restart.successes: nothing reads it; known are failures, wait, "]),
        ({"restart": 3}, ["config.restart: it is a mapping of settings"]),
        ({"environment": {"require_hash": True}}, ["config.environment.require_hash: nothing reads it; did you mean "]),
        ({"workers": True}, ["config.workers: it is a number, not true or false"]),
        ({"hang_timeout": False}, ["config.hang_timeout: it is a number, not true or false"]),
        ({"restart": {"wait": True}}, ["config.restart.wait: it is a number, not true or false"]),
        ({"workers": "2"}, []),
        ({"memory_limit": 1000}, ["config.memory_limit: `memory_limit` is 1000: nothing runs with less than 16777216"]),
        ({"memory_limit": "16MB"}, ["config.memory_limit: `memory_limit` is 16000000: nothing runs with less than "]),
        ({"memory_limit": -5}, ["config.memory_limit: invalid value: integer `-5`, expected a number of bytes"]),
        ({"memory_limit": "16MiB"}, []),
        ({"memory_limit": "unlimited"}, []),
        ({"sandbox": ""}, ["config.sandbox: it has no value"]),
        ({"sandbox": True}, ["config.sandbox: a sandbox is `none`, `default`, `strict`, or a mapping that starts"]),
        ({"sandbox": "stritc"}, ["config.sandbox: `stritc` is no profile: write `none`, `default` or `strict`"]),
        (
            {"sandbox": {"profile": "strict", "netwrok": 1, "memory": "1 pound"}},
            [
                "config.sandbox.netwrok: unknown field `netwrok`, expected one of",
                "config.sandbox.memory: `1 pound` is no size",
            ],
        ),
        ({"sandbox": {"profile": "none", "memory": "1GiB"}}, ["config.sandbox: profile `none` contains nothing and "]),
        ({"sandbox": {"network": ["localhost"]}}, ["config.sandbox.network: `localhost` has no port"]),
        ({"sandbox": {"read": ["plugins", "no"]}}, ["config.sandbox.read[1]: there is no "]),
        ({"environment": {"python": "python3.99"}}, ["config.environment.python: 'python3.99' is no interpreter that"]),
        ({"environment": {"python": "./bin/python"}}, ["config.environment.python: './bin/python' is no interpreter"]),
        ({"environment": {"python": "~nobody-of-this-name/python"}}, ["config.environment.python: '~nobody-of-this-"]),
        ({"script_path": "../.."}, ["config.script_path: Invalid script_path: '../..' leads out of"]),
        ({"script_path": "nowhere"}, ["config.script_path: 'nowhere' is no folder in any of: "]),
        ({"requirements_file": "no.txt"}, ["config.requirements_file: 'no.txt' is in none of: "]),
        ({"class_name": "gard.plugin.Guard"}, ["config.class_name: there is no package 'gard' in"]),
        ({"class_name": "guard.plugn.Guard"}, ["config.class_name: there is no module 'guard.plugn' in"]),
        (
            {"class_name": "guard.plugin.Gard"},
            ["config.class_name: module 'guard.plugin' has no class 'Gard'; did you "],
        ),
        ({"class_name": "Guard"}, ["config.class_name: it names a class"]),
        ({"sandbox": {"profile": "strict", 3: 4}}, ["config.sandbox.3: unknown field `3`, expected one of"]),
        ({"sandbox": ["strict"]}, ["config.sandbox: a sandbox is `none`, `default`, `strict`, or a mapping"]),
        (
            {"workers": 0, "sandbox": "x", "environment": {"offlin": True}, "script_path": "nowhere"},
            [
                "config.workers: Input should be greater",
                "config.sandbox: `x` is no profile",
                "config.environment.offlin: nothing reads it",
                "config.script_path: 'nowhere'",
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_field(folder: Path, config: dict[str, Any], expected: list[str]) -> None:
    found = told(**config)
    assert len(found) == len(expected), found
    assert all(fault.startswith(start) for fault, start in zip(found, expected, strict=True)), found
    assert not any(" at line " in fault for fault in found)


def test_who_asks_for_a_long_wait_gets_it(folder: Path) -> None:
    environment: Any = SimpleNamespace(
        command=lambda *_, guarded: ["python"], variables={}, readable=[], place=SimpleNamespace(project=folder)
    )
    options = WorkerSettings.of(entry(restart={"wait": 60})).options(environment, 1000)
    assert options["breaker"] == {"failures": 5, "wait": 60, "longest_wait": 60}


def test_what_the_requirements_include_is_looked_for(folder: Path) -> None:
    (folder / "requirements.txt").write_text("-r more.txt\n")
    [fault] = told()
    assert fault.startswith("config.requirements_file: cannot read the requirements: ")
    assert "more.txt" in fault


def test_a_damaged_list_of_packages_is_told(folder: Path) -> None:
    shutil.rmtree(folder)
    (folder / ".cpex/packages").mkdir(parents=True)
    (folder / ".cpex/packages/packages.json").write_text("{")
    [fault] = told(requirements_file="absent")
    assert "packages.json is damaged: install the plugin again" in fault


def test_no_folder_is_named_twice(folder: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        raise faults(entry(script_path="nowhere"), [])[0]
    assert str(caught.value).endswith(f"is no folder in any of: {Path.cwd()}")


@pytest.mark.parametrize(
    "module",
    [
        "from elsewhere import *",
        "from elsewhere import Guard",
        "if True:\n    Guard = make()",
        "import elsewhere as Guard",
        "def __getattr__(name): ...",
        "globals()['Guard'] = type",
        "exec('class Guard: pass')",
        "this is no Python",
    ],
)
def test_a_class_that_may_be_there_is_not_missed(folder: Path, module: str) -> None:
    (folder / "plugin.py").write_text(module)
    assert told() == []


def test_a_class_of_an_installed_package_is_not_missed(folder: Path) -> None:
    """Its folder has what is kept for it, and its requirements install it."""
    (folder / "plugin.py").unlink()
    assert told() == []
    [fault] = told(requirements_file="absent")
    assert fault.startswith("config.class_name: there is no package 'guard' in")


@pytest.mark.parametrize("file", ["plugin/__init__.py", "plugin.abi3.so"])
def test_a_module_may_be_a_package_or_compiled(folder: Path, file: str) -> None:
    (folder / "plugin.py").rename(folder / "other.py")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(MODULE)
    assert told() == []


def test_a_sandbox_in_words() -> None:
    assert str(Sandbox.of("none")) == "sandbox none: all that the host may"
    strict = Sandbox.of({"profile": "strict", "network": ["api.example.com:443"], "env": ["TOKEN"], "read": ["data"]})
    assert (strict.profile, strict.env, strict.contains) == ("strict", ("TOKEN",), True)
    assert str(strict) == (
        "sandbox strict: network api.example.com:443, memory 512 MiB, cpu_seconds 3600, processes 0, threads 128, "
        "file_size 64 MiB, scratch 64 MiB, open_files 128, read data"
    )
    assert Sandbox.of({"memory": "unlimited"}).profile == "default"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "sandbox none: all that the host may"),
        ({"memory_limit": "unlimited"}, "sandbox none: all that the host may"),
        ({"memory_limit": "300MiB"}, "sandbox none: all that the host may; memory_limit 300 MiB"),
        ({"memory_limit": 2**31}, "sandbox none: all that the host may; memory_limit 2 GiB"),
        ({"memory_limit": "300MB"}, "sandbox none: all that the host may; memory_limit 300000000 B"),
    ],
)
def test_what_contains_it_in_words(config: dict[str, Any], expected: str) -> None:
    assert str(WorkerSettings.of(entry(**config))) == expected
