"""`cpex bootstrap`, end to end: what it creates installs, passes its own tests, and does what its README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

import cpex

TYPES = ("native", "external", "isolated")
DENIED = '{"hook": "tool_pre_invoke", "payload": {"name": "search", "args": {"query": "top secret"}}}'

AS_THE_SERVER_DOES = """
import asyncio, sys
from cpex.framework import GlobalContext, PluginManager, ToolPreInvokePayload

async def main():
    manager = PluginManager(sys.argv[1])
    await manager.initialize()
    payload = ToolPreInvokePayload(name="search", args={"query": "top secret"})
    context = GlobalContext(request_id="1")
    result = await manager.invoke_hook_for_plugin("MyFilter", "tool_pre_invoke", payload, context)
    print(result.violation.code, sys.modules["my_filter.plugin"].__file__)

asyncio.run(main())
"""

WHERE_THE_MANIFEST_IS = """
from cpex.framework.utils import find_package_path
print(find_package_path("my_filter") / "plugin-manifest.yaml")
"""

SHOWN_SERVER = """#!/bin/sh
echo "$(basename "$PWD") $PLUGINS_TRANSPORT $PLUGINS_CONFIG_PATH $*"
"""


def write_script(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class Environment:
    """A virtual environment that sees this Python's packages and CPEX, and can have more installed."""

    def __init__(self, path: Path) -> None:
        venv.create(path, symlinks=True)
        self.bin = path / "bin"
        site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(path), "platbase": str(path)}))
        seen = dict.fromkeys((*map(sysconfig.get_path, ("purelib", "platlib")), str(Path(cpex.__file__).parents[1])))
        (site / "seen.pth").write_text("".join(f"{folder}\n" for folder in seen))
        self._settings = path / "cookiecutter.yaml"
        self._settings.write_text(f"cookiecutters_dir: {path}/clones\nreplay_dir: {path}/replay\n")
        (self.bin / "ruff").symlink_to(Path(sysconfig.get_path("scripts"), "ruff"))
        write_script(self.bin / "cpex", f'#!/bin/sh\nexec "{self.bin}/python" -P -m cpex "$@"\n')

    def run(self, *command: str, cwd: Path, stdin: str | int = subprocess.DEVNULL, **variables: str) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYT", "PLUGINS_"))}
        environment |= {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", **variables}
        environment["COOKIECUTTER_CONFIG"] = str(self._settings)
        given = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin}
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, **given)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment") / ".venv")


@pytest.fixture
def bootstrap(environment: Environment, tmp_path: Path) -> Bootstrap:
    return Bootstrap(environment, tmp_path)


class Bootstrap:
    """Makes projects with the command line."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self._environment, self._folder = environment, folder

    def __call__(self, template_type: str, name: str = "my_filter") -> Path:
        arguments = ("-d", name, "-t", template_type, "--no_input")
        self._environment.run("cpex", "bootstrap", *arguments, cwd=self._folder)
        return self._folder / name


def code_blocks(readme: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", readme.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", ["my_filter", "my-filter"])
@pytest.mark.parametrize("template_type", TYPES)
def test_a_project_passes_its_tests(
    template_type: str, name: str, bootstrap: Bootstrap, environment: Environment, tmp_path: Path
) -> None:
    """From the folder around the project, and from the project."""
    project = bootstrap(template_type, name)
    for folder, target in ((tmp_path, name), (project, "tests")):
        output = environment.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", target, cwd=folder)
        assert "5 passed" in output


@pytest.mark.parametrize("template_type", TYPES)
def test_the_tests_of_a_project_notice_a_broken_plugin(
    template_type: str, bootstrap: Bootstrap, environment: Environment
) -> None:
    project = bootstrap(template_type)
    (plugin,) = project.rglob("plugin.py")
    plugin.write_text(plugin.read_text().replace("re.IGNORECASE", "0"))
    with pytest.raises(AssertionError, match="2 failed, 3 passed"):
        environment.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=project)


@pytest.mark.parametrize("template_type", TYPES)
def test_the_code_of_a_project_is_clean(template_type: str, bootstrap: Bootstrap, environment: Environment) -> None:
    project = bootstrap(template_type)
    environment.run("ruff", "check", "--no-cache", ".", cwd=project)
    environment.run("ruff", "format", "--no-cache", "--check", ".", cwd=project)


@pytest.mark.parametrize("template_type", TYPES)
def test_the_config_of_a_project_passes_the_check(
    template_type: str, bootstrap: Bootstrap, environment: Environment, tmp_path: Path
) -> None:
    """From the folder of the project and, if the project is a package, from the one around it."""
    project = bootstrap(template_type)
    (config,) = project.rglob("config.yaml")
    for folder in (project,) if template_type == "external" else (project, tmp_path):
        checked = environment.run("cpex", "check", str(config.relative_to(folder)), cwd=folder)
        assert "nothing to mend" in checked


def test_a_native_plugin_does_what_its_readme_says(
    bootstrap: Bootstrap, environment: Environment, tmp_path: Path
) -> None:
    readme = bootstrap("native") / "README.md"
    (program,) = code_blocks(readme, "python")
    assert environment.run("python", "-c", program, cwd=tmp_path) == "denied\n"
    _, on_the_command_line = code_blocks(readme, "sh")
    assert "TERM_NOT_ALLOWED" in environment.run("sh", "-c", on_the_command_line, cwd=tmp_path)


def test_an_external_project_installs(environment: Environment, bootstrap: Bootstrap, tmp_path: Path) -> None:
    """The server finds the installed plugin wherever it is started, and installers find its manifest."""
    project = bootstrap("external")
    own = Environment(tmp_path / "installed")
    own.run(
        *("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-index", "--no-deps", "--no-build-isolation", str(project)),
        cwd=tmp_path,
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = project / "resources" / "plugins" / "config.yaml"
    code, module = own.run("python", "-c", AS_THE_SERVER_DOES, str(config), cwd=elsewhere).split()
    assert code == "TERM_NOT_ALLOWED"
    assert Path(module).is_relative_to(tmp_path / "installed")
    manifest = Path(own.run("python", "-c", WHERE_THE_MANIFEST_IS, cwd=elsewhere).strip())
    assert manifest.is_relative_to(tmp_path / "installed")
    assert manifest.exists()
    assert "TERM_NOT_ALLOWED" in own.run("cpex", "run", str(config), "-", cwd=elsewhere, stdin=DENIED)


def test_the_makefile_of_an_external_project(bootstrap: Bootstrap) -> None:
    """`make test` and `make lint` run in `.venv`; `make serve` starts the server with its Python."""
    project = bootstrap("external")
    own = Environment(project / ".venv")
    (own.bin / ".installed").touch()
    assert "5 passed" in own.run("make", "test", cwd=project)
    assert "All checks passed" in own.run("make", "lint", cwd=project)
    assert "make serve" in own.run("make", cwd=project)
    write_script(own.bin / "python", SHOWN_SERVER)
    served = own.run("make", "--silent", "serve", cwd=project)
    assert served.endswith("http resources/plugins/config.yaml -m cpex.framework.external.mcp.server.runtime\n")


def test_how_the_server_is_started(bootstrap: Bootstrap, environment: Environment, tmp_path: Path) -> None:
    """W60: HTTP, or stdio if an application starts the script and talks to it; what is set in the environment stays."""
    project = bootstrap("external")
    python = write_script(tmp_path / "python", SHOWN_SERVER)
    script = str(project / "run-server.sh")

    def start(stdin: str | int = subprocess.DEVNULL, **variables: str) -> str:
        return environment.run("sh", script, cwd=tmp_path, stdin=stdin, PYTHON=str(python), **variables)

    module = "-m cpex.framework.external.mcp.server.runtime"
    assert start() == f"my_filter http resources/plugins/config.yaml {module}\n"
    assert start(stdin="") == f"my_filter stdio resources/plugins/config.yaml {module}\n"
    assert (
        start(PLUGINS_TRANSPORT="stdio", PLUGINS_CONFIG_PATH="/other.yaml") == f"my_filter stdio /other.yaml {module}\n"
    )
    assert os.access(script, os.X_OK)


def test_the_container_starts_the_server(bootstrap: Bootstrap) -> None:
    """What the Containerfile copies, runs and exposes is there."""
    project = bootstrap("external")
    lines = (project / "Containerfile").read_text()
    assert 'CMD ["sh", "run-server.sh"]' in lines
    assert "PLUGINS_TRANSPORT=http" in lines
    ignored = (project / ".dockerignore").read_text().split()
    assert not {"run-server.sh", "resources", "pyproject.toml", "README.md", "my_filter"} & set(ignored)


def test_nothing_else_is_left_behind(bootstrap: Bootstrap) -> None:
    """No compiled files of the templates get into a project."""
    for template_type in TYPES:
        project = bootstrap(template_type, f"{template_type}_filter")
        assert not list(project.rglob("__pycache__"))
        shutil.rmtree(project)
