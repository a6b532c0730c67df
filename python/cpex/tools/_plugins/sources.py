"""The ways a person names a plugin: a package, a repository, a folder."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from cpex.framework.models import PluginPackageInfo

MONOREPO = "monorepo"
TYPES = (MONOREPO, "pypi", "test-pypi", "git", "local")


@dataclass(frozen=True, slots=True)
class GitSource:
    """A package in a Git repository.

    Attributes:
        name: The package.
        repository: Address of the repository.
        ref: Branch, tag or commit, or None for the default branch.
    """

    name: str
    repository: str
    ref: str | None

    @property
    def requirement(self) -> str:
        """What pip calls it."""
        address = self.repository
        if address.startswith("git@"):
            address = f"ssh://{address.replace(':', '/', 1)}"
        return f"git+{address}@{self.ref}" if self.ref else f"git+{address}"


def parse_git_source(text: str) -> GitSource:
    """Reads the name of a Git source.

    Args:
        text: ``Name @ git+https://…[@ref]``.

    Returns:
        Its parts.

    Raises:
        ValueError: If it is malformed, or its address is not allowed.
    """
    name, separator, address = (part.strip() for part in text.partition(" @ "))
    if not separator or not name:
        raise ValueError(f"Invalid Git URL format: '{text}'. Expected format: 'PackageName @ git+protocol://repo_url'")
    if not address.startswith("git+"):
        raise ValueError(f"Git URL must start with 'git+': '{address}'")
    repository, ref = address.removeprefix("git+"), None
    if "@" in repository.rpartition("/")[2]:
        repository, _, ref = repository.rpartition("@")
    try:
        PluginPackageInfo(pypi_package=name, git_repository=repository, git_branch_tag_commit=ref)
    except ValidationError as error:
        reasons = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise ValueError(f"Invalid Git repository URL: {reasons}") from error
    return GitSource(name, repository, ref)


def _parse_pypi_source(source: str) -> tuple[str, str | None]:
    """Splits the name of a package from its version constraint.

    Args:
        source: ``name`` or ``name@constraint``.

    Returns:
        The name, and the constraint or None.
    """
    name, separator, constraint = source.partition("@")
    return name, constraint if separator else None


def _plugin_name_from_source(source: str, install_type: str | None) -> str:
    """Finds the name of the plugin in what the user calls it.

    Args:
        source: What the user wrote.
        install_type: Where it is installed from.

    Returns:
        The name; the whole text if it is only a name, or a path.
    """
    if " @ " in source:
        return source.partition(" @ ")[0].strip()
    return _parse_pypi_source(source)[0] if install_type in ("pypi", "test-pypi") else source


def project_name(folder: Path) -> str | None:
    """Reads the name of a Python project.

    Args:
        folder: Folder of its `pyproject.toml`.

    Returns:
        The name, or None if the file does not say.

    Raises:
        ValueError: If the file is not TOML.
    """
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    name = project.get("project", {}).get("name")
    return name if isinstance(name, str) else None
