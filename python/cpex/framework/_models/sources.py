"""Where a plugin is installed from: PyPI, Git, or a folder of a larger repository."""

import re
from typing import Self

from pydantic import BaseModel, Field, field_validator, model_validator

from cpex.framework.validators import validate_plugin_url

_MAX_PACKAGE_NAME = 214
_MAX_TEXT = 255
_PACKAGE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_CONSTRAINT_PART = re.compile(r"(?:===|==|!=|<=|>=|~=|<|>)\s*[0-9][A-Za-z0-9._-]*")
_GIT_URL = re.compile(
    r"(?:https?|git)://[A-Za-z0-9._-]+(?::[0-9]+)?/[A-Za-z0-9._/-]+|git@[A-Za-z0-9._-]+[:/][A-Za-z0-9._/-]+"
)
_GIT_REF = re.compile(r"[A-Za-z0-9._/-]+")


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

    git_repository: str = Field(title="URL")
    git_branch_tag_commit: str | None = Field(title="Branch, tag or commit")

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
