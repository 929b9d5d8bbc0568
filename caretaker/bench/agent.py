"""*agent*: what `caretaker edge` costs at 50 readings a second, and how long it takes to hand over 72 hours of outbox.

The source is a 1-Wire folder of 50 sensors read each second, as Linux shows them. The outbox holds 72 hours of one
reading a minute of the same points; handing over ends when ingest has receipted everything (`--until-done`).
"""

import time
from pathlib import Path

from caretaker.bench import site
from caretaker.bench.bench import Bench
from caretaker.bench.children import Child, module
from caretaker.bench.installation import Installation
from caretaker.bench.packets import METRICS, agent_id, points_of
from caretaker.bench.plan import median
from caretaker.bench.servers import mosquitto
from caretaker.process import now_ms
from domain.errors import CaretakerError
from domain.readings import Quality, Reading
from domain.times import HOUR, MINUTE
from edge.outbox import Outbox
from edge.run import OUTBOX_FILE

SETTLE_SECONDS = 3.0
VALUE = 4.5
MOST_SECONDS = 900.0
_CHUNK = 10_000
_BYTES, _AGE = 4 << 30, 400 * 24 * HOUR  # nothing of what is handed over may be dropped


def agent(bench: Bench) -> dict[str, float]:
    """The figures of this part."""
    plan, cores = bench.plan, bench.cores
    memory: list[float] = []
    shares: list[float] = []
    seconds: list[float] = []
    readings = plan.outbox_hours * 60 * plan.agent_points
    for run in range(plan.runs):
        folder = bench.folder(f"agent-{run}")
        with mosquitto(folder, cores.load) as port:
            everything = site.point_count(len(METRICS) * plan.agent_points)
            installation = Installation(folder, port, "sqlite", everything, everything, instant=False)
            try:
                with installation.running(cores.load) as ingest:
                    rss, share = _live(bench, folder, port)
                    _check(installation, bench)
                    memory.append(rss)
                    shares.append(share)
                    seconds.append(_drain(bench, folder, port))
                    ingest.check()
            finally:
                installation.close()
        bench.say(f"agent, run {run + 1}: {rss:.0f} MB, {share:.1f} % of a core, {readings} in {seconds[-1]:.1f} s")
    return {
        "rss_mb": median(memory),
        "cpu_percent": median(shares),
        "drain_readings": readings,
        "drain_s": median(seconds),
    }


def _live(bench: Bench, folder: Path, port: int) -> tuple[float, float]:
    """Resident MiB and per cent of a core at one reading of each point a second."""
    sensors = folder / "sensors"
    config = live_configuration(folder, port, bench.plan.agent_points, sensors)
    with Child(edge(config), bench.cores.consumer, folder / "edge.log") as child:
        time.sleep(SETTLE_SECONDS)
        child.check()
        before, began = child.cpu_seconds(), time.monotonic()
        time.sleep(bench.plan.agent)
        child.check()
        share = (child.cpu_seconds() - before) / (time.monotonic() - began)
        return child.rss_mb(), 100 * share


def _check(installation: Installation, bench: Bench) -> None:
    """CaretakerError when ingest did not get what the agent read."""
    count = sum(row.time > 0 for row in installation.store.latest(site.SITE))
    if count < bench.plan.agent_points:
        raise CaretakerError(f"only {count} of the agent's points arrived", "see edge.log and ingest.log")


def _drain(bench: Bench, folder: Path, port: int) -> float:
    """Seconds from the start of the process until everything is receipted."""
    config = drain_configuration(folder, port, bench.plan.agent_points, bench.plan.outbox_hours, now_ms())
    began = time.monotonic()
    with Child(edge(config, "--until-done"), bench.cores.consumer, folder / "drain.log") as child:
        child.wait(MOST_SECONDS)
    return time.monotonic() - began


def temperatures(count: int) -> list[str]:
    """The first `count` points of the site that are measured in °C, as a 1-Wire sensor does."""
    found = points_of(0, len(METRICS) * count)
    return [f"{asset}/{metric}" for asset, metric, unit in found if unit == "Cel"][:count]


def edge(config: Path, *words: str) -> list[str]:
    """The command of the agent."""
    return module("caretaker", "edge", "--config", str(config), "--log-level", "warning", *words)


def live_configuration(folder: Path, port: int, points: int, sensors: Path) -> Path:
    """An agent that reads `points` 1-Wire sensors each second; the sensors are made, too."""
    lines = []
    for number, point in enumerate(temperatures(points)):
        name = f"28-{number:012x}"
        (sensors / name).mkdir(parents=True)
        text = "4b 01 4b 46 7f ff 05 10 e1 : crc=e1 YES\n4b 01 4b 46 7f ff 05 10 e1 t=4500\n"
        (sensors / name / "w1_slave").write_text(text)
        lines.append(f'"{name}" = "{point}"')
    source = f'[[source]]\nkind = "onewire"\nroot = "{sensors}"\n[source.sensors]\n' + "\n".join(lines)
    return _configuration(folder / "live", port, agent_id(0), source)


def drain_configuration(folder: Path, port: int, points: int, hours: int, now: int) -> Path:
    """An agent whose outbox holds `hours` of one reading a minute; its source has one more reading, and is done."""
    home = folder / "drain"
    home.mkdir()
    outbox = Outbox(home / OUTBOX_FILE, _BYTES, _AGE)
    outbox.open(now)
    names = temperatures(points)
    rows: list[tuple[Reading, int]] = []
    for minute in range(hours * 60, 0, -1):
        at = now - minute * MINUTE
        rows += [(Reading(name, at, VALUE, Quality.GOOD), at) for name in names]
        if len(rows) >= _CHUNK or minute == 1:
            outbox.append(rows, now)
            rows = []
    outbox.close()
    (home / "last.csv").write_text(f"time,point,value\n{now},{names[0]},4.5\n")
    return _configuration(
        home, port, agent_id(0), f'[[source]]\nkind = "csv"\npath = "{home / "last.csv"}"\npace = "fast"'
    )


def _configuration(home: Path, port: int, name: str, source: str) -> Path:
    home.mkdir(exist_ok=True)
    config = home / "agent.toml"
    config.write_text(
        f'site = "{site.SITE}"\nagent = "{name}"\nbroker = "mqtt://127.0.0.1:{port}"\ndata_dir = "{home}"\n'
        f'sample_interval = "1s"\n[outbox]\nmax_bytes = {_BYTES}\nmax_age = "400d"\n{source}\n'
    )
    return config
