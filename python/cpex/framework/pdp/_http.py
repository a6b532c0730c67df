"""Asking a decision point over HTTP: the request, its deadline, and what a failure means."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from cpex.framework._compat import is_compatible
from cpex.framework.pdp._clients import LoopClients
from cpex.framework.pdp._endpoint import Endpoint
from cpex.framework.pdp.base import PdpError, PdpResolver, PdpResult

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES = 1_000_000
"""A longer answer is a failure."""

_CREDENTIALS = re.compile(r"(?<=://)[^/?#]*@")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"([!-~]([\t -~]*[!-~])?)?")


class Decision(NamedTuple):
    """What an answer says."""

    allowed: bool
    reason: str | None
    context: dict[str, Any]


class UnusableAnswerError(Exception):
    """An answer that holds no decision."""


class _Failure(NamedTuple):
    """Why there is no decision: in full, as the reason of a result that fails open, and as it is logged."""

    text: str
    kind: str
    level: int
    log: str
    cause: Exception


class HttpResolver(PdpResolver):
    """A decision point that is asked with one POST and answers with one JSON object.

    A failure is a `PdpError`, or with `fail_open` an allow that says so. Any number of event loops may ask.
    """

    _service: ClassVar[str]
    _logger: ClassVar[logging.Logger]

    def __init__(
        self, endpoint: str, timeout_ms: int = 500, headers: dict[str, str] | None = None, fail_open: bool = False
    ) -> None:
        """Prepare. Nothing is sent before the first `resolve()`.

        Args:
            endpoint: Address of the decision point. `{key}` stands for a text of the input, as one path segment.
            timeout_ms: Milliseconds a decision may take, from the connection to the last byte of the answer.
            headers: Sent with each request.
            fail_open: Whether a decision point that fails allows.

        Raises:
            ValueError: If the address is none, a placeholder is malformed, a header can't be sent, or no time is left
                to decide.
        """
        if not timeout_ms > 0:  # with `fail_open` it would allow everything
            raise ValueError(f"timeout_ms: {timeout_ms} leaves no time for a decision; write milliseconds, such as 500")
        self.fail_open = fail_open
        self._endpoint = Endpoint(endpoint)
        self._timeout_ms = timeout_ms
        self._clients = LoopClients(_checked(headers or {}))

    async def resolve(self, input_data: dict[str, Any]) -> PdpResult:
        """Ask for a decision.

        Args:
            input_data: What it is about.

        Returns:
            The decision.

        Raises:
            PdpError: If there is none, unless `fail_open` is set; always if the endpoint is not a URL.
            RuntimeError: If the resolver was closed.
            TypeError: If the input can't be put into the request.
            ValueError: If the input can't be put into the request.
        """
        import httpx

        address = self._address(input_data)
        shown = _CREDENTIALS.sub("", address)
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            # Whoever can make the address invalid, with a very long value, must not be let in by `fail_open`; and the
            # text of the error may hold a part of the credentials.
            raise PdpError(f"{self._service} connection error: the endpoint is not a URL", shown) from None
        client = await self._clients.get()
        started = time.perf_counter()
        try:
            request = client.build_request("POST", shown, json=self._question(input_data))
            async with asyncio.timeout(self._timeout_ms / 1000):
                body = await _exchange(client, request, (url.username, url.password) if url.userinfo else None)
            return PdpResult(*self._read(_parsed(body)), latency_ms=_since(started))
        except (TimeoutError, httpx.TimeoutException) as error:
            elapsed = _since(started)
            log = f"timeout after {elapsed:.1f}ms: {shown}"
            failure = _Failure(f"timeout after {elapsed:.0f}ms", "timeout", logging.WARNING, log, error)
        except httpx.HTTPStatusError as error:
            status = f"HTTP {error.response.status_code}"
            failure = _Failure(status, status, logging.ERROR, f"{status} from {shown}", error)
        except httpx.RequestError as error:
            text = f"connection error: {str(error) or type(error).__name__}"
            failure = _Failure(text, "unreachable", logging.ERROR, text, error)
        except UnusableAnswerError as error:
            text = f"invalid answer: {error}"
            failure = _Failure(text, "invalid answer", logging.ERROR, f"{text} ({shown})", error)
        return self._failed(failure, shown, _since(started))

    async def close(self) -> None:
        """Close the connections. The resolver can't be asked again."""
        await self._clients.close()

    def _address(self, input_data: Mapping[str, Any]) -> str:
        address = self._endpoint.fill(input_data)
        if address is not None:
            return address
        template = self._endpoint.template
        self._logger.warning(
            "%s endpoint template has unresolved placeholders: %s", self._service, _CREDENTIALS.sub("", template)
        )
        return template

    def _failed(self, failure: _Failure, endpoint: str, latency_ms: float) -> PdpResult:
        self._logger.log(failure.level, "%s %s", self._service, failure.log)
        if self.fail_open:
            return PdpResult(True, f"{self._service} {failure.kind}, fail-open", latency_ms=latency_ms)
        raise PdpError(f"{self._service} {failure.text}", endpoint, failure.cause) from failure.cause

    @abstractmethod
    def _question(self, input_data: dict[str, Any]) -> Any:
        """Give the body of the request."""

    @abstractmethod
    def _read(self, answer: dict[str, Any]) -> Decision:
        """Read the body of the response.

        Raises:
            UnusableAnswerError: If it holds no decision.
        """

    def _is_allow(self, value: Any) -> bool:
        """Tell whether a value allows: `true` does; with `PLUGINS_COMPAT=0.1.4` everything that Python takes for it."""
        if isinstance(value, bool):
            return value
        if is_compatible():
            return bool(value)
        if value is not None:
            self._logger.warning("%s decided with a %s; only true allows", self._service, type(value).__name__)
        return False


async def _exchange(client: httpx.AsyncClient, request: httpx.Request, auth: tuple[str, str] | None) -> bytes:
    """Send a request and give the body of the response.

    Raises:
        httpx.HTTPStatusError: If its status is not 2xx.
        httpx.RequestError: If there is none.
        UnusableAnswerError: If it is too long.
    """
    import httpx

    response = await client.send(request, auth=auth, stream=True)
    try:
        if not response.is_success:
            raise httpx.HTTPStatusError(f"HTTP {response.status_code}", request=request, response=response)
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise UnusableAnswerError(f"the body is longer than {MAX_ANSWER_BYTES} bytes")
        return bytes(body)
    finally:
        await response.aclose()


def _parsed(body: bytes) -> dict[str, Any]:
    """Read a body as a JSON object.

    Raises:
        UnusableAnswerError: If it is none. With `PLUGINS_COMPAT=0.1.4`, what reading it raises.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        if is_compatible():
            raise
        raise UnusableAnswerError("the body is not JSON") from error
    if not isinstance(answer, dict) and not is_compatible():
        raise UnusableAnswerError(f"the body is a JSON {type(answer).__name__}, not an object")
    return answer  # type: ignore[no-any-return]


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Refuse headers that no request can carry: with `fail_open`, they would allow everything."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"headers: {name!r} is no name of a header; use letters, digits and '-'")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"headers: the value of {name!r} must be ASCII text without line breaks or outer spaces")
    return headers


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
