"""The command `cpex doctor`."""

import json
import platform
from enum import Enum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cpex._core import __version__, sandbox_support

EXIT_OK = 0
EXIT_LACKING = 1

_COUNTERS = {
    "resource_limit": "a resource limit",
    "process_ids": "the process ids of a namespace",
}


class Profile(str, Enum):
    """A profile of the sandbox that asks something of the system."""

    DEFAULT = "default"
    STRICT = "strict"


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object to standard output.")] = False,
    require: Annotated[
        Profile | None, typer.Option(help="Exit with status 1 unless this machine gives all of this profile.")
    ] = None,
) -> None:
    """Show what this machine can contain an isolated plugin with.

    Everything is tried, as this user, not looked up. What is missing for a profile is told with what is open because of
    it: with `default` the plugin runs without that protection, with `strict` it is not loaded.

    Exit status:

    * 0: shown
    * 1: shown, but the profile of `--require` lacks something
    """
    told: dict[str, Any] = json.loads(sandbox_support())
    if as_json:
        typer.echo(json.dumps({"cpex": __version__, "python": platform.python_version(), **told}))
    else:
        _show(Console(), told["support"], told["profiles"])
    lacking = require is not None and bool(told["profiles"][require.value])
    raise typer.Exit(EXIT_LACKING if lacking else EXIT_OK)


def _show(screen: Console, support: dict[str, Any], profiles: dict[str, list[dict[str, str]]]) -> None:
    screen.print(Text(f"cpex {__version__}, Python {platform.python_version()}, {support['system']}\n"))
    table = Table("Protection", "Here", "By", title="Sandbox of isolated plugins", title_justify="left")
    for name, here, means in _rows(support):
        state = Text("yes", "green") if here else Text("no", "yellow")
        table.add_row(Text(name), state, Text(means))
    screen.print(table)
    for profile, gaps in profiles.items():
        outcome = "complete" if not gaps else "not loaded" if profile == Profile.STRICT.value else "runs, with gaps"
        screen.print(Text.assemble(f"\nprofile {profile}: ", (outcome, "yellow" if gaps else "green")))
        for gap in gaps:
            screen.print(Text(f"  - {gap['means']} ({gap['why']})"))


def _rows(support: dict[str, Any]) -> list[tuple[str, bool, str]]:
    landlock = support["landlock"]
    rules = f"Landlock, ABI {landlock}" if landlock else "no Landlock"
    denied = support["namespaces_denied"] or ""
    spaces = "process_namespace", "network_namespace", "mount_namespace"
    own, network, mount = ("a namespace" if support[space] else denied for space in spaces)
    counters = [_COUNTERS.get(counter, counter) for counter in support["counters"]]
    fewest = support["fewest_tasks"]
    if support["counters"] == ["process_ids"] and fewest > 1:
        counters.append(f"to no fewer than {fewest}")
    return [
        ("files that are not listed are closed", landlock > 0, rules),
        ("their permissions and times stay", support["mount_namespace"], mount),
        ("a plugin's own folder has a size", support["mount_namespace"], mount),
        ("system calls are filtered", support["seccomp"], "seccomp" if support["seccomp"] else "no seccomp"),
        ("other processes are out of reach", support["process_namespace"], own),
        ("hosts that are not listed are closed", support["network_namespace"], network),
        ("listed hosts are open", support["broker"], "notifications of seccomp"),
        ("processes and threads are limited", bool(counters), ", ".join(counters)),
        ("memory is limited", support["seccomp"], "a resource limit"),
    ]
