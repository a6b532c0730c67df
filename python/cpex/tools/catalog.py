"""The catalog of plugins: which are known, and how each is installed."""

import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename
from pydantic import ValidationError

from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE
from cpex.framework.isolated._packages import Packages
from cpex.framework.models import GitRepo, PluginManifest, PluginPackageInfo, PyPiRepo
from cpex.framework.models import PluginVersionInfo as PluginVersionInfo
from cpex.framework.models import PluginVersionRegistry as PluginVersionRegistry
from cpex.framework.utils import find_package_path as find_package_path
from cpex.framework.utils import manifest_filename_for_class as manifest_filename_for_class

from ._plugins.environment import Environment
from ._plugins.index import Hashes, PackageIndexes, pinned_source
from ._plugins.isolated import IsolatedPlugin
from ._plugins.kinds import KIND_FQN as KIND_FQN
from ._plugins.kinds import KIND_KNOWN as KIND_KNOWN
from ._plugins.kinds import KIND_REJECT as KIND_REJECT
from ._plugins.kinds import KNOWN_PLUGIN_KINDS as KNOWN_PLUGIN_KINDS
from ._plugins.kinds import classify_plugin_kind as classify_plugin_kind
from ._plugins.kinds import convert_fqn_kind_in_place as convert_fqn_kind_in_place
from ._plugins.kinds import supported_kinds_message as supported_kinds_message
from ._plugins.manifests import MANIFEST, find_manifest, parse_manifest
from ._plugins.packages import download, download_source, unpack
from ._plugins.refresh import RefreshedCatalog
from ._plugins.rollback import files_restored_on_failure
from ._plugins.sources import parse_git_source, project_name
from .integrity import (
    IntegrityVerificationError,
    compute_file_hash,
    find_matching_hash,
    verify_package_integrity,
)
from .integrity import fetch_pypi_package_hashes as fetch_pypi_package_hashes
from .settings import get_catalog_settings

__all__ = [
    "ISOLATED_VENV_PLUGIN_TYPE",
    "KIND_FQN",
    "KIND_KNOWN",
    "KIND_REJECT",
    "KNOWN_PLUGIN_KINDS",
    "PluginCatalog",
    "classify_plugin_kind",
    "convert_fqn_kind_in_place",
    "supported_kinds_message",
]

_NO_WHEEL = "No matching distribution found"
"""What pip says where an index has none."""

logger = logging.getLogger(__name__)


class PluginCatalog(RefreshedCatalog):
    """Known plugins, and their installation.

    An installation downloads one package, checks it, reads its manifest and only then installs that very file, so
    that what was checked is what runs. A plugin of kind ``isolated_venv`` goes into an environment of its own.

    Attributes:
        python_executable: Interpreter of the environment that other plugins go into.
    """

    def __init__(self) -> None:
        """Reads the settings; asks nobody."""
        settings = get_catalog_settings()
        super().__init__(
            settings.CATALOG_FOLDER,
            settings.FOLDER,
            settings.GITHUB_API or "api.github.com",
            settings.GITHUB_TOKEN,
            [address.strip() for address in settings.REPO_URLS.split(",") if address.strip()],
        )
        self.python_executable = sys.executable
        self._refuses_unhashed = settings.STRICT_INTEGRITY_MODE
        self._undo: ExitStack | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keeps what is installed in the block only if the block succeeds: else catalog and packages are as before.

        Yields:
            Nothing.
        """
        if self._undo is not None:
            yield
            return
        try:
            with files_restored_on_failure(Path(self.catalog_folder)), ExitStack() as self._undo:
                yield
        finally:
            self._undo = None

    def install_from_pypi(
        self,
        plugin_package_name: str,
        version_constraint: str | None = None,
        use_pytest: bool = False,
        verify_integrity: bool = True,
        convert: bool = True,
    ) -> tuple[PluginManifest, Path | None]:
        """Installs a plugin from a package index: the one pip is configured with.

        Args:
            plugin_package_name: The package.
            version_constraint: E.g. ``>=1,<2``; None takes the newest.
            use_pytest: Take it from test.pypi.org.
            verify_integrity: Compare the file with the index's hash.
            convert: Whether a class path as kind becomes ``isolated_venv``.

        Returns:
            Its manifest, and the folder it is in.

        Raises:
            ValueError: If the name or the constraint is malformed.
            IntegrityVerificationError: If the file is not the one the index published.
            RuntimeError: If a step fails; the message says which. Nothing is installed then.
        """
        name = plugin_package_name
        with _step("read the package name"):
            PluginPackageInfo(pypi_package=name, version_constraint=version_constraint)
        indexes = PackageIndexes.configured(use_test=use_pytest)
        with _workplace() as (downloads, unpacked):
            fetch = self._fetch_verified if verify_integrity else self._fetch
            archive = fetch(name, version_constraint, downloads, indexes)
            origin = PyPiRepo(pypi_package=name, version_constraint=version_constraint)
            manifest = _manifest_of(archive, unpacked, name, convert, package_info=origin)
            return manifest, self._install(manifest, archive, name, contents=_contents(unpacked))

    def install_from_git(
        self, url: str, verify_integrity: bool = True, convert: bool = True
    ) -> tuple[PluginManifest, Path | None]:
        """Installs a plugin from a Git repository.

        Args:
            url: ``Name @ git+https://…[@ref]``.
            verify_integrity: Log the hash of what was downloaded; there is nothing to compare it with.
            convert: Whether a class path as kind becomes ``isolated_venv``.

        Returns:
            Its manifest, and the folder it is in.

        Raises:
            ValueError: If the source is malformed.
            RuntimeError: If a step fails; the message says which. Nothing is installed then.
        """
        source = parse_git_source(url)
        origin = GitRepo(git_repository=source.repository, git_branch_tag_commit=source.ref)
        with _workplace() as (downloads, unpacked):
            with _step(f"install {source.name} from Git"):
                archive = download(self.python_executable, source.requirement, downloads)
            if verify_integrity:
                logger.info("SHA-256 of %s: %s", source.name, compute_file_hash(archive))
            manifest = _manifest_of(archive, unpacked, source.name, convert, git_repo=origin)
            return manifest, self._install(manifest, archive, source.name, contents=_contents(unpacked))

    def install_from_local(self, source: Path, convert: bool = True) -> tuple[PluginManifest, Path]:
        """Installs a plugin from its sources, as an editable package.

        Args:
            source: Folder with a `pyproject.toml`, or one above it.
            convert: Whether a class path as kind becomes ``isolated_venv``.

        Returns:
            Its manifest, and the folder it is in.

        Raises:
            OSError: If there is no such folder, or no `pyproject.toml` or manifest in it.
            RuntimeError: If a step fails; the message says which. Nothing is installed then.
        """
        project = _project(source)
        name = project_name(project) or project.resolve().name
        path = find_manifest(project)
        manifest = parse_manifest(
            path.read_text(encoding="utf-8"),
            name,
            convert=convert,
            package_info=PyPiRepo(pypi_package=name),
            local=str(project.resolve()),
        )
        folder = self._install(manifest, project, name, contents=path.parent, sources=path.parent)
        return manifest, folder or path.resolve().parent

    def install_folder_via_pip(self, manifest: PluginManifest, verify_integrity: bool = True) -> Path | None:
        """Installs a plugin from its folder of a repository.

        Args:
            manifest: The plugin, from the catalog.
            verify_integrity: Log the hash of what was downloaded; there is nothing to compare it with.

        Returns:
            The folder it is in.

        Raises:
            RuntimeError: If a step fails; the message says which. Nothing is installed then.
        """
        if manifest.monorepo is None:
            raise RuntimeError(f"Failed to install {manifest.name}: its manifest names no repository")
        with _workplace() as (downloads, unpacked):
            with _step(f"install {manifest.name}"):
                source = self._with_credentials(manifest.monorepo.package_source)
                archive = download(self.python_executable, f"git+{source}", downloads)
                unpack(archive, unpacked)
            if verify_integrity:
                logger.info("SHA-256 of %s: %s", manifest.name, compute_file_hash(archive))
            name = _distribution(archive, unpacked) or manifest.name
            return self._install(manifest, archive, name, contents=_contents(unpacked))

    def uninstall_package(self, package_name: str, manifest: PluginManifest) -> bool:
        """Removes the package of a plugin, and its environment if it has one of its own.

        Args:
            package_name: The package.
            manifest: The plugin.

        Returns:
            Whether it is gone.
        """
        try:
            if manifest.kind == ISOLATED_VENV_PLUGIN_TYPE:
                IsolatedPlugin.below(self.plugin_folder, manifest).remove()
            else:
                Environment(self.python_executable).uninstall(package_name)
        except (OSError, RuntimeError, ValueError) as error:
            logger.error("Cannot uninstall %s: %s", package_name, error)
            return False
        return True

    def _fetch(self, name: str, constraint: str | None, folder: Path, indexes: PackageIndexes, *options: str) -> Path:
        with _step(f"download {name}"):
            requirement = f"{name}{constraint or ''}"
            return download(self.python_executable, requirement, folder, (*indexes.pip_options, *options))

    def _fetch_verified(self, name: str, constraint: str | None, folder: Path, indexes: PackageIndexes) -> Path:
        """Prefers a wheel, of which nothing is run. What is inside a source archive is run to learn what it is."""
        try:
            archive = self._fetch(name, constraint, folder, indexes, "--only-binary", ":all:")
        except RuntimeError as error:
            if _NO_WHEEL not in str(error):
                raise
            return self._fetch_source(name, constraint, folder, indexes)
        published, reason = _asked(indexes, name, lambda hashes: find_matching_hash(archive, hashes, name))
        if published is not None:
            verify_package_integrity(archive, published, name)
        else:
            self._pass_unhashed(name, reason or f"the index has no SHA-256 for {archive.name}")
        return archive

    def _fetch_source(self, name: str, constraint: str | None, folder: Path, indexes: PackageIndexes) -> Path:
        pinned, reason = _asked(indexes, name, lambda hashes: pinned_source(name, constraint, hashes))
        if pinned is not None:
            with _step(f"download {name}"):
                return download_source(self.python_executable, pinned, folder, indexes.pip_options)
        self._pass_unhashed(name, reason or "the index has neither a wheel nor a source archive with a SHA-256")
        return self._fetch(name, constraint, folder, indexes)

    def _pass_unhashed(self, name: str, reason: str) -> None:
        if self._refuses_unhashed:
            raise RuntimeError(
                f"Failed to verify {name}: {reason}, and PLUGINS_STRICT_INTEGRITY_MODE refuses a package without one"
            )
        logger.warning("%s: %s. Proceeding without verification.", name, reason)

    def _install(
        self,
        manifest: PluginManifest,
        package: Path,
        distribution: str,
        *,
        contents: Path | None,
        sources: Path | None = None,
    ) -> Path | None:
        requirement = ("-e", str(package)) if sources else (str(package),)
        with self.transaction(), _step(f"install {manifest.name}"):
            assert self._undo is not None
            if manifest.kind != ISOLATED_VENV_PLUGIN_TYPE:
                here = Environment(self.python_executable)
                self._undo.enter_context(here.restored_on_failure())
                here.install(*requirement)
                folder = here.folder_of(distribution)
                self._record(manifest, folder or sources or package)
                return folder
            plugin = IsolatedPlugin.below(self.plugin_folder, manifest)
            packages = Packages(editables=(package.resolve(),)) if sources else Packages(archives=(package,))
            environment = self._undo.enter_context(plugin.built(packages, contents))
            inside = Environment(str(environment.python)).folder_of(distribution) or sources
            self._record(manifest, plugin.folder, inside)
            return plugin.folder

    def _record(self, manifest: PluginManifest, folder: Path, package: Path | None = None) -> None:
        if manifest.monorepo is None:
            self.create_catalog_folder(manifest.name)
            self.save_manifest(manifest, Path(manifest.name, MANIFEST))
        self.update_plugin_version_registry(manifest, folder, package)


def _asked(indexes: PackageIndexes, name: str, choose: Callable[[Hashes], str | None]) -> tuple[str | None, str]:
    """Asks for the hashes of a package, and says why there are none."""
    try:
        return choose(indexes.hashes(name)), ""
    except RuntimeError as error:
        return None, str(error)


@contextmanager
def _workplace() -> Iterator[tuple[Path, Path]]:
    """Makes a folder to download into and one to unpack into, and removes both."""
    base = Path(tempfile.mkdtemp(prefix="cpex-plugin-"))
    try:
        for folder in (base / "download", base / "unpacked"):
            folder.mkdir()
        yield base / "download", base / "unpacked"
    finally:
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def _step(what: str) -> Iterator[None]:
    try:
        yield
    except IntegrityVerificationError:
        raise
    except ValidationError as error:
        raise ValueError("; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise RuntimeError(f"Failed to {what}: {error}") from error


def _manifest_of(
    archive: Path, unpacked: Path, name: str, convert: bool, **origin: PyPiRepo | GitRepo
) -> PluginManifest:
    with _step(f"read the manifest of {name}"):
        unpack(archive, unpacked)
        text = find_manifest(unpacked).read_text(encoding="utf-8")
    return parse_manifest(text, name, convert=convert, **origin)


def _distribution(archive: Path, unpacked: Path) -> str | None:
    if archive.suffix == ".whl":
        return str(parse_wheel_filename(archive.name)[0])
    projects = sorted(unpacked.rglob("pyproject.toml"), key=lambda path: len(path.parts))
    name = project_name(projects[0].parent) if projects else None
    return canonicalize_name(name) if name else None


def _contents(unpacked: Path) -> Path | None:
    """Finds the folder of the plugin in what was downloaded: that of its manifest."""
    try:
        return find_manifest(unpacked).parent
    except FileNotFoundError:
        return None


def _project(source: Path) -> Path:
    for folder in (source, *sorted(path for path in source.iterdir() if path.is_dir())):
        if (folder / "pyproject.toml").is_file():
            return folder
    raise FileNotFoundError(
        f"pyproject.toml not found in {source} or its immediate subdirectories: only a Python package can be "
        "installed. A native project of cpex bootstrap is used as it is: take the entry of its config.yaml over into "
        "the plugin config of the application, and name the folder around the project under plugin_dirs"
    )
