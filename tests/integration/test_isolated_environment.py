"""Environments of isolated plugins, built for real by uv and by pip (semantics J: Z1–Z4, B3, B16).

What a build that is killed leaves is tested in `crates/cpex-isolated/tests/venv`, with an installer that is a script.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic
import pytest
from tests.integration.library_wheel import library_wheel

import cpex
from cpex.framework import ConfigLoader, PluginConfig, PluginError
from cpex.framework.isolated._environment import Environment, Step, build, prepare
from cpex.framework.isolated._options import EnvironmentOptions
from cpex.tools.check._checked import Loading, check

INSTALLERS = ("uv", "pip")

PROBE = """
import importlib, importlib.metadata, json, sys

def main():
    def of(name):
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            return repr(error)
        return module.__file__
    def version(name):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None
    print(json.dumps({name: [of(name), version(name)] for name in sys.argv[1:]}))
"""


@dataclass
class Project:
    """A folder with a plugin, a config that names it, and wheels that can be had without a network."""

    folder: Path
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def package(self) -> Path:
        return self.folder / "plugins" / "guard"

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    def requires(self, *lines: str) -> None:
        (self.package / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))

    def entry(self, **settings: Any) -> PluginConfig:
        """The plugin's entry, read from the config."""
        config = {
            "class_name": "guard.plugin.Guard",
            "requirements_file": "requirements.txt",
            "script_path": "plugins",
            "environment": self.options,
            **settings,
        }
        config = {key: value for key, value in config.items() if value is not None}
        plugin = {"name": "guard", "kind": "isolated_venv", "version": "1.0", "config": config}
        path = self.folder / "config.yaml"
        path.write_text(json.dumps({"plugins": [plugin]}))
        plugins = ConfigLoader.load_config(str(path)).plugins
        assert plugins
        return plugins[0]

    def build(self, **settings: Any) -> Environment:
        return build(self.entry(**settings))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("PIP_INDEX_URL", "PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    bin_folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([bin_folder, os.environ["PATH"]]))
    folder = tmp_path / "project"
    project = Project(folder)
    project.package.mkdir(parents=True)
    project.wheels.mkdir()
    (project.package / "__init__.py").touch()
    (project.folder / "plugins" / "probe.py").write_text(PROBE)
    project.options = {"offline": True, "find_links": ["wheels"], "installer": "uv"}
    monkeypatch.chdir(folder)
    return project


def probe(environment: Environment, *names: str) -> dict[str, list[str]]:
    """Where a worker has these modules from, and what their metadata says is their version."""
    done = subprocess.run(
        environment.command("probe", *names),
        env={**environment.variables, "PYTHONPATH": str(environment.place.root), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("installer", INSTALLERS)
def test_it_holds_what_is_required_and_borrows_this_package(project: Project, installer: str) -> None:
    """The requirements need not name cpex; what they do not install is borrowed, and nothing else."""
    library_wheel(project.wheels, "helper-lib", "1.0")
    project.requires("helper-lib")
    project.options["installer"] = installer
    environment = project.build()
    assert not environment.reused
    found = probe(environment, "helper_lib", "cpex", "pydantic", "pytest")
    assert Path(found["helper_lib"][0]).is_relative_to(environment.folder)
    assert found["helper_lib"][1] == "1.0"
    assert found["cpex"][0] == cpex.__file__
    assert found["pydantic"] == [pydantic.__file__, pydantic.VERSION]
    assert found["pytest"] == ["ModuleNotFoundError(\"No module named 'pytest'\")", None]
    assert project.build().reused
    venv = project.package / ".venv"
    assert subprocess.run([venv / "bin/python", "-c", "import helper_lib"], check=False).returncode == 0


def test_what_the_plugin_starts_can_import_the_same(project: Project) -> None:
    """A process of `multiprocessing`, and any other of the same interpreter that runs the same main module."""
    (project.folder / "plugins" / "parent.py").write_text(
        "import multiprocessing, sys\n\n"
        "def child(queue):\n    import cpex.framework\n    queue.put(cpex.__file__)\n\n"
        "def main():\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    queue = context.Queue()\n"
        "    process = context.Process(target=child, args=(queue,))\n"
        "    process.start()\n    print(queue.get(timeout=60))\n    process.join()\n"
    )
    environment = project.build(requirements_file=None)
    done = subprocess.run(
        environment.command("parent"),
        env={**environment.variables, "PYTHONPATH": str(environment.place.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == cpex.__file__, done.stderr


@pytest.mark.parametrize("installer", INSTALLERS)
def test_from_the_package_index(project: Project, installer: str) -> None:
    """For real: a package with a hash, and a pydantic that is older than the host's."""
    project.options = {"installer": installer, "only_binary": True}
    project.requires("idna==3.10", *(["pydantic==2.12.0"] if installer == "uv" else []))
    environment = project.build()
    found = probe(environment, "idna", "pydantic", "pydantic_core", "cpex.framework")
    assert Path(found["idna"][0]).is_relative_to(environment.folder)
    assert found["idna"][1] == "3.10"
    if installer == "uv":
        assert found["pydantic"][1] == "2.12.0" != pydantic.VERSION
        assert Path(found["pydantic_core"][0]).is_relative_to(environment.folder)
        assert "pydantic" not in environment.borrowed.distributions
    assert Path(found["cpex.framework"][0]).is_relative_to(Path(cpex.__file__).parent)


def test_a_plugin_package_of_the_index(project: Project) -> None:
    """A published one that names cpex among what it requires: ours is imported all the same."""
    project.options = {"installer": "uv"}
    project.requires("cpex-pii-filter==0.3.9")
    environment = project.build()
    found = probe(environment, "cpex_pii_filter", "cpex", "cpex.framework")
    assert Path(found["cpex_pii_filter"][0]).is_relative_to(environment.folder)
    assert found["cpex"][0] == cpex.__file__
    assert Path(found["cpex.framework"][0]).is_relative_to(Path(cpex.__file__).parent)


def test_a_conflict_is_told(project: Project) -> None:
    """Whatever the requirements install counts; if this package cannot work with it, there is no environment."""
    library_wheel(project.wheels, "pydantic", "1.10.2")
    project.requires("pydantic<2")
    with pytest.raises(PluginError) as caught:
        project.build()
    error = caught.value.error
    assert error.code == "ENVIRONMENT_BUILD_FAILED"
    record = project.package / ".cpex" / "refused.json"
    assert error.message == (
        "Plugin 'guard': the environment cannot be used: cpex 0.1.100 needs pydantic<3,>=2.12, and the plugin's "
        f"requirements install pydantic 1.10.2; it is not built again before something of it changes, or {record} is "
        "deleted"
    )
    nothing = {"command": None, "requirements": None, "exit_code": None, "stderr": ""}
    assert error.details == {"step": "check", **nothing}
    steps: list[Step] = []
    with pytest.raises(PluginError) as again:
        build(project.entry(), on_step=steps.append)
    assert (again.value.error.message, steps) == (error.message, [])
    record.unlink()
    with pytest.raises(PluginError):
        build(project.entry(), on_step=steps.append)
    assert not (project.package / ".venv").exists()
    assert "install" in steps
    project.requires()
    project.build()
    assert not record.exists()


def test_what_is_borrowed_has_to_be_satisfied_too(project: Project) -> None:
    """`pydantic` comes from the host, and needs a newer `typing_extensions` than the plugin."""
    library_wheel(project.wheels, "typing-extensions", "4.0.0")
    project.requires("typing-extensions")
    with pytest.raises(PluginError, match=r"which the worker has from the host, needs typing-extensions>=") as caught:
        project.build()
    assert "requirements install typing-extensions 4.0.0" in str(caught.value)
    # The host may have another pydantic the next time.
    assert "built again" not in str(caught.value)


@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_failed_installation_is_told_without_credentials(
    project: Project, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens there: the step, the command, the exit code, and what was written to standard error."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    for name, value in {"PIP_RETRIES": "1", "UV_HTTP_RETRIES": "0", "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    project.options = {"installer": installer, "index_url": f"http://me:hunter2@127.0.0.1:{port}/simple"}
    project.requires("helper-lib")
    with pytest.raises(PluginError) as caught:
        project.build()
    error = caught.value.error
    requirements = str(project.package / "requirements.txt")
    assert error.message.startswith(f"Plugin 'guard': install of {requirements} failed (exit code ")
    assert "onnection refused" in error.message
    assert error.details is not None
    assert error.details["step"] == "install"
    assert error.details["exit_code"] in (1, 2)
    assert error.details["requirements"] == requirements
    assert f"--index-url=http://***@127.0.0.1:{port}/simple" in error.details["command"]
    assert "helper-lib" in error.details["stderr"]
    assert "hunter2" not in str(error)


def test_check_tells_what_the_installer_said_at_the_requirements(project: Project) -> None:
    project.requires("no such thing")
    (project.package / "plugin.py").write_text("class Guard: ...")
    project.entry()
    [finding] = check("config.yaml", Loading.EVERYTHING).findings
    text = Path("config.yaml").read_text()
    assert (finding.code, finding.column) == ("plugin-initialize", text.index('"requirements.txt"') + 1)
    assert finding.message.startswith(f"install of {project.package / 'requirements.txt'} failed (exit code ")
    assert "no such thing" in finding.message
    assert "\\n" not in finding.message


@pytest.mark.parametrize("installer", INSTALLERS)
def test_hashes_are_checked(project: Project, installer: str) -> None:
    wheel = library_wheel(project.wheels, "helper-lib", "1.0")
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    project.options |= {"require_hashes": True, "installer": installer}
    lines = ["helper-lib==1.0", f"helper-lib==1.0 --hash=sha256:{'0' * 64}"]
    # Each build of pip takes seconds, as the environment gets a pip.
    for line in lines if installer == "uv" else lines[1:]:
        project.requires(line)
        with pytest.raises(PluginError) as caught:
            project.build()
        message = caught.value.error.message
        assert "hash" in message.lower()
        assert "helper-lib==1.0" in message
        assert "--hash" not in line or (right in message and "0" * 64 in message)
    if installer == "uv":
        project.requires(f"helper-lib==1.0 --hash=sha256:{right}")
        assert not project.build().reused


def test_eight_processes_at_once_build_once(project: Project) -> None:
    library_wheel(project.wheels, "helper-lib", "1.0")
    project.requires("helper-lib")
    project.entry()
    program = (
        "from cpex.framework import ConfigLoader\n"
        "from cpex.framework.isolated._environment import build\n"
        "print(build(ConfigLoader.load_config('config.yaml').plugins[0]).reused)\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=_environ())
        for _ in range(8)
    ]
    said = sorted(process.communicate(timeout=300)[0].strip() for process in started)
    assert said == ["False", *["True"] * 7]


def test_a_killed_build_is_built_again(project: Project) -> None:
    """At whatever point: what is found afterwards has all that is required."""
    for number in range(10):
        library_wheel(project.wheels, f"helper-{number}", "1.0")
    project.requires(*(f"helper-{number}" for number in range(10)))
    project.entry()
    program = (
        "from cpex.framework import ConfigLoader\n"
        "from cpex.framework.isolated._environment import build\n"
        "entry = ConfigLoader.load_config('config.yaml').plugins[0]\n"
        "print('go', flush=True)\n"
        "build(entry, on_step=lambda step: print(step, flush=True))\n"
    )
    for step, after in (
        ("make", 0.0),
        ("make", 0.05),
        ("install", 0.0),
        ("install", 0.2),
        ("check", 0.0),
        ("keep", 0.0),
    ):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=_environ())
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == step:
                break
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        environment = project.build()
        assert len(list(environment.folder.glob("lib/python*/site-packages/helper_*.py"))) == 10, (step, after)
        [alone] = (project.package / ".cpex/venvs").iterdir()
        assert alone == environment.folder
        del environment
        project.requires(*(f"helper-{number}" for number in range(10)), f"# {step} {after}")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a command goes on to its end")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_build_ends_with_a_host_that_is_killed(project: Project, installer: str) -> None:
    """Also what its commands have started. The index never answers."""
    with socket.create_server(("127.0.0.1", 0)) as index:
        project.options = {"installer": installer, "index_url": f"http://127.0.0.1:{index.getsockname()[1]}/simple"}
        project.requires("helper-lib")
        project.entry()
        program = (
            "from cpex.framework import ConfigLoader\n"
            "from cpex.framework.isolated._environment import build\n"
            "build(ConfigLoader.load_config('config.yaml').plugins[0])\n"
        )
        host = subprocess.Popen([sys.executable, "-c", program], env={**_environ(), "NO_PROXY": "127.0.0.1"})
        index.settimeout(300)
        connection, _ = index.accept()
        with connection:
            assert len(_processes_in(project.package)) >= 2, "the command and its guardian"
            host.kill()
            host.wait()
            until = time.monotonic() + 60
            while left := _processes_in(project.package):
                assert time.monotonic() < until, left
                time.sleep(0.01)


def test_a_worker_keeps_what_it_was_started_with(project: Project) -> None:
    """The requirements change while it runs: what it imports from now on is of the old environment."""
    for version in ("1.0", "2.0"):
        files = {"helper_lib/__init__.py": f"version = '{version}'\n", "helper_lib/late.py": f"version = '{version}'\n"}
        library_wheel(project.wheels, "helper-lib", version, files)
    (project.folder / "plugins" / "late.py").write_text(
        "import sys\n\ndef main():\n    import helper_lib\n    print('ready', flush=True)\n    sys.stdin.readline()\n"
        "    from helper_lib import late\n    print(helper_lib.version, late.version, flush=True)\n"
    )
    project.requires("helper-lib==1.0")
    old = project.build()
    worker = subprocess.Popen(
        old.command("late"),
        env={**old.variables, "PYTHONPATH": str(old.place.root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    project.requires("helper-lib==2.0")
    new = project.build()
    assert new.folder != old.folder
    assert worker.communicate("\n", timeout=60)[0] == "1.0 1.0\n"
    assert probe(new, "helper_lib")["helper_lib"][1] == "2.0"
    folder = old.folder
    del old
    project.requires("helper-lib==2.0", "# changed")
    project.build()
    assert not folder.exists()


def test_it_is_found_from_any_working_directory(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B3: `script_path` is relative to the working directory, else to the config's folder."""
    project.requires()
    first = project.build()
    entry = project.entry()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert build(entry).folder == first.folder
    assert build(entry.model_copy()).reused


async def test_a_cancelled_build_leaves_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index takes the request, and does not answer."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        project.options = {"installer": "uv", "index_url": f"http://127.0.0.1:{silent.getsockname()[1]}/simple"}
        project.requires("helper-lib")
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[Step] = asyncio.Queue()

        def told(step: Step) -> None:
            loop.call_soon_threadsafe(steps.put_nowait, step)

        building = asyncio.create_task(prepare(project.entry(), on_step=told))
        assert await steps.get() == "make"
        assert await steps.get() == "install"
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
    assert list((project.package / ".cpex/venvs").iterdir()) == []


def test_a_build_has_a_time_limit(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        project.options = {"installer": "uv", "index_url": index, "timeout": 2}
        project.requires("helper-lib")
        with pytest.raises(PluginError, match=r"install is not done after 2s, the time limit of a build"):
            project.build()


def test_an_interpreter_can_be_named(project: Project) -> None:
    project.options["python"] = sys.executable
    assert not project.build(requirements_file=None).reused
    project.options["python"] = "plugins/guard/__init__.py"
    with pytest.raises(FileNotFoundError, match=r"config\.environment\.python: 'plugins/guard/__init__\.py'"):
        project.build(requirements_file=None)


@pytest.fixture
def published() -> Iterator[Path]:
    """An interpreter that has cpex 0.1.4."""
    root = Path(__file__).parents[2]
    python = Path(os.environ.get("CPEX_PUBLISHED_PYTHON", root / ".venv-published" / "bin" / "python"))
    if not python.exists():
        pytest.fail(f"{python} does not exist: `make pytest` installs it, or set CPEX_PUBLISHED_PYTHON")
    yield python


PUBLISHED = """
import asyncio, sys
sys.tracebacklimit = 0
from cpex.framework.isolated.client import IsolatedVenvPlugin
from cpex.framework.models import PluginConfig
config = {"class_name": "guard.plugin.Guard", "requirements_file": "requirements.txt"}
plugin = IsolatedVenvPlugin(PluginConfig(name="guard", kind="isolated_venv", version="1.0", config=config), ["plugins"])
venv, requirements = "plugins/guard/.venv", "plugins/guard/requirements.txt"
if plugin._is_venv_cache_valid(venv, requirements):
    print("valid")
else:
    asyncio.run(plugin.create_venv(venv, requirements))
    plugin._save_cache_metadata(venv, requirements)
    print("built")
"""


def test_environments_are_shared_with_the_published_package(project: Project, published: Path) -> None:
    """Z3: it takes what we have built, replaces it when it has to, and we take what it has built."""

    def run() -> str:
        environ = {name: value for name, value in _environ().items() if name != "PYTHONPATH"}
        done = subprocess.run([published, "-c", PUBLISHED], capture_output=True, text=True, env=environ, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    project.requires("# one")
    ours = project.build()
    assert run() == "valid"
    project.requires("# two")
    assert run() == "built"
    assert ours.folder.exists()
    theirs = project.build()
    assert theirs.reused
    assert theirs.folder == project.package / ".venv"
    assert probe(theirs, "cpex")["cpex"][0] == cpex.__file__
    project.requires("# three")
    assert not project.build().reused
    assert run() == "valid"


def test_options_are_checked() -> None:
    def options(section: Any) -> EnvironmentOptions:
        return EnvironmentOptions.of(PluginConfig(name="p", kind="isolated_venv", config={"environment": section}))

    assert options({}) == EnvironmentOptions()
    with pytest.raises(ValueError, match=r"^config\.environment: it has no value"):
        options(None)
    with pytest.raises(ValueError, match=r"^config\.environment\.indx_url: nothing reads it; did you mean .index_url"):
        options({"indx_url": "https://me:hunter2@host"})
    with pytest.raises(ValueError, match=r"config\.environment\.timeout: Input should be greater than 0") as caught:
        options({"timeout": -17})
    assert "17" not in str(caught.value)
    with pytest.raises(ValueError, match=r"config\.environment: it holds options, not a list"):
        options(["--trusted-host"])


def _processes_in(folder: Path) -> list[str]:
    """The commands that name a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
