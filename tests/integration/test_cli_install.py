"""`cpex plugin install` for real: pip, an environment, a package index and Git, on this machine (L5–L9, B26, B27)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from tests.integration.library_wheel import library_wheel
from tests.integration.package_index import PackageIndex, Publishes
from tests.integration.plugin_package import contents, source_archive, sources, wheel

import cpex

CONFIG = """\
# kept
plugins:
  - name: first   # kept, too
    kind: a.b.C
    hooks: [tool_pre_invoke]
    config: {key: "{{ env.TOKEN }}"}
"""


@dataclass
class Machine:
    """A working directory, and an environment that `cpex` runs in and installs into."""

    folder: Path
    python: Path
    environment: dict[str, str]

    def cpex(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-m", "cpex", "plugin", *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def packages(self) -> set[str]:
        folders = (self.python.parent.parent / "lib").glob("python*/site-packages/*.dist-info")
        return {folder.name.partition("-")[0] for folder in folders} - {"pip", "setuptools"}

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and ".venv" not in path.parts
        }

    def entries(self) -> list[str]:
        return [entry["name"] for entry in yaml.safe_load((self.folder / "plugins/config.yaml").read_text())["plugins"]]

    def installed(self) -> list[dict[str, object]]:
        plugins: list[dict[str, object]] = json.loads((self.folder / "data/installed-plugins.json").read_text())[
            "plugins"
        ]
        return plugins


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip that sees this CPEX and what it needs, behind its own packages."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    needed = [path for path in sys.path if path.endswith("-packages")]
    (site / "cpex.pth").write_text("\n".join([str(Path(cpex.__file__).parents[1]), *needed]))
    return folder / "bin" / "python"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PackageIndex]:
    folder = tmp_path / "index"
    folder.mkdir()
    with PackageIndex(folder) as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, python: Path, index: PackageIndex) -> Iterator[Machine]:
    folder = tmp_path / "work"
    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins/config.yaml").write_text(CONFIG)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PLUGINS_", "PYTHON"))}
    environment = {
        **inherited,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index.url,
        # Environments are built by uv, which takes a tenth of the time; `test_isolated_environment` has both.
        "UV_DEFAULT_INDEX": index.url,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_RETRIES": "0",
        "PIP_NO_BUILD_ISOLATION": "0",  # which means: without
        "NO_PROXY": "127.0.0.1,localhost",
        "TOKEN": "s3cret",
        "COLUMNS": "200",
    }
    machine = Machine(folder, python, environment)
    before = machine.packages()
    yield machine
    left = machine.packages() - before
    if left:
        subprocess.run([python, "-m", "pip", "uninstall", "-qy", *left], check=True, env=environment)


def test_a_package_is_installed_recorded_and_removed(machine: Machine, index: PackageIndex) -> None:
    """L5, L6, B27: entry, package and record come and go; the rest of the file stays, templates unrendered."""
    wheel(index.folder, "my-guard")
    done = machine.cpex("install", "my-guard@>=1", "-t", "pypi", PLUGINS_STRICT_INTEGRITY_MODE="true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✅ my-guard installation complete." in done.stdout
    assert "my_guard" in machine.packages()
    [record] = machine.installed()
    assert record["name"] == "my-guard"
    assert record["installation_type"] == "pypi"
    assert Path(str(record["installation_path"]), "plugin-manifest.yaml").is_file()
    text = (machine.folder / "plugins/config.yaml").read_text()
    assert text.startswith(CONFIG)
    assert "s3cret" not in text
    assert machine.entries() == ["first", "my-guard"]

    again = machine.cpex("install", "my-guard", "-t", "pypi")
    assert "Plugin my-guard is already installed at version 1.0.0." in again.stdout

    listed = machine.cpex("list", "-f", "json")
    assert json.loads(listed.stdout) == {
        "plugins": [{"name": "my-guard", "version": "1.0.0", "installation_type": "pypi"}]
    }

    gone = machine.cpex("uninstall", "my-guard", "--yes")
    assert gone.returncode == 0, gone.stdout
    assert "my_guard" not in machine.packages()
    assert machine.installed() == []
    assert (machine.folder / "plugins/config.yaml").read_text() == f"{CONFIG}plugin_dirs:\n- plugins\n"


@pytest.mark.parametrize("hashes", [Publishes.SIMPLE_JSON, Publishes.SIMPLE_HTML, Publishes.PYPI_JSON])
def test_a_tampered_package_is_refused(machine: Machine, index: PackageIndex, hashes: Publishes) -> None:
    """L8: nothing is installed, nothing is written. If pip sees the hash it refuses first, else CPEX does."""
    index.hashes = hashes
    published = wheel(index.folder, "my-guard")
    (index.folder / "evil").mkdir()
    forged = wheel(index.folder / "evil", "my-guard", default_config={"level": 0})
    index.tampered[published.name] = forged.read_bytes()
    files, packages = machine.files(), machine.packages()
    refused = machine.cpex("install", "my-guard", "-t", "pypi")
    assert refused.returncode == 4
    if hashes is Publishes.PYPI_JSON:
        assert "Integrity verification failed for my-guard: expected " in refused.stdout
    else:
        assert "Failed to download my-guard" in refused.stdout
    assert machine.files() == files
    assert machine.packages() == packages


def test_nothing_of_a_tampered_source_archive_is_run(machine: Machine, index: PackageIndex, tmp_path: Path) -> None:
    """L8: a build backend is code of the package. pip does not know the hash here: CPEX says it."""
    index.hashes = Publishes.PYPI_JSON
    published = source_archive(index.folder, "my-guard")
    ran = tmp_path / "ran"
    forged = source_archive(tmp_path, "my-guard", f"import pathlib; pathlib.Path({str(ran)!r}).touch()\n")
    index.tampered[published.name] = forged.read_bytes()
    refused = machine.cpex("install", "my-guard", "-t", "pypi")
    assert refused.returncode == 4
    assert not ran.exists()
    assert "DO NOT MATCH THE HASHES" in refused.stdout
    index.tampered.clear()
    done = machine.cpex("install", "my-guard@>=1,<2", "-t", "pypi", "--no-convert")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my_guard" in machine.packages()
    assert "without verification" not in done.stderr


def test_a_source_archive_without_a_hash(machine: Machine, index: PackageIndex) -> None:
    """B26: as for a wheel."""
    index.hashes = Publishes.NOTHING
    source_archive(index.folder, "my-guard")
    refused = machine.cpex("install", "my-guard", "-t", "pypi", PLUGINS_STRICT_INTEGRITY_MODE="true")
    assert refused.returncode == 4
    assert "Failed to verify my-guard" in refused.stdout


def test_a_package_without_a_hash(machine: Machine, index: PackageIndex) -> None:
    """B26: a warning, unless PLUGINS_STRICT_INTEGRITY_MODE is true; then it is refused."""
    index.hashes = Publishes.NOTHING
    wheel(index.folder, "my-guard")
    files = machine.files()
    refused = machine.cpex("install", "my-guard", "-t", "pypi", PLUGINS_STRICT_INTEGRITY_MODE="true")
    assert refused.returncode == 4
    assert "Failed to verify my-guard" in refused.stdout
    assert machine.files() == files
    warned = machine.cpex("install", "my-guard", "-t", "pypi")
    assert warned.returncode == 0
    assert "Proceeding without verification." in warned.stderr


def test_a_class_path_gets_an_environment_of_its_own(machine: Machine, index: PackageIndex) -> None:
    """L6, L7, Z2–Z4: folder, environment with the requirements, cache metadata, manifest, entry; all removed again."""
    wheel(index.folder, "helper-lib")
    wheel(index.folder, "iso-guard", kind="iso_guard.plugin.Guard", default_config={"requirements_file": "needs.txt"})
    folder = machine.folder / "plugins/iso_guard"
    folder.mkdir()
    (folder / "needs.txt").write_text("helper-lib\n")
    done = machine.cpex("install", "iso-guard", "-t", "pypi")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "iso_guard" not in machine.packages()
    inside = {path.name.partition("-")[0] for path in (folder / ".venv").glob("lib/python*/site-packages/*.dist-info")}
    assert {"iso_guard", "helper_lib"} <= inside
    metadata = json.loads((folder / ".cpex/venv_cache/.venv_metadata.json").read_text())
    assert metadata["requirements_file"] == str(folder / "needs.txt")
    assert metadata["manifest_version"] == "1.0.0"
    assert (folder / "iso_guard-plugin-Guard.plugin-manifest.yaml").is_file()
    entry = yaml.safe_load((machine.folder / "plugins/config.yaml").read_text())["plugins"][1]
    assert entry["kind"] == "isolated_venv"
    assert entry["config"] == {"requirements_file": "needs.txt", "class_name": "iso_guard.plugin.Guard"}
    assert machine.cpex("uninstall", "iso-guard", "-y").returncode == 0
    assert [path.name for path in folder.iterdir()] == ["needs.txt"]


BUILD = """
from cpex.framework import ConfigLoader
from cpex.framework.isolated._environment import build
config = ConfigLoader.load_config("plugins/config.yaml")
environment = build(config.plugins[-1], config.plugin_dirs)
found = environment.folder.glob("lib/python*/site-packages/*.dist-info")
print(environment.reused, *sorted(path.name for path in found))
"""


def test_an_application_finds_the_environment_and_can_build_it_again(machine: Machine, index: PackageIndex) -> None:
    """Z3, Z4: what the installer took out of the package stays: a later build has the package and what it needs."""
    wheel(index.folder, "helper-lib")
    settings = {"requirements_file": "needs.txt", "class_name": "iso_guard.plugin.Guard"}
    files = contents("iso-guard", "1.0.0", "isolated_venv", default_config=settings)
    files |= {"iso_guard/needs.txt": "-r more.txt\n", "iso_guard/more.txt": "helper-lib\n"}
    library_wheel(index.folder, "iso-guard", "1.0.0", files)
    done = machine.cpex("install", "iso-guard", "-t", "pypi")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installing packages ..." in done.stderr
    folder = machine.folder / "plugins/iso_guard"

    def build() -> list[str]:
        command: list[str | Path] = [machine.python, "-c", BUILD]
        built = subprocess.run(
            command, cwd=machine.folder, env=machine.environment, capture_output=True, text=True, check=False
        )
        assert built.returncode == 0, built.stderr
        return [word for word in built.stdout.split() if not word.startswith(("pip-", "setuptools-"))]

    installed = ["helper_lib-1.0.0.dist-info", "iso_guard-1.0.0.dist-info"]
    assert build() == ["True", *installed]
    (folder / "more.txt").write_text("helper-lib  # again\n")
    assert build() == ["False", *installed]
    assert machine.cpex("uninstall", "iso-guard", "-y").returncode == 0
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["native", "my_guard.plugin.Guard"])
def test_an_installation_that_cannot_be_recorded_is_undone(machine: Machine, index: PackageIndex, kind: str) -> None:
    """The last step fails: the registry's file is a folder. Package, environment, catalog and config are as before."""
    wheel(index.folder, "my-guard", kind=kind)
    (machine.folder / "data/installed-plugins.json").mkdir(parents=True)
    files, packages = machine.files(), machine.packages()
    failed = machine.cpex("install", "my-guard", "-t", "pypi")
    assert failed.returncode == 4
    assert "Failed to record my-guard in data/installed-plugins.json" in failed.stdout
    assert machine.files() == files
    assert machine.packages() == packages
    assert not (machine.folder / "plugins/my_guard").exists()


def test_a_config_that_cannot_be_edited_stops_before_anything_is_installed(
    machine: Machine, index: PackageIndex
) -> None:
    wheel(index.folder, "my-guard")
    (machine.folder / "plugins/config.yaml").write_text("plugins: [\n")
    failed = machine.cpex("install", "my-guard", "-t", "pypi")
    assert failed.returncode == 4
    assert "plugins/config.yaml" in failed.stdout
    assert index.requests == []


def test_sources_are_installed_editable(machine: Machine, tmp_path: Path) -> None:
    """L6: each installation adds an entry; removing the plugin removes them all, and those of no other plugin."""
    project = sources(tmp_path / "project", "my-guard")
    for _ in range(2):
        done = machine.cpex("install", str(project), "-t", "local")
        assert done.returncode == 0, done.stdout + done.stderr
    assert machine.entries() == ["first", "my-guard", "my-guard_1"]
    [record] = machine.installed()
    assert record["editable"] is True
    assert record["installation_path"] == str(project / "my_guard")
    other = sources(tmp_path / "other", "my-guard-extra")
    assert machine.cpex("install", str(other), "-t", "local").returncode == 0
    assert machine.cpex("uninstall", "my-guard", "-y").returncode == 0
    assert machine.entries() == ["first", "my-guard-extra"]


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[str]:
    """A repository with one plugin in a folder, served by `git daemon`."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    repository = tmp_path / "served" / "owner" / "repo"
    sources(repository / "guards" / "mine", "my-guard", kind="native")
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"], ["tag", "v1"]):
        subprocess.run([git, *command], cwd=repository, check=True, env={**os.environ, **identity})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = [
        "--reuseaddr",
        "--listen=127.0.0.1",
        f"--port={port}",
        "--export-all",
        f"--base-path={tmp_path / 'served'}",
    ]
    daemon = subprocess.Popen([git, "daemon", *served], stderr=subprocess.DEVNULL)
    try:
        while True:
            assert daemon.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        yield f"git://127.0.0.1:{port}/owner/repo"
    finally:
        daemon.terminate()
        daemon.wait()


@pytest.fixture
def github(tmp_path: Path, git_server: str) -> Iterator[str]:
    """The part of the GitHub API that the catalog asks, for the same repository and with a token."""
    root = tmp_path / "served/owner/repo"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, status = b"{}", 401
            if self.headers["Authorization"] == "Bearer t0ken":
                status = 200
                if self.path == "/repos/owner/repo/git/trees/HEAD?recursive=1":
                    files = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
                    body = json.dumps({"tree": [{"path": path, "type": "blob"} for path in files]}).encode()
                else:
                    body = (root / self.path.removeprefix("/repos/owner/repo/contents/")).read_bytes()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_catalog_is_read_from_github_and_installed_from_git(machine: Machine, git_server: str, github: str) -> None:
    """L4, L6: search shows what the repository has; install takes the folder the catalog names."""
    variables = {"PLUGINS_GITHUB_API": github, "PLUGINS_GITHUB_TOKEN": "t0ken", "PLUGINS_REPO_URLS": git_server}
    found = machine.cpex("search", "guard", "-f", "json", **variables)
    assert json.loads(found.stdout) == {
        "results": [{"name": "my-guard", "version": "1.0.0", "installation_type": "monorepo"}]
    }
    done = machine.cpex("install", "guard", "-y", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    [record] = machine.installed()
    assert record["package_source"] == f"{git_server}#subdirectory=guards/mine"
    assert "my_guard" in machine.packages()

    files = machine.files()
    refused = machine.cpex("search", "guard", "-f", "json", **{**variables, "PLUGINS_GITHUB_TOKEN": "wr0ng"})
    assert refused.returncode == 0
    assert "Catalog update failed." in refused.stderr
    assert "wr0ng" not in refused.stderr
    assert len(json.loads(refused.stdout)["results"]) == 1
    assert machine.files() == files


def test_a_plugin_from_git(machine: Machine, git_server: str, tmp_path: Path) -> None:
    """L6: the ref is taken; a repository that is not there fails and says so."""
    root = tmp_path / "served/owner/repo/guards/mine"
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(root), "add", "."], check=True)
    subprocess.run(["git", "-C", str(root), *identity, "commit", "-qm", "x"], check=True)
    address = f"{git_server}/guards/mine"
    done = machine.cpex("install", f"my-guard @ git+{address}@main", "-t", "git")
    assert done.returncode == 0, done.stdout + done.stderr
    [record] = machine.installed()
    assert record["package_source"] == f"my-guard @ {address}@main"
    failed = machine.cpex("install", f"other @ git+{git_server}/none", "-t", "git")
    assert failed.returncode == 4
    assert "Failed to install other from Git" in failed.stdout
