"""Names, hooks and the loading of plugins."""

from collections.abc import Collection, Iterator

from cpex.framework import PluginError, get_hook_registry
from cpex.framework._loading import LoadFailure
from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE, WASM_PLUGIN_TYPE
from cpex.framework.hooks.registry import hook_names
from cpex.framework.loader._special import SPECIAL_KINDS, is_builtin, special_type
from cpex.framework.loader._suggest import misspelt_hook
from cpex.framework.loader.config import location_of

from .._load import diagnose, no_class_path
from .._problem import nearest
from ._codes import Code
from ._finding import Finding
from ._reading import Entry, Plugin, Reading

_FIELDS_NAMED = (ISOLATED_VENV_PLUGIN_TYPE, WASM_PLUGIN_TYPE)
"""Kinds of plugins that run elsewhere whose errors begin with the field of the entry, where it is at fault."""

_LOAD_CODES = {
    "import": Code.PLUGIN_IMPORT,
    "construct": Code.PLUGIN_CONSTRUCT,
    "initialize": Code.PLUGIN_INITIALIZE,
    "register": Code.HOOK_METHOD,
}


def duplicate_names(reading: Reading) -> Iterator[Finding]:
    """Finds names that are taken: a manager loads only the first plugin of a name."""
    first: dict[str, Entry] = {}
    for entry in reading.enabled:
        taken = first.setdefault(entry.name, entry)
        if taken is entry or not entry.name:
            continue
        line, _ = reading.positions.locate(taken.at("name")) or (1, 1)
        message = f"the name {entry.name!r} is taken by the plugin at line {line}: this one is not loaded"
        hint = "give each plugin a name of its own"
        yield reading.finding(Code.DUPLICATE_NAME, entry.at("name"), message, hint, entry.name)


def hook_lists(reading: Reading) -> Iterator[Finding]:
    """Finds plugins without hooks, and hooks listed twice."""
    for entry in reading.enabled:
        if not entry.written("hooks") and not is_part_of_cpex(entry.written("kind")):
            hint = "name the hooks it answers: hooks: [tool_pre_invoke]"
            message = f"{entry.name!r} has no hooks: it never runs"
            yield reading.finding(Code.NO_HOOKS, entry.at("hooks"), message, hint, entry.name)
        for index, hook in enumerate(entry.hooks):
            if hook and hook in entry.hooks[:index]:
                at, message = entry.at("hooks", index), f"{hook} is listed twice"
                yield reading.finding(Code.REPEATED_HOOK, at, message, "it runs once: leave one out", entry.name)


def unknown_hooks(reading: Reading) -> Iterator[Finding]:
    """Finds hooks that nobody registered and that the plugin does not answer, or that nearly are registered ones."""
    known = sorted(hook_names())
    for entry in reading.enabled:
        own = _own_hooks(entry, reading)
        for index, hook in enumerate(entry.hooks):
            if not hook or hook in known or hook in entry.hooks[:index]:
                continue
            at, is_misspelt = entry.at("hooks", index), bool(misspelt_hook(hook, known))
            if is_misspelt or (reading.imports and hook not in own):
                hint = nearest(hook, known) or _if_it_is_registered(entry)
                yield reading.finding(Code.UNKNOWN_HOOK, at, f"unknown hook {hook!r}", hint, entry.name)
            elif hook not in own:
                message = f"hook {hook!r} is none of CPEX: whether the application has it is not checked"
                yield reading.finding(Code.NOT_CHECKED, at, message, nearest(hook, known), entry.name)


def not_checked(reading: Reading) -> Iterator[Finding]:
    """Notes the plugins that are not part of CPEX, if nothing else may be imported."""
    for plugin in reading.plugins:
        if reading.imports or is_part_of_cpex(plugin.config.kind):
            continue
        at, kind = plugin.entry.at("kind"), plugin.config.kind
        message = f"kind {kind!r} is not imported: that it exists, its hooks and its config are not checked"
        yield reading.finding(Code.NOT_CHECKED, at, message, "", plugin.name)


def unavailable_kinds(reading: Reading) -> Iterator[Finding]:
    """Finds plugins of a kind that this release, or this installation, does not run."""
    for plugin in reading.plugins:
        if plugin.config.kind not in SPECIAL_KINDS:
            continue
        try:
            special_type(plugin.config)
        except PluginError as error:
            reason, _, hint = str(error).removeprefix(f"Plugin '{plugin.name}': ").partition("; ")
            what, at = f"{reason}{_consequence(plugin)}", plugin.entry.at("kind")
            yield reading.finding(Code.KIND_UNAVAILABLE, at, what, hint, plugin.name)


def misspelt_kinds(reading: Reading) -> Iterator[Finding]:
    """Finds kinds that nearly are one that runs elsewhere, where nothing else looks at them."""
    is_tried = reading.imports and reading.survey is not None
    for plugin in reading.plugins if not is_tried else ():
        kind = plugin.config.kind
        near = "" if is_part_of_cpex(kind) or "." in kind else nearest(kind, SPECIAL_KINDS)
        if near:
            yield reading.finding(Code.PLUGIN_IMPORT, plugin.entry.at("kind"), no_class_path(kind), near, plugin.name)


def load_failures(reading: Reading) -> Iterator[Finding]:
    """Finds plugins that a manager could not load."""
    if reading.survey is None:
        return
    registry = get_hook_registry()
    for plugin in reading.plugins:
        failure = reading.survey.failures.get(plugin.entry.index)
        if failure is None or (plugin.config.kind in SPECIAL_KINDS and failure.phase == "import"):
            continue  # that of a kind is found by its own rule
        if failure.phase in ("construct", "initialize") and reading.isolated.get(plugin.entry.index):
            continue  # what is wrong with it is found without starting it
        hook = _hook_of(failure, plugin)
        if hook is not None and not registry.is_registered(hook):
            continue  # the hook itself is what is wrong
        what, hint = diagnose(plugin.config, failure)
        if plugin.config.kind == ISOLATED_VENV_PLUGIN_TYPE:
            what = " ".join(map(str.strip, what.splitlines()))  # those of an installer are several
        what += _consequence(plugin)
        at = plugin.entry.at(*_place(failure, plugin, hook))
        yield reading.finding(_LOAD_CODES[failure.phase], at, what, hint, plugin.name)


def isolated_plugins(reading: Reading) -> Iterator[Finding]:
    """Finds what keeps isolated plugins from starting, without building or starting anything."""
    survey = reading.survey
    for plugin in reading.plugins:
        if survey is not None and survey.started and plugin.entry.index not in survey.failures:
            continue  # it has started
        for fault in reading.isolated.get(plugin.entry.index, ()):
            problem, _, hint = fault.problem.partition("; ")
            at = plugin.entry.at(*location_of(fault.field))
            what = f"{fault.field}: {problem}{_consequence(plugin)}"
            yield reading.finding(Code.ISOLATED_PLUGIN, at, what, hint, plugin.name)


def unused_capabilities(reading: Reading) -> Iterator[Finding]:
    """Finds capabilities that no method can use: extensions are handed only to methods with a third parameter."""
    for plugin in reading.plugins:
        refs = reading.survey.hook_refs(plugin.name) if reading.survey else {}
        if not plugin.config.capabilities or not refs or any(ref.accepts_extensions for ref in refs.values()):
            continue
        if callable(getattr(next(iter(refs.values())).plugin_ref.plugin, "invoke_hook", None)):
            continue
        at = plugin.entry.at("capabilities")
        message = f"no hook method of {plugin.name!r} takes the extensions: its capabilities have no effect"
        hint = "write the method as (self, payload, context, extensions), or leave the capabilities out"
        yield reading.finding(Code.UNUSED_CAPABILITIES, at, message, hint, plugin.name)


def disabled_required(reading: Reading) -> Iterator[Finding]:
    """Finds plugins that are switched off and yet said to be indispensable."""
    for entry in reading.entries:
        if entry.is_enabled:
            continue
        for key in ("required", "on_missing"):
            if entry.written(key):
                message = f"{entry.name!r} is disabled: {key} has no effect, and requests pass without it"
                hint = f"choose a mode, or leave {key} out"
                yield reading.finding(Code.DISABLED_REQUIRED, entry.at(key), message, hint, entry.name)


def _hook_of(failure: LoadFailure, plugin: Plugin) -> str | None:
    if failure.phase != "register":
        return None
    named = (
        hook for hook in plugin.config.hooks if f"hook '{hook}'" in failure.error or f"hook: '{hook}'" in failure.error
    )
    return next(named, None)


def _own_hooks(entry: Entry, reading: Reading) -> Collection[str]:
    """The hooks that a plugin has methods for, or may have. A built-in one has none: it answers what it is told to."""
    if _is_builtin(entry.written("kind")):
        return ()
    if not reading.imports and not is_part_of_cpex(entry.written("kind")):
        return entry.hooks
    return reading.survey.hook_refs(entry.name) if reading.survey else ()


def _if_it_is_registered(entry: Entry) -> str:
    if _is_builtin(entry.written("kind")):
        return "if the application registers it, leave this out with `# cpex: ignore[unknown-hook]`"
    return "if the application registers it, the plugin needs a method of that name"


def _is_builtin(kind: object) -> bool:
    return isinstance(kind, str) and is_builtin(kind)


def is_part_of_cpex(kind: object) -> bool:
    """Tells whether nothing of the application is imported for a kind."""
    return kind in SPECIAL_KINDS or _is_builtin(kind)


def _place(failure: LoadFailure, plugin: Plugin, hook: str | None) -> tuple[str | int, ...]:
    kind = plugin.config.kind
    if _is_of_a_build(failure) and (plugin.config.config or {}).get("requirements_file"):
        return ("config", "requirements_file")
    if failure.phase in ("construct", "initialize") and (kind in _FIELDS_NAMED or is_builtin(kind)):
        named = location_of(failure.error.partition(": ")[0])
        return named if named and plugin.entry.written(str(named[0])) is not None else ("kind",)
    if hook is not None:
        return ("hooks", plugin.config.hooks.index(hook))
    return ("config",) if failure.phase == "construct" and plugin.config.config else ("kind",)


def _is_of_a_build(failure: LoadFailure) -> bool:
    """Tells whether an environment could not be built; what a plugin raises has details of its own."""
    details = failure.details or {}
    return failure.kind == ISOLATED_VENV_PLUGIN_TYPE and {"step", "command", "requirements"} <= details.keys()


def _consequence(plugin: Plugin) -> str:
    if plugin.config.required:
        return "; required: true, so the application does not start"
    return "; on_missing: deny, so its hooks are denied" if plugin.config.on_missing else ""
