"""The list of packages that an installation manifest names."""

from pydantic import BaseModel

__all__ = ["InstallManifest", "InstallManifestPackage"]


class InstallManifestPackage(BaseModel):
    """One package to install."""

    package: str
    repository: str
    extras: list[str] | None = None


class InstallManifest(BaseModel):
    """The packages to install."""

    packages: list[InstallManifestPackage]
