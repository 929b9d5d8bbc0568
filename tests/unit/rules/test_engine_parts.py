"""The engine's parts on their own: rings, waiting readings, collisions, the log of what was said, plans."""

import numpy as np
import pytest

from domain.alarms import EventKind, Priority, Reason
from domain.batch import batch_of
from domain.catalogue import Asset, Catalogue, Label, Point
from domain.readings import Reading
from domain.units import unit_of
from rules.assign import plans_by_point
from rules.condition import Change, Condition
from rules.engine import Engine
from rules.frontier import Agent, by_point_and_time, free_place, merged, settle_clashes
from rules.kernel import Told, fire_before, run
from rules.late import MOST_REMEMBERED, Log, Said, past_excursions, stretches
from rules.model import Level, Limit, Rule, RuleSet, Selector, StateIs
from rules.plan import NEVER, UNKNOWN, Plan, bad_rows
from rules.recent import Columns, Recent, join, no_columns
from rules.resolve import plan_of

GOOD, UNCERTAIN, BAD = 0, 1, 2


def columns(*rows: tuple[int, int, float, int]) -> Columns:
    """Rows of (point, time, value, quality)."""
    return Columns(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.uint8),
    )


def one_by_one(recent: Recent, point: int, times: range) -> None:
    for time in times:
        recent.append(columns((point, time, float(time), GOOD)), np.array([0]), np.array([1]))


def plan(*levels: Level, max_gap: int | None = None) -> Plan:
    return plan_of(Rule("r", Selector(point="a/b"), levels, max_gap=max_gap), None)


def test_a_ring_keeps_the_newest_and_says_when_it_dropped_some() -> None:
    recent = Recent()
    recent.ensure(0, 4)
    one_by_one(recent, 0, range(4))
    assert recent.complete(0)
    one_by_one(recent, 0, range(4, 6))
    assert not recent.complete(0)
    assert recent.read(0).time.tolist() == [2, 3, 4, 5]


def test_a_stretch_longer_than_the_ring_leaves_its_end() -> None:
    recent = Recent()
    recent.ensure(0, 4)
    recent.ensure(1, 8)
    rows = columns(*((0, time, 1.0, GOOD) for time in range(10)), *((1, time, 2.0, GOOD) for time in range(3)))
    recent.append(rows, np.array([0, 10]), np.array([10, 3]))
    assert recent.read(0).time.tolist() == [6, 7, 8, 9]
    assert recent.read(1).time.tolist() == [0, 1, 2]
    assert recent.read(1).value.tolist() == [2.0, 2.0, 2.0]


def test_a_ring_that_grows_keeps_what_it_has_and_remembers_that_it_dropped() -> None:
    recent = Recent()
    recent.ensure(0, 2)
    recent.ensure(1, 2)
    one_by_one(recent, 0, range(5))
    one_by_one(recent, 1, range(2))
    recent.ensure(0, 8)
    one_by_one(recent, 0, range(5, 7))
    assert recent.read(0).time.tolist() == [3, 4, 5, 6]
    assert not recent.complete(0)
    assert recent.read(1).time.tolist() == [0, 1]
    assert recent.complete(1)


def test_a_point_without_a_ring_has_kept_nothing_and_lost_nothing() -> None:
    recent = Recent()
    assert recent.complete(7)
    assert recent.room(7) == 0
    recent.ensure(7, 2)
    assert recent.read(7).time.tolist() == []


def test_more_late_readings_than_the_ring_holds_leave_the_newest() -> None:
    recent = Recent()
    recent.ensure(0, 3)
    recent.replace(0, columns(*((0, time, 1.0, GOOD) for time in range(5))))
    assert recent.read(0).time.tolist() == [2, 3, 4]
    assert not recent.complete(0)
    one_by_one(recent, 0, range(5, 6))
    assert recent.read(0).time.tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        ((5, 1.0, GOOD), None),  # the same again
        ((5, 2.0, GOOD), (6, UNCERTAIN)),  # another value
        ((5, 1.0, BAD), (6, BAD)),  # what is bad stays bad where it is moved to
        ((9, 1.0, GOOD), (9, GOOD)),
    ],
)
def test_a_reading_finds_its_place(reading: tuple[int, float, int], expected: tuple[int, int] | None) -> None:
    assert free_place({5: (1.0, GOOD)}, *reading) == expected


def test_a_reading_that_was_moved_once_is_known_again() -> None:
    taken = {5: (1.0, GOOD)}
    assert free_place(taken, 5, 2.0, GOOD) == (6, UNCERTAIN)
    assert free_place(taken, 5, 2.0, GOOD) is None
    assert free_place(taken, 5, 3.0, GOOD) == (7, UNCERTAIN)
    assert free_place(taken, 6, 9.0, GOOD) == (8, UNCERTAIN)


def test_a_reading_without_a_value_can_be_double_too() -> None:
    nan = float("nan")
    assert free_place({5: (nan, BAD)}, 5, nan, BAD) is None


def test_clashes_are_settled_in_order_of_arrival_and_only_where_they_are() -> None:
    recent = Recent()
    recent.ensure(1, 4)
    waiting = columns(
        (0, 10, 1.0, GOOD), (1, 10, 1.0, GOOD), (0, 10, 2.0, GOOD), (1, 11, 1.0, GOOD), (0, 10, 1.0, GOOD)
    )
    settled, dropped = settle_clashes(waiting, np.array([-NEVER, -NEVER]), recent)
    assert dropped == 1
    assert settled.time.tolist() == [10, 10, 11, 11]
    assert settled.quality.tolist() == [GOOD, GOOD, UNCERTAIN, GOOD]


def test_a_reading_at_the_time_of_the_last_applied_one_clashes_with_it() -> None:
    recent = Recent()
    recent.ensure(0, 4)
    one_by_one(recent, 0, range(10, 11))
    waiting = columns((0, 10, 10.0, GOOD), (0, 10, 3.0, GOOD))
    settled, dropped = settle_clashes(waiting, np.array([10]), recent)
    assert (dropped, settled.time.tolist()) == (1, [11])


def test_sorting_keeps_the_order_of_arrival_among_equals() -> None:
    rows = columns((1, 5, 1.0, GOOD), (0, 7, 2.0, GOOD), (1, 4, 3.0, GOOD), (0, 7, 4.0, GOOD))
    assert by_point_and_time(rows).value.tolist() == [2.0, 4.0, 3.0, 1.0]
    assert by_point_and_time(no_columns()).value.tolist() == []


def test_merging_prefers_what_was_there_first() -> None:
    rows = merged(columns((0, 1, 1.0, GOOD), (0, 3, 1.0, GOOD)), columns((0, 3, 9.0, GOOD), (0, 2, 2.0, GOOD)))
    assert list(zip(rows.time.tolist(), rows.value.tolist(), strict=True)) == [(1, 1.0), (2, 2.0), (3, 1.0)]
    assert join(no_columns(), rows) is rows


def test_an_agent_releases_what_its_frontier_reaches() -> None:
    agent = Agent(0)
    agent.waiting = columns((0, 5, 1.0, GOOD), (0, 9, 2.0, GOOD), (0, 7, 3.0, GOOD))
    assert agent.release(7).time.tolist() == [5, 7]
    assert agent.waiting.time.tolist() == [9]
    assert agent.release(9).time.tolist() == [9]


def test_a_frontier_never_goes_back() -> None:
    agent = Agent(0)
    agent.frontier = agent.target(1_000_000, 0)
    assert agent.target(500_000, 0) == 1_000_000
    assert agent.target(0, 9_000_000) == 1_000_000


def change(kind: EventKind, at: int, level: int = 0) -> Change:
    return Change(kind, Reason.ABOVE_LIMIT, at, at - 5, level, 9.0)


def test_the_log_knows_what_was_active_when() -> None:
    log = Log()
    for one in (change(EventKind.RAISE, 10), change(EventKind.STEP_UP, 20, 1), change(EventKind.CLEAR, 30, 1)):
        log.take(one)
    assert log.said == [Said(5, 10, 30, 1)]
    assert [log.level_at(time) for time in (9, 10, 29, 30)] == [-1, 1, 1, -1]
    assert log.knows(0, 6)
    assert not log.knows(0, 5)
    assert not log.knows(30, 40)
    assert log.moment == 30


def test_the_last_word_of_a_log_is_also_what_was_added_or_forgotten() -> None:
    log = Log()
    assert log.moment == -NEVER
    log.take(change(EventKind.RAISE, 10))
    assert log.moment == 10, "what is active has no end yet"
    log = Log()
    log.add(Said(5, 10, 30, 0))
    assert log.moment == 30
    log.said, log.floor = [], 40
    assert log.moment == 40


def test_of_what_the_log_forgot_nothing_is_said_again() -> None:
    log = Log()
    for number in range(MOST_REMEMBERED + 1):
        log.add(Said(100 * number, 100 * number, 100 * number + 50, 0))
    assert len(log.said) == MOST_REMEMBERED
    assert log.floor == 50
    assert log.knows(20, 30)
    assert not log.knows(60, 70)


def test_a_past_excursion_is_told_with_its_highest_level() -> None:
    told = [change(EventKind.RAISE, 10), change(EventKind.STEP_UP, 20, 1), change(EventKind.STEP_DOWN, 25)]
    log = Log()
    raised, cleared = past_excursions(stretches([*told, change(EventKind.CLEAR, 30)], seeded=False), log, False, 30)
    assert (raised.kind, raised.at, raised.level) == (EventKind.RAISE, 10, 1)
    assert (cleared.kind, cleared.at) == (EventKind.CLEAR, 30)
    assert past_excursions(stretches(told, seeded=False), log, False, 30) == []
    ended = stretches([*told, change(EventKind.CLEAR, 30)], seeded=False)
    assert past_excursions(ended, Log(), False, 29) == [], "it is not past yet"


def test_an_excursion_that_was_active_from_the_start_is_not_told_again() -> None:
    found = stretches([change(EventKind.CLEAR, 30)], seeded=True)
    assert past_excursions(found, Log(), False, 30) == []


def test_columns_are_read_as_single_values_are() -> None:
    levels = (
        Level(Limit(above=8.0, deadband=0.5), Priority.LOW),
        Level(Limit(below=2.0, deadband=0.5), Priority.LOW),
        Level(StateIs((3.0, 9.0)), Priority.LOW),
    )
    values = np.array([1.9, 2.0, 2.4, 2.5, 3.0, 7.5, 7.6, 8.0, 8.1, 9.0, np.inf, -np.inf, np.nan])
    quality = np.zeros(len(values), np.uint8)
    quality[0] = BAD
    bad = bad_rows(values, quality)
    for wanted in (plan(*levels), *(plan(level) for level in levels)):
        codes = wanted.codes(values, bad).tolist()
        assert codes == [
            UNKNOWN if unknown else wanted.code(value)
            for value, unknown in zip(values.tolist(), bad.tolist(), strict=True)
        ]


@pytest.mark.parametrize("active", [False, True])
def test_the_quiet_band_is_where_nothing_would_change(active: bool) -> None:
    for limit in (Limit(above=8.0, deadband=0.5), Limit(above=8.0), Limit(below=8.0, deadband=0.5), Limit(below=8.0)):
        (level,) = plan(Level(limit, Priority.LOW)).levels
        low, high = level.quiet_band(active)
        for value in (7.0, 7.5, np.nextafter(7.5, 8), 8.0, np.nextafter(8.0, 9), np.nextafter(8.0, 7), 8.5, 9.0):
            changes = level.clears(value) if active else level.true(value)
            assert (low <= value <= high) == (not changes), (limit, value)


def test_a_limit_on_neither_side_is_refused() -> None:
    with pytest.raises(ValueError, match="above or below"):
        plan(Level(Limit(), Priority.LOW))


def test_an_empty_stretch_says_nothing() -> None:
    condition = Condition(plan(Level(Limit(above=8.0), Priority.LOW)))
    told: list[Change] = []
    rows = no_columns()
    run(condition, Told(rows.time, rows.value, rows.quality), lambda _, one: told.append(one))
    fire_before(condition, NEVER, lambda _, one: told.append(one))
    assert told == []
    assert condition.idle


def test_a_deadline_inside_a_long_run_has_the_value_in_force_then() -> None:
    condition = Condition(plan(Level(Limit(above=8.0), Priority.LOW, on_delay=15)))
    times = np.arange(0, 200, 10, dtype=np.int64)
    told: list[Change] = []
    run(condition, Told(times, 10.0 + times, np.zeros(len(times), np.uint8)), lambda _, one: told.append(one))
    assert [(one.at, one.value) for one in told] == [(15, 20.0)]
    assert condition.value == 200.0


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_all_rings_side_by_side_make_the_same_rings_again(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("rules.recent.POINTS_AT_ONCE", at_once)
    recent = Recent()
    for point, capacity in ((0, 3), (2, 4), (3, 2)):
        recent.ensure(point, capacity)
    one_by_one(recent, 0, range(8))
    one_by_one(recent, 2, range(4))
    recent.forget(3)
    rings = recent.all_of(70)
    assert rings.kept.tolist()[:5] == [3, 0, 4, 0, 0]
    assert rings.time.tolist() == [5, 6, 7, 0, 1, 2, 3]
    again = Recent.of(rings)
    for point in range(5):
        assert again.read(point).time.tolist() == recent.read(point).time.tolist()
        assert (again.complete(point), again.room(point)) == (recent.complete(point), recent.room(point))
    one_by_one(again, 0, range(8, 10))
    one_by_one(again, 2, range(4, 5))
    assert (again.read(0).time.tolist(), again.read(2).time.tolist()) == ([7, 8, 9], [1, 2, 3, 4])
    assert [again.complete(point) for point in (0, 2, 3)] == [False, False, False]


def test_points_that_are_judged_alike_share_their_plans_and_a_point_that_was_never_moved_costs_a_snapshot_little() -> (
    None
):
    rules = RuleSet({"r": Rule("r", Selector(metric="b"), (Level(Limit(above=8.0), Priority.LOW),))})
    assets = tuple(Asset(f"a{k}", "other", "x", Label(""), (Point(f"a{k}", "b", unit_of("Cel")),)) for k in range(200))
    site = Catalogue("s", Label("s"), assets=assets)
    plans = [one for plans in plans_by_point(site, rules).values() for one in plans]
    assert len(plans) == 200
    assert len({id(one) for one in plans}) == 1
    engine, moved = Engine("s"), Engine("s")
    for one in (engine, moved):
        one.set_rules(site, rules, 0)
    moved.feed(batch_of("s", 10, [Reading(f"a{k}/b", 5, 9.0) for k in range(200)], upto=9))
    again = Engine("s")
    again.restore(moved.snapshot())
    assert again.snapshot() == moved.snapshot()
    assert len(moved.snapshot()) > len(engine.snapshot()) + 200 * 20
