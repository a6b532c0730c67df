"""What every decision point has: an answer, an error, and the interface of a resolver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Self

__all__ = ["PdpError", "PdpResolver", "PdpResult"]


@dataclass(frozen=True)
class PdpResult:
    """What a decision point answered.

    Attributes:
        allowed: The decision.
        reason: Why, if the decision point says so; also why a failing one was read as an allow.
        context: What else it said.
        from_cache: Whether the answer was remembered; the resolvers of CPEX remember none.
        latency_ms: Milliseconds until the answer was there.
    """

    allowed: bool
    reason: str | None = None
    context: dict[str, Any] = field(default_factory=dict)
    from_cache: bool = False
    latency_ms: float = 0.0


class PdpError(Exception):
    """A decision point gave no decision."""

    def __init__(self, message: str, endpoint: str, cause: Exception | None = None) -> None:
        """Say what went wrong.

        Args:
            message: What went wrong.
            endpoint: Address of the decision point.
            cause: What was raised below.
        """
        super().__init__(message)
        self.endpoint = endpoint
        self.cause = cause


class PdpResolver(ABC):
    """Asks a decision point. Also an async context manager that closes it."""

    @abstractmethod
    async def resolve(self, input_data: dict[str, Any]) -> PdpResult:
        """Ask for a decision.

        Args:
            input_data: What it is about.

        Returns:
            The decision.

        Raises:
            PdpError: If there is none.
        """

    async def close(self) -> None:  # noqa: B027  (a resolver may have nothing to close)
        """Give up what the resolver holds. It can't be asked again."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
