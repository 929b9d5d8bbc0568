"""Promise: whatever happens on the way, the whole live path says what a backtest of the same readings says.

The real agent, outbox, publisher, ingest, engine and stores; a broker that loses, copies and swaps; agent and ingest
begun anew at any moment. Every reading is stored exactly once, and the alarm log is that of `rules backtest`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import cycle, repeat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.readings import Reading
from domain.times import MINUTE, SECOND
from store.operational.store import OperationalStore
from tests.scenarios.broker import Fate
from tests.scenarios.path import WholePath, series_of
from tests.scenarios.school import replayed

MEMORY = Path("/dev/shm")
T0 = 1_772_352_000_000
SITE = """
site: {id: small}
areas: [{id: kitchen}]
assets:
  - {id: fridge, type: refrigerator, area: kitchen, points: {temperature: {interval: 60s}}}
  - {id: freezer, type: freezer, area: kitchen, points: {temperature: {unit: Cel}}}
  - {id: pump, type: pump, area: kitchen, points: {status: {interval: 60s, states: {off: 0, run: 1, fault: 2}}}}
"""
RULES = """
rules:
  - id: warm
    applies_to: {metric: temperature}
    condition: {above: 8, deadband: 1}
    on_delay: 5min
    off_delay: 2min
    priority: high
  - id: levels
    applies_to: {metric: temperature}
    levels:
      - {above: 6, on_delay: 3min, off_delay: 1min, priority: low}
      - {above: 9, on_delay: 1min, priority: urgent}
  - id: broken
    applies_to: {metric: status}
    condition: {state: fault}
    priority: high
    latching: true
  - id: silent
    applies_to: {metric: temperature}
    condition: {no_data: 4min}
    priority: low
"""
DOCUMENTS = (("rules.yaml", RULES),)
POINTS = ("fridge/temperature", "freezer/temperature", "pump/status")
TEMPERATURES = st.sampled_from([4.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.5, 9.5, 10.0, "85"])
LENGTH = 25  # minutes


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A migrated operational store: to make one takes longer than an example."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        OperationalStore(f"sqlite:///{name}/operational.sqlite").close()
        yield Path(name) / "operational.sqlite"


@pytest.fixture(scope="module", autouse=True)
def _small_packs() -> Iterator[None]:
    """A few readings each, so that several packs are on their way together after every trouble."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge.publisher.AGENT_PACK_BYTES", 500)
        yield


@st.composite
def told(draw: st.DrawFn) -> list[Reading]:
    """Readings of three points, about one a minute, in runs of equal values, with holes and bad ones."""
    rows: list[Reading] = []
    for point in POINTS:
        values: list[float | str] = []
        while len(values) < LENGTH:
            value = draw(st.sampled_from([0.0, 1.0, 2.0]) if point == POINTS[2] else TEMPERATURES)
            values += [value] * draw(st.integers(1, 9))
        holes = draw(st.sets(st.integers(0, LENGTH), max_size=6))
        rows += [one for place, one in enumerate(series_of(point, T0, values[:LENGTH])) if place not in holes]
    return sorted(rows, key=lambda one: one.time)


HAPPENINGS = st.sampled_from(
    ["kill ingest", "stop ingest", "ingest away", "kill agent", "agent repeats", "network", "broker", "broker forgets",
     "reset", "both"]
)  # fmt: skip
TROUBLE = st.lists(st.tuples(st.integers(1, LENGTH - 1), HAPPENINGS), min_size=1, max_size=6)
FATES = st.lists(st.sampled_from([Fate.PASS, Fate.PASS, *Fate]), min_size=1, max_size=17)  # again and again


def happen(path: WholePath, what: str) -> None:
    match what:
        case "kill ingest":
            path.kill_ingest()
            path.start_ingest()
        case "stop ingest":
            path.stop_ingest()
            path.start_ingest()
        case "ingest away":
            path.kill_ingest()
            path.run(path.clock.now + 150 * SECOND)
            path.start_ingest()
        case "kill agent" | "agent repeats":
            path.kill_agent("box")
            path.start_agent("box", again=7 if what == "agent repeats" else 0)
        case "network":
            path.offline("box")
            path.run(path.clock.now + 8 * MINUTE)
            path.online("box")
        case "broker" | "broker forgets":
            path.broker.stop(forgetful=what == "broker forgets")
            path.run(path.clock.now + 90 * SECOND)
            path.broker.start()
        case "reset":
            path.broker.lose_everything_on_its_way()
        case "both":
            path.kill_agent("box")
            path.kill_ingest()
            path.start_agent("box", again=3)
            path.run(path.clock.now + MINUTE)
            path.start_ingest()


def live(path: WholePath, readings: list[Reading], trouble: list[tuple[int, str]]) -> None:
    path.add_agent("box", readings)
    for minute, what in sorted(trouble):
        path.run(T0 + minute * MINUTE + 20 * SECOND)
        happen(path, what)
    path.run(T0 + LENGTH * MINUTE + MINUTE)
    path.broker.fates = repeat(Fate.PASS)
    path.run(path.clock.now + 20 * MINUTE, stride=2 * MINUTE)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(readings=told(), trouble=TROUBLE, fates=FATES)
def test_live_through_any_trouble_says_what_a_backtest_says(
    template: Path, readings: list[Reading], trouble: list[tuple[int, str]], fates: list[Fate]
) -> None:
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    path = WholePath(folder, T0, site=SITE, rules=DOCUMENTS, template=template, fates=cycle(fates))
    try:
        live(path, readings, trouble)
        assert path.stored() == path.produced()
        assert len(path.produced()) == len(readings)
        assert path.web.get("/dead-letters")["items"] == []
        # The agent's last promise is that of its last cycle: what is due before it has been said.
        end = path.clock.now // MINUTE * MINUTE
        valued = [said for said in path.log() if said.rule != "silent"]
        assert sorted(valued) == sorted(replayed(DOCUMENTS, readings, path.catalogue, end - 1))
    finally:
        path.close()
        shutil.rmtree(folder)
