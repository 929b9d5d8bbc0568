"""Processor time that a message costs ingest, by thread, beside stock paho and mosquitto_sub that only count.

    python tests/benchmarks/cpu_per_message.py [--messages 100000] [--runs 3] [--only ours,paho,sub]

A real Mosquitto, messages of one reading as fast as they go, three rules per point, everything in SQLite: the load of
`caretaker bench --only single`. Processor time says more than the rate on a machine that does other work as well. Of
several runs the cheapest is printed, as one JSON object: µs per message and messages a second. No test.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # its children are of this version too

from caretaker.bench import consumers, site
from caretaker.bench.consumers import Consumer
from caretaker.bench.load import drain, generator
from caretaker.bench.machine import two_cores
from caretaker.bench.packets import Load
from caretaker.bench.publisher import Orders
from caretaker.bench.servers import mosquitto

POINTS, PER_AGENT = 1_000, 50
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure each in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="ours,paho,sub")
    asked = parser.parse_args()
    found: dict[str, dict[str, object]] = {}
    for _ in range(asked.runs):
        for name in asked.only.split(","):
            figures = one(name, asked.messages)
            if name not in found or figures["us_per_message"] < found[name]["us_per_message"]:  # type: ignore[operator]
                found[name] = figures
    print(json.dumps(found, indent=1))


def one(name: str, count: int) -> dict[str, object]:
    """One consumer with a broker of its own; a quarter of the messages warms it up."""
    cores = two_cores()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as text:
        folder = Path(text)
        with mosquitto(folder, cores.load) as port, consumer_of(name, folder, port, cores.consumer) as consumer:
            burst(consumer, folder, port, cores.load, "b0", count // 4)
            before = ticks(consumer.child.pid)
            seconds = burst(consumer, folder, port, cores.load, "b1", count)
            costs = {key: value - before.get(key, 0) for key, value in ticks(consumer.child.pid).items()}
    micros = sorted((round(value / _TICKS / count * 1e6, 1) for value in costs.values()), reverse=True)
    return {
        "us_per_message": round(sum(costs.values()) / _TICKS / count * 1e6, 1),
        "us_by_thread": [value for value in micros if value >= 0.1],
        "messages_per_s": round(count / seconds),
    }


def consumer_of(name: str, folder: Path, port: int, core: int) -> AbstractContextManager[Consumer]:
    """The consumer of that name, at work."""
    if name == "ours":
        return consumers.caretaker(folder, port, core, POINTS, PER_AGENT)
    return consumers.paho(folder, port, core) if name == "paho" else consumers.mosquitto_sub(folder, port, core)


def burst(consumer: Consumer, folder: Path, port: int, core: int, boot: str, count: int) -> float:
    """Seconds from the first message to the last one taken."""
    base, start = consumer.taken(), time.time() + 0.5
    orders = Orders(port, Load(site.SITE, boot, POINTS // PER_AGENT, PER_AGENT, 1), count, 0.0, start)
    with generator(orders, core, folder) as child:
        while consumer.taken() - base < count and time.time() < start + 60:
            time.sleep(0.02)
        seconds = time.time() - start
        child.wait(30)
    if drain(consumer.taken, base + count, 1.0) < base + count:
        sys.exit(f"only {consumer.taken() - base} of {count} messages were taken")
    return seconds


def ticks(pid: int) -> dict[str, int]:
    """Clock ticks of processor time by thread."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[task.name] = int(fields[11]) + int(fields[12])
    return found


if __name__ == "__main__":
    main()
