"""A real Mosquitto for the tests, which lets everybody in: a running one, one in a container, or Debian's as a child.

`CARETAKER_TEST_MQTT_URL` (`mqtt://127.0.0.1:PORT`) names a running broker for tests only: what it retains below
`caretaker/` and ingest's session are cleared before each test, and tests have it one after the other. Else, where a
Docker engine answers and the image (`CARETAKER_TEST_MOSQUITTO_IMAGE`, default `eclipse-mosquitto:2`) is already there,
testcontainers starts it. Else Debian's `mosquitto` is started in its default configuration on a free port.
"""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.containers import container, engine_has
from tests.support import free_port, listens, needs, wait_until

IMAGE = os.environ.get("CARETAKER_TEST_MOSQUITTO_IMAGE", "eclipse-mosquitto:2")
SENTINEL = "caretaker-tests/cleared"


@contextmanager
def mosquitto_broker(folder: Path) -> Iterator[int]:
    """The port of the loopback address at which the broker that tests run against listens."""
    url = os.environ.get("CARETAKER_TEST_MQTT_URL")
    if url:
        with (Path(tempfile.gettempdir()) / "caretaker-test-mqtt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            port = _port(url)
            clear(port)
            yield port
    elif engine_has(IMAGE):
        # The image's own file for this purpose; without one Mosquitto 2 listens inside of the container only.
        with container(IMAGE, 1883, command="mosquitto -c /mosquitto-no-auth.conf") as (_, port):
            wait_until(lambda: _greets(port), 30, f"the container of {IMAGE} answers")
            yield port
    else:
        with mosquitto_child(folder) as port:
            yield port


@contextmanager
def mosquitto_child(folder: Path) -> Iterator[int]:
    """Debian's Mosquitto in its default configuration; its port."""
    program, port = needs("mosquitto", "mosquitto"), free_port()
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen([program, "-p", str(port)], stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port), 10, "mosquitto listens")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def clear(port: int) -> None:
    """Forget what the broker retains below `caretaker/`, and the session of ingest."""
    done: list[str] = []
    client = Client(CallbackAPIVersion.VERSION2, client_id="caretaker-ingest", clean_session=True)

    def forget(_: Client, __: object, message: MQTTMessage) -> None:
        if message.topic == SENTINEL:
            done.append(message.topic)
        elif message.retain:
            client.publish(message.topic, b"", 1, retain=True)

    client.on_message = forget
    client.connect("127.0.0.1", port)
    client.subscribe([("caretaker/#", 1), (SENTINEL, 1)])
    client.publish(SENTINEL, b"", 1)  # comes after everything retained
    client.loop_start()
    try:
        wait_until(lambda: bool(done), 20, "the broker gives what it retains")
    finally:
        client.disconnect()
        client.loop_stop()


def _port(url: str) -> int:
    parts = urlsplit(url)
    if parts.scheme != "mqtt" or parts.hostname not in ("127.0.0.1", "localhost"):
        pytest.fail("CARETAKER_TEST_MQTT_URL must be mqtt://127.0.0.1:PORT: forward a local port to another machine's")
    return parts.port or 1883


def _greets(port: int) -> bool:
    """Whether MQTT is spoken there: the engine itself listens at the port before the broker does."""
    client = Client(CallbackAPIVersion.VERSION2)
    try:
        client.connect("127.0.0.1", port)
        client.loop(1)
        client.loop(1)
        return client.is_connected()
    except OSError:
        return False
    finally:
        client.disconnect()
