"""*judging*: which part of ingest's processor time goes into judging, with three rules on every point.

The load of *packs*, twice: with two plain limits and silence on each point, as everywhere in this benchmark, and with
the kinds of rules that the packs have: a limit with levels, behind a mask on another point for one metric in five;
silence; and one rule on a derived series. The site file names the interval of the readings, as a kitchen's does. The
judge's processor time is taken around its calls, in the ingest process (`timed_ingest`); whatever else that process
does, writing to InfluxDB too, is the rest.
"""

import json
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from caretaker.bench import site
from caretaker.bench.bench import Bench
from caretaker.bench.installation import Installation
from caretaker.bench.packets import Load
from caretaker.bench.packs import AGENTS, INTERVAL, WARM_UP_SHARE, send_packs
from caretaker.bench.plan import median
from caretaker.bench.publisher import Orders
from caretaker.bench.servers import influxdb, mosquitto
from caretaker.bench.timed_ingest import EVERY_SECONDS
from caretaker.process import now_ms

RULES: dict[str, Callable[[], str]] = {"limits": lambda: site.rules_text(instant=False), "mixed": site.mixed_rules_text}


def judging(bench: Bench) -> dict[str, float]:
    """The figures of this part."""
    shares: dict[str, list[float]] = {name: [] for name in RULES}
    rates: dict[str, list[float]] = {name: [] for name in RULES}
    for run in range(bench.plan.runs):
        for name, rules in RULES.items():
            share, rate = _measure(bench, bench.folder(f"judging-{run}-{name}"), rules())
            shares[name].append(share)
            rates[name].append(rate)
            bench.say(f"judging, run {run + 1}, {name}: {share:.1f} % of the time, readings_per_s {rate:,.0f}")
    figures = {f"{name}_percent": median(found) for name, found in shares.items()}
    return figures | {f"{name}_readings_per_s": median(found) for name, found in rates.items()}


def _measure(bench: Bench, folder: Path, rules: str) -> tuple[float, float]:
    """Percent of the process's time that the judge took, and readings a second."""
    plan, numbers = bench.plan, count(1)
    points = site.point_count(AGENTS * plan.pack_readings)
    figures = folder / "judging.json"
    with influxdb(folder / "influxdb", bench.cores.load) as influx, mosquitto(folder, bench.cores.load) as port:
        series = f"http://127.0.0.1:{influx}/bench"
        installation = Installation(
            folder, port, series, points, plan.pack_readings, instant=False, rules=rules, interval=INTERVAL
        )
        warm = plan.packs // WARM_UP_SHARE
        first = now_ms() // 1000 * 1000 - ((plan.packs + warm) // AGENTS + 2) * INTERVAL
        try:
            with installation.running(bench.cores.consumer, figures) as child:

                def send(number: int, time_from: int) -> float:
                    load = Load(site.SITE, f"b{next(numbers)}", AGENTS, plan.pack_readings, plan.pack_readings)
                    orders = Orders(port, load, number, 0, 0, time_from, INTERVAL)
                    return send_packs(bench, folder, child, installation, orders)

                send(warm, first)
                before = read(figures)
                seconds = send(plan.packs, first + (warm // AGENTS + 1) * INTERVAL)
                after = read(figures)
        finally:
            installation.close()
    share = 100.0 * (after["judged"] - before["judged"]) / (after["process"] - before["process"])
    return share, plan.packs * plan.pack_readings / seconds


def read(figures: Path) -> dict[str, float]:
    """What `timed_ingest` wrote, as of now."""
    time.sleep(2 * EVERY_SECONDS)  # the clock is told several times a second: it is written anew
    found: dict[str, float] = json.loads(figures.read_text())
    return found
