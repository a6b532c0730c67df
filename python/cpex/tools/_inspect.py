"""The command `cpex inspect`."""

from dataclasses import replace
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from ._check import Policies, Start, Verbose, host_policies
from ._json import private_stdout
from ._log import shown_log
from ._problem import Problem, nearest
from ._report import print_problems
from .check._checked import Loading, opened
from .check._inspection import Inspection, Request, inspect_config
from .check._inspection_formats import InspectFormat, write_inspection
from .check._policies import misspelt_policies
from .check._reading import UnusableConfigError

EXIT_COMPLETE = 0
EXIT_INCOMPLETE = 1
EXIT_UNUSABLE = 2

_PANEL = "A request to ask about"


def inspect(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="The plugin config; - reads standard input.")],
    hook: Annotated[str, typer.Option(metavar="NAME", help="Show this hook alone.")] = "",
    to: Annotated[InspectFormat, typer.Option("--format", "-f", help="How to write it.")] = InspectFormat.TEXT,
    tenant: Annotated[str, typer.Option(metavar="ID", rich_help_panel=_PANEL, help="Its tenant.")] = "",
    server: Annotated[str, typer.Option(metavar="ID", rich_help_panel=_PANEL, help="Its server.")] = "",
    user: Annotated[str, typer.Option(metavar="NAME", rich_help_panel=_PANEL, help="Its user.")] = "",
    content_type: Annotated[str, typer.Option(metavar="TYPE", rich_help_panel=_PANEL, help="Its content type.")] = "",
    tool: Annotated[str, typer.Option(metavar="NAME", rich_help_panel=_PANEL, help="The tool it calls.")] = "",
    prompt: Annotated[str, typer.Option(metavar="ID", rich_help_panel=_PANEL, help="The prompt it fetches.")] = "",
    resource: Annotated[str, typer.Option(metavar="URI", rich_help_panel=_PANEL, help="The resource it reads.")] = "",
    agent: Annotated[str, typer.Option(metavar="ID", rich_help_panel=_PANEL, help="The agent it calls.")] = "",
    start: Start = False,
    policies: Policies = "",
    verbose: Verbose = False,
) -> None:
    """Show what runs for each hook of a plugin config: in which order, when, and with which rights.

    The order is that of a plugin manager built from CONFIG. Plugins are imported and constructed, but not initialized;
    what they print goes to standard error. With one of the options that describe a request, each plugin says whether it
    would run for it, and if not, why: what is not said is absent from the request, but a tool, prompt, resource or
    agent that is not said matches.

    Examples:

    * `cpex inspect plugins.yaml`
    * `cpex inspect plugins.yaml --hook tool_pre_invoke --tenant acme --tool search`
    * `cpex inspect plugins.yaml --format mermaid > pipeline.mmd`

    Exit status:

    * 0: shown, and every plugin that is not disabled could be loaded
    * 1: shown, but some plugin could not be loaded
    * 2: CONFIG cannot be read as a config at all, or the command is misused
    """
    described = Request(server, tenant, user, content_type, tool, prompt, resource, agent)
    known, errors = host_policies(policies), Console(stderr=True)
    request = described if described != Request() else None
    _validate(described)
    try:
        with (
            shown_log(errors, verbose),
            private_stdout() as stdout,
            opened(config, Loading.EVERYTHING if start else Loading.CLASSES, known) as reading,
        ):
            inspection = _only(inspect_config(reading, request), hook)
            write_inspection(inspection, to, stdout)
            wrong = [Problem("--policies", found.message, found.hint) for found in misspelt_policies(reading)]
            print_problems(errors, wrong)
    except UnusableConfigError as error:
        found = error.finding
        place = f"{error.source.name}:{found.line}:{found.column}"
        print_problems(errors, [Problem(place, found.message, found.hint)])
        raise typer.Exit(EXIT_UNUSABLE) from error
    raise typer.Exit(EXIT_COMPLETE if inspection.is_complete else EXIT_INCOMPLETE)


def _validate(request: Request) -> None:
    try:
        request.context()
    except ValidationError as error:
        detail = error.errors()[0]
        raise typer.BadParameter(f"{detail['loc'][0]}: {detail['msg']}") from error


def _only(inspection: Inspection, hook: str) -> Inspection:
    """Returns an inspection with the plugins and the order of one hook; all if none is named."""
    if not hook:
        return inspection
    answered = [view.name for view in inspection.hooks]
    if hook not in answered:
        hint = nearest(hook, answered) or f"hooks that are answered: {', '.join(answered) or 'none'}"
        raise typer.BadParameter(f"no plugin answers {hook!r}; {hint}", param_hint="--hook")
    plugins = [view for view in inspection.plugins if view.config is not None and hook in view.config.hooks]
    return replace(inspection, plugins=plugins, hooks=[view for view in inspection.hooks if view.name == hook])
