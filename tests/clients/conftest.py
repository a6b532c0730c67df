"""One environment with the clients and our wheel, one with the clients and the published package.

`make clients` installs both and names their folder in `CPEX_CLIENTS`; without it these tests are not collected.
"""

import os
from pathlib import Path

import pytest

ENVIRONMENTS = {"ours": ".venv-clients", "published": ".venv-clients-published"}

collect_ignore_glob = [] if "CPEX_CLIENTS" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def client_python(request: pytest.FixtureRequest) -> Path:
    """The interpreter of a client environment: each test runs on our package and on the published one."""
    return Path(os.environ["CPEX_CLIENTS"]) / ENVIRONMENTS[request.param] / "bin" / "python"
