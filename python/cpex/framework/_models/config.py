"""The plugin configuration file: plugins, their conditions, and the server sections."""

import logging
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_serializer, field_validator, model_validator

from cpex import _core
from cpex.framework._models.client import GRPCClientConfig, MCPClientConfig, UnixSocketClientConfig
from cpex.framework._models.enums import OnError, PluginMode, TransportType
from cpex.framework._models.server import GRPCServerConfig, MCPServerConfig, UnixSocketServerConfig
from cpex.framework.constants import EXTERNAL_PLUGIN_TYPE, IGNORE_CONFIG_EXTERNAL
from cpex.framework.extensions.tiers import Capability

logger = logging.getLogger("cpex.framework.models")

LEGACY_IGNORE = "enforce_ignore_error"
LEGACY_MODES = {
    "enforce": PluginMode.SEQUENTIAL,
    "permissive": PluginMode.TRANSFORM,
    LEGACY_IGNORE: PluginMode.SEQUENTIAL,
}
_KNOWN_CAPABILITIES = frozenset(capability.value for capability in Capability)


def _is_unset(value: Any) -> bool:
    return not value


class PluginCondition(BaseModel, defer_build=True):
    """When a plugin runs. Every set given must match; an empty or absent one is not tested."""

    server_ids: set[str] | None = None
    """Servers of the request (`GlobalContext.server_id`)."""
    tenant_ids: set[str] | None = None
    """Tenants of the request (`GlobalContext.tenant_id`)."""
    tools: set[str] | None = None
    """Names of tools; looked at on tool hooks only."""
    prompts: set[str] | None = None
    """Identifiers of prompts; looked at on prompt hooks only."""
    resources: set[str] | None = None
    """URIs of resources; looked at on resource hooks only."""
    agents: set[str] | None = None
    """Identifiers of agents; looked at on agent hooks only."""
    user_patterns: list[str] | None = None
    """Texts of which one is part of the user's name."""
    content_types: list[str] | None = None
    """Media types of the request, without parameters."""

    @field_validator("content_types")
    @classmethod
    def normalize_content_types(cls, value: list[str] | None) -> list[str] | None:
        """Lower-cases content types and strips their parameters.

        Args:
            value: Content types as configured.

        Returns:
            The normalised content types.
        """
        return None if value is None else [_core.normalize_content_type(content_type) for content_type in value]

    @field_serializer("server_ids", "tenant_ids", "tools", "prompts", "resources", "agents")
    def serialize_set(self, value: set[str] | None) -> list[str] | None:
        """Dumps a set as a list.

        Args:
            value: The set.

        Returns:
            Its members in order, or None if there are none.
        """
        return sorted(value) if value else None


class BaseTemplate(BaseModel, defer_build=True):
    """What every template of ``applied_to`` has."""

    context: list[str] | None = None
    """What of the context is meant."""
    extensions: dict[str, Any] | None = None
    """What of the extensions is meant."""


class ToolTemplate(BaseTemplate):
    """A tool a plugin is applied to."""

    tool_name: str
    """Name of the tool."""
    fields: list[str] | None = None
    """Fields of its arguments or result."""
    result: bool = False
    """Whether its result is meant, not its arguments."""


class PromptTemplate(BaseTemplate):
    """A prompt a plugin is applied to."""

    prompt_name: str
    """Name of the prompt."""
    fields: list[str] | None = None
    """Fields of its arguments or result."""
    result: bool = False
    """Whether its result is meant, not its arguments."""


class ResourceTemplate(BaseTemplate):
    """A resource a plugin is applied to."""

    resource_uri: str
    """URI of the resource."""
    fields: list[str] | None = None
    """Fields of its content."""
    result: bool = False
    """Whether its content is meant, not the request."""


class AppliedTo(BaseModel, defer_build=True):
    """What a plugin is applied to."""

    tools: list[ToolTemplate] | None = None
    """Tools the plugin is meant for."""
    prompts: list[PromptTemplate] | None = None
    """Prompts the plugin is meant for."""
    resources: list[ResourceTemplate] | None = None
    """Resources the plugin is meant for."""


class PluginConfig(BaseModel, defer_build=True):
    """One entry of ``plugins:``.

    ``required``, ``on_missing`` and ``timeout_ms`` appear in dumps only when they are set.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    """Name of the plugin, unique in the file."""
    description: str | None = None
    """What it is for."""
    author: str | None = None
    """Who wrote it."""
    kind: str
    """`package.module.Class`, `external` or `isolated_venv`."""
    namespace: str | None = None
    """Where the plugin comes from."""
    version: str | None = None
    """Version of the plugin, as text."""
    hooks: list[str] = Field(default_factory=list)
    """Hooks it attaches to."""
    tags: list[str] = Field(default_factory=list)
    """Words to find it by."""
    mode: PluginMode = PluginMode.SEQUENTIAL
    """The phase it runs in, and so what it may do. `enforce`, `enforce_ignore_error` and `permissive` of older files
    are understood."""
    on_error: OnError = OnError.FAIL
    """What happens when it raises or takes too long."""
    priority: int = 100
    """Place within its phase: lower runs earlier."""
    max_content_size: int = 10_000_000
    """Largest request, in characters, that is sent to an isolated plugin."""
    conditions: list[PluginCondition] = Field(default_factory=list)
    """When it runs: any of these; always, if there are none."""
    applied_to: AppliedTo | None = None
    """What it is meant for; information for people and tools, nothing is filtered by it."""
    capabilities: frozenset[str] = Field(default_factory=frozenset)
    """Which extensions it may see and write."""
    config: dict[str, Any] | None = None
    """Its own settings."""
    mcp: MCPClientConfig | None = None
    """How an external plugin is reached over MCP."""
    grpc: GRPCClientConfig | None = None
    """How an external plugin is reached over gRPC."""
    unix_socket: UnixSocketClientConfig | None = None
    """How an external plugin is reached over a Unix socket."""
    required: bool = Field(default=False, repr=False, exclude_if=_is_unset)
    """Whether the manager refuses to start without it."""
    on_missing: Literal["deny"] | None = Field(default=None, repr=False, exclude_if=_is_unset)
    """`deny`: if it cannot be loaded, its hooks deny."""
    timeout_ms: int | None = Field(default=None, gt=0, repr=False, exclude_if=_is_unset)
    """Milliseconds it may take; absent: the manager's timeout."""

    @model_validator(mode="before")
    @classmethod
    def _migrate_legacy_modes(cls, data: Any) -> Any:
        mode = data.get("mode") if isinstance(data, dict) else None
        if not isinstance(mode, str) or mode not in LEGACY_MODES:
            return data
        migrated = {**data, "mode": LEGACY_MODES[mode]}
        if mode == LEGACY_IGNORE:
            migrated.setdefault("on_error", OnError.IGNORE)
        return migrated

    @model_validator(mode="before")
    @classmethod
    def _check_place_of_sandbox(cls, data: Any) -> Any:
        # Like every unknown key it would be passed over, and the plugin would run without one.
        if isinstance(data, dict) and "sandbox" in data:
            raise ValueError("sandbox is a key of the plugin's `config`: here nothing reads it")
        return data

    @field_validator("capabilities", mode="before")
    @classmethod
    def _validate_capabilities(cls, value: Any) -> frozenset[str]:
        if value is None:
            return frozenset()
        if isinstance(value, str):
            logger.warning("Plugin capabilities should be a list, not a string; taken as one capability: %r", value)
            value = [value]
        elif not isinstance(value, (list, tuple, set, frozenset)):
            logger.warning("Plugin capabilities should be a list, not %s; none granted", type(value).__name__)
            return frozenset()
        names = set()
        for capability in value:
            name = capability.value if isinstance(capability, Capability) else capability
            if name not in _KNOWN_CAPABILITIES:
                raise ValueError(f"Unknown capability: {capability!r}. Known: {sorted(_KNOWN_CAPABILITIES)}")
            names.add(name)
        return frozenset(names)

    @field_serializer("capabilities")
    def serialize_capabilities(self, value: frozenset[str]) -> list[str]:
        """Dumps capabilities as a list.

        Args:
            value: The capabilities.

        Returns:
            Their names in order.
        """
        return sorted(value)

    @model_validator(mode="after")
    def check_url_or_script_filled(self) -> Self:
        """Checks that an MCP section says how to reach the server.

        Returns:
            Self.

        Raises:
            ValueError: If it does not, or in two ways.
        """
        if self.mcp is None:
            return self
        if self.mcp.proto is TransportType.STDIO:
            if not self.mcp.script and not self.mcp.cmd:
                raise ValueError(f"Plugin {self.name} has transport type set to STDIO but no script/cmd value")
            if self.mcp.script and self.mcp.cmd:
                raise ValueError(f"Plugin {self.name} must set either script or cmd for STDIO, not both")
        elif self.mcp.proto in (TransportType.SSE, TransportType.STREAMABLEHTTP):
            if not self.mcp.url:
                raise ValueError(f"Plugin {self.name} has transport type set to StreamableHTTP but no url value")
        else:
            raise ValueError(f"Plugin {self.name} must set transport type to either SSE or STREAMABLEHTTP or STDIO")
        return self

    @model_validator(mode="after")
    def check_config_and_external(self, info: ValidationInfo) -> Self:
        """Checks that an external plugin names its server and leaves its settings to it.

        Args:
            info: Its context may carry ``ignore_config_external``.

        Returns:
            Self.

        Raises:
            ValueError: If it does not.
        """
        if self.kind != EXTERNAL_PLUGIN_TYPE:
            return self
        if self.config and not (info.context or {}).get(IGNORE_CONFIG_EXTERNAL, False):
            raise ValueError(
                f"Cannot have {self.name} plugin defined as 'external' with 'config' set. "
                "'config' section settings can only be set on the plugin server."
            )
        transports = sum(section is not None for section in (self.mcp, self.grpc, self.unix_socket))
        if transports == 0:
            raise ValueError(
                f"External plugin {self.name} must have 'mcp', 'grpc', or 'unix_socket' section configured"
            )
        if transports > 1:
            raise ValueError(
                f"External plugin {self.name} can only have one transport configured (mcp, grpc, or unix_socket)"
            )
        return self

    def get_safe_config(self) -> str:
        """Dumps the configuration.

        Returns:
            Compact JSON.
        """
        return self.model_dump_json()

    def to_json(self) -> dict[str, Any]:
        """Dumps the configuration.

        Returns:
            JSON-compatible values.
        """
        return self.model_dump(mode="json")


class Config(BaseModel, defer_build=True):
    """A whole plugin configuration file. ``plugin_settings`` appears in dumps only when it is set."""

    model_config = ConfigDict(extra="ignore")

    plugins: list[PluginConfig] | None = []
    """The plugins, in the order in which they are loaded."""
    plugin_dirs: list[str] = []
    """Directories, relative to the working directory, that plugins are imported from."""
    server_settings: MCPServerConfig | None = None
    """How `ExternalPluginServer` serves these plugins over MCP."""
    grpc_server_settings: GRPCServerConfig | None = None
    """How they are served over gRPC."""
    unix_socket_server_settings: UnixSocketServerConfig | None = None
    """How they are served over a Unix socket."""
    plugin_settings: dict[str, Any] | None = Field(default=None, repr=False, exclude_if=_is_unset)
    """Switches of the pipeline; see below."""
