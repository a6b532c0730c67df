"""The closed vocabularies of configuration and records."""

from enum import Enum, StrEnum


class TransportType(str, Enum):
    """How an external plugin is reached over MCP."""

    SSE = "SSE"
    HTTP = "HTTP"
    STDIO = "STDIO"
    STREAMABLEHTTP = "STREAMABLEHTTP"
    GRPC = "GRPC"


class PluginMode(StrEnum):
    """The phase a plugin runs in: what it may do and when it runs."""

    FIRE_AND_FORGET = "fire_and_forget"
    CONCURRENT = "concurrent"
    SEQUENTIAL = "sequential"
    TRANSFORM = "transform"
    AUDIT = "audit"
    DISABLED = "disabled"


class OnError(StrEnum):
    """What follows when a plugin raises or times out."""

    FAIL = "fail"
    IGNORE = "ignore"
    DISABLE = "disable"


class ControlExecutionStatus(StrEnum):
    """How one plugin's turn in a hook chain ended."""

    COMPLETED = "completed"
    ERROR = "error"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    DISABLED = "disabled"


class PluginInstallationType(StrEnum):
    """Where an installed plugin came from."""

    BUNDLED = "bundled"
    PYPI = "pypi"
    GIT = "git"
    MONOREPO = "monorepo"
    LOCAL = "local"
