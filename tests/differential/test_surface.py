"""Every public name of the published package is here: modules, classes, fields, methods, parameters, values.

Ours may have more than the published package; whatever a caller, a subclass or a reader of dumps could notice of it is
listed in `ALLOWED`, with the row of `docs/compatibility.md` that says so.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("surface.py")


ALLOWED: dict[str, str] = {
    "*.names.*ClientConfig.fields.*": "C34",
    "*.names.ExternalPluginServer.init.parameters.plugins": "C35",
    "*.names.ExternalPluginServer.members.run": "C35",
    "*.names.ExternalPluginServer.members.serve": "C35",
    "*.names.SSLCapableMCPServer.bases": "C35",
    "*.plugin_service_pb2_grpc.names.GRPC_*": "C35",
    "cpex.framework.external.names.proto_convert": "C35",
    "cpex.framework.external.unix.names.protocol": "C35",
    "cpex.framework.external.*.get_plugin_configs.*.returns": "C18",
    "cpex.framework.names.ExternalPluginServer.members.get_plugin_configs.method.returns": "C18",
    "cpex.framework.external.grpc.*.names.create_*.signature.returns": "C18",
    "cpex.framework.external.grpc.names.create_*.signature.returns": "C18",
    "*.names.Grpc*Servicer.members.*.method.parameters.*.annotation": "C18",
    "*.names.Grpc*Servicer.members.*.method.returns": "C18",
    "cpex.framework.external.proto_convert.names.*.signature.parameters.*.annotation": "C18",
    "cpex.framework.external.proto_convert.names.*.signature.returns": "C18",
    "*.names.UnixSocketExternalPlugin.members.invoke_hook.method.parameters.payload.annotation": "C18",
    "*.names.PluginViolation.fields.description.*": "B1",
    "*.names.MessageView.members.text": "B4",
    "cpex.framework.external.*names.*Plugin.members.takes_extensions": "B9",
    "cpex.framework.external.*names.*Plugin.members.invoke_hook.method.parameters.extensions": "B9",
    "cpex.framework.external.*names.*Plugin.members.servers": "C34",
    "cpex.framework.settings.names.*.fields.ssrf_check_addresses": "B29",
    "*.names.PluginConfig.fields.required": "B7",
    "*.names.PluginConfig.fields.on_missing": "B7",
    "*.names.Config.fields.plugin_settings": "C13",
    "*.names.*PluginManager.members.load_failures": "B7",
    "*.names.PluginConfig.fields.timeout_ms": "B17",
    "*.names.*.members.report": "B18",
    "*.names.PluginLoader.members.append_to_search_path.method.parameters.allowed_dirs": "B30",
    "cpex.framework.models.names.UnixSocketServerConfig.fields.path.*": "B35",
    "*.names.*PluginManager.members.eligible": "B36",
    "cpex.framework.settings.names.*.fields.execution_pool.constraints": "B31",
    "cpex.framework.settings.names.*.fields.httpx_*.constraints": "B31",
    "*.names.*.fields.background_tasks.type": "C18",
    "*.names.*Plugin.init.parameters.hook_*.annotation": "C18",
    "*.names.*PluginManager.init.parameters.*.annotation": "C18",
    "*.names.PluginExecutor.init.parameters.timeout.annotation": "C18",
    "*.names.HookMetadata.init.parameters.*_type.annotation": "C18",
    "*.names.hook.signature.returns": "C18",
    "cpex.tools.cli.names.*.signature.parameters.*": "C28",
    "cpex.tools.cli.names.markup_mode.value": "C28",
    "cpex.tools.catalog.names.PluginCatalog.members.*": "C28",
    "cpex.tools.plugin_registry.names.PluginRegistry.members.registry": "C28",
}

_ALIASES = {"PluginContextTable": "dict[str, PluginContext]"}


def look(python: str, asked: Any) -> Any:
    """Runs the script that looks at the package of an environment.

    Args:
        python: The interpreter of the environment.
        asked: Names to ask for, by module, although the module may not list them.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PLUGINS_", "CPEX_"))}
    if python != sys.executable:
        kept.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, "-P", str(SCRIPT)], input=json.dumps(asked), capture_output=True, text=True, env=kept, check=False
    )
    assert not done.returncode, done.stderr[-2000:]
    return json.loads(done.stdout)


def erased(annotation: str) -> str:
    """An annotation without type arguments."""
    while (shorter := re.sub(r"\[[^\[\]]*\]", "", annotation)) != annotation:
        annotation = shorter
    return annotation


def same_annotation(published: str | None, ours: str | None) -> bool:
    """Says whether ours is the published annotation, or says more precisely what is in a container."""
    if published is None or published == ours:
        return True
    spelled = (ours or "").replace("[Any]", "")
    for alias, meaning in _ALIASES.items():
        spelled = spelled.replace(alias, meaning)
    return published == spelled or (
        "[" not in published.replace("type[", "") and published == erased(spelled.replace("type[", "type<"))
    )


def signature(described: dict[str, Any], annotated: bool) -> dict[str, Any]:
    """A signature by the names of its parameters; a positional one keeps its place."""
    parameters = {
        name: {
            "kind": kind,
            "place": place if "POSITIONAL" in kind else None,
            "annotation": annotation if annotated else None,
            "default": default,
        }
        for place, (name, kind, annotation, default) in enumerate(described["parameters"])
    }
    return {
        "async": described["async"],
        "parameters": parameters,
        "returns": described["returns"] if annotated else None,
    }


def same_bases(published: list[str], ours: list[str]) -> bool:
    """Says whether ours has the published bases in their order, whatever helpers are in between."""
    remaining = iter(base.split("[")[0] for base in ours)
    return all(base in remaining for base in dict.fromkeys(base.split("[")[0] for base in published))


def compare(path: str, published: Any, ours: Any) -> Iterator[str]:
    """Yields the paths at which the two differ in a way that can be noticed."""
    key = path.rsplit(".", 1)[-1]
    if isinstance(published, list) and (
        (key == "bases" and same_bases(published, ours)) or (key == "all" and not published)
    ):
        return
    if isinstance(published, (str, type(None))) and key in ("annotation", "returns", "type"):
        if not same_annotation(published, ours):
            yield path
    elif isinstance(published, dict) and isinstance(ours, dict):
        if isinstance(published.get("parameters"), list) and "parameters" in ours:
            # What is written in Rust has its annotations in the stubs.
            published, ours = (signature(side, ours["annotated"]) for side in (published, ours))
        more_matters = key in ("members", "fields", "values", "config", "parameters")
        for name in sorted({*published, *(ours if more_matters else ())}):
            if name not in ours or (name not in published and "attribute" not in ours[name]):
                yield f"{path}.{name}"
            elif name in published:
                yield from compare(f"{path}.{name}", published[name], ours[name])
    elif published != ours and key != "own":
        yield path


def differences(published: Any, ours: Any) -> Iterator[str]:
    """Yields the paths at which our modules differ from the published ones."""
    for module, found in sorted(published.items()):
        if module not in ours:
            yield module
            continue
        if "import" in found:
            continue  # the environment of the published package lacks what this module needs
        if "import" in ours[module]:
            yield f"{module}.import"
            continue
        yield from compare(f"{module}.all", found["all"], ours[module]["all"])
        for name, described in found["names"].items():
            path = f"{module}.names.{name}"
            if name not in ours[module]["names"]:
                yield path
            elif described["own"]:
                yield from compare(path, described, ours[module]["names"][name])


@pytest.fixture(scope="module")
def found() -> list[str]:
    python = Path(os.environ.get("CPEX_PUBLISHED_PYTHON", ROOT / ".venv-published" / "bin" / "python"))
    if not python.is_file():
        pytest.fail(f"{python} does not exist: `make pytest` installs the published package")
    published = look(str(python), {})
    asked = {module: list(described["names"]) for module, described in published.items() if "names" in described}
    return list(differences(published, look(sys.executable, asked)))


def _pattern(path: str) -> str | None:
    """The entry of `ALLOWED` that a path belongs to."""
    return next((pattern for pattern in ALLOWED if fnmatchcase(path, pattern)), None)


def test_every_public_name_is_here_and_looks_the_same(found: list[str]) -> None:
    assert [path for path in found if _pattern(path) is None] == []


@pytest.mark.row("C18", "C28", "C34", "C35")
def test_every_allowed_difference_exists(found: list[str]) -> None:
    assert set(ALLOWED) == {_pattern(path) for path in found} - {None}


@pytest.mark.parametrize(
    ("path", "published", "ours", "expected"),
    [
        ("m.names.C.bases", ["A", "object"], ["_P", "A", "object"], []),
        ("m.names.C.bases", ["A", "B"], ["B", "A"], ["m.names.C.bases"]),
        ("m.names.C.fields", {"a": 1}, {}, ["m.names.C.fields.a"]),
        ("m.names.C.fields", {}, {"a": {}}, ["m.names.C.fields.a"]),
        ("m.names.C.values", {"A": "a"}, {"A": "b"}, ["m.names.C.values.A"]),
        ("m.names.f.signature.returns", "dict", "dict[str, Any]", []),
        ("m.names.f.signature.returns", "dict[str, int]", "dict[str, str]", ["m.names.f.signature.returns"]),
    ],
)
def test_what_counts_as_a_difference(path: str, published: Any, ours: Any, expected: list[str]) -> None:
    assert list(compare(path, published, ours)) == expected


def _function(*names: str, annotation: str | None = "int", annotated: bool = True) -> dict[str, Any]:
    parameters = [[name, "POSITIONAL_OR_KEYWORD", annotation, None] for name in names]
    return {"async": False, "annotated": annotated, "parameters": parameters, "returns": None}


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (_function("a", "b"), []),
        (_function("a", "b", annotation=None, annotated=False), []),
        (_function("a", "b", annotation="str"), ["f.parameters.a.annotation", "f.parameters.b.annotation"]),
        (_function("b", "a"), ["f.parameters.a.place", "f.parameters.b.place"]),
        (_function("a"), ["f.parameters.b"]),
        (_function("a", "b", "c"), ["f.parameters.c"]),
    ],
)
def test_what_counts_as_another_signature(ours: dict[str, Any], expected: list[str]) -> None:
    assert list(compare("f", _function("a", "b"), ours)) == expected
