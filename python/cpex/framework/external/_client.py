"""What external plugins have in common, whatever the transport."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from cpex.framework._signature import plugin_error
from cpex.framework.base import Plugin
from cpex.framework.constants import IGNORE_CONFIG_EXTERNAL
from cpex.framework.errors import PluginError, sanitize_denial_metadata
from cpex.framework.extensions.extensions import Extensions
from cpex.framework.external._json import dumped, problems_of, write_back
from cpex.framework.external._status import ServerStatus, watched
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginConfig, PluginContext, PluginPayload, PluginResult

_T = TypeVar("_T")

Answer = tuple[bytes, bytes | None, bool]
"""A result and, if one came back, the context, both as JSON; whether who answered understands extensions."""

logger = logging.getLogger("cpex.framework.external")

_OF_THE_HOST = frozenset(
    {"kind", "mcp", "grpc", "unix_socket", "capabilities", "required", "on_missing", "timeout_ms"},
)
"""What a server has no say in: where it is, what it is shown, how long it may take, what its absence means."""


class Client(Protocol):
    """Whoever answers for a plugin that runs elsewhere. What is known at once need not be awaited."""

    def connect(self) -> Awaitable[tuple[bytes | None, bool]] | tuple[bytes | None, bool]:
        """Reach it for the first time: its configuration there as JSON, if it has one, and if it takes extensions."""

    def invoke(
        self, hook: str, payload: bytes, context: bytes, extensions: bytes | None
    ) -> Awaitable[tuple[bytes, bytes | None, bool]] | tuple[bytes, bytes | None, bool]:
        """Run a hook: the result and, if one came back, the context, both as JSON, and if it took the extensions."""

    def status(self) -> list[dict[str, Any]]:
        """Say what is known of each of its servers, in the words of `ServerStatus`."""

    def close(self) -> Awaitable[None] | None:
        """Say goodbye."""


class RemotePlugin(Plugin):
    """A plugin that runs in another process. The network is Rust's, on a thread of its own.

    A call that is cancelled, or takes too long, is given up on the server, too.
    """

    _KIND: ClassVar[str] = "External"
    """What kind of plugin it is, for messages."""
    _DROPS_NONE: ClassVar[bool] = False
    """Whether fields that are None are left out of what is sent."""
    _TELLS_EMPTY_STATE: ClassVar[bool] = False
    """Whether an empty global state in an answer means that it is empty, and not that nothing was said."""
    _MUST_BE_KNOWN: ClassVar[bool] = True
    """Whether a server that does not know the plugin is an error."""
    _NOT_CONNECTED: ClassVar[str] = "Plugin session not initialized"
    """What is said before `initialize()` and after `shutdown()`."""

    def __init__(self, config: PluginConfig) -> None:
        """Make the plugin of an entry. It connects in `initialize()`.

        Args:
            config: The plugin's entry of the configuration.
        """
        super().__init__(config)
        self._client: Client | None = None
        self._takes_extensions = False

    @property
    def takes_extensions(self) -> bool:
        """Whether the server that was reached in `initialize()` understands extensions; those of CPEX 0.1.x do not."""
        return self._takes_extensions

    @property
    def servers(self) -> list[ServerStatus]:
        """What is known of each server, in the order of the entry; nothing before `initialize()`."""
        return [] if self._client is None else [ServerStatus(**status) for status in self._client.status()]

    @abstractmethod
    def _make_client(self) -> Client:
        """Make the client that the entry describes.

        Raises:
            PluginError: If it describes none.
            ValueError: If certificates or keys cannot be used.
        """

    async def initialize(self) -> None:
        """Connect to a server of the plugin and take over what it says of it.

        Raises:
            PluginError: If no server can be reached, or it does not know the plugin.
        """
        await self.shutdown()
        try:
            client = self._make_client()
        except ValueError as error:
            raise plugin_error(str(error), self.name) from None
        try:
            remote, self._takes_extensions = await outcome(client.connect())
            self._config = self._completed(remote)
            if self._config.capabilities and not self._takes_extensions:
                text = (
                    "External plugin '%s': its server does not understand extensions, so its capabilities grant nothing"
                )
                logger.warning(text, self.name)
        except BaseException:
            await outcome(client.close())
            raise
        self._client = client
        watched.add(self)

    async def invoke_hook(
        self, hook_type: str, payload: PluginPayload, context: PluginContext, extensions: Extensions | None = None
    ) -> PluginResult[Any]:
        """Run a hook of the plugin on its server.

        Args:
            hook_type: Name of the hook.
            payload: What the hook is about.
            context: The plugin's context; what the plugin changes in its states and metadata is written into it.
            extensions: What the plugin may see of the request's. Only a server that understands them is sent them.

        Returns:
            The result of the plugin.

        Raises:
            PluginError: If the plugin fails, there is no answer, or the payload has no JSON.
        """
        if self._client is None:
            raise plugin_error(self._NOT_CONNECTED, self.name)
        result_type = self._result_type(hook_type)
        sent = dumped(context, "context", self.name, self._DROPS_NONE, self._KIND)
        asked = dumped(payload, "payload", self.name, self._DROPS_NONE, self._KIND)
        shown = None if extensions is None else self._shown(extensions)
        answer = self._ask(hook_type, asked, sent, shown)
        text, left, understands = answer if isinstance(answer, tuple) else await answer
        result = self._read(result_type, text)
        if result.modified_extensions is not None:
            result.modified_extensions = self._written(result, blind=shown is not None and not understands)
        if left is not None:
            try:
                write_back(context, sent, left, self._TELLS_EMPTY_STATE)
            except ValueError as error:
                # A denial stays one, whatever is wrong beside it.
                if result.continue_processing:
                    raise self._invalid(str(error)) from None
        return result

    async def shutdown(self) -> None:
        """Say goodbye to the servers."""
        client, self._client = self._client, None
        if client is not None:
            await outcome(client.close())

    def _ask(
        self, hook_type: str, payload: bytes, context: bytes, extensions: bytes | None
    ) -> Answer | Awaitable[Answer]:
        assert self._client is not None
        return self._client.invoke(hook_type, payload, context, extensions)

    def _result_type(self, hook: str) -> type[PluginResult[Any]]:
        result_type = (self._hook_results or {}).get(hook) or get_hook_registry().get_result_type(hook)
        if result_type is None:
            raise plugin_error(f"Hook type '{str.__str__(hook)}' not registered in hook registry", self.name)
        return result_type

    def _read(self, result_type: type[PluginResult[Any]], text: bytes) -> PluginResult[Any]:
        """Read a result. One that does not say whether to go on is none."""
        try:
            result = result_type.model_validate_json(text)
        except ValidationError as error:
            raise self._invalid(problems_of(error, "result")) from None
        if "continue_processing" not in result.model_fields_set:
            raise self._invalid("result: continue_processing is missing")
        if result.denial_metadata is not None:
            result.denial_metadata = sanitize_denial_metadata(result.denial_metadata)
        return result

    def _invalid(self, problem: str) -> PluginError:
        return plugin_error(f"Received invalid response. {problem}", self.name, "INVALID_RESPONSE")

    def _shown(self, extensions: Extensions) -> bytes | None:
        """Write what the plugin may see; None if that is nothing."""
        shown = dumped(extensions, "extensions", self.name, drops_none=True, kind=self._KIND)
        return None if shown == b"{}" else shown

    def _written(self, result: PluginResult[Any], blind: bool) -> Extensions | None:
        """Read what the plugin makes of the extensions. A slot without a value is one that it says nothing of."""
        if blind and result.continue_processing:
            # The host takes it for written in sight of what was shown, which this server, of several, was not sent.
            text = "its server writes extensions without understanding those that it is shown"
            raise self._invalid(f"modified_extensions: {text}")
        slots = {} if blind or result.modified_extensions is None else dict(result.modified_extensions)
        return Extensions.model_construct(**{name: slot for name, slot in slots.items() if slot is not None})

    def _completed(self, remote: bytes | None) -> PluginConfig:
        """Complete the entry with what the server says of the plugin; what the entry sets stays."""
        if remote is None and self._MUST_BE_KNOWN:
            raise plugin_error("Unable to retrieve configuration for external plugin", self.name)
        if remote is None:
            logger.warning("External plugin '%s': its server says nothing of it; its entry alone counts", self.name)
            return self._with_hooks(self._config)
        said = {name: value for name, value in from_json(remote).items() if name not in _OF_THE_HOST}
        own = {name: getattr(self._config, name) for name in self._config.model_fields_set}
        try:
            merged = PluginConfig.model_validate({**said, **own}, context={IGNORE_CONFIG_EXTERNAL: True})
        except ValidationError as error:
            text = f"Unable to retrieve configuration for external plugin: {problems_of(error, 'configuration')}"
            raise plugin_error(text, self.name) from None
        return self._with_hooks(merged)

    def _with_hooks(self, config: PluginConfig) -> PluginConfig:
        if not config.hooks:
            text = f"External plugin '{config.name}' has no hooks: neither its entry nor its server names one"
            raise plugin_error(text, config.name)
        return config


async def outcome(asked: _T | Awaitable[_T]) -> _T:
    """Wait for what is not known at once.

    Args:
        asked: What it comes to, or an awaitable of that.

    Returns:
        What it comes to.
    """
    return await asked if isinstance(asked, Awaitable) else asked
