"""What an application implements to receive a span per hook chain and per plugin."""

from contextvars import ContextVar
from typing import Any, Protocol
from typing import Dict as Dict  # noqa: UP035 - a public name of 0.1.x

current_trace_id: ContextVar[str | None] = ContextVar("current_trace_id", default=None)
"""Spans are made only while this holds a trace id."""


class ObservabilityProvider(Protocol):
    """Starts and ends spans. Duck-typed; whatever it raises is swallowed by the framework."""

    def start_span(
        self,
        trace_id: str,
        name: str,
        kind: str = "internal",
        resource_type: str | None = None,
        resource_name: str | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> str | None:
        """Starts a span.

        Args:
            trace_id: The trace the span belongs to.
            name: Name of the span.
            kind: Span kind.
            resource_type: What the span is about, e.g. ``plugin``.
            resource_name: Which one.
            attributes: Attributes known at the start.

        Returns:
            The id of the span, or None: then it is not ended either.
        """

    def end_span(self, span_id: str | None, status: str = "ok", attributes: dict[str, Any] | None = None) -> None:
        """Ends a span.

        Args:
            span_id: What ``start_span`` returned.
            status: ``ok`` or ``error``.
            attributes: Attributes known at the end.
        """


class NullObservability:
    """A provider that records nothing."""

    def start_span(
        self,
        trace_id: str,
        name: str,
        kind: str = "internal",
        resource_type: str | None = None,
        resource_name: str | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> str | None:
        """Starts nothing.

        Args:
            trace_id: Ignored.
            name: Ignored.
            kind: Ignored.
            resource_type: Ignored.
            resource_name: Ignored.
            attributes: Ignored.

        Returns:
            None.
        """
        return None

    def end_span(self, span_id: str | None, status: str = "ok", attributes: dict[str, Any] | None = None) -> None:
        """Ends nothing.

        Args:
            span_id: Ignored.
            status: Ignored.
            attributes: Ignored.
        """
