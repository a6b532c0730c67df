"""What an application implements to receive a span per hook chain and per plugin."""

from contextvars import ContextVar
from typing import Any, Dict, Optional, Protocol

current_trace_id: ContextVar[Optional[str]] = ContextVar("current_trace_id", default=None)
"""Spans are made only while this holds a trace id."""


class ObservabilityProvider(Protocol):
    """Starts and ends spans. Duck-typed; whatever it raises is swallowed by the framework."""

    def start_span(
        self,
        trace_id: str,
        name: str,
        kind: str = "internal",
        resource_type: Optional[str] = None,
        resource_name: Optional[str] = None,
        attributes: Optional[Dict[str, Any]] = None,
    ) -> Optional[str]:
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

    def end_span(self, span_id: Optional[str], status: str = "ok", attributes: Optional[Dict[str, Any]] = None) -> None:
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
        resource_type: Optional[str] = None,
        resource_name: Optional[str] = None,
        attributes: Optional[Dict[str, Any]] = None,
    ) -> Optional[str]:
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

    def end_span(self, span_id: Optional[str], status: str = "ok", attributes: Optional[Dict[str, Any]] = None) -> None:
        """Ends nothing.

        Args:
            span_id: Ignored.
            status: Ignored.
            attributes: Ignored.
        """
