"""Ingest as its own process on the embedded broker: killed again and again under load, it loses and doubles nothing.

The sender is a real agent's publisher over the wire: window, receipts, going back.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.support import free_port, listens, wait_until
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import NOW, SITE
from wire.messages import Receipt, decode_receipt
from wire.senml import Reading, encode_pack
from wire.topics import readings_topic, receipt_topic

pytestmark = pytest.mark.integration
PACKS, ROWS = 200, 50
WINDOW = 32


@pytest.fixture
def broker() -> Iterator[int]:
    """The embedded broker as a child process; its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "caretaker", "broker", "--port", str(port)])
    try:
        wait_until(lambda: listens(port), 30, "the embedded broker listens")
        yield port
    finally:
        process.terminate()
        process.wait(15)


class Sender:
    """A go-back-N sender of `PACKS` packs, driven by `turn`."""

    def __init__(self, port: int) -> None:
        self.through, self._next, self._since = 0, 1, time.monotonic()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="sender")
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(receipt_topic(SITE, "a"), 1)

    def _hear(self, client: Client, data: object, message: object) -> None:
        receipt = decode_receipt(message.payload)  # type: ignore[attr-defined] # paho's message
        if isinstance(receipt, Receipt) and receipt.boot == "b1" and receipt.through > self.through:
            self.through, self._since = receipt.through, time.monotonic()
            self._next = max(self._next, self.through + 1)

    def turn(self) -> None:
        self._client.loop(0.01)
        if time.monotonic() - self._since > 2:
            self._since, self._next = time.monotonic(), self.through + 1
        if self._next <= min(PACKS, self.through + WINDOW):
            self._client.publish(readings_topic(SITE, "a", "b1", self._next), self._pack(self._next), 1)
            self._next += 1

    def _pack(self, seq: int) -> bytes:
        start = NOW + 60_000 * ROWS * seq
        rows = [Reading("fridge-1/temperature", start + 60_000 * n, float(n % 12)) for n in range(ROWS)]
        return encode_pack(rows, units={}, sent=start, upto=rows[-1].time, low=self.through + 1)

    def close(self) -> None:
        self._client.disconnect()


def start_ingest(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "caretaker", "ingest", "--config", str(config)])


def test_killing_ingest_at_any_moment_loses_and_doubles_nothing(broker: int, tmp_path: Path) -> None:
    config = tmp_path / "caretaker.toml"
    config.write_text(f'data_dir = "data"\n[broker]\nurl = "mqtt://127.0.0.1:{broker}"\n[log]\nlevel = "warning"\n')
    (tmp_path / "data").mkdir()
    store = OperationalStore(f"sqlite:///{tmp_path}/data/operational.sqlite")
    store.apply_site(SITE, (("site.yaml", SITE_YAML),), "test", NOW)
    series = SqliteSeriesStore(tmp_path / "data" / "series.sqlite")
    sender = Sender(broker)
    process = start_ingest(config)
    kill_at = [PACKS // 5, PACKS // 2, 4 * PACKS // 5]
    try:
        until = time.monotonic() + 100
        while sender.through < PACKS and time.monotonic() < until:
            sender.turn()
            if kill_at and sender.through >= kill_at[0]:
                kill_at.pop(0)
                os.kill(process.pid, signal.SIGKILL)
                process.wait(10)
                process = start_ingest(config)
        assert sender.through == PACKS
        assert kill_at == []
        wait_until(lambda: series.count(SITE) == PACKS * ROWS, 30, "every reading is stored once")
        assert store.positions(SITE)["a"].through == PACKS
        assert store.dead_letters(None, 10) == []
        process.terminate()
        assert process.wait(30) == 0, "a stop is clean"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        sender.close()
        store.close()
        series.close()
