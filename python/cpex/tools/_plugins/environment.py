"""An environment of Python that packages are installed into, with its pip."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cpex.framework._masking import without_url_credentials

logger = logging.getLogger("cpex.tools.catalog")

_LAST_LINES = 20
_LIST = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name']}))"
)
_LOCATE = """
import importlib.metadata, sys
files = importlib.metadata.distribution(sys.argv[1]).files or ()
modules = [file for file in files if file.suffix in (".py", ".yaml")]
found = sorted(modules, key=lambda file: file.name != "plugin-manifest.yaml")
print(found[0].locate().resolve().parent if found and len(found[0].parts) > 1 else "")
"""


def output_of(error: Exception) -> str:
    """Gives the end of what a failed command printed.

    Args:
        error: What `subprocess` raised.

    Returns:
        Its last lines, without credentials of URLs, or the error's message.
    """
    if isinstance(error, subprocess.CalledProcessError):
        output = (error.stderr or error.stdout or "").strip()
        text = "\n".join(output.splitlines()[-_LAST_LINES:]) or f"exit status {error.returncode}"
        return without_url_credentials(text)
    return str(error)


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment.

    Attributes:
        python: Its interpreter.
    """

    python: str = sys.executable

    def install(self, *requirements: str) -> None:
        """Installs packages, with what they depend on.

        Args:
            requirements: What pip is told.

        Raises:
            RuntimeError: If pip fails; then it has changed nothing.
        """
        self.pip("install", *requirements)

    def uninstall(self, *names: str) -> None:
        """Removes packages. Those that are not there are passed over.

        Args:
            names: Their names.

        Raises:
            RuntimeError: If pip fails.
        """
        self.pip("uninstall", "-y", *names)

    def folder_of(self, distribution: str) -> Path | None:
        """Finds the folder of an installed plugin package.

        Args:
            distribution: Its name.

        Returns:
            The folder of its manifest, or else of its first module; None if it is not installed, or from elsewhere.
        """
        found = self._run("-c", _LOCATE, distribution, check=False).strip()
        return Path(found) if found else None

    @contextmanager
    def restored_on_failure(self) -> Iterator[None]:
        """Undoes what pip did in the block if the block fails.

        Yields:
            Nothing.
        """
        before = self._distributions()
        try:
            yield
        except BaseException:
            self._restore(before)
            raise

    def _restore(self, before: dict[str, str]) -> None:
        try:
            after = self._distributions()
            added = [name for name in after if name not in before]
            if added:
                self.uninstall(*added)
            changed = [f"{name}=={version}" for name, version in before.items() if after.get(name) != version]
            if changed:
                self.install("--no-deps", *changed)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            logger.error("Cannot restore the packages of %s: %s", self.python, output_of(error))

    def _distributions(self) -> dict[str, str]:
        listed: dict[str, str] = json.loads(self._run("-c", _LIST))
        return listed

    def pip(self, *arguments: str) -> str:
        """Runs pip.

        Args:
            arguments: What it is told.

        Returns:
            What it prints.

        Raises:
            RuntimeError: If it fails.
        """
        try:
            return self._run("-m", "pip", *arguments)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(output_of(error)) from error

    def _run(self, *arguments: str, check: bool = True) -> str:
        # -P: a module of the working directory must not pass for one of Python or pip.
        return subprocess.run([self.python, "-P", *arguments], check=check, capture_output=True, text=True).stdout
