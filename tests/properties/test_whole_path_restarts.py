"""Promise: an ingest that is killed and begun anew says word for word what one that never stopped says.

Hard for what needs a memory: late readings of simple devices (no receipt, no promise), rules that change on the way,
people who acknowledge, a site that is commissioned. Two whole paths get the same messages at the same times; in one of
them ingest is killed or stopped at moments that Hypothesis chooses.
"""

import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.readings import Quality, Reading
from domain.times import MINUTE, SECOND
from store.operational.store import OperationalStore
from tests.scenarios.broker import Packet
from tests.scenarios.path import WholePath
from wire.senml import encode_pack
from wire.topics import unsequenced_topic

MEMORY = Path("/dev/shm")
T0 = 1_772_352_000_000
LENGTH = 20  # minutes
SITE = """
site: {id: small}
areas: [{id: kitchen}]
assets:
  - {id: fridge, type: refrigerator, area: kitchen, points: {temperature: {interval: 60s}}}
  - {id: freezer, type: freezer, area: kitchen, points: {temperature: {unit: Cel}}}
"""
RULES = """
rules:
  - id: warm
    applies_to: {metric: temperature}
    condition: {above: 8, deadband: 1}
    on_delay: 4min
    off_delay: 2min
    priority: high
  - id: levels
    applies_to: {metric: temperature}
    levels:
      - {above: 6, on_delay: 2min, off_delay: 1min, priority: low}
      - {above: 9, on_delay: 1min, priority: urgent}
"""
REVISIONS = (
    RULES,
    RULES.replace("on_delay: 4min", "on_delay: 1min"),
    RULES.replace("priority: low", "priority: medium"),
)
POINTS = ("fridge/temperature", "freezer/temperature")
VALUES = st.sampled_from([4.0, 6.5, 7.5, 8.5, 8.5, 9.5, 9.5, math.nan])
# Per minute and device: nothing, a reading of now, or one of some minutes ago.
AGES = st.sampled_from([None, 0, 0, 0, 0, 20 * SECOND, 2 * MINUTE, 5 * MINUTE, 12 * MINUTE])
Minute = list[tuple[int, float] | None]
Action = tuple[str, int]


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A migrated operational store: to make one takes longer than an example."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        OperationalStore(f"sqlite:///{name}/operational.sqlite").close()
        yield Path(name) / "operational.sqlite"


@st.composite
def minutes(draw: st.DrawFn) -> list[Minute]:
    found: list[Minute] = []
    value = [draw(VALUES), draw(VALUES)]
    for _ in range(LENGTH):
        minute: Minute = []
        for device in range(2):
            if draw(st.integers(0, 3)) == 0:
                value[device] = draw(VALUES)
            age = draw(AGES)
            minute.append(None if age is None else (age, value[device]))
        found.append(minute)
    return found


ACTIONS = st.dictionaries(
    st.integers(1, LENGTH - 1),
    st.tuples(st.sampled_from(["rules", "acknowledge", "commission"]), st.integers(0, 2)),
    max_size=4,
)
RESTARTS = st.dictionaries(st.integers(0, LENGTH - 1), st.sampled_from(["kill", "stop"]), max_size=8)


def publish(path: WholePath, minute: Minute) -> None:
    for point, said in zip(POINTS, minute, strict=True):
        if said is None:
            continue
        age, value = said
        time, quality = path.clock.now - age, Quality.BAD if math.isnan(value) else Quality.GOOD
        reading = Reading(point, time, value, quality, "error" if math.isnan(value) else "")
        payload = encode_pack([reading], units={point: "Cel"}, sent=path.clock.now, upto=time, low=1)
        path.broker.from_agent(Packet(unsequenced_topic(path.site, point.partition("/")[0]), payload))


def act(path: WholePath, action: Action) -> None:
    what, number = action
    if what == "rules":
        path.store.apply_rules(path.site, (("rules.yaml", REVISIONS[number]),), "chef", path.clock.now)
    elif what == "commission":
        path.store.commission(path.site, path.clock.now if number else None, "chef", path.clock.now)
    else:
        for alarm in path.web.get("/alarms", site=path.site)["items"]:
            route = f"/api/v1/sites/{path.site}/alarms/{alarm['rule']}/{alarm['point']}/acknowledge"
            path.web.request("POST", route, json={"by": "chef"})


def life(
    folder: Path, template: Path, told: list[Minute], actions: dict[int, Action], restarts: dict[int, str]
) -> dict[str, Any]:
    path = WholePath(folder, T0, site=SITE, rules=(("rules.yaml", RULES),), template=template)
    try:
        for number, minute in enumerate(told):
            publish(path, minute)
            path.run(T0 + number * MINUTE + 30 * SECOND)
            if number in actions:
                act(path, actions[number])
            path.run(path.clock.now + 2 * SECOND)  # so that both have seen it when one of them ends
            again = restarts.get(number)
            if again == "kill":
                path.kill_ingest()
            elif again == "stop":
                path.stop_ingest()
            if again:
                path.start_ingest()
            path.run(T0 + (number + 1) * MINUTE)
        path.run(path.clock.now + 15 * MINUTE, stride=3 * MINUTE)
        return {
            "log": [{**one, "detected_at": None, "id": None} for one in path.transitions()],
            "excursions": path.web.get(f"/sites/{path.site}/excursions", to=path.clock.now),
            "alarms": sorted((a["rule"], a["point"], a["state"]) for a in path.web.get("/alarms")["items"]),
            "refused": [one for one in path.store.audit(path.site, 500) if one["action"] == "refused_event"],
        }
    finally:
        path.close()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=minutes(), actions=ACTIONS, restarts=RESTARTS)
def test_an_ingest_begun_anew_at_any_moment_says_the_same(
    template: Path, told: list[Minute], actions: dict[int, Action], restarts: dict[int, str]
) -> None:
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    try:
        calm = life(folder / "calm", template, told, actions, {})
        troubled = life(folder / "troubled", template, told, actions, restarts)
        assert calm["refused"] == []
        assert troubled == calm
    finally:
        shutil.rmtree(folder)
