"""Late data of rules on several points: what is waited for, what is judged again, and what stays in doubt."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from domain.alarms import AlarmEvent
from domain.batch import Int64s, batch_of
from domain.catalogue_file import load_catalogue
from domain.readings import Quality, Reading
from domain.records import Series
from domain.times import HOUR, MINUTE, SECOND
from rules.engine import Engine
from rules.frontier import Agent
from rules.loading import load_rules
from tests.properties.promises import Pack, joined
from tests.unit.rules.signal_stories import T0
from tests.unit.rules.test_joint_stories import DEAD, SITE, feed, minutes, rule, series

EITHER = "condition: {any: [{above: -12}, {metric: power, above: 500}]}"
OPEN = "condition: {above: -12}, on_delay: 5min, mask: {door: open}"
ON_CHANGE = load_catalogue(
    """\
site: {id: s, commissioned_at: 1970-01-01T00:00:00Z}
areas: [{id: k}]
assets:
  - id: f
    type: freezer
    area: k
    points: {temperature: {unit: Cel}, door: {interval: 60s, states: {closed: 0, open: 1}}}
""",
    "s.yaml",
)


class Store:
    """A history of what it was given, which does not answer while it is `away`."""

    def __init__(self, rows: list[Reading]) -> None:
        self.rows, self.away, self.asked = rows, True, 0

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        self.asked += 1
        if self.away:
            raise ConnectionError("the store is away")
        rows = [row for row in self.rows if row.point == point and start <= row.time < end]
        time, value = np.array([row.time for row in rows], np.int64), np.array([row.value for row in rows], np.float64)
        return Series(time, value, (Quality.GOOD,) * len(rows))


def begun(lines: str, store: Store | None = None) -> Engine:
    engine = Engine("s", store)
    engine.set_rules(SITE, load_rules(rule(lines), "r.yaml"), T0)
    return engine


def along(point: str, first: int, last: int, value: float) -> list[Reading]:
    return [Reading(point, T0 + minute * MINUTE, value) for minute in range(first, last + 1)]


def test_an_input_that_was_never_heard_delays_nothing() -> None:
    engine = begun(OPEN)
    assert minutes(feed(engine, "a", along("f/temperature", 0, 5, -10.0), 5.1)) == [(5, "raise")], "no door contact yet"


def test_an_agent_that_is_further_behind_than_two_gaps_is_not_waited_for_any_more() -> None:
    engine = begun(OPEN)
    feed(engine, "b", series("f/door", "0x3"), 3)
    assert feed(engine, "a", along("f/temperature", 0, 9, -10.0), 9) == [], "it may be six minutes behind"
    assert minutes(feed(engine, "a", along("f/temperature", 10, 10, -10.0), 10)) == [(5, "raise")]
    assert minutes(feed(engine, "a", along("f/temperature", 11, 11, -18.0), 11.1)) == [(11, "clear")], "at once"


def test_one_that_returns_is_waited_for_again() -> None:
    engine = begun(DEAD)
    feed(engine, "b", series("f/power", "90x3"), 3)
    feed(engine, "a", along("f/temperature", 0, 30, -10.0), 30)
    assert feed(engine, "b", along("f/power", 3, 30, 90.0), 30) == []
    assert feed(engine, "a", along("f/temperature", 31, 35, -10.0), 35) == []
    joint = next(iter(engine.joints.all))
    assert joint.frontier == T0 + 30 * MINUTE
    assert minutes(feed(engine, "b", along("f/power", 31, 35, 0.0), 35)) == []
    assert minutes(feed(engine, "b", along("f/power", 36, 36, 0.0), 36.5)) == []
    assert minutes(feed(engine, "a", along("f/temperature", 36, 36, -10.0), 36.5)) == [(36, "raise")]


def test_a_backlog_needs_the_past_of_all_inputs_and_waits_until_the_store_has_it() -> None:
    temperature = along("f/temperature", 0, 99, -18.0) + along("f/temperature", 100, 130, -10.0)
    temperature += along("f/temperature", 131, 400, -18.0)
    power = along("f/power", 3, 400, 0.0)
    store = Store([*temperature, *power])
    engine = begun(DEAD, store)
    feed(engine, "b", series("f/power", "90x3"), 3)
    assert feed(engine, "a", temperature, 400) == []
    assert feed(engine, "b", power, 400) == []
    review, events = engine.review(T0 + 400 * MINUTE + SECOND)
    assert (review.several, events) == ((), []), "the freezer's minute 100 is with the store"
    assert not engine.counters.unjudged
    again = Engine("s", store)
    again.restore(engine.snapshot())
    store.away, asked = False, store.asked
    again.doubts.ask_at = engine.doubts.ask_at
    assert again.review(T0 + 400 * MINUTE + 29 * SECOND)[0].several == (), "not every second"
    assert store.asked == asked
    review, events = again.review(T0 + 401 * MINUTE)
    assert review.several == (("r", "f/temperature"),)
    assert minutes(events) == [(105, "raise"), (131, "clear")]
    assert all(event.retroactive and event.detected_at == T0 + 401 * MINUTE for event in events)
    assert again.review(T0 + 402 * MINUTE)[1] == []


def test_between_the_readings_in_force_before_a_stretch_nothing_is_made_up() -> None:
    """The freezer was warm behind an open door for hours; only the newest door reading of them is looked at again."""
    engine = Engine("s")
    engine.set_rules(ON_CHANGE, load_rules(rule(OPEN), "r.yaml"), T0)
    rows = [Reading("f/temperature", T0, -10.0), *along("f/door", 0, 680, 1.0), *along("f/door", 681, 690, 0.0)]
    rows += [Reading("f/temperature", T0 + 685 * MINUTE, -18.0), *along("f/door", 691, 700, 0.0)]
    assert feed(engine, "a", sorted(rows, key=lambda row: row.time), 700) == []
    late = [Reading("f/door", T0 + 690 * MINUTE + SECOND, 0.0)]
    events: list[AlarmEvent] = feed(engine, "a", late, 700)
    assert minutes(events) == [], "not an excursion from minute 5 to 685"
    assert engine.counters.late == 1


def test_what_a_review_can_do_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.joint_late.MOST_READINGS", 1)
    engine = Engine("s")
    lines = rule(f"{EITHER}, on_delay: 5min").replace("r,", "q,", 1)[8:-1]
    engine.set_rules(SITE, load_rules(rule(DEAD)[:-1] + ", " + lines + "]", "r.yaml"), T0)
    feed(engine, "b", series("f/power", "90x3"), 3)
    feed(engine, "a", along("f/temperature", 0, 60, -18.0), 60)
    moment = T0 + HOUR
    engine.feed(batch_of("s", moment, along("f/power", 3, 59, 900.0), agent="b", upto=moment))
    first, nothing = engine.review(moment)
    second, events = engine.review(moment)
    assert (first.several, second.several) == ((("r", "f/temperature"),), (("q", "f/temperature"),))
    assert (nothing, minutes(events)) == ([], [(8, "raise")])


def test_a_batch_of_one_agent_touches_the_rules_on_its_points_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site may have tens of thousands of such rules, and a batch is of a few agents."""
    engine = begun(DEAD.replace("metric: power", "point: f/power"))
    feed(engine, "a", along("f/temperature", 0, 0, -18.0), 0)
    feed(engine, "b", along("g/temperature", 0, 0, -18.0), 0)
    feed(engine, "c", along("f/power", 0, 0, 90.0), 0)
    looked: list[str] = []
    columns = engine.joints.columns
    targets = columns.targets

    def looking(rules: Int64s, agents: Sequence[Agent]) -> Int64s:
        looked.extend(engine.table.names[engine.joints.all[rule].track.point] for rule in rules.tolist())
        return targets(rules, agents)

    monkeypatch.setattr(columns, "targets", looking)
    feed(engine, "b", along("g/temperature", 1, 1, -18.0), 1)
    assert looked == ["g/temperature"]
    feed(engine, "c", along("f/power", 1, 1, 90.0), 1)
    assert sorted(looked) == ["f/temperature", "g/temperature", "g/temperature"], "both look at that power"
    feed(engine, "other", along("f/power", 2, 2, 90.0), 2)
    assert len(looked) == 5, "the point is another agent's now"


def test_what_two_agents_say_in_one_batch_is_judged_at_once() -> None:
    engine = begun(DEAD)
    for minute in range(6):
        moment = T0 + minute * MINUTE
        packs = (
            Pack("a", (Reading("f/temperature", moment, -10.0),), moment + SECOND, moment + SECOND),
            Pack("b", (Reading("f/power", moment, 0.0),), moment + SECOND, moment + SECOND),
        )
        batch = replace(joined(list(packs)), site="s")
        assert minutes(engine.feed(batch)) == ([(5, "raise")] if minute == 5 else [])
