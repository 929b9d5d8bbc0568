"""The embedded broker as a process: it listens, carries messages, says nothing needless, and ends when asked to."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from caretaker.commands.up import wait_for_port
from tests.support import free_port

ROOT = Path(__file__).parents[3]


class Running:
    """`caretaker broker` as a child, what it says kept in a file."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port, self._log = port, folder / "broker.txt"
        command = [sys.executable, "-m", "caretaker", "broker", "--port", str(port)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    @property
    def output(self) -> str:
        return self._log.read_text()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path, free_port())
    try:
        assert wait_for_port("127.0.0.1", running.port, lambda: running.process.poll() is not None), running.output
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def test_it_carries_a_message_and_a_probe_of_its_port_is_no_error(broker: Running) -> None:
    arrived, ready = threading.Event(), threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "listener")
    client.on_message = lambda *_: arrived.set()
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe("caretaker/1/school/#", 1)
    assert ready.wait(10)
    client.publish("caretaker/1/school/agents/a/readings", b"[]", 1)
    assert arrived.wait(10)
    client.disconnect()
    client.loop_stop()
    assert broker.end(signal.SIGTERM) == 0
    assert broker.output == ""


def test_a_port_that_is_taken_is_exit_code_2_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        running = Running(tmp_path, server.getsockname()[1])
        assert running.process.wait(20) == 2
    assert f"the embedded broker cannot listen on 127.0.0.1:{running.port}" in running.output
    assert "broker.port" in running.output
    assert "Traceback" not in running.output
