"""Reads a repository through the GitHub REST API: which files there are, and what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cpex.framework._masking import without_url_credentials

from .manifests import MANIFEST

if TYPE_CHECKING:
    import httpx

_JSON = "application/vnd.github+json"
_RAW = "application/vnd.github.raw+json"
_TIMEOUT_SECONDS = 30.0
_PROJECT = "pyproject.toml"
_REMEDIES = {
    401: "PLUGINS_GITHUB_TOKEN is not accepted; is it still valid?",
    403: "PLUGINS_GITHUB_TOKEN may not read this repository, or has used up its requests",
    404: "is PLUGINS_REPO_URLS right, and may PLUGINS_GITHUB_TOKEN read it?",
    429: "PLUGINS_GITHUB_TOKEN has used up its requests; try again later",
}


class GitHubError(Exception):
    """A repository cannot be read. The message never holds the token."""


@dataclass(frozen=True, slots=True)
class GitHubRepository:
    """One repository at the head of its default branch.

    Attributes:
        api: Base URL of the API.
        full_name: ``owner/name``.
    """

    api: str
    full_name: str

    @classmethod
    def at(cls, api: str, repo_url: httpx.URL) -> GitHubRepository:
        """Names a repository by its web address.

        Args:
            api: Host or base URL of the API.
            repo_url: Address of the repository.

        Returns:
            The repository.

        Raises:
            GitHubError: If the address does not end in owner and name.
        """
        owner_and_name = repo_url.path.strip("/").removesuffix(".git")
        if owner_and_name.count("/") != 1:
            shown = repo_url.copy_with(userinfo=b"")
            raise GitHubError(f"'{shown}' is no repository: it should be https://HOST/OWNER/NAME")
        return cls(api if "://" in api else f"https://{api}", owner_and_name)

    def files(self, headers: dict[str, str]) -> list[str]:
        """Lists the files.

        Args:
            headers: What authorises the request.

        Returns:
            Their paths.

        Raises:
            GitHubError: If the list cannot be had, or only a part of it.
        """
        response = self._get("git/trees/HEAD?recursive=1", headers, _JSON)
        try:
            tree: dict[str, Any] = response.json()
            files = [str(entry["path"]) for entry in tree["tree"] if entry["type"] == "blob"]
        except (KeyError, TypeError, ValueError) as error:
            raise GitHubError(f"{self.full_name}: the list of files cannot be read") from error
        if tree.get("truncated"):
            raise GitHubError(f"{self.full_name} has more files than the API lists")
        return files

    def text(self, path: str, headers: dict[str, str]) -> str:
        """Reads a file.

        Args:
            path: Its path.
            headers: What authorises the request.

        Returns:
            Its text.

        Raises:
            GitHubError: If it cannot be read.
        """
        return self._get(f"contents/{quote(path)}", headers, _RAW).text

    def _get(self, resource: str, headers: dict[str, str], accept: str) -> httpx.Response:
        import httpx

        url = f"{self.api.rstrip('/')}/repos/{self.full_name}/{resource}"
        try:
            # A repository that was renamed answers with a redirect; httpx sends the token to no other host.
            response = httpx.get(
                url, headers={**headers, "Accept": accept}, timeout=_TIMEOUT_SECONDS, follow_redirects=True
            )
            return response.raise_for_status()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            remedy = f"; {_REMEDIES[status]}" if status in _REMEDIES else ""
            raise GitHubError(f"{self.full_name}: {resource}: HTTP {status}{remedy}") from None
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__} at {without_url_credentials(self.api)}"
            raise GitHubError(f"{self.full_name}: {resource}: {reason}; is PLUGINS_GITHUB_API right?") from None


def members(files: list[str]) -> dict[str, str]:
    """Finds the plugins of a repository.

    Args:
        files: Paths of all its files.

    Returns:
        For each folder with a `pyproject.toml` and a manifest at or below it, the path of the manifest.
    """
    projects = {str(PurePosixPath(path).parent) for path in files if PurePosixPath(path).name == _PROJECT}
    found: dict[str, str] = {}
    for path in sorted(files, key=lambda path: (path.count("/"), path)):
        if PurePosixPath(path).name == MANIFEST:
            owner = next((str(above) for above in PurePosixPath(path).parents if str(above) in projects), None)
            if owner is not None:
                found.setdefault(owner, path)
    return found
