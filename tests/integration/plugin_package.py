"""Tiny plugin packages, built without the network: a wheel, or sources with a build backend of their own."""

import base64
import hashlib
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

BACKEND = '''
"""Builds wheels with the standard library, so that installing these sources needs no network."""

import pathlib, zipfile

HERE = pathlib.Path(__file__).parent.resolve()
NAME, VERSION = "@NAME@", "@VERSION@"
STEM = f"{NAME.replace('-', '_')}-{VERSION}"


def _wheel(folder, files):
    files[f"{STEM}.dist-info/METADATA"] = f"Metadata-Version: 2.1\\nName: {NAME}\\nVersion: {VERSION}\\n"
    files[f"{STEM}.dist-info/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[f"{STEM}.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in [*files, f"{STEM}.dist-info/RECORD"])
    name = f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    package = HERE / NAME.replace("-", "_")
    return _wheel(wheel_directory, {str(p.relative_to(HERE)): p.read_text() for p in package.iterdir() if p.is_file()})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {f"{STEM}.pth": str(HERE)})
'''


def contents(name: str, version: str, kind: str, **manifest: object) -> dict[str, str]:
    """The files of a plugin package, by path."""
    package = name.replace("-", "_")
    fields = {
        "name": name,
        "kind": kind,
        "description": "Guards",
        "author": "me",
        "version": version,
        "tags": ["guard"],
        "available_hooks": ["tool_pre_invoke"],
        "default_config": {"level": 3},
        **manifest,
    }
    return {
        f"{package}/__init__.py": "",
        f"{package}/plugin.py": "from cpex.framework import Plugin\n\n\nclass Guard(Plugin):\n    pass\n",
        f"{package}/plugin-manifest.yaml": yaml.safe_dump(fields),
    }


def wheel(folder: Path, name: str, version: str = "1.0.0", kind: str = "native", **manifest: object) -> Path:
    """Builds a wheel of a plugin package."""
    stem = f"{name.replace('-', '_')}-{version}"
    files = contents(name, version, kind, **manifest)
    files[f"{stem}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[f"{stem}.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},sha256={_record_hash(text)},{len(text)}\n" for path, text in files.items())
    files[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return path


def sources(folder: Path, name: str, version: str = "1.0.0", kind: str = "native", **manifest: object) -> Path:
    """Writes the sources of a plugin package, with the backend that builds them."""
    for path, text in contents(name, version, kind, **manifest).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "backend.py").write_text(BACKEND.replace("@NAME@", name).replace("@VERSION@", version))
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n'
    )
    return folder


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def source_archive(folder: Path, name: str, prelude: str = "") -> Path:
    """Packs the sources of a package, as an index publishes them; `prelude` is run by whoever builds them."""
    stem = f"{name.replace('-', '_')}-1.0.0"
    archive = folder / f"{stem}.tar.gz"
    with TemporaryDirectory() as workplace:
        unpacked = Path(workplace, stem)
        sources(unpacked, name)
        backend = unpacked / "backend.py"
        backend.write_text(prelude + backend.read_text())
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(unpacked, stem)
    return archive
