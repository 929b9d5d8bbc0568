"""Two ingest workers share four sites; one is killed, then one is paused and goes on: nothing is lost or doubled.

Real processes on a real Mosquitto, PostgreSQL and InfluxDB. The agents write down what they measured before they hand
it over; that record, and a backtest of it, is what the stores are compared with.
"""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from caretaker.settings import Settings, StoreSettings
from caretaker.wiring import open_operational, open_series
from domain.catalogue_file import load_catalogue
from domain.ports import SeriesStore
from domain.readings import Reading
from domain.records import TransitionFilter
from domain.times import HOUR, MINUTE
from ingest.shares import presence
from store.operational.store import OperationalStore
from tests.broker import mosquitto_child
from tests.installation import Command, real_stores
from tests.said import Said, said_of
from tests.scenarios.school import replayed
from tests.support import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SITES = ("north", "east", "south", "west")
POINTS = ("fridge-1/temperature", "fridge-2/temperature")
SITE = """
site: {id: NAME}
areas: [{id: kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, points: {temperature: {}}}
  - {id: fridge-2, type: refrigerator, area: kitchen, points: {temperature: {}}}
"""
RULES = """
rules:
  - id: warm
    applies_to: {metric: temperature}
    condition: {above: 8, deadband: 1}
    on_delay: 500ms
    off_delay: 1s
    priority: high
  - id: hot
    applies_to: {metric: temperature}
    condition: {above: 12}
    priority: urgent
"""
DOCUMENTS = (("rules.yaml", RULES),)
STEP = 250  # ms between readings
LASTING = 45  # seconds of readings, as long as the story takes
RECORDED = 1_772_000_000_000  # moved to the present by the agent
LEASE = 5_000  # ms; a third of the default
TAKEOVER = 40.0  # seconds, on a machine with much else to do


class Installation:
    """The stores, and the processes that the test started."""

    def __init__(self, folder: Path, port: int, operational: str, series: str) -> None:
        self.folder, self.port = folder, port
        self.environment = {
            "CARETAKER_DATA_DIR": str(folder / "data"), "CARETAKER_BROKER__URL": f"mqtt://127.0.0.1:{port}",
            "CARETAKER_STORES__OPERATIONAL": operational, "CARETAKER_STORES__SERIES": series,
        }  # fmt: skip
        settings = Settings(data_dir=folder / "data", stores=StoreSettings(operational=operational, series=series))
        self.store: OperationalStore = open_operational(settings)
        self.series: SeriesStore = open_series(settings)
        self.commands: list[Command] = []

    def close(self) -> None:
        for command in self.commands:
            if command.runs:
                command.kill()
        self.store.close()
        self.series.close()

    def start(self, name: str, *words: str, **more: str) -> Command:
        self.commands.append(Command(self.folder, name, words, {**self.environment, **more}))
        return self.commands[-1]

    def worker(self, name: str, lease: int = LEASE) -> Command:
        return self.start(
            f"ingest-{name}", "ingest",
            CARETAKER_WORKER=name, CARETAKER_INGEST__LEASE=f"{lease}ms", CARETAKER_LOG__FORMAT="json",
        )  # fmt: skip

    def describe(self) -> None:
        for site in SITES:
            self.store.apply_site(site, (("site.yaml", SITE.replace("NAME", site)),), "test", 1)
            self.store.apply_rules(site, DOCUMENTS, "test", 1)
            self.store.commission(site, 1, "test", 1)

    def agent(self, site: str) -> Command:
        """An agent that plays its readings at the pace of real time, and ends when all are receipted."""
        folder = self.folder / site
        folder.mkdir()
        rows = [f"{at},{point},{value}" for at, point, value in measurements(site)]
        (folder / "readings.csv").write_text("\n".join(["time,point,value", *rows]) + "\n")
        (folder / "edge.toml").write_text(
            f'site = "{site}"\nagent = "box"\nbroker = "mqtt://127.0.0.1:{self.port}"\ndata_dir = "outbox"\n'
            'sample_interval = "250ms"\ntrust_clock = true\nproduced_log = "produced.jsonl"\n'
            '[[source]]\nkind = "csv"\npath = "readings.csv"\ntimes = "from_now"\n'
        )
        return self.start(f"edge-{site}", "edge", "--until-done", "--config", str(folder / "edge.toml"))

    def served(self) -> Counter[str]:
        """How many sites each worker holds, also of those that have just died."""
        return Counter(lease.worker for lease in self.store.leases() if lease.site in SITES and lease.until)

    def epochs(self) -> dict[str, int]:
        return {lease.site: lease.epoch for lease in self.store.leases() if lease.site in SITES}

    def left(self) -> list[int]:
        """How long each lease that is held would still run, ms; store and test go by one machine's clock."""
        now = time.time_ns() // 1_000_000
        return [lease.until - now for lease in self.store.leases() if lease.until]

    def shared(self, **expected: int) -> Callable[[], bool]:
        return lambda: self.served() == Counter(expected)

    def produced(self, site: str) -> list[Reading]:
        lines = (self.folder / site / "produced.jsonl").read_text().splitlines()
        return [Reading(row["point"], row["time"], row["value"]) for row in map(json.loads, lines)]

    def stored(self, site: str) -> list[tuple[str, int, float]]:
        found = []
        for point in POINTS:
            series = self.series.read(site, point, 0, 4_000_000_000_000)
            found += [(point, int(at), float(value)) for at, value in zip(series.time, series.value, strict=True)]
        return sorted(found)

    def said(self, site: str) -> list[Said]:
        rows = self.store.transitions(TransitionFilter(site), 100_000, newest_first=False)
        return [said_of(one) for one in rows]


def measurements(site: str) -> Iterator[tuple[int, str, float]]:
    """Values that wander around the limits in runs of some readings, and are in order in the end."""
    chance = random.Random(site)
    left, value = dict.fromkeys(POINTS, 0), dict.fromkeys(POINTS, 4.0)
    steps = LASTING * 1000 // STEP
    for number in range(steps):
        for point in POINTS:
            if number >= steps - 12:
                value[point] = 4.0
            elif left[point] == 0:
                left[point], value[point] = chance.randrange(1, 14), chance.choice([4.0, 7.5, 9.0, 10.0, 13.0])
            left[point] -= 1
            yield RECORDED + number * STEP, point, value[point]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path) as made:
        made.describe()
        yield made


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    with mosquitto_child(folder) as port, real_stores(folder) as (operational, series):
        made = Installation(folder, port, operational, series)
        try:
            yield made
        finally:
            made.close()


def test_workers_that_die_or_stand_still_are_followed_and_nothing_is_lost_or_doubled(
    installation: Installation,
) -> None:
    first, second = installation.worker("first"), installation.worker("second")
    wait_until(installation.shared(first=2, second=2), 60, "each worker takes half of the sites")
    agents = [installation.agent(site) for site in SITES]
    wait_until(lambda: all(transitions(installation)), 30, "every site has its first transitions")

    first.kill()
    assert max(installation.left()) <= LEASE, "nobody has to wait longer for the sites than the setting says"
    wait_until(installation.shared(second=4), TAKEOVER, "the other takes the sites of the one that was killed")
    first = installation.worker("first")
    wait_until(installation.shared(first=2, second=2), 120, "the one that came back gets its share")

    before = installation.epochs()
    second.send(signal.SIGSTOP)
    wait_until(installation.shared(first=4), TAKEOVER, "the other takes the sites of the one that stands still")
    taken = {site for site, epoch in installation.epochs().items() if epoch > before[site]}
    second.send(signal.SIGCONT)
    wait_until(installation.shared(first=2, second=2), TAKEOVER, "the one that goes on gets a share again")
    assert {said["site"] for said in words(second) if said["event"] == "another worker serves the site"} == taken

    for site, agent in zip(SITES, agents, strict=True):
        assert agent.wait(120) == 0, f"the agent of {site} has every receipt"
    for site in SITES:
        compare(installation, site)
    assert first.stop() == second.stop() == 0
    assert {lease.until for lease in installation.store.leases()} == {0}, "what ends in order leaves no lease behind"


def test_one_that_stops_in_order_is_followed_at_once(installation: Installation) -> None:
    first, _ = installation.worker("first", MINUTE), installation.worker("second", MINUTE)
    wait_until(installation.shared(first=2, second=2), 60, "each worker takes half of the sites")
    assert first.stop() == 0
    held = {lease.site: lease for lease in installation.store.leases()}
    assert held[presence("first")].until == 0
    wait_until(installation.shared(second=4), TAKEOVER, "the other takes its sites before a lease could have run out")


def transitions(installation: Installation) -> list[int]:
    return [len(installation.said(site)) for site in SITES]


def words(command: Command) -> list[dict[str, str]]:
    """The lines of its log."""
    return [json.loads(line) for line in command.log.read_text().splitlines() if line.startswith("{")]


def compare(installation: Installation, site: str) -> None:
    produced = installation.produced(site)
    assert len(produced) == 2 * LASTING * 1000 // STEP
    expected = sorted((one.point, one.time, one.value) for one in produced)
    wait_until(lambda: installation.series.count(site) >= len(expected), 60, f"the readings of {site} are stored")
    assert installation.stored(site) == expected
    assert installation.store.dead_letters(site, 10) == []
    assert installation.series.gaps(site, 0, expected[-1][1] + HOUR) == []
    end = max(one.time for one in produced)
    catalogue = load_catalogue(SITE.replace("NAME", site), "site.yaml")
    wanted = sorted(replayed(DOCUMENTS, produced, catalogue, end))
    wait_until(lambda: len(installation.said(site)) >= len(wanted), 30, f"the transitions of {site} are there")
    assert sorted(installation.said(site)) == wanted
    assert len(wanted) > 10
    numbers = [entry.n for entry in installation.store.journal(site, 0, 100_000)]
    assert all(after == before + 1 for before, after in pairwise(numbers))
    noticed = [one.id for one in installation.store.pending_notices(100_000) if one.site == site]
    assert len(noticed) == len(set(noticed))
