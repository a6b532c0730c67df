"""Tiny wheels of libraries, for tests that install something without a network."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def library_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str] | None = None, requires: Sequence[str] = ()
) -> Path:
    """Builds a wheel.

    Args:
        folder: Where it goes.
        name: Name of the distribution.
        version: Its version.
        files: Its modules by path; one that says its version if None.
        requires: What it requires.

    Returns:
        The wheel.
    """
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    contents = dict(files if files is not None else {f"{module}.py": f'version = "{version}"\n'})
    required = "".join(f"Requires-Dist: {each}\n" for each in requires)
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}"
    contents[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*contents, f"{info}/RECORD"])
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            archive.writestr(member, text)
    return path
