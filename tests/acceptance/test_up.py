"""`caretaker up` with a real broker and a real client: readings by hand, garbage, and an orderly end."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import free_port, needs, wait_until

ROOT = Path(__file__).parents[2]
CARETAKER = str(Path(sys.executable).with_name("caretaker"))
SITE = ROOT / "examples" / "school" / "site.yaml"
GARBAGE = b"\xff\x00{not json"


class Installation:
    """A running `caretaker up` on a folder of its own."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        self.folder, self.broker_port, self.web_port = folder, broker_port, free_port()
        (folder / "caretaker.toml").write_text(
            f'sites = ["{SITE}"]\n[broker]\nurl = "mqtt://127.0.0.1:{broker_port}"\n[web]\nport = {self.web_port}\n'
        )
        with (folder / "up.txt").open("wb") as log:
            self.process = subprocess.Popen([CARETAKER, "up"], cwd=folder, stdout=log, stderr=log)

    @property
    def output(self) -> str:
        return (self.folder / "up.txt").read_text()

    def get(self, path: str) -> object:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}{path}", timeout=10) as answer:
            return json.load(answer)

    def ready(self) -> bool:
        try:
            self.get("/health/ready")
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def publish(self, agent: str, payload: bytes) -> None:
        topic = f"caretaker/1/school/agents/{agent}/readings"
        client = needs("mosquitto_pub", "mosquitto-clients")
        subprocess.run(
            [client, "-p", str(self.broker_port), "-q", "1", "-t", topic, "-s"], input=payload, check=True, timeout=10
        )

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CARETAKER, *words], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )

    def value(self, point: str) -> float | None:
        rows = self.get("/api/v1/sites/school/latest")
        assert isinstance(rows, list)
        return next((row["value"] for row in rows if row["point"] == point), None)


@pytest.fixture
def up(tmp_path: Path, mosquitto: int) -> Iterator[Installation]:
    installation = Installation(tmp_path, mosquitto)
    try:
        wait_until(installation.ready, 60, "the installation is ready")
        yield installation
    finally:
        if installation.process.poll() is None:
            installation.process.send_signal(signal.SIGTERM)
            installation.process.wait(30)


@pytest.mark.acceptance
@pytest.mark.integration
def test_a_pack_sent_by_hand_appears_and_garbage_stops_nothing(up: Installation) -> None:
    up.publish("by-hand", b'[{"bn":"kettle-1/","n":"temperature","u":"Cel","v":81.5}]')
    wait_until(lambda: up.value("kettle-1/temperature") == 81.5, 20, "the reading is in the API")
    up.publish("by-hand", GARBAGE)
    wait_until(lambda: "not_json" in up.command("dead-letters").stdout, 20, "the garbage is a dead letter")
    up.publish("by-hand", b'[{"bn":"kettle-1/","n":"temperature","u":"degF","v":212}]')
    wait_until(lambda: up.value("kettle-1/temperature") not in (None, 81.5), 20, "readings still arrive")
    assert up.process.poll() is None
    listed = up.command("ps")
    assert listed.returncode == 0, listed.stdout
    assert all(name in listed.stdout for name in ("ingest", "web", "notify"))
    diagnosis = up.command("doctor")
    assert "1 messages were refused" in diagnosis.stdout
    assert "kettle-1/temperature" in diagnosis.stdout


@pytest.mark.acceptance
@pytest.mark.integration
def test_a_second_start_on_the_same_folder_is_refused(up: Installation) -> None:
    refused = up.command("up")
    assert refused.returncode == 2
    assert "already" in refused.stderr


@pytest.mark.acceptance
@pytest.mark.integration
def test_every_child_is_started_again_after_sigkill(up: Installation) -> None:
    state_file = up.folder / "data" / "run" / "supervisor.json"
    before = {row["name"]: row["pid"] for row in json.loads(state_file.read_text())["children"]}
    for pid in before.values():
        subprocess.run(["kill", "-9", str(pid)], check=True)

    def all_new() -> bool:
        now = {row["name"]: row["pid"] for row in json.loads(state_file.read_text())["children"]}
        return all(now[name] not in (None, pid) for name, pid in before.items())

    wait_until(all_new, 30, "all children are new")
    wait_until(up.ready, 60, "ready again")
    up.publish("by-hand", b'[{"bn":"kettle-1/","n":"temperature","u":"Cel","v":64}]')
    wait_until(lambda: up.value("kettle-1/temperature") == 64.0, 20, "readings arrive again")


@pytest.mark.acceptance
@pytest.mark.integration
def test_a_killed_supervisor_leaves_no_children_behind(up: Installation) -> None:
    state_file = up.folder / "data" / "run" / "supervisor.json"
    pids = [row["pid"] for row in json.loads(state_file.read_text())["children"]]
    up.process.kill()
    up.process.wait(10)
    wait_until(lambda: not any(_runs(pid) for pid in pids), 20, "the children end")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.acceptance
def test_the_embedded_broker_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [CARETAKER, "broker", "--port", str(port)], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    import paho.mqtt.client as mqtt

    got: list[bytes] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: got.append(message.payload)
    deadline = time.monotonic() + 20
    while True:
        try:
            client.connect("127.0.0.1", port)
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    client.loop_start()
    client.subscribe("t", 1)
    client.publish("t", b"hello", 1).wait_for_publish(10)
    wait_until(lambda: got == [b"hello"], 10, "the message comes back")
    client.disconnect()
    client.loop_stop()
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0, process.stderr
    assert process.stderr is not None
    process.stderr.close()


@pytest.mark.acceptance
def test_a_taken_port_is_named_with_the_setting(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "caretaker.toml").write_text(f"[broker]\nport = {port}\n")
        result = subprocess.run(
            [CARETAKER, "up"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
    assert result.returncode == 2
    assert "broker.port" in result.stderr
