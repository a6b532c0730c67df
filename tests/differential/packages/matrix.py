"""What is played: the setups in `cases/`, each in every mode and under every kind of policy."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NotRequired, TypedDict, cast, get_args

import yaml

from ..case import Call, Case, Manager, Mode, Plugin

FILES: Final = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
MODES: Final[list[Mode]] = [mode for mode in get_args(Mode) if mode != "disabled"]
WRITABLE: Final = {
    "tool_pre_invoke": ["args"],
    "tool_post_invoke": ["result"],
    "prompt_pre_fetch": ["args"],
    "prompt_post_fetch": ["result"],
    "resource_pre_fetch": ["uri"],
    "resource_post_fetch": ["content"],
}
POLICIES: Final[dict[str, Manager]] = {
    "no policy": {"made": "yaml"},
    "writable": {"made": "yaml", "policies": WRITABLE},
    "read-only": {"made": "yaml", "policies": {hook: [] for hook in WRITABLE}},
    "default deny": {"made": "yaml", "default_policy": "deny"},
}
# A gateway's line-up: package, setup, mode.
LINE_UP: Final[list[tuple[str, str, Mode]]] = [
    ("cpex-sql-sanitizer", "blocks", "sequential"),
    ("cpex-url-reputation", "blocks", "sequential"),
    ("cpex-retry-with-backoff", "retries", "sequential"),
    ("telveguard-contextforge", "guards", "sequential"),
    ("cpex-secrets-detection", "redacts", "transform"),
    ("cpex-pii-filter", "redacts", "transform"),
    ("cpex-output-length-guard", "truncates", "transform"),
    ("cpex-encoded-exfil-detection", "blocks", "audit"),
    ("cpex-rate-limiter", "is generous", "concurrent"),
    ("cpex-ica-metering-exporter", "exports what it may see", "fire_and_forget"),
]
COLLECTOR: Final = "$COLLECTOR"


class Expectation(TypedDict):
    """What the plugin makes of one input, whatever CPEX does with it. Keys of the inner tables are dotted paths.

    `violation` is its denial and `changed` what it rewrites in the payload; `metadata` and `retry_delay_ms` are what it
    tells the caller; `raises` is part of its exception's text.
    """

    violation: NotRequired[dict[str, Any]]
    changed: NotRequired[dict[str, Any]]
    metadata: NotRequired[dict[str, Any]]
    retry_delay_ms: NotRequired[int]
    raises: NotRequired[str]


class Input(Call):
    """One invocation and what the plugin makes of it."""

    name: str
    expect: Expectation


class Setup(TypedDict):
    """One configuration of a package's plugin and the invocations it sees.

    `sent` is what it posts to the collector: one table per request, keys as in an expectation.
    """

    package: str
    kind: str
    name: str
    hooks: list[str]
    config: dict[str, Any]
    capabilities: NotRequired[list[str]]
    inputs: list[Input]
    sent: NotRequired[list[dict[str, Any]]]


def setups() -> Iterator[Setup]:
    """Yields the setups of all packages."""
    for file in FILES:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for setup in document["setups"]:
            yield cast(Setup, {"package": file.stem, "kind": document["kind"], **setup})


def setup_named(package: str, name: str) -> Setup:
    """Returns one setup."""
    return next(setup for setup in setups() if (setup["package"], setup["name"]) == (package, name))


def to_plugin(setup: Setup, mode: Mode, priority: int = 1) -> Plugin:
    """Returns the entry of a configuration for the plugin of `setup`, which bears the name of its package."""
    return {
        "name": setup["package"],
        "kind": setup["kind"],
        "mode": mode,
        "priority": priority,
        "scripts": [],
        "hooks": setup["hooks"],
        "config": setup["config"],
        "capabilities": setup.get("capabilities", []),
    }


def to_case(plugins: list[Plugin], inputs: Sequence[Call], manager: Manager) -> Case:
    """Returns the case that plays all inputs on one manager; without a hook of its own, an input is for the first."""
    calls = [{key: value for key, value in each.items() if key not in ("name", "expect")} for each in inputs]
    return {
        "hook": plugins[0]["hooks"][0],
        "plugins": plugins,
        "manager": {**manager, "observed": True},
        "payload": {},
        "context": {},
        "calls": cast(list[Call], calls),
        "clock": "real",
    }
