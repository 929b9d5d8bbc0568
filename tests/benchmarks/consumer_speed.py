"""How fast messages leave a real Mosquitto: ingest's connection beside stock paho, in the same run.

    python tests/benchmarks/consumer_speed.py [--messages 60000] [--runs 5] [--readings 1]

A broker on a free port holds the messages of a session that is away; then the session comes back and takes them. So
no publisher competes with the consumer. Prints one JSON object: messages a second per run and the median. No test: it
asserts nothing about time.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path(__file__).parents[2]))

from ingest.consumer import Consumer
from ingest.inbox import Inbox
from ingest.mailbox import Mailbox
from ingest.metrics import Counters
from ingest.settings import IngestSettings

TOPIC = "caretaker/1/school/agents/a/readings/b1/{seq}"
FILTER = "caretaker/1/+/agents/+/readings/#"


def ours(port: int, count: int) -> float:
    """Seconds that ingest's consumer takes to put `count` messages into the inbox, while another thread empties it."""
    inbox, counters = Inbox(2_000, 64 * 1024 * 1024), Counters()
    inbox.open("school")
    consumer = Consumer(IngestSettings(f"mqtt://127.0.0.1:{port}", worker="bench"), inbox, Mailbox(), counters)
    stop = threading.Event()
    begun = time.perf_counter()
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    taken = 0
    while taken < count:
        taken += len(inbox.take("school", 500, 5.0))
    seconds = time.perf_counter() - begun
    stop.set()
    consumer.wake()
    thread.join()
    return seconds


def paho(port: int, count: int) -> float:
    """Seconds that a stock paho subscriber takes that only counts."""
    taken, done = 0, threading.Event()

    def on_message(client: object, data: object, message: object) -> None:
        nonlocal taken
        taken += 1
        if taken == count:
            done.set()

    client = Client(CallbackAPIVersion.VERSION2, client_id="caretaker-peer", clean_session=False)
    client.on_message = on_message
    begun = time.perf_counter()
    client.connect("127.0.0.1", port)
    client.loop_start()
    done.wait(120)
    seconds = time.perf_counter() - begun
    client.disconnect()
    client.loop_stop()
    return seconds


def fill(port: int, client_id: str, count: int, payload: bytes) -> None:
    """Make the session subscribe and leave, then publish for it."""
    session = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    subscribed = threading.Event()
    session.on_subscribe = lambda *_: subscribed.set()
    session.connect("127.0.0.1", port)
    session.loop_start()
    session.subscribe(FILTER, 1)
    subscribed.wait(10)
    session.disconnect()
    session.loop_stop()
    sender = Client(CallbackAPIVersion.VERSION2)
    sender.max_inflight_messages_set(1000)
    sender.connect("127.0.0.1", port)
    sender.loop_start()
    last = None
    for seq in range(1, count + 1):
        last = sender.publish(TOPIC.format(seq=seq), payload, 1)
    assert last is not None
    last.wait_for_publish(120)
    sender.disconnect()
    sender.loop_stop()


def one(run: Callable[[int, int], float], client_id: str, count: int, payload: bytes) -> float:
    """Messages a second of one run, with a broker of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
        )
        broker = subprocess.Popen(["mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            fill(port, client_id, count, payload)
            return count / run(port, count)
        finally:
            broker.terminate()
            broker.wait()


def main() -> None:
    """Alternate the two, so that both meet the same machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--readings", type=int, default=1)
    asked = parser.parse_args()
    records = [{"n": "fridge-1/temperature", "t": 1_772_000_000 + row, "v": 4.5} for row in range(asked.readings)]
    payload = json.dumps(records).encode()
    rates: dict[str, list[int]] = {"ingest": [], "paho": []}
    for _ in range(asked.runs):
        rates["ingest"].append(round(one(ours, "caretaker-bench", asked.messages, payload)))
        rates["paho"].append(round(one(paho, "caretaker-peer", asked.messages, payload)))
    medians = {name: round(statistics.median(values)) for name, values in rates.items()}
    print(json.dumps({"runs": rates, "median": medians, "ratio": round(medians["ingest"] / medians["paho"], 2)}))


if __name__ == "__main__":
    main()
