"""External plugins, with a server of ours between (B13, B14, B23, B25, C35)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.certificates import Authority
from tests.integration.server_process import PLUGIN, Place, ServerProcess, free_port

from . import remote
from .conftest import RunBoth
from .outcome import Raised

row = pytest.mark.row


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Unix socket of a server."""
    place = Place(tmp_path_factory.mktemp("server"))
    config = place.write("server.yaml", PLUGIN)
    with ServerProcess(place, "-m", "cpex", "serve", str(config), f"-tunix={place.socket}", over_tcp=False):
        yield str(place.socket)


@row("B13")
def test_what_a_server_behind_a_unix_socket_says_of_its_plugin(run_both: RunBoth, socket: str) -> None:
    assert run_both(remote.merged, socket) == ([42, ["a", "b"], True], [100, [], True])


@row("B14")
def test_the_answer_to_a_call_that_was_given_up(run_both: RunBoth, socket: str) -> None:
    assert run_both(remote.after_a_timeout, socket) == ([True, True], [True, False])


@row("B23")
def test_an_mcp_server_that_is_not_there(run_both: RunBoth) -> None:
    assert run_both(remote.without_a_server, free_port()) == (["None", 0], ["cancelled", 0])


@row("B25")
def test_a_certificate_that_is_not_to_be_verified(run_both: RunBoth, tmp_path: Path) -> None:
    place = Place(tmp_path)
    certificate, key = Authority(tmp_path).identity("localhost")
    config = place.write("server.yaml", PLUGIN)
    words = ["-m", "cpex", "serve", str(config), f"-tgrpc=127.0.0.1:{place.port}"]
    with ServerProcess(place, *words, "--tls-cert", str(certificate), "--tls-key", str(key)):
        assert run_both(remote.unverified, f"localhost:{place.port}") == (1, 0)


@row("C35")
def test_a_server_of_plugins_that_exist(run_both: RunBoth) -> None:
    assert run_both(remote.served_instances) == (["a"], Raised("TypeError"))
