"""A whole run: the parts one after the other in a folder of their own, then the report.

Decides the order. This process itself, which watches, runs on the core of the load. Whatever happens, the children are
ended by their ids and the folder is removed.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from caretaker.bench import machine, report
from caretaker.bench.agent import agent
from caretaker.bench.bench import Bench
from caretaker.bench.growth import growth
from caretaker.bench.judging import judging
from caretaker.bench.latency import latency
from caretaker.bench.packs import packs
from caretaker.bench.plan import FULL, Part, Plan
from caretaker.bench.single import single

PARTS: Mapping[Part, Callable[[Bench], Any]] = {
    Part.SINGLE: single,
    Part.PACKS: packs,
    Part.LATENCY: latency,
    Part.JUDGING: judging,
    Part.GROWTH: growth,
    Part.AGENT: agent,
}
NEEDED: Mapping[Part, tuple[str, ...]] = {
    Part.SINGLE: ("mosquitto", "mosquitto_sub"),
    Part.PACKS: ("mosquitto", "influxd"),
    Part.LATENCY: ("mosquitto",),
    Part.JUDGING: ("mosquitto", "influxd"),
    Part.GROWTH: ("mosquitto", "influxd"),
    Part.AGENT: ("mosquitto",),
}


def measure(plan: Plan, parts: Sequence[Part], form: str, document: Path | None, folder: Path | None) -> str:
    """Run the parts; the report in that form (`table` or `json`). CaretakerError when something is missing or fails."""
    for part in parts:
        for name in NEEDED[part]:
            machine.program(name)
    cores = machine.two_cores()
    with _root(folder) as root, _on(cores.load), _ended_by_signal():
        described = machine.describe(root)
        bench = Bench(plan, cores, root, _say)
        figures = {part.value: PARTS[part](bench) for part in parts}
    table = report.as_table(figures, described, _note(plan))
    if document is not None:
        report.write_into(document, table)
    return report.as_json(figures) if form == "json" else table


def _note(plan: Plan) -> str:
    form = "the full form" if plan.hold == FULL.hold else "the short form, which only shows that the machinery works"
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} with {form}: medians of {plan.runs} run{'s' * (plan.runs > 1)}."


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def _root(folder: Path | None) -> Iterator[Path]:
    """A folder for the run below `folder` (or the system's temporary one), removed at the end."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="caretaker-bench-", dir=folder))
    try:
        yield root
    except BaseException:
        _say(f"the logs of what failed are in {root}")
        raise
    else:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def _on(core: int) -> Iterator[None]:
    """This process on that core, and back again."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM ends the run like Ctrl-C: children first."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
