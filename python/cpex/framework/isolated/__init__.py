"""Plugins that run in an environment and a process of their own: `kind: isolated_venv`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpex.framework._lazy import names_from

if TYPE_CHECKING:
    from cpex.framework.isolated._metrics import metrics as metrics
    from cpex.framework.isolated._status import WorkerStatus as WorkerStatus
else:
    __getattr__ = names_from(
        __name__,
        {"cpex.framework.isolated._metrics": ("metrics",), "cpex.framework.isolated._status": ("WorkerStatus",)},
    )
