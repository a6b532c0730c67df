"""Sets the places side by side in which a plugin can run, in one run: the same plugin, but for WebAssembly.

Each place has a host of its own; the hosts take turns, so a change of the machine's speed during the run touches all
alike. A place that this machine or installation does not have is said to be missing.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from isolated_bench import PLUGIN, SMALL, Host, facts, put_results, running

HOOK = "tool_pre_invoke"
HEADINGS = ("place", "a call of 1 KB, p50", "calls per second, 64 at a time", "until the first answer")


def entries(folder: Path, module: Path | None) -> dict[str, dict[str, Any]]:
    """Returns what the entry of the plugin says in each place."""
    isolated = {"class_name": "noop.plugin.Noop"}
    places: dict[str, dict[str, Any]] = {
        "in-process": {"kind": "noop.plugin.Noop"},
        "WebAssembly": {"kind": "wasm", "config": {"module": str(module)}},
        "isolated": {"kind": "isolated_venv", "config": isolated},
        "isolated, `sandbox: strict`": {"kind": "isolated_venv", "config": {**isolated, "sandbox": "strict"}},
        "external, Unix socket": {"kind": "external", "unix_socket": {"path": str(folder / "server.sock")}},
    }
    if module is None:
        del places["WebAssembly"]
    return places


def write(folder: Path, entry: dict[str, Any]) -> Path:
    """Writes a project with this entry."""
    plugin = folder / "plugins" / "noop"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").touch()
    (plugin / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    path = folder / "config.json"
    entry = {"name": "Noop", "hooks": [HOOK], "version": "1", **entry}
    path.write_text(json.dumps({"plugin_dirs": [str(folder / "plugins")], "plugins": [entry]}), encoding="utf-8")
    return path


@contextmanager
def serving(python: str, folder: Path) -> Iterator[None]:
    """Runs the server of the external plugin."""
    config = write(folder / "server", {"kind": "noop.plugin.Noop"})
    socket = folder / "server.sock"
    command = [python, "-m", "cpex", "serve", str(config), "-t", f"unix={socket}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=config.parent
    ) as process:
        try:
            assert process.stdout is not None
            if "READY" not in next(process.stdout, ""):
                raise RuntimeError(f"no server: {' '.join(command)}")
            yield
        finally:
            process.kill()


def measure(
    python: str, folder: Path, module: Path | None, rounds: int, seconds: float
) -> dict[str, tuple[str, ...] | None]:
    """Returns the figures of each place: p50, calls per second, and the time until the first answer."""
    places = entries(folder, module)
    with ExitStack() as stack:
        stack.enter_context(serving(python, folder))
        hosts: dict[str, Host] = {}
        for number, (place, entry) in enumerate(places.items()):
            config = write(folder / str(number), entry)
            try:
                with running(python, config):
                    # Makes what the next start finds.
                    pass
                hosts[place] = stack.enter_context(running(python, config))
            except RuntimeError as error:
                print(f"{place}: {error}", file=sys.stderr)
        took: dict[str, list[float]] = {place: [] for place in hosts}
        rates: dict[str, list[float]] = {place: [] for place in hosts}
        for _ in range(rounds):
            for place, host in hosts.items():
                took[place].extend(each / 1e3 for each in host.load(1, seconds, size=SMALL)["latencies"])
            for place, host in hosts.items():
                many = host.load(64, seconds, size=SMALL)
                rates[place].append(many["calls"] / many["seconds"])
        return {
            place: (
                f"{median(took[place]):,.0f} µs",
                f"{median(rates[place]):,.0f}",
                f"{hosts[place].started * 1e3:,.0f} ms",
            )
            if place in hosts
            else None
            for place in places
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", default=sys.executable, help="interpreter with our wheel (default: this one)")
    parser.add_argument("--module", type=Path, help="a plugin in WebAssembly, as examples/wasm-plugin")
    parser.add_argument("--rounds", type=int, default=5, help="how often each place has its turn")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the figures between FILE's places marks")
    args = parser.parse_args()
    before = os.getloadavg()[0]
    with TemporaryDirectory(prefix="cpex-") as folder:
        module = args.module.resolve() if args.module else None
        figures = measure(args.python, Path(folder), module, args.rounds, args.seconds)
    lines = [(place, *(found or ("missing",) * 3)) for place, found in figures.items()]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [HEADINGS, ("---", *("---:",) * 3), *lines])
    print(table)
    if args.document:
        put_results(args.document, "places", f"{facts()}; load average {before:.1f} before the run\n\n{table}\n")


if __name__ == "__main__":
    main()
