"""What comes with a catalogue, and after a change of rules or points."""

import pytest

from domain.alarms import AlarmEvent, EventKind, Priority, Reason
from domain.batch import batch_of
from domain.catalogue import Area, Asset, Catalogue, Label, Point
from domain.readings import Quality, Reading
from domain.times import HOUR, MINUTE, SECOND
from domain.units import unit_of
from rules.engine import Engine
from rules.model import Level, Limit, NoData, Rule, Selector, StateIs
from tests.unit.rules.engine_stories import FRIDGE, T0, engine_with, minutes, rule_set, said, send, warm


def catalogue(commissioned_at: int | None = None, interval: int = MINUTE, with_second: bool = True) -> Catalogue:
    unit = unit_of("Cel")
    first = Asset(
        "fridge-1", "refrigerator", "kitchen", Label("1"), (Point("fridge-1", "temperature", unit, interval),)
    )
    second = Asset(
        "pump-1",
        "pump",
        "kitchen",
        Label("2"),
        (Point("pump-1", "status", unit_of("state"), interval, states={"run": 1, "fault": 2}),),
    )
    assets = (first, second) if with_second else (second,)
    return Catalogue("school", Label("School"), "UTC", commissioned_at, (Area("kitchen", Label("K")),), assets)


@pytest.mark.parametrize(("commissioned_at", "required"), [(None, False), (T0, True), (T0 + 1, False)])
def test_answers_are_required_from_the_commissioning_on(commissioned_at: int | None, required: bool) -> None:
    engine = Engine("school")
    engine.set_rules(catalogue(commissioned_at), rule_set(warm(on=0)), T0)
    (event,) = send(engine, [(0, 9.0)], upto=0)
    assert event.answer_required is required


def test_without_a_site_every_alarm_requires_an_answer() -> None:
    (event,) = send(engine_with(warm(on=0)), [(0, 9.0)], upto=0)
    assert event.answer_required


def test_with_a_catalogue_unknown_points_are_not_judged() -> None:
    engine = Engine("school")
    engine.set_rules(catalogue(with_second=False), rule_set(warm(on=0)), T0)
    engine.set_rules(catalogue(), rule_set(warm(on=0)), T0)
    stranger = Reading("oven-1/temperature", T0, 200.0)
    assert engine.feed(batch_of("school", T0, [stranger])) == []


def test_three_intervals_of_the_catalogue_are_the_gap() -> None:
    rule = Rule(
        "warm", Selector(("refrigerator",), "temperature"), (Level(Limit(above=8.0), Priority.LOW, 3 * MINUTE + 1),)
    )
    engine = Engine("school")
    engine.set_rules(catalogue(), rule_set(rule), T0)
    assert send(engine, [(0, 9.0)], upto=60) == []  # known for three minutes only


def test_states_are_named_by_the_catalogue() -> None:
    rule = Rule("fault", Selector(("pump",), "status"), (Level(StateIs(("fault", "no-such")), Priority.HIGH),))
    engine = Engine("school")
    engine.set_rules(catalogue(), rule_set(rule), T0)
    rows = [Reading("pump-1/status", T0 + number, float(number)) for number in range(4)]
    events = engine.feed(batch_of("school", T0 + 4, rows))
    assert [(event.reason, event.at - T0) for event in events] == [(Reason.STATE_ENTERED, 2), (Reason.STATE_LEFT, 3)]


def test_a_point_of_the_catalogue_that_never_spoke_is_silent_from_the_start() -> None:
    rule = Rule("silent", Selector(("refrigerator",), "temperature"), (Level(NoData(HOUR), Priority.LOW),))
    engine = Engine("school")
    engine.set_rules(catalogue(), rule_set(rule), T0)
    assert engine.clock(T0 + HOUR, True) == []
    (event,) = engine.clock(T0 + HOUR + SECOND, True)
    assert (event.key.point, event.at) == (FRIDGE, T0 + HOUR)
    (closed,) = engine.set_rules(catalogue(with_second=False), rule_set(rule), T0 + 2 * HOUR)
    assert (closed.kind, closed.reason) == (EventKind.CLOSE, Reason.POINT_REMOVED)


def active_engine() -> Engine:
    engine = Engine("school")
    engine.set_rules(catalogue(), rule_set(warm()), T0)
    assert said(send(engine, minutes(0, 12, 9.0), upto=12)) == [("raise", 10)]
    return engine


def test_a_rule_that_is_gone_closes_its_alarm() -> None:
    (event,) = active_engine().set_rules(catalogue(), rule_set(), T0 + 13 * MINUTE)
    assert (event.kind, event.reason, event.at) == (EventKind.CLOSE, Reason.RULE_REMOVED, T0 + 13 * MINUTE)


def test_a_point_that_is_gone_closes_its_alarm() -> None:
    engine = active_engine()
    (event,) = engine.set_rules(catalogue(with_second=False), rule_set(warm()), T0 + 13 * MINUTE)
    assert (event.kind, event.reason) == (EventKind.CLOSE, Reason.POINT_REMOVED)
    assert send(engine, [(14, 5.0)], upto=14) == []


def test_the_same_rules_again_and_a_new_title_change_nothing() -> None:
    engine = active_engine()
    before = engine.snapshot()
    assert engine.set_rules(catalogue(), rule_set(warm(title="Too warm")), T0 + 12 * MINUTE) == []
    assert said(send(engine, [(13, 5.0)], upto=13)) == [("clear", 13)]
    engine.restore(before)
    assert said(send(engine, [(13, 5.0)], upto=13)) == [("clear", 13)]


def test_a_changed_rule_closes_and_is_judged_anew_over_its_lookback() -> None:
    engine = active_engine()
    closed, raised = engine.set_rules(catalogue(), rule_set(warm(limit=8.5)), T0 + 13 * MINUTE)
    assert (closed.kind, closed.reason, closed.priority) == (EventKind.CLOSE, Reason.RULE_CHANGED, Priority.HIGH)
    assert (raised.kind, raised.at, raised.detected_at) == (EventKind.RAISE, T0 + 12 * MINUTE, T0 + 13 * MINUTE)
    assert said(send(engine, [(13, 5.0)], upto=13)) == [("clear", 13)]


def test_a_changed_rule_that_no_longer_holds_only_closes() -> None:
    engine = active_engine()
    (closed,) = engine.set_rules(catalogue(), rule_set(warm(limit=10.0)), T0 + 13 * MINUTE)
    assert closed.kind is EventKind.CLOSE


def test_a_new_rule_takes_the_running_delay_from_its_lookback() -> None:
    engine = Engine("school")
    engine.set_rules(catalogue(), rule_set(warm(limit=20.0)), T0)
    send(engine, minutes(0, 7, 9.0), upto=7)
    assert engine.set_rules(catalogue(), rule_set(warm(limit=20.0), warm(rule="new")), T0 + 7 * MINUTE) == []
    assert said(send(engine, minutes(8, 10, 9.0), upto=10)) == [("raise", 10)]


def test_a_new_rule_is_not_blind_to_the_value_that_was_there_before_it() -> None:
    def state(rule: str, number: float) -> Rule:
        return Rule(rule, Selector(("pump",), "status"), (Level(StateIs((number,)), Priority.HIGH),))

    def status(minute: int, value: float) -> list[AlarmEvent]:
        quality = Quality.BAD if value != value else Quality.GOOD
        row = Reading("pump-1/status", T0 + minute * MINUTE, value, quality)
        return engine.feed(batch_of("school", row.time, [row]))

    engine = Engine("school")
    engine.set_rules(catalogue(), rule_set(state("running", 1.0)), T0)
    assert status(0, 2.0) == []
    assert [status(minute, float("nan")) for minute in range(1, 10)] == [[]] * 9
    assert engine.set_rules(catalogue(), rule_set(state("running", 1.0), state("fault", 2.0)), T0 + 9 * MINUTE) == []
    assert said(status(10, 2.0)) == [("raise", 10)]


def test_a_rule_that_cannot_be_judged_changes_nothing() -> None:
    engine = active_engine()
    before = engine.snapshot()
    with pytest.raises(ValueError, match="no level"):
        engine.set_rules(catalogue(), rule_set(Rule("empty", Selector(point=FRIDGE), ())), T0 + 13 * MINUTE)
    assert engine.snapshot() == before


def test_a_snapshot_of_another_format_or_site_is_refused() -> None:
    engine = active_engine()
    for blob in (b"", b"\x00", b"\x91\x63", engine.snapshot()[:40]):
        with pytest.raises(ValueError, match="snapshot"):
            Engine("school").restore(blob)
    with pytest.raises(ValueError, match="site 'school'"):
        Engine("other").restore(engine.snapshot())


def test_a_point_that_changes_its_agent_keeps_what_was_promised_about_it() -> None:
    engine = engine_with(warm())
    send(engine, minutes(0, 5, 9.0), upto=5)
    rows = [Reading(FRIDGE, T0 + minute * MINUTE, 9.0) for minute in range(6, 9)]
    engine.feed(batch_of("school", T0 + 8 * MINUTE, rows, agent="new", upto=T0 + 8 * MINUTE))
    assert engine.advance("kitchen", T0 + 30 * MINUTE) == []
    assert said(engine.advance("new", T0 + 11 * MINUTE)) == [("raise", 10)]
