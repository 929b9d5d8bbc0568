"""*single*: the highest live rate at one reading a message, beside two clients that do nothing with what they get.

Caretaker journals each reading, judges it by three rules and stores it; the others only receive. All at QoS 1 from a
real Mosquitto. In each run all three are measured, each with a broker and an installation of its own.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

from caretaker.bench import consumers, search, site
from caretaker.bench.bench import Bench
from caretaker.bench.consumers import Consumer
from caretaker.bench.load import full_speed, steady
from caretaker.bench.machine import program
from caretaker.bench.packets import Load
from caretaker.bench.plan import median
from caretaker.bench.servers import mosquitto

PER_AGENT = 50
MOST_LAG = 1.0  # seconds, of a rate that is held for half a minute
LAG_SHARE = 0.15  # of a short trial: in a few seconds no consumer falls a whole second behind
LEAST_LAG = 0.5  # seconds that are always allowed: batches, and looking at them, take a third of one at any rate

BESIDE = "mosquitto_sub_per_s"  # only reported: held for a shorter time, which flatters it

Start = Callable[[Path, int], AbstractContextManager[Consumer]]


def single(bench: Bench) -> dict[str, float]:
    """The figures of this part."""
    program("mosquitto_sub")
    plan, core = bench.plan, bench.cores.consumer
    points = site.point_count(plan.single_points)

    def ours(folder: Path, port: int) -> AbstractContextManager[Consumer]:
        return consumers.caretaker(folder, port, core, points, PER_AGENT)

    starts: dict[str, Start] = {
        "messages_per_s": ours,
        "peer_per_s": lambda folder, port: consumers.paho(folder, port, core),
        BESIDE: lambda folder, port: consumers.mosquitto_sub(folder, port, core),
    }
    rates: dict[str, list[float]] = {name: [] for name in starts}
    for run in range(plan.runs):
        for name, start in starts.items():
            found = rates[name]
            hold = plan.hold_beside if name == BESIDE else plan.hold
            found.append(_measure(bench, start, f"single-{run}-{name}", points, hold, found[-1] if found else 0.0))
            bench.say(f"single, run {run + 1}: {name} {found[-1]:,.0f}")
    figures = {name: median(found) for name, found in rates.items()}
    return figures | {
        "ratio": _ratio(figures["messages_per_s"], figures["peer_per_s"]),
        "mosquitto_sub_ratio": _ratio(figures["messages_per_s"], figures["mosquitto_sub_per_s"]),
    }


def _measure(bench: Bench, start: Start, name: str, points: int, hold: float, before: float) -> float:
    """One consumer's highest rate in one run, held for `hold` seconds; `before`: what an earlier run found, to begin
    with. Without it a burst tells about where to search, and short trials where to begin with the long ones."""
    plan, numbers, core = bench.plan, count(1), bench.cores.load
    folder = bench.folder(name)

    def load() -> Load:
        return Load(site.SITE, f"b{next(numbers)}", points // PER_AGENT, PER_AGENT, 1)

    with mosquitto(folder, core) as port, start(folder, port) as consumer:

        def held(rate: float, seconds: float) -> bool:
            most = min(MOST_LAG, max(LEAST_LAG, LAG_SHARE * seconds))
            phase = steady(port, core, folder, load(), rate, seconds, consumer.taken, give_up=most)
            consumer.child.check()
            bench.say(f"  {name}: {rate:,.0f}/s for {seconds:g} s, lag {phase.worst_lag:.2f} s")
            return phase.worst_lag <= most

        held(plan.first_rate, plan.warm_up)
        if not before:
            about = full_speed(port, core, folder, load(), plan.burst, consumer.taken)
            bench.say(f"  {name}: about {about:,.0f}/s at full speed")
            before = search.find(lambda rate: held(rate, plan.probe), about or plan.first_rate)
        return search.settle(lambda rate: held(rate, hold), before, plan.step)


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else 0.0
