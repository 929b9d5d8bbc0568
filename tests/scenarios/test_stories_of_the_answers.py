"""What people do about alarms, from the engine's event through store, notify and API, with restarts in between."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.settings import ApiSettings, ShelfLimits
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.records import Commit
from domain.times import DAY, HOUR, MINUTE, SECOND, iso
from notify.channels import Answer
from notify.message import Message
from notify.worker import Worker
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.scenarios.web import Web

NOON = 1_780_000_000_000
WARM = AlarmKey("warm", "fridge-1/temperature")
SITE = """\
site: {id: school, title: {en: Sunshine School, zh: 阳光小学}, timezone: Asia/Shanghai}
areas: [{id: kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, title: {en: Fridge 1, zh: 1号冷藏柜}, points: {temperature: {}}}
"""
RULES = """\
rules:
  - {id: warm, applies_to: {metric: temperature}, condition: {above: 8.0}, priority: high, latching: true}
"""


class Phone:
    """A channel that keeps what it is given."""

    name = "phone"

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> Answer:
        self.messages.append(message)
        return Answer(True)


class Kitchen:
    """A school whose engine is the test; store, notify and API are the real ones, and can be started anew."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.phone = folder, NOON, Phone()
        self.begin()
        self.store.apply_site("school", (("site.yaml", SITE),), "test", NOON)
        self.store.apply_rules("school", (("rules.yaml", RULES),), "test", NOON)
        self.store.commission("school", NOON - DAY, "test", NOON)
        assert self.store.acquire("school", "worker", NOON, 10 * DAY) == 1

    def begin(self) -> None:
        self.store = OperationalStore(f"sqlite:///{self.folder}/operational.sqlite")
        self.series = SqliteSeriesStore(self.folder / "series.sqlite")
        settings = ApiSettings(shelf=ShelfLimits(4 * HOUR, HOUR))
        self.web = Web(create_app(self.store, self.series, clock=lambda: self.now, settings=settings))
        self.notify = Worker(self.store, [self.phone], language="en")

    def end(self) -> None:
        self.store.close()
        self.series.close()

    def restart(self) -> None:
        self.end()
        self.begin()

    def engine(self, kind: EventKind, value: float, key: AlarmKey = WARM, **more: Any) -> None:
        reason = Reason.WITHIN_LIMIT if kind is EventKind.CLEAR else Reason.ABOVE_LIMIT
        event = AlarmEvent(
            kind, key, reason, self.now, self.now, since=self.now, value=value, priority=Priority.HIGH, level=0, **more
        )
        self.store.commit(Commit("school", "worker", 1, self.now, events=(event,)))

    def passes(self, ms: int) -> list[str]:
        """Time passes; the titles of what notify sent at its end."""
        before = len(self.phone.messages)
        self.now += ms
        self.notify.step(self.now)
        return [message.title for message in self.phone.messages[before:]]

    def does(self, command: str, status: int = 200, *, path: str = "", **body: object) -> Any:
        """Wang Fang does it through the API."""
        address = path or f"alarms/{WARM.rule}/{WARM.point}"
        said = {"by": "Wang Fang", **body}
        answer = self.web.request("POST", f"/api/v1/sites/school/{address}/{command}", json=said)
        assert answer.status_code == status, answer.text
        return answer.json()

    def log(self) -> list[tuple[str, str, str]]:
        items = self.web.get("/transitions", after=0, limit=500)["items"]
        return [(one["event"], one["target"], one["reason"]) for one in items]

    @property
    def alarm(self) -> Any:
        return self.web.get(f"/sites/school/alarms/{WARM.rule}/{WARM.point}")


@pytest.fixture
def kitchen(folder: Path) -> Iterator[Kitchen]:
    made = Kitchen(folder)
    yield made
    assert made.store.verify_audit("school") is None
    made.end()


ALARM, NEWS = "Alarm (high): Sunshine School, Fridge 1", "For your information: Sunshine School, Fridge 1"
BY, ABOVE, WITHIN = "by_person", "above_limit", "within_limit"


def test_from_the_ringing_to_what_was_done(kitchen: Kitchen) -> None:
    kitchen.engine(EventKind.RAISE, 9.2)
    assert kitchen.passes(SECOND) == [ALARM]
    kitchen.does("silence", version=1)
    kitchen.does("silence", 409, version=1)  # two people at two screens: the second saw an older alarm
    kitchen.does("acknowledge", nuisance="loading", note="delivery")
    kitchen.does("confirm", remedy="door_closed", food="kept", note="4 °C at the core")
    kitchen.restart()
    kitchen.engine(EventKind.CLEAR, 7.0)
    assert kitchen.passes(MINUTE) == []
    kitchen.does("confirm", remedy="repaired", food="not_affected", by="Li Lei")
    assert kitchen.log() == [
        ("raise", "unacknowledged", ABOVE), ("silence", "unacknowledged", BY), ("acknowledge", "acknowledged", BY),
        ("confirm", "acknowledged", BY), ("clear", "normal", WITHIN), ("confirm", "normal", BY),
    ]  # fmt: skip
    first, second = [one for one in kitchen.web.get("/transitions")["items"] if one["remedy"]][::-1]
    assert (first["by"], first["remedy"], first["food"]) == ("Wang Fang", "door_closed", "kept")
    assert (second["by"], second["food"]) == ("Li Lei", "not_affected")
    assert kitchen.alarm["confirmed_by"] == "Li Lei"
    actions = [entry["action"] for entry in kitchen.store.audit("school", 99) if entry["by"] in ("Wang Fang", "Li Lei")]
    assert sorted(set(actions) - {"transitions"}) == ["acknowledge", "confirm", "silence"]


@pytest.mark.parametrize("restarts", [False, True])
def test_the_shelf_ends_by_itself_also_after_a_restart(kitchen: Kitchen, restarts: bool) -> None:
    kitchen.engine(EventKind.RAISE, 9.2)
    assert kitchen.passes(SECOND) == [ALARM]
    kitchen.does("acknowledge")
    until = kitchen.now + 2 * HOUR
    kitchen.does("shelve", 422, note="repair", until=iso(kitchen.now + 4 * HOUR + 1))
    kitchen.does("shelve", note="repair", until=iso(until))
    assert kitchen.web.get("/alarms", overlay="shelved")["total"] == 1
    assert kitchen.passes(HOUR) == []
    kitchen.engine(EventKind.STEP_UP, 12.5)  # judged and logged under the shelf, and told to nobody
    assert kitchen.passes(SECOND) == []
    if restarts:
        kitchen.restart()
    kitchen.now = until
    if restarts:
        kitchen.now += 3 * MINUTE  # everything stood still when the shelf ended
    assert kitchen.passes(SECOND) == [ALARM]
    assert kitchen.passes(SECOND) == []
    (last,) = kitchen.web.get("/transitions", limit=1)["items"]
    assert (last["event"], last["reason"], last["at"], last["by"]) == ("unshelve", "expired", iso(until), "")
    assert (kitchen.alarm["state"], kitchen.alarm["overlays"]) == ("unacknowledged", [])
    assert kitchen.web.get("/alarms", overlay="shelved")["total"] == 0


def test_a_fridge_out_of_service_rests_and_is_told_once_when_it_comes_back_warm(kitchen: Kitchen) -> None:
    fridge = "assets/fridge-1"
    kitchen.does("remove-from-service", path=fridge, note="defrosting by hand")
    assert kitchen.web.get("/sites/school/assets/fridge-1")["state"] == "out-of-service"
    kitchen.engine(EventKind.RAISE, 15.0)  # the first alarm of its life
    kitchen.engine(EventKind.RAISE, 15.0, AlarmKey("warmer", WARM.point))
    assert kitchen.passes(DAY) == []
    assert [lay["kind"] for lay in kitchen.alarm["overlays"]] == ["out_of_service"]
    kitchen.restart()
    kitchen.does("return-to-service", path=fridge)
    assert kitchen.passes(SECOND) == [f"{ALARM} +1"]  # both alarms in one message
    assert kitchen.passes(MINUTE) == []
    assert kitchen.web.get("/sites/school/assets/fridge-1")["state"] == "alarm"
    kitchen.does("return-to-service", 409, path=fridge)


def test_a_latch_holds_until_somebody_has_seen_and_released_it(kitchen: Kitchen) -> None:
    kitchen.engine(EventKind.RAISE, 9.2)
    assert kitchen.passes(SECOND) == [ALARM]
    kitchen.engine(EventKind.CLEAR, 4.0, latching=True)
    assert kitchen.passes(SECOND) == [NEWS]
    kitchen.does("reset", 409)
    kitchen.does("acknowledge")
    kitchen.restart()
    assert kitchen.alarm["state"] == "latched-acknowledged"
    kitchen.does("reset")
    assert kitchen.alarm["state"] == "normal"
    assert kitchen.passes(SECOND) == []


def test_what_an_incident_explains_is_told_when_it_explains_it_no_longer(kitchen: Kitchen) -> None:
    kitchen.engine(EventKind.RAISE, 9.2)
    kitchen.does("suppress", by="incident:power-lost", note="the board has no power")
    assert kitchen.passes(SECOND) == []
    kitchen.does("unsuppress", by="incident:power-lost")
    assert kitchen.passes(SECOND) == [ALARM]
    kitchen.does("assign", to="maintenance")
    kitchen.does("comment", note="the fuse again")
    assert kitchen.alarm["assigned_to"] == "maintenance"
    assert kitchen.alarm["state"] == "unacknowledged"


def test_before_the_site_is_live_nothing_is_told_of_what_comes_back(kitchen: Kitchen) -> None:
    kitchen.store.commission("school", None, "test", kitchen.now)
    kitchen.engine(EventKind.RAISE, 9.2, answer_required=False)
    kitchen.does("shelve", note="probe is being placed", until=iso(kitchen.now + MINUTE))
    assert kitchen.passes(2 * MINUTE) == []
    assert kitchen.alarm["state"] == "acknowledged"
