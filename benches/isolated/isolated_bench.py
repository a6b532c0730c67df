"""Sets isolated plugins side by side with the published package, in one run.

Each package has a host with one plugin in an environment of its own, made beforehand; the two take turns, so a change
of the machine's speed during the run touches both alike. So does a raw echo of 200 bytes between two event loops,
without any package: what the machine takes for waking two processes.
"""

import argparse
import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
ECHO = HERE.parent / "remote"
OURS, PUBLISHED, RAW = "ours", "published", "raw echo"
SMALL, LARGE = 1_000, 990_000
HEADINGS = ("what", "ours", "published", "raw echo", "compared", "target")

PLUGIN = """
from cpex.framework import Plugin, PluginResult


class Noop(Plugin):
    async def tool_pre_invoke(self, payload, context):
        return PluginResult(continue_processing=True)
"""


class Caller:
    """A process that makes calls on request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def load(self, concurrency: int, seconds: float, **more: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        asked = {"concurrency": concurrency, "seconds": seconds, **more}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        measured: dict[str, Any] = json.loads(self._line())
        return measured

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the host ended with status {self._process.wait()}")
        return line


class Host(Caller):
    """A process that calls its isolated plugin."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(process)
        self.started = float(self._line())


def project(folder: Path, python: str, package: str) -> Path:
    """Makes a project with the plugin; the published package finds the environment that it would have made."""
    plugin = folder / "plugins" / "noop"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").touch()
    (plugin / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    config = {"class_name": "noop.plugin.Noop"}
    entry = {"name": "Noop", "kind": "isolated_venv", "hooks": ["tool_pre_invoke"], "version": "1", "config": config}
    path = folder / "config.yaml"
    path.write_text(json.dumps({"plugin_dirs": ["plugins"], "plugins": [entry]}), encoding="utf-8")
    if package == PUBLISHED:
        environment = plugin / ".venv"
        subprocess.run([python, "-m", "venv", "--without-pip", str(environment)], check=True)
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout
        version = f"python{sysconfig.get_python_version()}"
        (environment / "lib" / version / "site-packages" / "host.pth").write_text(site, encoding="utf-8")
        nothing = hashlib.sha256(b"").hexdigest()
        metadata = {
            "venv_path": str(environment),
            "requirements_file": None,
            "requirements_hash": nothing,
            "python_version": platform.python_version(),
        }
        cache = plugin / ".cpex" / "venv_cache"
        cache.mkdir(parents=True)
        (cache / ".venv_metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
        # Where the published package looks for its worker: below the working directory.
        (folder / "cpex").symlink_to(Path(site.strip()) / "cpex")
    return path


@contextmanager
def running(python: str, config: Path) -> Iterator[Host]:
    """Runs a host."""
    command = [python, "-P", str(HERE / "isolated_host.py"), str(config)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=config.parent
    ) as process:
        try:
            yield Host(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.kill()


@contextmanager
def echoing(python: str, folder: Path) -> Iterator[Caller]:
    """Runs a raw echo and who calls it."""
    socket = folder / "echo.sock"
    words = ["unix", str(socket), "0"]
    with subprocess.Popen([python, str(ECHO / "floors.py"), *words]) as server:
        try:
            while not socket.exists():
                if server.poll() is not None:
                    raise RuntimeError(f"the echo ended with status {server.returncode}")
                time.sleep(0.05)
            command = [python, str(ECHO / "client.py"), "floor", *words]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
            ) as client:
                try:
                    yield Caller(client)
                finally:
                    client.kill()
        finally:
            server.kill()


def measure(pythons: dict[str, str], folder: Path, rounds: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Returns samples by what was measured and package: seconds, microseconds and calls per second."""
    samples: dict[str, dict[str, list[float]]] = {}

    def add(what: str, package: str, values: list[float]) -> None:
        samples.setdefault(what, {}).setdefault(package, []).extend(values)

    configs = {package: project(folder / package, python, package) for package, python in pythons.items()}
    for _ in range(rounds + 1):
        for package, python in pythons.items():
            with running(python, configs[package]) as host:
                add("start", package, [host.started * 1e3])
    for package in pythons:
        # The first start makes what the others find.
        del samples["start"][package][0]
    with ExitStack() as stack:
        hosts = {package: stack.enter_context(running(python, configs[package])) for package, python in pythons.items()}
        echo = stack.enter_context(echoing(pythons[OURS], folder))

        def turns(**size: int) -> dict[str, functools.partial[dict[str, Any]]]:
            loads = {package: functools.partial(host.load, **size) for package, host in hosts.items()}
            return {**loads, RAW: functools.partial(echo.load)}

        for _ in range(rounds):
            for package, load in turns(size=SMALL).items():
                add("small", package, [took / 1e3 for took in load(1, seconds)["latencies"]])
            for package, host in hosts.items():
                add("large", package, [took / 1e6 for took in host.load(1, seconds, size=LARGE)["latencies"]])
            for package, load in turns(size=SMALL).items():
                many = load(64, seconds)
                add("rate", package, [many["calls"] / many["seconds"]])
    return samples


def rows(samples: dict[str, dict[str, list[float]]]) -> list[tuple[str, ...]]:
    """Returns the report, line by line."""

    def row(what: str, key: str, unit: str, target: float, *, p99: bool = False) -> tuple[str, ...]:
        def value(package: str) -> float:
            values = samples[key][package]
            return quantiles(values, n=100)[98] if p99 else median(values)

        mine, theirs = value(OURS), value(PUBLISHED)
        is_rate = key == "rate"
        compared = f"{mine / theirs:.1f} ×" if is_rate else f"1/{theirs / mine:.1f}"
        met = mine / theirs >= target if is_rate else mine <= target
        aim = f"≥ {target:g} ×" if is_rate else f"≤ {target:g} {unit}"
        said = "" if p99 else f"{aim}: {'met' if met else 'NOT met'}"
        form = ",.0f" if is_rate or key in ("small", "start") else ",.2f"
        raw = f"{value(RAW):{form}} {unit}" if RAW in samples[key] else ""
        return (what, f"{mine:{form}} {unit}", f"{theirs:{form}} {unit}", raw, compared, said)

    return [
        row("a call of 1 KB, p50", "small", "µs", 60),
        row("a call of 1 KB, p99", "small", "µs", 0, p99=True),
        row("a call of 1 MB, p50", "large", "ms", 5),
        row("calls per second, 64 at a time", "rate", "/s", 5),
        row("start to first answer, environment there", "start", "ms", 300),
    ]


def table(lines: list[tuple[str, ...]]) -> str:
    """Returns the report with aligned columns."""
    lines = [HEADINGS, *lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def markdown(lines: list[tuple[str, ...]]) -> str:
    """Returns the report as it goes into docs/performance.md."""
    lines = [HEADINGS, ("---", *("---:",) * (len(HEADINGS) - 1)), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def facts() -> str:
    """Returns what was measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    system = f"{platform.system()} {platform.machine()}, {model or platform.processor()}, {os.cpu_count()} cores"
    return f"{datetime.now(UTC).date().isoformat()}, CPython {platform.python_version()}, {system}"


def put_results(document: Path, mark: str, figures: str) -> None:
    """Replaces what stands between the document's marks of this name."""
    opening, closing = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    head, found, rest = document.read_text(encoding="utf-8").partition(opening)
    _, _, tail = rest.partition(closing)
    if not found:
        raise SystemExit(f"{document} has no line {opening.strip()}")
    document.write_text(f"{head}{opening}\n{figures}\n{closing}{tail}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--ours", default=sys.executable, help="interpreter with our wheel (default: this one)")
    parser.add_argument("--published", required=True, help="interpreter with the published package")
    parser.add_argument("--rounds", type=int, default=5, help="how often each package has its turn")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the figures between FILE's isolated marks")
    args = parser.parse_args()
    before = os.getloadavg()[0]
    with TemporaryDirectory(prefix="cpex-") as folder:
        pythons = {OURS: args.ours, PUBLISHED: args.published}
        lines = rows(measure(pythons, Path(folder), args.rounds, args.seconds))
    print(table(lines))
    if args.document:
        put_results(
            args.document, "isolated", f"{facts()}; load average {before:.1f} before the run\n\n{markdown(lines)}\n"
        )


if __name__ == "__main__":
    main()
