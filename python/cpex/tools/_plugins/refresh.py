"""Brings the catalog up to date with the repositories that plugins are published in."""

import logging
from pathlib import PurePosixPath
from typing import Any

import httpx

from cpex.framework.models import Monorepo, PluginManifest, PluginVersionRegistry

from .folder import CatalogFolder
from .github import GitHubError, GitHubRepository, members
from .manifests import MANIFEST, VERSIONS, dump_manifest, parse_manifest

logger = logging.getLogger("cpex.tools.catalog")


class RefreshedCatalog(CatalogFolder):
    """A catalog folder that can be refreshed from GitHub.

    Attributes:
        github_api: Host or base URL of the API.
        github_token: Token, or None: then nothing is refreshed.
        monorepos: Web addresses of the repositories.
    """

    def __init__(
        self, catalog_folder: str, plugin_folder: str, github_api: str, github_token: str | None, monorepos: list[str]
    ) -> None:
        """Names the sources; asks nobody.

        Args:
            catalog_folder: Folder of the manifests.
            plugin_folder: Folder of the plugins.
            github_api: Host or base URL of the API.
            github_token: Token, or None.
            monorepos: Web addresses of the repositories.
        """
        super().__init__(catalog_folder, plugin_folder)
        self.github_api = github_api
        self.github_token = github_token
        self.monorepos = monorepos

    def update_catalog_with_pyproject(self) -> bool:
        """Downloads the manifest of every plugin of every repository.

        Nothing is written before everything has been read, so a failure leaves the catalog as it was.

        Returns:
            Whether it **failed**; the log says why.
        """
        if not self.github_token:
            logger.warning(
                "No GitHub token set: PLUGINS_GITHUB_TOKEN is empty, and the catalog is read from %s with one. What %s "
                "holds is used as it is; -t pypi, git and local need no catalog",
                ", ".join(self.monorepos),
                self.catalog_folder,
            )
            return True
        headers = {"Authorization": f"Bearer {self.github_token}"}
        texts: dict[str, str] = {}
        for address in self.monorepos:
            try:
                repo_url = httpx.URL(address)
                repository = GitHubRepository.at(self.github_api, repo_url)
                files = repository.files(headers)
                for member, manifest_path in members(files).items():
                    texts.update(self._plugin(member, manifest_path, files, repo_url, headers, repository))
            except (GitHubError, httpx.InvalidURL) as error:
                logger.error("Cannot read the catalog of %s", error)
                return True
        for path, text in texts.items():
            self._save(text, path)
        return False

    def _plugin(
        self,
        member: str,
        manifest_path: str,
        files: list[str],
        repo_url: httpx.URL,
        headers: dict[str, str],
        repository: GitHubRepository,
    ) -> dict[str, str]:
        try:
            manifest = _manifest_of(repository.text(manifest_path, headers), member, repo_url)
            texts = {f"{member}/{MANIFEST}": dump_manifest(manifest)}
            versions_path = str(PurePosixPath(manifest_path).with_name(VERSIONS))
            if versions_path in files:
                texts[f"{member}/{VERSIONS}"] = _versions_of(repository.text(versions_path, headers))
        except (RuntimeError, ValueError) as error:
            logger.warning("%s: %s is left out: %s", repository.full_name, member, error)
            return {}
        return texts

    def _with_credentials(self, source: str) -> str:
        """Puts back what `PLUGINS_REPO_URLS` says of who may read a repository.

        Args:
            source: Where a plugin of the catalog is, as its manifest says.

        Returns:
            The same, with the credentials of the repository if it has any.
        """
        address, mark, member = source.partition("#")
        for configured in map(httpx.URL, self.monorepos):
            if configured.userinfo and _web_address(configured) == address:
                return f"{str(configured).rstrip('/')}{mark}{member}"
        return source

    def find_and_save_plugin_manifest(
        self, member: str, name: str, repo_url: httpx.URL, headers: dict[str, str], gh_repo: GitHubRepository
    ) -> PluginManifest | None:
        """Downloads the manifest of one plugin.

        Args:
            member: Folder of the plugin in its repository.
            name: How messages call it.
            repo_url: Web address of the repository.
            headers: What authorises the request.
            gh_repo: The repository.

        Returns:
            The manifest, now in the catalog, or None if there is none.

        Raises:
            GitHubError: If the repository cannot be read.
            RuntimeError: If it is not a manifest.
        """
        path = members(gh_repo.files(headers)).get(member)
        if path is None:
            logger.warning("%s has no %s", name, MANIFEST)
            return None
        manifest = _manifest_of(gh_repo.text(path, headers), member, repo_url)
        self._save(dump_manifest(manifest), f"{member}/{MANIFEST}")
        return manifest

    def find_and_save_plugin_versions_json(
        self, member: str, name: str, repo_url: httpx.URL, headers: dict[str, str], gh_repo: GitHubRepository
    ) -> None:
        """Downloads the versions of one plugin, if its repository lists them.

        Args:
            member: Folder of the plugin in its repository.
            name: How messages call it.
            repo_url: Web address of the repository.
            headers: What authorises the request.
            gh_repo: The repository.

        Raises:
            GitHubError: If the repository cannot be read.
        """
        files = gh_repo.files(headers)
        path = str(PurePosixPath(members(files).get(member, member)).with_name(VERSIONS))
        if path not in files:
            logger.info("%s in %s has no %s", name, gh_repo.full_name, VERSIONS)
            return
        self._save(_versions_of(gh_repo.text(path, headers)), f"{member}/{VERSIONS}")

    def download_contents(self, git_url: str, headers: dict[str, str], path: str, repo_url: httpx.URL) -> None:
        """Downloads a folder of a repository into the catalog.

        Args:
            git_url: Host or base URL of the API.
            headers: What authorises the requests.
            path: The folder.
            repo_url: Web address of the repository.

        Raises:
            GitHubError: If it cannot be read.
        """
        repository = GitHubRepository.at(git_url, repo_url)
        below = [file for file in repository.files(headers) if PurePosixPath(file).is_relative_to(path)]
        texts = {file: repository.text(file, headers) for file in below}
        for file, text in texts.items():
            self._save(text, file)

    def download_file(
        self, repo_path: str, item: dict[str, Any], headers: dict[str, str], gh_repo: GitHubRepository
    ) -> str | None:
        """Downloads a file.

        Args:
            repo_path: Folder in the repository.
            item: The file's entry in the folder's list: its ``name``.
            headers: What authorises the request.
            gh_repo: The repository.

        Returns:
            Its text, or None if it cannot be had.
        """
        try:
            return gh_repo.text(str(PurePosixPath(repo_path, item["name"])), headers)
        except GitHubError as error:
            logger.error("Cannot download %s", error)
            return None

    def save_manifest_content(self, content: str, path: str, repo_url: httpx.URL) -> None:
        """Writes the manifest of a repository's plugin into the catalog.

        Args:
            content: The manifest as it is in the repository.
            path: Where the catalog keeps it: the plugin's folder in the repository, and the file's name.
            repo_url: Web address of the repository.

        Raises:
            RuntimeError: If it is not a manifest.
        """
        manifest = _manifest_of(content, str(PurePosixPath(path).parent), repo_url)
        self._save(dump_manifest(manifest), path)

    def _save(self, text: str, path: str) -> None:
        self.create_catalog_folder(str(PurePosixPath(path).parent))
        self.save_catalog_content(text, path)


def _manifest_of(text: str, member: str, repo_url: httpx.URL) -> PluginManifest:
    address = _web_address(repo_url)
    source = f"{address}#subdirectory={member}"
    monorepo = Monorepo(repo_url=address, package_source=source, package_folder=member)
    return parse_manifest(text, PurePosixPath(member).name, monorepo=monorepo)


def _web_address(repo_url: httpx.URL) -> str:
    """Writes an address as manifests keep it: without credentials, they would be stored and shown."""
    return str(repo_url.copy_with(userinfo=b"")).rstrip("/").removesuffix(".git")


def _versions_of(text: str) -> str:
    return PluginVersionRegistry.model_validate_json(text).model_dump_json(indent=2)
