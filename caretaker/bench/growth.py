"""*growth*: 10,000 readings a second in all, from more and more points: processor time per reading, memory, lag.

Packs of 60 readings; the readings are stored in InfluxDB, which is for sites of that size. Processor time and memory
are those of the ingest process, engine and series writer included; lag is that of committing. Agents go on from run to
run as if nothing were between: a new boot is an agent's restart, which costs ingest more than its next packs do.
"""

from itertools import count
from pathlib import Path

from caretaker.bench import site
from caretaker.bench.bench import Bench
from caretaker.bench.installation import Installation
from caretaker.bench.load import steady
from caretaker.bench.packets import Load
from caretaker.bench.plan import median
from caretaker.bench.servers import influxdb, mosquitto

MOST_WARM_UPS = 6
SETTLED = 2.0  # seconds of lag, within which a warm-up has warmed up


def growth(bench: Bench) -> list[dict[str, float]]:
    """One row of figures per number of points."""
    rows = []
    for wanted in bench.plan.growth_points:
        agents = -(-wanted // bench.plan.pack_readings)
        rows.append({"points": wanted} | _measure(bench, agents, bench.folder(f"growth-{wanted}")))
    return rows


def _measure(bench: Bench, agents: int, folder: Path) -> dict[str, float]:
    plan, numbers, core = bench.plan, count(1), bench.cores.load
    boot, sent = f"b{next(numbers)}", 0
    costs: list[float] = []
    memory: list[float] = []
    lags: list[float] = []
    with influxdb(folder / "influxdb", core) as influx, mosquitto(folder, core) as port:
        series = f"http://127.0.0.1:{influx}/bench"
        points = agents * plan.pack_readings
        installation = Installation(folder, port, series, points, plan.pack_readings, instant=False)
        try:
            with installation.running(bench.cores.consumer) as child:

                def load(seconds: float) -> tuple[int, float]:
                    nonlocal boot, sent
                    messages = Load(site.SITE, boot, agents, plan.pack_readings, plan.pack_readings)
                    rate = plan.growth_rate / plan.pack_readings
                    phase = steady(
                        port, core, folder, messages, rate, seconds, lambda: installation.taken(boot), first=sent
                    )
                    # The agents go on where they were; only when packs are missing they begin anew.
                    whole = phase.taken == int(rate * seconds)
                    boot, sent = (boot, sent + phase.taken) if whole else (f"b{next(numbers)}", 0)
                    return phase.taken * plan.pack_readings, phase.worst_lag

                for _ in range(MOST_WARM_UPS):
                    _, lag = load(max(plan.growth_warm_up, 2.2 * points / plan.growth_rate))  # every point twice
                    if lag < SETTLED:
                        break
                for run in range(plan.growth_runs):
                    before = child.cpu_seconds()
                    readings, lag = load(plan.growth)
                    costs.append((child.cpu_seconds() - before) / max(1, readings) * 1e6)
                    memory.append(child.rss_mb())
                    lags.append(lag)
                    bench.say(f"growth, {points} points, run {run + 1}: {costs[-1]:.1f} µs, lag {lag:.2f} s")
        finally:
            installation.close()
    return {"cpu_us_per_reading": median(costs), "rss_mb": median(memory), "lag_s": median(lags)}
