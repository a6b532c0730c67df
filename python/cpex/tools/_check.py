"""The command `cpex check`."""

from typing import Annotated

import typer
from rich.console import Console

from cpex.framework import HookPayloadPolicy

from ._building import builds_shown
from ._json import private_stdout
from ._log import shown_log
from .check._checked import Checked, Loading
from .check._checked import check as check_config
from .check._codes import Code, Severity
from .check._formats import CheckFormat, count, write_findings
from .check._policies import load_policies

EXIT_CLEAN = 0
EXIT_PROBLEMS = 1
EXIT_UNUSABLE = 2

NoLoad = Annotated[bool, typer.Option("--no-load", help="Do not import the plugins: look at the file alone.")]
NoImport = Annotated[
    bool,
    typer.Option(
        "--no-import",
        help="Import nothing of the application: of the plugins, load only those of CPEX. For a config whose kinds are "
        "those of a Rust application.",
    ),
]
Start = Annotated[
    bool, typer.Option("--start", help="Also call initialize() of the plugins; it may connect and open files.")
]
Policies = Annotated[
    str,
    typer.Option(
        metavar="MODULE:NAME", help="The host's hook policies, a dict; without it plugins may write every field."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the log of the plugins, too.")]


def check(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", help="Plugin configs; - reads standard input.")],
    to: Annotated[CheckFormat, typer.Option("--format", "-f", help="How to write what was found.")] = CheckFormat.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")] = False,
    ignore: Annotated[
        list[Code] | None, typer.Option(metavar="CODE", help="Leave a code out; may be repeated.")
    ] = None,
    no_load: NoLoad = False,
    no_import: NoImport = False,
    start: Start = False,
    policies: Policies = "",
    verbose: Verbose = False,
) -> None:
    """Find everything that is wrong with a plugin config: what, where, and what would be right.

    Plugins are imported and constructed, as in an application and from beside CONFIG, but not initialized. What they
    print goes to standard error. Each finding has a code; a comment `# cpex: ignore[code]` on its line, or above it,
    silences it. docs/reference/check.md lists the codes.

    Examples:

    * `cpex check plugins.yaml`
    * `cpex check --strict --format github config/*.yaml`
    * `cpex check --policies my_gateway.policies:HOOK_POLICIES plugins.yaml`
    * `cpex check --no-import plugins.yaml`
    * `render-config | cpex check --no-load -`

    Exit status:

    * 0: nothing to mend; warnings alone count only with --strict, notes never
    * 1: problems were found
    * 2: some CONFIG cannot be read as a config at all, or the command is misused
    """
    loading = how_far(no_load, no_import, start)
    known = host_policies(policies)
    with shown_log(Console(stderr=True), verbose), private_stdout() as stdout, builds_shown():
        checked = [check_config(config, loading, known, ignore or ()) for config in configs]
        write_findings(checked, to, stdout)
    raise typer.Exit(_status(checked, strict))


def how_far(no_load: bool, no_import: bool, start: bool) -> Loading:
    """Returns how far plugins are loaded, from the options that say so."""
    options = {
        "--no-load": (no_load, Loading.NOTHING),
        "--no-import": (no_import, Loading.BUILTIN),
        "--start": (start, Loading.EVERYTHING),
    }
    chosen = [name for name, (is_given, _) in options.items() if is_given]
    if len(chosen) > 1:
        raise typer.BadParameter(f"{' and '.join(chosen)} exclude each other")
    return options[chosen[0]][1] if chosen else Loading.CLASSES


def host_policies(reference: str) -> dict[str, HookPayloadPolicy]:
    """Returns the hook policies that an option names; none if it names none."""
    try:
        return load_policies(reference) if reference else {}
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--policies") from error


def _status(checked: list[Checked], strict: bool) -> int:
    if not all(item.is_usable for item in checked):
        return EXIT_UNUSABLE
    problems = count(checked, Severity.ERROR) + (count(checked, Severity.WARNING) if strict else 0)
    return EXIT_PROBLEMS if problems else EXIT_CLEAN
