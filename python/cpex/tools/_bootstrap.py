"""`cpex bootstrap`: a new plugin project from a template."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from subprocess import DEVNULL, PIPE, CalledProcessError, SubprocessError
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

from cpex.framework._masking import without_url_credentials

from ._problem import nearest

DEFAULT_AUTHOR_NAME = "<changeme>"
DEFAULT_AUTHOR_EMAIL = "<changeme>"
DEFAULT_PROJECT_DIR = Path(".")
DEFAULT_TEMPLATE_URL = "https://github.com/contextforge-org/cpex.git"
DEFAULT_TEMPLATE_TYPE = "native"
DEFAULT_VCS_REF = "main"
LOCAL_TEMPLATES_DIR = Path(__file__).parents[1] / "templates"

console = Console(log_time=False, log_path=False)

_TYPES = {
    "native": "runs in the process of the application",
    "external": "runs in a server of its own, which the application calls",
    "isolated": "runs in a virtual environment of its own, with its own requirements",
}
_TEMPLATES_IN_REPOSITORY = "cpex/templates"


def command_exists(command_name: str) -> bool:
    """Says whether a command can be run.

    Args:
        command_name: Name of the command.

    Returns:
        Whether it is found on `PATH`.
    """
    return _cli().shutil.which(command_name) is not None


def git_user_name() -> str:
    """Asks git who the user is.

    Returns:
        `user.name`, or `<changeme>` if git does not know or is not there.
    """
    return _git_setting("user.name") or DEFAULT_AUTHOR_NAME


def git_user_email() -> str:
    """Asks git for the user's address.

    Returns:
        `user.email`, or `<changeme>` if git does not know or is not there.
    """
    return _git_setting("user.email") or DEFAULT_AUTHOR_EMAIL


def _git_setting(key: str) -> str:
    try:
        run = _cli().subprocess.run(["git", "config", key], stdout=PIPE, stderr=DEVNULL, check=False)
    except (OSError, SubprocessError):
        return ""
    return "" if run.returncode else str(run.stdout.decode(errors="replace")).strip()


def _complete_type(incomplete: str) -> Iterator[tuple[str, str]]:
    return ((name, what) for name, what in _TYPES.items() if name.startswith(incomplete))


def bootstrap(
    destination: Annotated[
        Path,
        typer.Option("--destination", "-d", help="The folder to create. Its name is the name of the project."),
    ] = DEFAULT_PROJECT_DIR,
    template_url: Annotated[
        str | None,
        typer.Option(
            "--template_url",
            "-u",
            metavar="URL",
            help=f"Take the template from {_TEMPLATES_IN_REPOSITORY}/TYPE of this git repository.",
        ),
    ] = None,
    template_type: Annotated[
        str,
        typer.Option(
            "--template_type",
            "-t",
            metavar="TYPE",
            help="Where the plugin runs: native, external or isolated.",
            autocompletion=_complete_type,
        ),
    ] = DEFAULT_TEMPLATE_TYPE,
    vcs_ref: Annotated[
        str, typer.Option("--vcs_ref", "-r", metavar="REF", help="The branch, tag or commit of the repository.")
    ] = DEFAULT_VCS_REF,
    no_input: Annotated[bool, typer.Option("--no_input", help="Take the defaults; ask nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry_run", help="Say what would be created; create nothing.")] = False,
) -> None:
    """Create a new plugin project: a plugin that works, its config, tests and a README.

    Templates:

    * native: the plugin runs in the process of the application
    * external: it runs in a server of its own, which the application calls
    * isolated: it runs in a virtual environment of its own, with its own requirements

    Examples:

    * `cpex bootstrap -d my_filter` asks for a name, version, author and description
    * `cpex bootstrap -d plugins/my_filter --no_input` takes the defaults, and the author from git
    * `cpex bootstrap -d my-server -t external` creates a project with its package, server and Containerfile

    Exit status:

    * 0: the project was created
    * 1: cookiecutter is not installed, or git is needed and not there
    * 4: the project could not be created
    """
    cli = _cli()
    try:
        cookiecutter = import_module("cookiecutter.main").cookiecutter
    except ImportError as error:
        _say('❌ Creating a project needs cookiecutter; install it with: pip install "cpex[cli]"')
        raise typer.Exit(cli.EXIT_GENERAL_ERROR) from error
    source = _source(template_type, template_url, vcs_ref)
    if dry_run:
        _say(f"Would create {destination} from {without_url_credentials(source['template'])}")
        return
    try:
        if destination.exists():
            raise FileExistsError(f'"{destination}" already exists; name a new folder with -d')
        author = {"author": cli.git_user_name(), "email": cli.git_user_email()}
        with _clone_failures_unlogged():
            created = cookiecutter(
                **source,
                output_dir=str(destination.parent),
                no_input=no_input,
                extra_context={"plugin_slug": destination.name, **author},
            )
    except typer.Abort:
        raise
    except Exception as error:
        _say(f"❌ Failed to create plugin project: {without_url_credentials(_reason(error))}")
        raise typer.Exit(cli.EXIT_OPERATION_FAILED) from error
    _say(f"Created {created}; README.md in it says how to go on")
    _warn_of_name(Path(str(created)))


def _source(template_type: str, template_url: str | None, vcs_ref: str) -> dict[str, str]:
    """Says where cookiecutter finds a template: here, or in a repository if one is named or it is not here.

    A type that is only misspelt is not looked for elsewhere: what a repository holds is code that runs.
    """
    cli = _cli()
    local = cli.LOCAL_TEMPLATES_DIR / template_type
    if not template_url:
        if template_type and (local / "cookiecutter.json").is_file():
            return {"template": str(local)}
        missing, types = f"no template {template_type!r} here", ", ".join(_TYPES)
        if hint := nearest(template_type, _TYPES):
            _say(f"❌ Failed to create plugin project: {missing}; {hint} The types are {types}; -u takes any other")
            raise typer.Exit(cli.EXIT_OPERATION_FAILED)
        _say(f"There is {missing} ({types}); looking in {cli.DEFAULT_TEMPLATE_URL}")
    if not cli.command_exists("git"):
        _say("❌ Taking a template from a repository needs git, which is not installed")
        raise typer.Exit(cli.EXIT_GENERAL_ERROR)
    url = template_url or cli.DEFAULT_TEMPLATE_URL
    return {"template": url, "checkout": vcs_ref, "directory": f"{_TEMPLATES_IN_REPOSITORY}/{template_type}"}


def _cli() -> ModuleType:
    """Programs replace what this module uses by patching `cpex.tools.cli`; there it is looked up at each call."""
    from cpex.tools import cli

    return cli


@contextmanager
def _clone_failures_unlogged() -> Iterator[None]:
    """cookiecutter logs a failed `git clone` with its command line, which may hold a password."""
    logger = logging.getLogger("cookiecutter.vcs")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def _say(text: str) -> None:
    _cli().console.print(text, markup=False, highlight=False, soft_wrap=True)


def _warn_of_name(project: Path) -> None:
    if (project / "__init__.py").exists() and not project.name.isidentifier():
        _say(
            f"The folder is the plugin's Python package: it works as it is, but no import statement can name "
            f"{project.name}; {project.name.replace('-', '_')} has no such limit"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, CalledProcessError) and error.output:
        output = error.output if isinstance(error.output, str) else error.output.decode(errors="replace")
        return f"{error.cmd[0]}: {(output.strip() or f'exit status {error.returncode}').splitlines()[-1]}"
    if isinstance(error, EOFError):
        return "no answer on standard input; --no_input takes the defaults"
    return str(error) or type(error).__name__
