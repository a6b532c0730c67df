"""One environment with the clients and our wheel, one with the clients and the published package."""

import os
from pathlib import Path

import pytest

ENVIRONMENTS = {"ours": ".venv-clients", "published": ".venv-clients-published"}


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def client_python(request: pytest.FixtureRequest) -> Path:
    """The interpreter of a client environment: each test runs on our package and on the published one."""
    root = os.environ.get("CPEX_CLIENTS")
    if root is None:
        pytest.skip("the clients are not installed; `make clients` installs and runs them")
    return Path(root) / ENVIRONMENTS[request.param] / "bin" / "python"
