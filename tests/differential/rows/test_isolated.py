"""Isolated plugins (B3, B16a–B16h)."""

import hashlib
import json
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import isolated
from .conftest import RunBoth, stages

row = pytest.mark.row
PLUGIN = Path(__file__).with_name("isolated_plugin.py")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, published_python: str) -> Path:
    """The folder of a project with the plugin and, as 0.1.4 leaves it, an environment in which that is installed.

    It has what a host of 0.1.4 starts, too.
    """
    folder = tmp_path_factory.mktemp("isolated")
    for name in ("plugins", "elsewhere"):
        package = folder / name / "probe"
        package.mkdir(parents=True)
        shutil.copy(PLUGIN, package / "plugin.py")
    package = folder / "plugins" / "probe"
    for file in (package / "requirements.txt", folder / "plugins" / "outside.txt"):
        file.touch()
    environment = package / ".venv"
    subprocess.run([published_python, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python3.*/site-packages")
    asked = [published_python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    installed = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    for path in installed.iterdir():
        if not (site / path.name).exists():
            (site / path.name).symlink_to(path)
    (folder / "cpex").symlink_to(installed / "cpex")
    metadata = {
        "venv_path": str(environment),
        "requirements_file": None,
        "requirements_hash": hashlib.sha256(b"").hexdigest(),
        "python_version": platform.python_version(),
    }
    cache = package / ".cpex" / "venv_cache" / ".venv_metadata.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps(metadata))
    return folder


@pytest.fixture(scope="module")
def run_there(project: Path, published_python: str) -> Iterator[RunBoth]:
    """Runs probes in processes that were started in that folder, as 0.1.4 takes plugins from there alone."""
    with stages(published_python, project) as run:
        yield run


@row("B3")
@pytest.mark.parametrize(
    ("settings", "loaded"),
    [
        ({"script_path": "absent"}, 0),
        ({"requirements_file": "absent.txt"}, 0),
        ({"requirements_file": "requirements.txt"}, 1),
    ],
)
def test_what_is_not_there(run_there: RunBoth, project: Path, settings: dict[str, str], loaded: int) -> None:
    assert run_there(isolated.loaded, str(project), settings) == (loaded, 1)


@row("B3")
def test_where_it_is(run_there: RunBoth, project: Path) -> None:
    settings = {"script_path": "elsewhere"}
    assert run_there(isolated.homes, str(project), settings) == (["elsewhere", False], ["plugins", True])


@row("B16a")
def test_an_environment_in_which_the_published_package_is_installed(run_there: RunBoth, project: Path) -> None:
    """W84: ours takes it as it is, and has its own package there."""
    assert run_there(isolated.homes, str(project), {}) == (["plugins", False], ["plugins", True])


@row("B16a")
def test_requirements_of_others(run_there: RunBoth, project: Path) -> None:
    assert run_there(isolated.loaded, str(project), {"requirements_file": "../outside.txt"}) == (0, 1)


@row("B16b")
def test_its_process(run_there: RunBoth, project: Path) -> None:
    variables = {"LC_ALL": "C.UTF-8", "SECRET": "a", "TOKEN": "b"}
    both = run_there(isolated.process, str(project), {"pass_env": ["TOKEN"]}, **variables)
    assert both == ([["LC_ALL", "PATH", "TOKEN"], False], [[], True])


@row("B16b")
def test_another_working_directory(run_there: RunBoth, project: Path) -> None:
    assert run_there(isolated.elsewhere, str(project)) == (True, False)


@row("B16c")
@pytest.mark.parametrize(
    ("fields", "here", "there"), [({}, "denied", "failed"), ({"on_error": "ignore"}, "passed", "passed")]
)
def test_a_start_that_fails(run_there: RunBoth, project: Path, fields: dict[str, str], here: str, there: str) -> None:
    assert run_there(isolated.failing_start, str(project), fields) == (here, there)


@row("B16d")
def test_what_comes_back(run_there: RunBoth, project: Path) -> None:
    ours, published = run_there(isolated.carried, str(project))
    infinite = "ValueError('result.metadata.n: NaN and Infinity have no JSON')"
    assert ours == [{"who": "probe"}, ["sorry", "E1", {"a": [1]}], [infinite, "", {}]]
    lost = "RuntimeError('Worker process error: Unexpected error: sorry')"
    assert published == [{"gone": 1}, [lost, "", {}], {"n": None}]


@row("B16e")
def test_sizes(run_there: RunBoth, project: Path) -> None:
    assert run_there(isolated.limits, str(project)) == (["answered", "answered"], ["late", "failed"])


@row("B16f")
def test_calls_side_by_side(run_there: RunBoth, project: Path) -> None:
    assert run_there(isolated.beside, str(project)) == (["answered", "DISCONNECTED"], ["late", "late"])


@row("B16g")
@pytest.mark.parametrize(
    ("settings", "loaded"),
    [({"workers": "blue"}, 0), ({"sandbx": "x"}, 0), ({"worker": "blue"}, 0), ({"worker": "blue", "workers": 1}, 1)],
)
def test_settings_of_its_own(run_there: RunBoth, project: Path, settings: dict[str, object], loaded: int) -> None:
    assert run_there(isolated.loaded, str(project), settings) == (loaded, 1)


@row("B16h")
def test_its_object(run_there: RunBoth, project: Path) -> None:
    assert run_there(isolated.driven_by_hand, str(project)) == ([False, True], [True, False])
