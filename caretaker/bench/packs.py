"""*packs*: readings per second from packs of 60 into InfluxDB, judged on the way, beside a writer of ready-made lines.

The clock runs from the first message until everything is committed and the series writer's cursor has caught up. The
peer posts the same readings as finished line protocol to the same InfluxDB, in 5,000-line batches over one connection
without compression: what any collector could reach at best.
"""

import time
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from caretaker.bench import site
from caretaker.bench.bench import Bench
from caretaker.bench.children import Child, module
from caretaker.bench.installation import Installation
from caretaker.bench.load import LEAD_SECONDS, generator
from caretaker.bench.packets import Load
from caretaker.bench.plan import median
from caretaker.bench.publisher import Orders
from caretaker.bench.servers import influxdb, make_database, mosquitto, wait_for
from caretaker.process import now_ms

AGENTS = 20
WARM_UP_SHARE = 10  # of the packs, one in so many goes ahead of the clock
INTERVAL = 1_000  # ms between the readings of a point
MOST_SECONDS = 300.0
LOOK_SECONDS = 0.05  # each look costs the core of the load a millisecond, which the peer does not pay


def packs(bench: Bench) -> dict[str, float]:
    """The figures of this part."""
    ours: list[float] = []
    theirs: list[float] = []
    for run in range(bench.plan.runs):
        folder = bench.folder(f"packs-{run}")
        with influxdb(folder / "influxdb", bench.cores.load) as port:
            ours.append(_caretaker(bench, folder, port))
            theirs.append(_writer(bench, folder, port))
        bench.say(f"packs, run {run + 1}: readings_per_s {ours[-1]:,.0f} peer_per_s {theirs[-1]:,.0f}")
    figures = {"readings_per_s": median(ours), "peer_per_s": median(theirs)}
    return figures | {"ratio": figures["readings_per_s"] / figures["peer_per_s"]}


def _caretaker(bench: Bench, folder: Path, influx: int) -> float:
    plan, numbers = bench.plan, count(1)
    points = site.point_count(AGENTS * plan.pack_readings)
    series = f"http://127.0.0.1:{influx}/bench"
    with mosquitto(folder, bench.cores.load) as port:
        installation = Installation(folder, port, series, points, plan.pack_readings, instant=False)
        first = now_ms() // 1000 * 1000 - (plan.packs // AGENTS + plan.packs // AGENTS // WARM_UP_SHARE + 2) * INTERVAL
        try:
            with installation.running(bench.cores.consumer) as child:

                def send(number: int, time_from: int) -> float:
                    load = Load(site.SITE, f"b{next(numbers)}", AGENTS, plan.pack_readings, plan.pack_readings)
                    return send_packs(
                        bench, folder, child, installation, Orders(port, load, number, 0, 0, time_from, INTERVAL)
                    )

                warm = plan.packs // WARM_UP_SHARE
                send(warm, first)
                seconds = send(plan.packs, first + (warm // AGENTS + 1) * INTERVAL)
        finally:
            installation.close()
    return plan.packs * plan.pack_readings / seconds


def send_packs(bench: Bench, folder: Path, child: Child, installation: Installation, orders: Orders) -> float:
    """Send the packs as fast as the broker takes them; seconds until all of it is committed and stored."""
    orders = replace(orders, start=time.time() + LEAD_SECONDS)
    with generator(orders, bench.cores.load, folder) as source:

        def caught_up() -> bool:
            return installation.taken(orders.load.boot) >= orders.count and installation.stored()

        wait_for(caught_up, MOST_SECONDS, "the series writer has caught up", child, source, every=LOOK_SECONDS)
    return time.time() - orders.start


def _writer(bench: Bench, folder: Path, influx: int) -> float:
    """Readings per second of the peer."""
    make_database(influx, "peer")
    plan, said = bench.plan, bytearray()
    readings = plan.packs * plan.pack_readings
    words = [str(influx), "peer", str(AGENTS * plan.pack_readings), str(readings)]
    command = module("caretaker.bench.line_writer", *words)
    with Child(command, bench.cores.consumer, folder / "line_writer.log", said.extend) as child:
        child.wait(MOST_SECONDS)
    return readings / float(said)
