"""The whole ingest process against a real Mosquitto in its default configuration, and Debian's own clients."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain.reasons import DeadReason
from domain.records import AlarmFilter
from ingest.runner import run
from ingest.settings import IngestSettings
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.support import needs, wait_until
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import SITE, FakeJudge

pytestmark = pytest.mark.integration


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Plant:
    """Ingest with its stores, and a way to publish by hand."""

    port: int
    store: OperationalStore
    series: SqliteSeriesStore

    def publish(self, topic: str, payload: str, *options: str) -> None:
        program = needs("mosquitto_pub", "mosquitto-clients")
        command = [program, "-p", str(self.port), "-t", topic, "-m", payload, "-q", "1", *options]
        subprocess.run(command, check=True, timeout=20)

    def heard(self, topic: str) -> dict[str, object]:
        """The retained message of the topic."""
        program = needs("mosquitto_sub", "mosquitto-clients")
        command = [program, "-p", str(self.port), "-t", topic, "-C", "1", "-W", "20"]
        answer: dict[str, object] = json.loads(
            subprocess.run(command, check=True, timeout=30, capture_output=True).stdout
        )
        return answer

    def info(self) -> dict[str, object]:
        rows = self.store.processes()
        return json.loads(rows[0].info) if rows else {}


@contextmanager
def ingest(port: int, folder: Path) -> Iterator[Plant]:
    """Ingest in this process until the end of the block, with real stores."""
    store = OperationalStore(f"sqlite:///{folder}/operational.sqlite")
    series = SqliteSeriesStore(folder / "series.sqlite")
    store.apply_site(SITE, (("site.yaml", SITE_YAML),), "test", now_ms())
    stop = threading.Event()
    settings = IngestSettings(f"mqtt://127.0.0.1:{port}")
    thread = threading.Thread(target=run, args=(settings, store, series, FakeJudge, now_ms, stop))
    thread.start()
    plant = Plant(port, store, series)
    try:
        wait_until(lambda: bool(plant.info().get("connected")), 20, "ingest is connected")
        yield plant
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
        store.close()
        series.close()


def test_a_pack_published_by_hand_is_stored_and_garbage_stops_nothing(mosquitto: int, tmp_path: Path) -> None:
    topic = f"caretaker/1/{SITE}/agents/hand/readings"
    with ingest(mosquitto, tmp_path) as plant:
        plant.publish(topic, "garbage")
        plant.publish(f"{topic}/one/two/three", "[]")
        plant.publish("caretaker/1/elsewhere/agents/x/readings", '[{"n":"fridge-1/temperature","v":1}]')
        plant.publish(topic, '[{"n":"fridge-1/temperature","u":"degF","v":50}]')
        wait_until(lambda: bool(plant.store.latest(SITE)), 20, "the reading is on the board")
        (latest,) = plant.store.latest(SITE)
        assert (latest.point, latest.value) == ("fridge-1/temperature", pytest.approx(10.0))
        wait_until(lambda: plant.series.count(SITE) == 1, 20, "the reading is in the series store")
        wait_until(lambda: len(plant.store.dead_letters(None, 10)) == 3, 20, "three dead letters")
        letters = {letter.reason: letter for letter in plant.store.dead_letters(None, 10)}
        assert letters[DeadReason.NOT_JSON].payload == b"garbage"
        assert letters[DeadReason.BAD_TOPIC].site == SITE
        assert letters[DeadReason.UNKNOWN_SITE].site == ""
        wait_until(lambda: plant.store.alarms(AlarmFilter(), 1)[1] == 1, 20, "the alarm is raised")
        alarm = plant.heard(f"caretaker/1/{SITE}/alarms/too-warm/fridge-1/temperature")
        assert alarm["state"] == "unacknowledged"


def test_sequenced_packs_are_receipted_and_a_restart_goes_on(mosquitto: int, tmp_path: Path) -> None:
    base = f"caretaker/1/{SITE}/agents/a"
    payload = json.dumps([{"n": "fridge-1/temperature", "t": now_ms() / 1000, "v": 4}])
    with ingest(mosquitto, tmp_path) as plant:
        plant.publish(f"{base}/readings/b1/1", payload)
        assert plant.heard(f"{base}/receipt") == {"boot": "b1", "through": 1}
    # While ingest is away, the broker keeps what comes for its session.
    away = Plant(mosquitto, plant.store, plant.series)
    away.publish(f"{base}/readings", '[{"n":"fridge-1/door","v":1}]')
    away.publish(f"{base}/readings/b1/2", payload.replace('"v": 4', '"v": 5'))
    away.publish(f"{base}/readings/b1/2", payload.replace('"v": 4', '"v": 5'))
    with ingest(mosquitto, tmp_path) as plant:
        wait_until(lambda: plant.heard(f"{base}/receipt")["through"] == 2, 20, "the second pack is receipted")
        wait_until(lambda: plant.series.count(SITE) == 3, 20, "all three readings are stored")
        assert plant.store.positions(SITE)["a"].through == 2


def test_a_site_that_is_applied_later_is_served_without_a_restart(mosquitto: int, tmp_path: Path) -> None:
    other = SITE_YAML.replace("id: school", "id: annex")
    topic = "caretaker/1/annex/agents/a/readings/b1/1"
    payload = json.dumps([{"n": "fridge-1/temperature", "t": now_ms() / 1000, "v": 4}])
    with ingest(mosquitto, tmp_path) as plant:
        status = json.dumps({"state": "online", "boot": "b1"})
        plant.publish("caretaker/1/annex/agents/a/status", status, "-r")
        plant.publish(topic, payload)
        wait_until(lambda: plant.info().get("unknown_site") == 2, 20, "the messages are counted")
        assert plant.store.positions("annex") == {}
        plant.store.apply_site("annex", (("site.yaml", other),), "test", now_ms())
        wait_until(lambda: any(row.online for row in plant.store.agents("annex")), 20, "the retained status came")
        plant.publish(topic, payload)
        wait_until(lambda: plant.series.count("annex") == 1, 20, "the reading is stored")


def test_a_broker_that_comes_late_and_goes_away_is_found_again(tmp_path: Path) -> None:
    from tests.support import free_port, listens

    program, port = needs("mosquitto", "mosquitto"), free_port()
    store = OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite")
    series = SqliteSeriesStore(tmp_path / "series.sqlite")
    store.apply_site(SITE, (("site.yaml", SITE_YAML),), "test", now_ms())
    stop = threading.Event()
    settings = IngestSettings(f"mqtt://127.0.0.1:{port}")
    thread = threading.Thread(target=run, args=(settings, store, series, FakeJudge, now_ms, stop))
    thread.start()
    plant = Plant(port, store, series)
    try:
        wait_until(lambda: plant.info().get("connected") is False, 20, "ingest lives without a broker")
        for expected in (1, 2):
            process = subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_until(lambda: listens(port), 10, "mosquitto listens")
                wait_until(lambda: plant.info().get("connected") is True, 30, "ingest is connected")
                plant.publish(f"caretaker/1/{SITE}/agents/a/readings", '[{"n":"fridge-1/temperature","v":4}]')
                wait_until(lambda n=expected: series.count(SITE) == n, 20, "the reading is stored")
            finally:
                process.terminate()
                process.wait(10)
            wait_until(lambda: plant.info().get("connected") is False, 20, "the loss is noticed")
    finally:
        stop.set()
        thread.join(30)
        store.close()
        series.close()
    assert not thread.is_alive()
