"""Sets CPEX side by side with a bare await and with the published package, in one run.

Every figure has its floor from the same process, and the two packages' processes take turns, so that a change of the
machine's speed during the run touches all of them alike. Garbage collection is on everywhere, with what existed after
set-up frozen.
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
from typing import Any

from processes import growth, import_times, tenants
from report import Line, markdown, table
from rows import ROWS, Row

HERE = Path(__file__).parent
OURS, PUBLISHED = "ours", "published"
IMPORTS = [("cpex.framework", "pydantic"), ("cpex.framework.PluginManager", "pydantic.BaseModel")]
IMPORT_TARGET = 3.0
GROWTH_TARGET_MB = 5.0
TENANTS = 500
TENANT_TARGET_MS = 5.0
TENANT_TARGET_KB = 100.0


class Worker:
    """A process that measures scenarios on request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def measure(self, scenario: str, pairs: int, batch_ms: float) -> dict[str, Any]:
        """Returns the samples of one scenario, or `{"error": …}`."""
        assert self._process.stdin and self._process.stdout
        print(
            json.dumps({"scenario": scenario, "pairs": pairs, "batch_ms": batch_ms}),
            file=self._process.stdin,
            flush=True,
        )
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError(f"the worker ended with status {self._process.wait()}")
        samples: dict[str, Any] = json.loads(reply)
        return samples


@contextmanager
def worker(python: str) -> Iterator[Worker]:
    """Runs a worker in the given interpreter."""
    with subprocess.Popen(
        [python, str(HERE / "worker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


def collect(
    workers: dict[str, Worker], row: Row, rounds: int, pairs: int, batch_ms: float
) -> dict[str, dict[str, Any]]:
    """Returns the verdict on one row for each package, the packages taking turns round by round."""
    samples: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for name, process in workers.items():
            new = process.measure(row.scenario, pairs, batch_ms)
            if "error" in new or name not in samples:
                samples[name] = new
            elif "error" not in samples[name]:
                samples[name]["floor"] += new["floor"]
                samples[name]["subject"] += new["subject"]
    return {name: part if "error" in part else row.judge(part) for name, part in samples.items()}


def await_lines(args: argparse.Namespace, pythons: dict[str, str]) -> Iterator[Line]:
    """Yields the lines that compare `invoke_hook` with its floor."""
    rounds, pairs, batch_ms = (2, 7, 2.0) if args.quick else (6, 15, 5.0)
    with ExitStack() as stack:
        workers = {name: stack.enter_context(worker(python)) for name, python in pythons.items()}
        for row in ROWS:
            if args.only in row.scenario:
                verdicts = collect(workers, row, rounds, pairs, batch_ms)
                yield Line.of_row(row, verdicts[OURS], verdicts.get(PUBLISHED))


def process_lines(args: argparse.Namespace, pythons: dict[str, str]) -> Iterator[Line]:
    """Yields the lines about whole processes: import time, memory, many managers."""
    if args.only in "import":
        best = import_times(pythons, repeats=3 if args.quick else 12)
        for module, yardstick in IMPORTS:
            yield Line.of_import(module, yardstick, best[OURS], best.get(PUBLISHED), IMPORT_TARGET)
    if args.only in "growth":
        invocations = 100_000 if args.quick else 1_000_000
        yield Line.of_growth(growth(pythons[OURS], invocations), GROWTH_TARGET_MB)
    if args.only in "tenants":
        costs = {name: tenants(python, TENANTS) for name, python in pythons.items()}
        yield from Line.of_tenants(costs[OURS], costs.get(PUBLISHED), TENANT_TARGET_MS, TENANT_TARGET_KB)


def environment() -> dict[str, str]:
    model = next(
        (line.split(":", 1)[1].strip() for line in _cpu_info() if line.startswith("model name")), platform.processor()
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": f"{model}, {os.cpu_count()} cores",
    }


def _cpu_info() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--ours", default=sys.executable, help="interpreter with our wheel (default: this one)")
    parser.add_argument("--published", help="interpreter with the published package; left out if not given")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter batches")
    parser.add_argument("--only", default="", metavar="TEXT", help="only scenarios whose name contains TEXT")
    parser.add_argument("--out", type=Path, default=Path(".bench"), help="folder for results.json and results.md")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the figures between FILE's result marks")
    return parser.parse_args()


def put_results(document: Path, figures: str) -> None:
    """Replaces what stands between the document's `results` and `/results` marks."""
    opening, closing = "<!-- results -->\n", "<!-- /results -->"
    head, _, rest = document.read_text(encoding="utf-8").partition(opening)
    _, _, tail = rest.partition(closing)
    document.write_text(f"{head}{opening}\n{figures}\n{closing}{tail}", encoding="utf-8")


def main() -> None:
    args = parse_arguments()
    pythons = {OURS: args.ours} | ({PUBLISHED: args.published} if args.published else {})
    lines = []
    for source in (await_lines, process_lines):
        for line in source(args, pythons):
            print(f"measured: {line.label}", file=sys.stderr, flush=True)
            lines.append(line)
    facts = environment()
    print(table(lines))
    args.out.mkdir(parents=True, exist_ok=True)
    results = {"environment": facts, "quick": args.quick, "lines": [line.as_dict() for line in lines]}
    (args.out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (args.out / "results.md").write_text(markdown(lines, facts), encoding="utf-8")
    if args.document:
        put_results(args.document, markdown(lines, facts))


if __name__ == "__main__":
    main()
