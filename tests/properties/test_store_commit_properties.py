"""However events and commands are cut into commits, the operational store tells the same story as the lifecycle."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind, Priority, Reason, Transition
from domain.errors import IllegalTransitionError
from domain.lifecycle import apply
from domain.records import AlarmFilter, Commit, TransitionFilter
from store.operational.store import OperationalStore

T0 = 1_767_225_600_000
KEYS = (AlarmKey("warm", "fridge-1/temperature"), AlarmKey("silent", "fridge-1/temperature"))
ENGINE = (EventKind.RAISE, EventKind.CLEAR, EventKind.STEP_UP, EventKind.STEP_DOWN, EventKind.CLOSE)
PEOPLE = (EventKind.ACKNOWLEDGE, EventKind.RESET, EventKind.SHELVE, EventKind.UNSHELVE)


def _event(kind: EventKind, key: AlarmKey, latching: bool, answer: bool) -> AlarmEvent:
    by = "li" if kind in PEOPLE else ""
    priority = None if kind in PEOPLE or kind is EventKind.CLEAR else Priority.HIGH
    return AlarmEvent(
        kind, key, Reason.ABOVE_LIMIT, T0, T0, priority=priority, latching=latching, answer_required=answer,
        by=by, note="because" if by else "", until=T0 + 9,
    )  # fmt: skip


events = st.builds(_event, st.sampled_from(ENGINE + PEOPLE), st.sampled_from(KEYS), st.booleans(), st.booleans())
stories = st.lists(st.tuples(events, st.booleans()), max_size=25)


fresh = (f"school-{number}" for number in count())  # each example has a site of its own in one file


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperationalStore]:
    made = OperationalStore(f"sqlite:///{tmp_path_factory.mktemp('operational')}/operational.sqlite")
    yield made
    made.close()


def by_the_book(site: str, story: list[tuple[AlarmEvent, bool]]) -> tuple[dict[AlarmKey, Alarm], list[Transition]]:
    """What the lifecycle alone makes of the story: a refused event changes nothing."""
    present: dict[AlarmKey, Alarm] = {}
    log: list[Transition] = []
    for number, (event, _) in enumerate(story):
        moment = replace(event, at=T0 + number)
        if event.kind in PEOPLE and event.key not in present:
            continue
        try:
            changed, transition = apply(present.get(event.key, Alarm(site, event.key)), moment)
        except IllegalTransitionError:
            continue
        present[event.key] = changed
        log.append(transition)
    return present, log


def through_the_store(store: OperationalStore, site: str, story: list[tuple[AlarmEvent, bool]]) -> None:
    """Engine events are collected into commits (the flag ends one); a person's command comes between commits."""
    epoch = store.acquire(site, "w", T0, 1000)
    assert epoch is not None
    waiting: list[AlarmEvent] = []

    def flush() -> None:
        store.commit(Commit(site, "w", epoch, T0, events=tuple(waiting)))
        waiting.clear()

    for number, (event, ends) in enumerate(story):
        moment = replace(event, at=T0 + number)
        if event.kind not in PEOPLE:
            waiting.append(moment)
            if ends:
                flush()
            continue
        flush()
        if store.alarm(site, event.key) is not None:
            try:
                store.command(site, moment)
            except IllegalTransitionError:
                continue
    flush()


@given(stories)
def test_the_store_tells_the_story_of_the_lifecycle(
    store: OperationalStore, story: list[tuple[AlarmEvent, bool]]
) -> None:
    site = next(fresh)
    present, log = by_the_book(site, story)
    through_the_store(store, site, story)
    found, total = store.alarms(AlarmFilter(site=site), 100)
    assert {alarm.key: alarm for alarm in found} == present
    assert total == len(present)
    logged = store.transitions(TransitionFilter(site=site), 1000, newest_first=False)
    assert [replace(row, id=0) for row in logged] == log
    assert [row.id for row in logged] == sorted({row.id for row in logged})
    assert [row for row in store.pending_notices(100_000) if row.site == site] == logged
    still_out = [row for row in store.excursions(site, None, 0, T0 * 2) if row.end is None]
    active = {key for key, alarm in present.items() if alarm.active}
    assert {AlarmKey(row.rule, row.point) for row in still_out} == active
    assert store.verify_audit(site) is None
