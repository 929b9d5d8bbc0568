"""The connection: what paho's callbacks become, and the whole agent against a real Mosquitto."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.config import Broker
from edge.link import EVENTS_KEPT, EventKind, MqttLink

ROOT = Path(__file__).parents[3]
AGENT = "caretaker/1/hillside/agents/kitchen"
COMMAND = """
import sys, typer
from caretaker.commands.edge import edge
from domain.errors import CaretakerError
try:
    typer.run(edge)
except CaretakerError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


def reason(failure: bool = False) -> SimpleNamespace:
    return SimpleNamespace(is_failure=failure)


def link(**more) -> MqttLink:
    return MqttLink(Broker("127.0.0.1", 1, **more), "hillside-kitchen", "x/receipt", ("x/status", b"offline"))


def test_callbacks_become_events_in_order() -> None:
    made = link(user="u", password="p", tls=True)
    subscribed = []
    client = SimpleNamespace(subscribe=lambda topic, qos: subscribed.append((topic, qos)))
    made._on_connect(client, None, None, reason(), None)
    made._on_message(client, None, SimpleNamespace(payload=bytearray(b"{}")))
    made._on_disconnect(client, None, None, reason(), None)
    assert [event.kind for event in made.events()] == ["connected", "received", "disconnected"]
    assert subscribed == [("x/receipt", 1)]
    assert made.events() == []
    made.wait(60)  # something has happened, so it returns at once


def test_a_refused_connection_is_no_connection() -> None:
    made = link()
    made._on_connect(SimpleNamespace(), None, None, reason(failure=True), None)
    assert made.events() == []


def test_a_flood_of_receipts_does_not_fill_the_memory_nor_hide_the_connection() -> None:
    made = link()
    for _ in range(2 * EVENTS_KEPT):
        made._on_message(SimpleNamespace(), None, SimpleNamespace(payload=b"{}"))
    made._on_disconnect(SimpleNamespace(), None, None, reason(), None)
    found = made.events()
    assert len(found) == EVENTS_KEPT + 1
    assert found[-1].kind is EventKind.DISCONNECTED


def test_what_the_broker_has_not_acknowledged_is_counted() -> None:
    made = link()
    made.publish("x/y", b"1")
    made.publish("x/y", b"2", retain=True)
    assert made.unacknowledged == 2
    made._on_publish(SimpleNamespace(), None, 1, reason(), None)
    assert made.unacknowledged == 1


def test_only_the_first_try_to_connect_does_not_wait(monkeypatch) -> None:
    made = link()
    waits = []
    monkeypatch.setattr(made._stopping, "wait", waits.append)
    for _ in range(6):
        made._on_pre_connect(SimpleNamespace(), None)
    assert len(waits) == 5
    assert all(0 <= wait <= 15 for wait in waits)
    assert len(set(waits)) > 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def mosquitto(port: int) -> Iterator[None]:
    if shutil.which("mosquitto") is None:
        pytest.skip("needs Debian's package mosquitto: apt-get install mosquitto")
    broker = subprocess.Popen(["mosquitto", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port), "the broker listens")
        yield
    finally:
        broker.terminate()
        broker.wait(10)


class Ingest:
    """A go-back-N receiver on the broker; `answers` is whether it sends receipts."""

    def __init__(self, port: int) -> None:
        self.answers = True
        self.boots: dict[str, int] = {}
        self.readings: list[tuple[float, str, object]] = []
        self.statuses: list[dict] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ingest")
        self.client.on_message = self._take
        self.client.on_connect = lambda *_: self.client.subscribe([(f"{AGENT}/readings/#", 1), (f"{AGENT}/status", 1)])
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _take(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/status"):
            self.statuses.append(json.loads(message.payload))
            return
        boot, seq = message.topic.split("/")[-2:]
        if not self.answers:
            return
        if int(seq) == self.boots.get(boot, 0) + 1:
            self.boots[boot] = int(seq)
            base, prefix = 0.0, ""
            for record in json.loads(message.payload):
                base, prefix = record.get("bt", base), record.get("bn", prefix)
                if "n" in record:
                    self.readings.append((base + record.get("t", 0), prefix + record["n"], record.get("v")))
        receipt = {"boot": boot, "through": self.boots.get(boot, 0)}
        self.client.publish(f"{AGENT}/receipt", json.dumps(receipt), qos=1, retain=True)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def configure(folder: Path, port: int, pace: str, rows: int) -> Path:
    times = (1_700_000_000_000 + number * 100 for number in range(rows))
    lines = [f"{moment},fridge-1/temperature,{number}" for number, moment in enumerate(times)]
    (folder / "rows.csv").write_text("\n".join(["time,point,value", *lines]))
    path = folder / "edge.toml"
    path.write_text(
        f'site = "hillside"\nagent = "kitchen"\nbroker = "mqtt://127.0.0.1:{port}"\ndata_dir = "data"\n'
        f'sample_interval = "100ms"\n[[source]]\nkind = "csv"\npath = "rows.csv"\npace = "{pace}"\n'
    )
    return path


@contextlib.contextmanager
def agent(path: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    with (path.parent / "agent.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "--config", str(path), *options], cwd=ROOT, stdout=log, stderr=log
        )
        try:
            yield child
        finally:
            child.kill()
            child.wait(10)


@pytest.mark.integration
def test_a_broker_that_is_killed_and_comes_back_loses_nothing(tmp_path) -> None:
    port = free_port()
    path = configure(tmp_path, port, "recorded", rows=60)
    with agent(path, "--until-done") as child:
        with mosquitto(port):
            ingest = Ingest(port)
            until(lambda: len(ingest.readings) >= 5, "first readings")
            ingest.answers = False
            time.sleep(0.5)  # packs go out that nobody will receipt, and the broker forgets them
        ingest.answers = True
        with mosquitto(port):
            assert child.wait(60) == 0
            until(lambda: ingest.statuses[-1]["state"] == "offline", "offline after the end")
            ingest.stop()
    assert [value for _, _, value in ingest.readings] == list(range(60))


@pytest.mark.integration
def test_a_stop_says_offline_and_exits_with_0_and_a_kill_leaves_it_to_the_will(tmp_path) -> None:
    port = free_port()
    path = configure(tmp_path, port, "recorded", rows=100_000)
    with mosquitto(port):
        ingest = Ingest(port)
        for how, code in ((signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)):
            ingest.statuses.clear()
            with agent(path) as child:
                until(lambda: bool(ingest.statuses) and ingest.statuses[-1]["state"] == "online", "online")
                began = time.monotonic()
                child.send_signal(how)
                assert child.wait(10) == code
                assert time.monotonic() - began < 5
                until(lambda: ingest.statuses[-1]["state"] == "offline", f"offline after {how.name}")
                assert ingest.statuses[-1]["boot"] == ingest.statuses[0]["boot"]
        ingest.stop()
    assert threading.active_count() < 10


def test_mistakes_end_the_command_with_2_and_no_traceback(tmp_path) -> None:
    path = configure(tmp_path, 1, "fast", rows=1)
    path.write_text(path.read_text().replace("site", "sight"))
    with agent(path, "--check") as child:
        assert child.wait(30) == 2
    log = (tmp_path / "agent.log").read_text()
    assert "edge.toml:1: unknown key 'sight'" in log
    assert "Traceback" not in log


def test_a_good_configuration_is_said_to_be_good(tmp_path) -> None:
    path = configure(tmp_path, 1, "fast", rows=1)
    with agent(path, "--check") as child:
        assert child.wait(30) == 0
    assert "agent kitchen of site hillside would publish to mqtt://127.0.0.1:1" in (tmp_path / "agent.log").read_text()


def test_the_agent_starts_without_the_servers_parts() -> None:
    code = (
        "import sys; import edge.run, caretaker.commands.edge; "
        "heavy = {'numpy', 'yaml', 'sqlalchemy', 'pydantic', 'fastapi', 'store'} & set(sys.modules); "
        "sys.exit(','.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
