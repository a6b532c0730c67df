"""What `cpex check` finds in the `config` of plugins in WebAssembly."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpex.tools.check._checked import Loading, check

GUARD = "plugins:\n  - name: guard\n    kind: wasm\n    hooks: [tool_pre_invoke]\n    config:\n      module: {}\n"


@pytest.mark.parametrize(
    ("module", "line", "place", "problem"),
    [
        ("guard.wasm", "modul: x", (7, 14), "config.modul: unknown field `modul`, expected one of `module`"),
        ("guard.wasm", "memory: 64MB", (7, 15), 'config.memory: expected bytes, such as "64MiB"'),
        ("guard.wasm", "instances: 1001", (7, 18), "config.instances: expected a number from 1 to 1000"),
        ("guard.wasm", "sha256: abc", (7, 15), "config.sha256: expected the SHA-256 of the module: 64 hexadecimal"),
        ("no.wasm", "", (6, 15), "no.wasm cannot be read: No such file"),
        (".", "", (6, 15), "is no file"),
    ],
)
@pytest.mark.parametrize("loading", [Loading.BUILTIN, Loading.CLASSES])
def test_mistakes_are_found_at_their_place(
    tmp_path: Path, module: str, line: str, place: tuple[int, int], problem: str, loading: Loading
) -> None:
    (tmp_path / "guard.wasm").touch()
    config = tmp_path / "plugins.yaml"
    config.write_text(GUARD.format(module) + (f"      {line}\n" if line else ""))
    (finding,) = check(str(config), loading).findings
    assert (finding.code.value, finding.line, finding.column) == ("plugin-construct", *place)
    assert problem in finding.message


def test_a_module_is_looked_for_beside_the_file_and_not_compiled(tmp_path: Path) -> None:
    (tmp_path / "guard.wasm").touch()
    config = tmp_path / "plugins.yaml"
    config.write_text(GUARD.format("guard.wasm"))
    assert check(str(config)).findings == []
    (finding,) = check(str(config), Loading.EVERYTHING).findings
    assert (finding.code.value, finding.line) == ("plugin-initialize", 6)
    assert finding.message.startswith("config.module: it is no plugin")
