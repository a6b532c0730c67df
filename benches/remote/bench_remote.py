"""Sets remote plugins side by side with the published package and with raw echoes, in one run.

For each transport every pair of client and server is a pair of processes, and the pairs take turns, so a change of the
machine's speed during the run touches all alike.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from figures import OURS, PUBLISHED, RAW, Figure, markdown, table
from places import HERE, TRANSPORTS, Place, environment, floor, free_port, ours, processor_seconds, published, serving

PAIRS = [(OURS, OURS), (OURS, PUBLISHED), (PUBLISHED, OURS), (PUBLISHED, PUBLISHED), (RAW, RAW)]
SERVERS = {OURS: ours, PUBLISHED: published, RAW: floor}


class Client:
    """A process that calls one server on request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def load(self, concurrency: int, seconds: float) -> dict[str, Any]:
        """Returns how many calls ended in how many seconds, and how many nanoseconds each took."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps({"concurrency": concurrency, "seconds": seconds}), file=self._process.stdin, flush=True)
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError(f"the client ended with status {self._process.wait()}")
        measured: dict[str, Any] = json.loads(reply)
        return measured


@contextmanager
def calling(python: str, package: str, place: Place) -> Iterator[Client]:
    """Runs a client of the server that is there."""
    words = ["floor", place.transport, place.path, str(place.port)] if package == RAW else ["host", place.host_config()]
    command = [python, str(HERE / "client.py"), *words]
    with subprocess.Popen(
        command, env=environment(place), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=place.folder
    ) as process:
        try:
            yield Client(process)
        finally:
            process.kill()


def measure(transport: str, pythons: dict[str, str], folder: Path, rounds: int, seconds: float) -> list[Figure]:
    """Returns the figures of one transport, every pair measured `rounds` times in turn."""
    with ExitStack() as stack:
        places: dict[str, Place] = {}
        processes: dict[str, int] = {}
        for package, command in SERVERS.items():
            place = places[package] = Place(transport, folder, free_port())
            processes[package] = stack.enter_context(serving(command(pythons[package], place), place))
        clients = {pair: stack.enter_context(calling(pythons[pair[0]], pair[0], places[pair[1]])) for pair in PAIRS}
        figures = {pair: Figure(transport, *pair) for pair in PAIRS}
        for _ in range(rounds):
            for pair, client in clients.items():
                figures[pair].alone += client.load(1, seconds)["latencies"]
            for pair, client in clients.items():
                used = processor_seconds(processes[pair[1]])
                many = client.load(64, seconds)
                figures[pair].rates.append(many["calls"] / many["seconds"])
                figures[pair].calls += many["calls"]
                figures[pair].processor += processor_seconds(processes[pair[1]]) - used
    return list(figures.values())


def facts() -> str:
    """Returns what was measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    system = f"{platform.system()} {platform.machine()}, {model or platform.processor()}, {os.cpu_count()} cores"
    return f"{datetime.now(UTC).date().isoformat()}, CPython {platform.python_version()}, {system}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--ours", default=sys.executable, help="interpreter with our wheel (default: this one)")
    parser.add_argument("--published", required=True, help="interpreter with cpex[grpc], uvicorn and httpx")
    parser.add_argument("--only", default="", metavar="TRANSPORT", help=f"one of {', '.join(TRANSPORTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each pair has its turn")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn, with 1 call and with 64")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the figures between FILE's remote marks")
    return parser.parse_args()


def put_results(document: Path, figures: str) -> None:
    """Replaces what stands between the document's `remote` and `/remote` marks."""
    opening, closing = "<!-- remote -->\n", "<!-- /remote -->"
    head, found, rest = document.read_text(encoding="utf-8").partition(opening)
    _, _, tail = rest.partition(closing)
    if not found:
        raise SystemExit(f"{document} has no line {opening.strip()}")
    document.write_text(f"{head}{opening}\n{figures}\n{closing}{tail}", encoding="utf-8")


def main() -> None:
    args = parse_arguments()
    pythons = {OURS: args.ours, PUBLISHED: args.published, RAW: args.published}
    before, figures = os.getloadavg()[0], []
    with TemporaryDirectory(prefix="cpex-") as folder:
        for transport in TRANSPORTS:
            if args.only in transport:
                figures += measure(transport, pythons, Path(folder), args.rounds, args.seconds)
                print(f"measured: {TRANSPORTS[transport]}", file=sys.stderr, flush=True)
    print(table(figures))
    if args.document:
        head = f"{facts()}; load average {before:.1f} before the run"
        put_results(args.document, f"{head}\n\n{markdown(figures)}\n")


if __name__ == "__main__":
    main()
