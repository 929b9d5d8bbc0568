"""*latency*: from publishing a reading to the commit of the transition that it causes, at 2,000 readings a second.

A rule without delay; one message in 31 is beyond the limits, the next of that point within again. The
moment of publishing is the reading's own time (the generator stamps it when it writes the message); the commit is seen
by watching the operational store about every millisecond.
"""

import sqlite3
import threading
import time
from itertools import count
from pathlib import Path

from caretaker.bench import site
from caretaker.bench.bench import Bench
from caretaker.bench.installation import Installation
from caretaker.bench.load import steady
from caretaker.bench.packets import Load
from caretaker.bench.plan import median, percentile
from caretaker.bench.servers import mosquitto
from caretaker.process import now_ms
from domain.errors import CaretakerError

POINTS, PER_AGENT = 1_000, 50
LOOK_SECONDS = 0.001
HOT_EVERY = 31  # a fifth of the points are temperatures: about 25 transitions a second


def latency(bench: Bench) -> dict[str, float]:
    """The figures of this part."""
    middle: list[float] = []
    high: list[float] = []
    for run in range(bench.plan.runs):
        found = _run(bench, bench.folder(f"latency-{run}"))
        middle.append(percentile(found, 0.5))
        high.append(percentile(found, 0.99))
        bench.say(f"latency, run {run + 1}: p50 {middle[-1]:.0f} ms, p99 {high[-1]:.0f} ms, {len(found)} transitions")
    return {"p50_ms": median(middle), "p99_ms": median(high)}


def _run(bench: Bench, folder: Path) -> list[float]:
    plan, numbers, core = bench.plan, count(1), bench.cores.load
    with mosquitto(folder, core) as port:
        installation = Installation(folder, port, "sqlite", POINTS, PER_AGENT, instant=True)
        try:
            with installation.running(bench.cores.consumer):

                def load(seconds: float) -> None:
                    boot = f"b{next(numbers)}"
                    orders = Load(site.SITE, boot, POINTS // PER_AGENT, PER_AGENT, 1, HOT_EVERY)
                    steady(port, core, folder, orders, plan.latency_rate, seconds, lambda: installation.taken(boot))

                load(plan.warm_up)
                with Watch(installation) as watch:
                    load(plan.latency)
                return watch.latencies()
        finally:
            installation.close()


class Watch:
    """Notes when each new transition is first seen, in a thread of its own, while the context lasts."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._last = max((number for number, _ in installation.transitions(0)), default=0)
        self._seen: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def latencies(self) -> list[float]:
        """ms from publishing to commit, of each transition seen. CaretakerError when there was none."""
        if not self._seen:
            raise CaretakerError("no transition came while the latency was measured", "see ingest.log")
        return self._seen

    def _run(self) -> None:
        path = self._installation.settings.operational_path
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        version = -1
        while not self._stop.is_set():
            present = connection.execute("PRAGMA data_version").fetchone()[0]
            if present != version:
                version, now = present, now_ms()
                found = self._installation.transitions(self._last)
                self._seen += [now - at for _, at in found]
                self._last = found[-1][0] if found else self._last
            time.sleep(LOOK_SECONDS)
        connection.close()
