"""Notify on the real operational store: from an engine's event to the delivery log."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.records import Commit
from notify.channels import Answer
from notify.decide import REPEAT_WINDOW
from notify.message import Message
from notify.worker import Worker
from store.operational.store import OperationalStore

NOON = 1_780_000_000_000
KEY = AlarmKey("cold-high", "fridge-1/temperature")
SITE = """\
site: {id: school, title: {en: Sunshine School, zh: 阳光小学}, timezone: Asia/Shanghai}
areas: [{id: kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, title: {en: Fridge 1, zh: 1号冷藏柜}, points: {temperature: {}}}
"""


class Kept:
    """A channel that keeps what it is given."""

    name = "kept"

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> Answer:
        self.sent.append(message)
        return Answer(True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OperationalStore]:
    made = OperationalStore(f"sqlite:///{tmp_path / 'operational.db'}")
    made.apply_site("school", (("site.yaml", SITE),), "test", NOON)
    made.commission("school", NOON - 1, "test", NOON)
    assert made.acquire("school", "worker", NOON, 3_600_000_000) == 1
    with structlog.testing.capture_logs():
        yield made
    made.close()


def happen(store: OperationalStore, *events: AlarmEvent) -> None:
    store.commit(Commit("school", "worker", 1, events[-1].detected_at, events=events))


def event(kind: EventKind, at: int, key: AlarmKey = KEY, **changes: object) -> AlarmEvent:
    known: dict[str, object] = {"priority": Priority.HIGH, "level": 0, "value": 9.25, "since": at, **changes}
    return AlarmEvent(kind, key, Reason.ABOVE_LIMIT, at, at, **known)  # type: ignore[arg-type]  # fields by name


def command(kind: EventKind, at: int, **said: object) -> AlarmEvent:
    return AlarmEvent(kind, KEY, Reason.BY_PERSON, at, at, by="duty", **said)  # type: ignore[arg-type]  # by name


def decisions(store: OperationalStore) -> list[str]:
    return [f"{notice.transition_id} {notice.decision}" for notice in store.notices(100)][::-1]


def test_an_alarm_from_its_raise_to_its_answer(store: OperationalStore) -> None:
    kept = Kept()
    worker = Worker(store, [kept], language="en")
    happen(store, event(EventKind.RAISE, NOON))
    worker.step(NOON + 500)
    happen(store, event(EventKind.CLEAR, NOON + 60_000))
    worker.step(NOON + 60_500)
    store.command(
        "school", AlarmEvent(EventKind.ACKNOWLEDGE, KEY, Reason.BY_PERSON, NOON + 90_000, NOON + 90_000, by="duty")
    )
    worker.step(NOON + 90_500)
    assert decisions(store) == ["1 page: raised", "2 summary: returned_unanswered", "3 none: command"]
    assert [message.title for message in kept.sent] == [
        "Alarm (high): Sunshine School, Fridge 1",
        "For your information: Sunshine School, Fridge 1",
    ]
    assert "2026-05-29 04:26" in kept.sent[0].body
    assert store.pending_notices(10) == []


def test_a_history_before_commissioning_disturbs_nobody(store: OperationalStore) -> None:
    kept = Kept()
    for day in range(7):
        at = NOON + day * 86_400_000
        happen(
            store,
            event(EventKind.RAISE, at, answer_required=False),
            event(EventKind.CLEAR, at + 60_000, answer_required=False),
        )
    Worker(store, [kept]).step(NOON + 8 * 86_400_000)
    assert kept.sent == []
    assert len(decisions(store)) == 14
    assert {line.split(" ", 1)[1] for line in decisions(store)} == {"none: no_answer_required"}


def test_a_backlog_that_raises_and_ends_is_told_in_one_summary(store: OperationalStore) -> None:
    kept = Kept()
    late = {"retroactive": True}
    happen(store, event(EventKind.RAISE, NOON, **late), event(EventKind.CLEAR, NOON + 60_000, **late))
    Worker(store, [kept]).step(NOON + 61_000)
    assert sorted(decisions(store)) == ["1 summary: past_excursion", "2 none: returned"]
    assert len(kept.sent) == 1


def test_shelved_alarms_disturb_nobody_until_they_come_off_the_shelf(store: OperationalStore) -> None:
    kept = Kept()
    worker = Worker(store, [kept])
    happen(store, event(EventKind.RAISE, NOON))
    until = NOON + 2 * REPEAT_WINDOW
    store.command("school", command(EventKind.SHELVE, NOON + 1, note="probe changed", until=until))
    worker.step(NOON + 500)
    worker.step(until - 1)
    assert (kept.sent, decisions(store)) == ([], ["1 none: shelved", "2 none: command"])
    worker.step(until + 500)
    assert decisions(store)[-1] == "3 page: overlay_lifted"
    worker.step(until + 1_500)
    assert len(kept.sent) == 1


def test_the_shelf_is_forgotten_neither_by_a_new_notify_nor_by_a_new_store(tmp_path: Path) -> None:
    place, until = f"sqlite:///{tmp_path / 'kept.db'}", NOON + 3_600_000
    first = OperationalStore(place)
    first.apply_site("school", (("site.yaml", SITE),), "test", NOON)
    first.commission("school", NOON - 1, "test", NOON)
    assert first.acquire("school", "worker", NOON, 3_600_000_000) == 1
    happen(first, event(EventKind.RAISE, NOON))
    first.command("school", command(EventKind.SHELVE, NOON + 1, note="probe changed", until=until))
    first.close()
    kept = Kept()
    with structlog.testing.capture_logs():
        second = OperationalStore(place)
        Worker(second, [kept]).step(until - 1)
        Worker(second, [kept]).step(until + 30_000)
    assert decisions(second) == ["1 none: shelved", "2 none: command", "3 page: overlay_lifted"]
    second.close()


def test_back_in_service_while_still_warm_pages_once_for_all_alarms_of_the_asset(store: OperationalStore) -> None:
    kept = Kept()
    worker = Worker(store, [kept], language="en")
    store.remove_from_service("school", "fridge-1", "li", "defrosting by hand", None, NOON)
    happen(store, event(EventKind.RAISE, NOON + 1), event(EventKind.RAISE, NOON + 2, key=AlarmKey("food", KEY.point)))
    store.command("school", command(EventKind.ACKNOWLEDGE, NOON + 3))
    worker.step(NOON + 500)
    assert kept.sent == []
    store.return_to_service("school", "fridge-1", "li", "done", NOON + 60_000)
    worker.step(NOON + 60_500)
    worker.step(NOON + 61_500)
    assert [message.title for message in kept.sent] == ["Alarm (high): Sunshine School, Fridge 1 +1"]


def test_a_silenced_alarm_is_heard_again_when_it_gets_worse(store: OperationalStore) -> None:
    kept = Kept()
    worker = Worker(store, [kept])
    happen(store, event(EventKind.RAISE, NOON))
    worker.step(NOON + 500)
    store.command("school", command(EventKind.SILENCE, NOON + 1_000))
    happen(store, event(EventKind.CLEAR, NOON + 2_000))
    worker.step(NOON + 2_500)
    assert decisions(store) == ["1 page: raised", "2 none: command", "3 none: silenced"]
    happen(store, event(EventKind.RAISE, NOON + 3_000, priority=Priority.URGENT))
    worker.step(NOON + 3_500)
    assert decisions(store)[-1] == "4 page: raised"
