"""What the plugin installer reads and writes: manifests, versions, the registry of installed plugins."""

import logging
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, field_validator, model_validator

from cpex.framework._models.config import PluginConfig
from cpex.framework._models.enums import PluginInstallationType, PluginMode
from cpex.framework._versions import Version
from cpex.framework.validators import validate_plugin_url

logger = logging.getLogger("cpex.framework.models")

_MAX_PACKAGE_NAME = 214
_MAX_TEXT = 255
_PACKAGE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_CONSTRAINT_PART = re.compile(r"(?:===|==|!=|<=|>=|~=|<|>)\s*[0-9][A-Za-z0-9._-]*")
_GIT_URL = re.compile(
    r"(?:https?|git)://[A-Za-z0-9._-]+(?::[0-9]+)?/[A-Za-z0-9._/-]+|git@[A-Za-z0-9._-]+[:/][A-Za-z0-9._/-]+"
)
_GIT_REF = re.compile(r"[A-Za-z0-9._/-]+")
_REGISTRY_FILE = "installed-plugins.json"


def _given(value: str | None, what: str) -> str | None:
    """Reads an empty string as "not given" and refuses a blank one.

    Args:
        value: The configured value.
        what: What it is, for messages.

    Returns:
        The value, or None.

    Raises:
        ValueError: If it is only white space.
    """
    if not value:
        return None
    if not value.strip():
        raise ValueError(f"{what} cannot be empty or whitespace")
    return value


def _check_length(value: str, what: str, limit: int) -> str:
    if len(value) > limit:
        raise ValueError(f"{what} '{value}' exceeds maximum length of {limit} characters")
    return value


def _check_pypi_package(value: str | None) -> str | None:
    value = _given(value, "PyPI package name")
    if value is None:
        return None
    if not _PACKAGE_NAME.fullmatch(value):
        raise ValueError(
            f"Invalid PyPI package name '{value}'. Package names must start and end with a letter or number, "
            "and can only contain ASCII letters, numbers, hyphens, underscores, and periods."
        )
    return _check_length(value, "PyPI package name", _MAX_PACKAGE_NAME)


def _check_version_constraint(value: str | None) -> str | None:
    value = _given(value, "Version constraint")
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise ValueError("Version constraint cannot contain empty parts")
    if not all(_CONSTRAINT_PART.fullmatch(part) for part in parts):
        raise ValueError(
            f"Invalid version constraint '{value}'. "
            "Must follow PEP 440 format (e.g., '>=1.0.0', '~=1.2.3', '==1.0.0,<2.0.0')"
        )
    return _check_length(value, "Version constraint", _MAX_TEXT)


def _check_git_repository(value: str | None) -> str | None:
    value = _given(value, "Git repository URL")
    if value is None:
        return None
    if not _GIT_URL.fullmatch(value):
        raise ValueError(
            f"Invalid Git repository URL '{value}'. "
            "Must be a valid Git URL (e.g., https://github.com/user/repo.git, git@github.com:user/repo.git)"
        )
    if value.startswith(("http://", "https://")):
        validate_plugin_url(value, "Git repository URL")
    return value


def _check_git_ref(value: str | None) -> str | None:
    value = _given(value, "Git branch/tag/commit")
    if value is None:
        return None
    if not _GIT_REF.fullmatch(value):
        raise ValueError(
            f"Invalid Git branch/tag/commit '{value}'. "
            "Must contain only alphanumeric characters, hyphens, underscores, slashes, and periods."
        )
    if value.startswith(("/", ".", "-")) or value.endswith(("/", ".")):
        raise ValueError(f"Invalid Git branch/tag/commit '{value}'. Cannot start with /, ., or - or end with / or .")
    return _check_length(value, "Git branch/tag/commit", _MAX_TEXT)


class Monorepo(BaseModel, defer_build=True):
    """A plugin in a folder of a larger repository."""

    repo_url: str
    package_source: str
    package_folder: str


class PyPiRepo(BaseModel, defer_build=True):
    """A plugin published on PyPI."""

    pypi_package: str
    version_constraint: str | None = None

    @field_validator("pypi_package")
    @classmethod
    def validate_pypi_package(cls, pypi_package: str | None) -> str | None:
        """Checks the name of a package.

        Args:
            pypi_package: The name.

        Returns:
            The name, or None if it is empty.
        """
        return _check_pypi_package(pypi_package)

    @field_validator("version_constraint")
    @classmethod
    def validate_version_constraint(cls, version_constraint: str | None) -> str | None:
        """Checks a version constraint.

        Args:
            version_constraint: Comma-separated operator and version.

        Returns:
            The constraint, or None if it is empty.
        """
        return _check_version_constraint(version_constraint)


class GitRepo(BaseModel, defer_build=True):
    """A plugin in a Git repository."""

    git_repository: str
    git_branch_tag_commit: str | None

    @field_validator("git_repository")
    @classmethod
    def validate_git_repository(cls, git_repository: str | None) -> str | None:
        """Checks a repository URL.

        Args:
            git_repository: The URL.

        Returns:
            The URL, or None if it is empty.
        """
        return _check_git_repository(git_repository)

    @field_validator("git_branch_tag_commit")
    @classmethod
    def validate_git_branch_tag_commit(cls, git_branch_tag_commit: str | None) -> str | None:
        """Checks a branch, tag or commit.

        Args:
            git_branch_tag_commit: The reference.

        Returns:
            The reference, or None if it is empty.
        """
        return _check_git_ref(git_branch_tag_commit)


class PluginPackageInfo(BaseModel, defer_build=True):
    """Where a plugin's package is found: PyPI, Git, or both."""

    pypi_package: str | None = None
    git_repository: str | None = None
    git_branch_tag_commit: str | None = None
    version_constraint: str | None = None

    @field_validator("pypi_package")
    @classmethod
    def validate_pypi_package(cls, pypi_package: str | None) -> str | None:
        """Checks the name of a package.

        Args:
            pypi_package: The name.

        Returns:
            The name, or None if it is empty.
        """
        return _check_pypi_package(pypi_package)

    @field_validator("git_repository")
    @classmethod
    def validate_git_repository(cls, git_repository: str | None) -> str | None:
        """Checks a repository URL.

        Args:
            git_repository: The URL.

        Returns:
            The URL, or None if it is empty.
        """
        return _check_git_repository(git_repository)

    @field_validator("git_branch_tag_commit")
    @classmethod
    def validate_git_branch_tag_commit(cls, git_branch_tag_commit: str | None) -> str | None:
        """Checks a branch, tag or commit.

        Args:
            git_branch_tag_commit: The reference.

        Returns:
            The reference, or None if it is empty.
        """
        return _check_git_ref(git_branch_tag_commit)

    @field_validator("version_constraint")
    @classmethod
    def validate_version_constraint(cls, version_constraint: str | None) -> str | None:
        """Checks a version constraint.

        Args:
            version_constraint: Comma-separated operator and version.

        Returns:
            The constraint, or None if it is empty.
        """
        return _check_version_constraint(version_constraint)

    @model_validator(mode="after")
    def validate_installation_method(self) -> Self:
        """Checks that there is a source, and that a reference has its repository.

        Returns:
            Self.

        Raises:
            ValueError: If not.
        """
        if not self.pypi_package and not self.git_repository:
            raise ValueError(
                "At least one installation method must be specified: either 'pypi_package' or 'git_repository'"
            )
        if self.git_branch_tag_commit and not self.git_repository:
            raise ValueError("'git_branch_tag_commit' can only be specified when 'git_repository' is provided")
        return self


class PluginManifest(BaseModel, defer_build=True):
    """A plugin's ``plugin-manifest.yaml``."""

    name: str
    kind: str
    description: str
    author: str
    version: str
    tags: list[str]
    available_hooks: list[str]
    default_config: dict[str, Any]
    monorepo: Monorepo | None = None
    package_info: PyPiRepo | None = None
    local: str | None = None
    git_repo: GitRepo | None = None

    def suggest_instance_name(self) -> str:
        """Suggests a name for an instance of the plugin.

        Returns:
            The name in lower case with hyphens for spaces.
        """
        return self.name.lower().replace(" ", "-")

    def create_instance_config(
        self, instance_name: str, mode: PluginMode, priority: int = 100, config: dict[str, Any] | None = None
    ) -> PluginConfig:
        """Makes the configuration entry of an instance.

        Args:
            instance_name: Name of the instance.
            mode: The mode it runs in.
            priority: Its priority.
            config: Settings that replace those of ``default_config``, key by key.

        Returns:
            The entry.
        """
        return PluginConfig(
            name=instance_name,
            kind=self.kind,
            description=self.description,
            author=self.author,
            version=self.version,
            tags=self.tags,
            mode=mode,
            priority=priority,
            hooks=self.available_hooks,
            config={**self.default_config, **(config or {})},
        )


class PluginVersionInfo(BaseModel, defer_build=True):
    """One published version of a plugin. ``min_max_framework_version`` is ``min,max``, both included."""

    version: str
    released: str
    breaking_changes: bool | None = None
    deprecated: bool = False
    manifest_file: str
    changelog: str | None = None
    min_max_framework_version: str | None = "0.1.0,0.1.0"

    def _accepts(self, framework: Version) -> bool:
        bounds = [Version.parse(bound) for bound in (self.min_max_framework_version or "").split(",")]
        if len(bounds) != 2:
            return False
        low, high = bounds
        return low is not None and high is not None and low <= framework <= high


class PluginVersionRegistry(BaseModel, defer_build=True):
    """Every published version of a plugin."""

    latest: PluginVersionInfo | None = None
    latest_prerelease: PluginVersionInfo | None = None
    versions: list[PluginVersionInfo]

    def get_version(self) -> PluginVersionInfo | None:
        """The version to install by default.

        Returns:
            ``latest``.
        """
        return self.latest

    def get_latest_compatible(self, framework_version: str) -> PluginVersionInfo | None:
        """Finds the newest version made for a framework version.

        Args:
            framework_version: Version of the framework.

        Returns:
            The version, or None if there is none or the framework version is not one.
        """
        framework = Version.parse(framework_version)
        if framework is None:
            logger.warning("Invalid framework version format: %s", framework_version)
            return None
        compatible = [info for info in self.versions if info._accepts(framework)]
        dated = [(parsed, info) for info in compatible if (parsed := Version.parse(info.version)) is not None]
        if dated:
            return max(dated, key=lambda entry: entry[0])[1]
        return compatible[0] if compatible else None


class InstalledPluginInfo(BaseModel, defer_build=True):
    """One installed plugin."""

    name: str
    kind: str
    version: str | None = None
    installation_type: PluginInstallationType
    installation_path: str
    installed_at: str
    installed_by: str
    package_source: str | None = None
    editable: bool = False


class InstalledPluginRegistry(BaseModel, defer_build=True):
    """The plugins installed here, kept in a JSON file in the folder ``PLUGIN_REGISTRY_FILE``."""

    plugins: list[InstalledPluginInfo] = []

    def register_plugin(self, plugin: InstalledPluginInfo) -> None:
        """Adds a plugin, in place of one of the same name, and saves.

        Args:
            plugin: The plugin.
        """
        self.plugins = [*(known for known in self.plugins if known.name != plugin.name), plugin]
        self.save()

    def unregister_plugin(self, plugin_name: str) -> bool:
        """Removes a plugin and saves.

        Args:
            plugin_name: Its name.

        Returns:
            Whether there was one.
        """
        remaining = [known for known in self.plugins if known.name != plugin_name]
        if len(remaining) == len(self.plugins):
            return False
        self.plugins = remaining
        self.save()
        return True

    def save(self) -> None:
        """Replaces the registry file as one step, so that a reader never sees half of it."""
        path = Path(os.environ.get("PLUGIN_REGISTRY_FILE") or "data") / _REGISTRY_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(self.model_dump_json(indent=2))
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
