"""A rule on several points that nothing can change is left alone: nobody may notice, and it must be cheap."""

import pytest

from domain.alarms import AlarmEvent
from domain.batch import batch_of
from domain.readings import Quality, Reading
from domain.times import MINUTE
from rules.engine import Engine
from rules.frontier import MOST_WAITING
from rules.loading import load_rules
from tests.unit.rules.signal_stories import T0
from tests.unit.rules.test_joint_stories import DOOR, SITE, minutes, rule

OPEN = "condition: {above: -12}, mask: {door: open}"


class Both:
    """The engine, and one that judges reading by reading; they must always say the same."""

    def __init__(self, lines: str) -> None:
        self.fast, self.plain = Engine("s"), Engine("s", prefilter=False)
        for engine in (self.fast, self.plain):
            engine.set_rules(SITE, load_rules(rule(lines), "r.yaml"), T0)

    def feed(self, agent: str, upto: float, *rows: tuple[str, float, float]) -> list[tuple[float, str]]:
        """`rows`: metric, minute, value (NaN: a bad one)."""
        moment = T0 + round(upto * MINUTE)
        readings = [
            Reading(f"f/{metric}", T0 + round(at * MINUTE), value, Quality.GOOD if value == value else Quality.BAD)
            for metric, at, value in rows
        ]
        said = self._of_both(lambda one: one.feed(batch_of("s", moment, readings, agent=agent, upto=moment)))
        return minutes(said)

    def calm(self, first: int, last: int, **values: float) -> None:
        """Minute by minute, all of one agent, nothing happens."""
        for minute in range(first, last + 1):
            told = {"temperature": -18.0 - minute % 7 / 10, "door": 0.0, "power": 90.0 + minute % 3} | values
            assert self.feed("a", minute, *((metric, minute, value) for metric, value in told.items())) == []

    def review(self, minute: float) -> list[tuple[float, str]]:
        return minutes(self._of_both(lambda one: one.review(T0 + round(minute * MINUTE))[1]))

    def advance(self, agent: str, minute: float) -> list[tuple[float, str]]:
        return minutes(self._of_both(lambda one: one.advance(agent, T0 + round(minute * MINUTE))))

    def _of_both(self, call: object) -> list[AlarmEvent]:
        said: list[AlarmEvent]
        said, plainly = (call(one) for one in (self.fast, self.plain))  # type: ignore[operator]
        assert said == plainly
        return said

    @property
    def quiet(self) -> bool:
        return bool(self.fast.joints.columns.quiet[0])

    def frontiers(self) -> list[float]:
        """How far each of them has judged, once all that was not heard is."""
        for engine in (self.fast, self.plain):
            engine.snapshot()
        return [(one.joints.all[0].frontier - T0) / MINUTE for one in (self.fast, self.plain)]


def test_it_hears_nothing_while_all_is_well_and_everything_once_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Both(OPEN)
    both.calm(0, 3)
    assert both.quiet
    looked: list[int] = []
    go_on = both.fast.joints._go_on
    monkeypatch.setattr(both.fast.joints, "_go_on", lambda one, to: (looked.append(to), go_on(one, to))[1])
    both.calm(4, 60)
    assert not looked, "nobody looked at it for an hour"
    assert both.feed("a", 61, ("temperature", 61, -10.0), ("door", 61, 0.0)) == []
    assert looked
    assert not both.quiet
    assert both.advance("a", 62) == [(61, "raise")]


def test_what_began_is_heard_when_its_delay_may_have_run(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Both(DOOR)
    both.calm(0, 3)
    looked: list[int] = []
    go_on = both.fast.joints._go_on
    monkeypatch.setattr(both.fast.joints, "_go_on", lambda one, to: (looked.append(to), go_on(one, to))[1])
    for minute in range(4, 9):
        assert both.feed("a", minute, ("temperature", minute, -9.0), ("door", minute, 0.0)) == []
    assert not looked
    assert both.feed("a", 9.5, ("temperature", 9, -9.0), ("door", 9, 0.0)) == [(9, "raise")]


def test_a_mask_is_not_heard_and_yet_on_when_it_matters() -> None:
    both = Both(DOOR)
    both.calm(0, 30)
    both.calm(31, 33, door=1.0)
    assert both.quiet, "whether the door is open does not matter while it is cold"
    warm = [
        (minute, both.feed("a", minute, ("temperature", minute, -9.0), ("door", minute, 1.0)))
        for minute in range(34, 55)
    ]
    # Open since 31, it masks for ten minutes at most, without a tail; five minutes later it is told.
    assert [(minute, said) for minute, said in warm if said] == [(47, [(46, "raise")])]


def test_a_probe_that_stands_still_is_told_of_at_its_time_though_nothing_was_heard() -> None:
    both = Both("condition: {stuck: {for: 12min}}, mask: {door: open}")
    both.calm(0, 20)
    for minute in range(21, 33):
        assert both.feed("a", minute, ("temperature", minute, -18.5), ("door", minute, 0.0)) == []
    assert both.quiet
    assert both.feed("a", 34, ("temperature", 34, -18.5)) == [(33, "raise")]


def test_time_alone_ends_its_quiet() -> None:
    both = Both("condition: {stuck: {for: 12min}}, mask: {door: open}, max_gap: 2h")
    both.calm(0, 20)
    for minute in range(21, 28):
        both.feed("a", minute, ("temperature", minute, -18.5))
    assert both.quiet
    assert both.advance("a", 40) == [(33, "raise")]


def test_a_bad_reading_is_heard_where_it_says_something() -> None:
    both = Both("condition: {unreadable: {over: 12min, above: 0.5}}, mask: {door: open}")
    both.calm(0, 20)
    assert both.quiet
    said = [both.feed("a", minute, ("temperature", minute, float("nan"))) for minute in range(21, 31)]
    assert [one for one in said if one] == [[(27.5, "raise")]]


def test_what_comes_late_meets_a_rule_that_has_heard_all_before_it() -> None:
    both = Both(OPEN)
    both.calm(0, 20)
    assert both.quiet
    assert both.feed("a", 20, ("temperature", 9.5, -8.0)) == []
    both.feed("a", 20.5, ("temperature", 20.5, -18.0))
    assert not both.quiet, "it is in doubt"
    assert both.review(21) == [(9.5, "raise"), (10, "clear")]
    both.calm(21, 23)
    assert both.quiet
    assert both.feed("a", 24, ("temperature", 24, -8.0)) == []
    assert both.advance("a", 24.5) == [(24, "raise")]


def test_a_reading_that_waits_for_another_agent_keeps_a_rule_awake() -> None:
    both = Both(OPEN)
    both.feed("b", 0.5, ("door", 0, 0.0))
    both.feed("a", 0.5, ("temperature", 0, -18.0))
    both.review(0.5)
    both.feed("a", 3, ("temperature", 2, -8.0), ("temperature", 2.5, -18.0))
    assert both.feed("b", 1, ("door", 1, 0.0)) == []
    assert not both.quiet, "the warm reading waits for the door's agent"
    assert both.feed("b", 4, ("door", 3, 0.0)) == [(2, "raise"), (2.5, "clear")]


def one_fell_silent() -> Both:
    """The agent of the temperature goes on for half an hour without that of the door."""
    both = Both(OPEN)
    both.feed("b", 0.5, ("door", 0, 0.0))
    both.feed("a", 0.5, ("temperature", 0, -18.0))
    both.review(0.5)
    for minute in range(1, 30):
        both.feed("a", minute + 0.5, ("temperature", minute, -18.0))
    assert both.quiet
    return both


def test_who_was_not_waited_for_brings_what_is_in_doubt() -> None:
    both = one_fell_silent()
    both.feed("b", 10, ("door", 9, 1.0))
    assert [len(one.joints.doubtful) for one in (both.fast, both.plain)] == [1, 1]


def test_a_frontier_does_not_go_back_when_one_is_waited_for_again() -> None:
    both = one_fell_silent()
    both.feed("b", 27, ("door", 29.2, 0.0))
    assert both.frontiers() == [29.5, 29.5]


def test_a_member_that_has_yet_to_clear_is_true() -> None:
    both = Both("condition: {all: [{above: -12, off_delay: 9min}, {metric: door, state: open}]}")
    both.calm(0, 9)
    assert both.quiet
    both.feed("a", 10, ("temperature", 10, -8.0))
    both.feed("a", 11, ("temperature", 11, -18.0), ("door", 11, 0.0))
    both.feed("a", 12, ("temperature", 12, -18.0), ("door", 12, 0.0))
    assert both.feed("a", 14, ("door", 13, 1.0)) == [(13, "raise")]


@pytest.mark.parametrize(
    ("condition", "quiet"),
    [
        ("{all: [{above: -12}, {metric: power, below: 1}]}", True),
        ("{any: [{above: -12}, {metric: power, below: 1}]}", True),
        ("{not: {metric: power, above: 5}}", True),
        ("{not: {metric: door, state: closed}}", True),
        ("{not: {metric: power, below: 5}}", False),
        ("{any: [{above: -12}, {metric: power, rate: {above: 5, per: 1min, over: 9min}}]}", True),
        ("{any: [{above: -12}, {metric: power, duty: {on_above: 99, over: 9min, above: 0.2}}]}", False),
    ],
)
def test_which_combinations_can_be_left_alone(condition: str, quiet: bool) -> None:
    both = Both(f"condition: {condition}")
    for minute in range(6):
        both.feed("a", minute, ("temperature", minute, -18.0), ("door", minute, 0.0), ("power", minute, 90.0))
    assert both.quiet == quiet
    assert both.advance("a", 6) == []


def test_no_more_waits_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.joint_columns.MOST_WAITING", 100)
    both = Both(OPEN)
    both.calm(0, 9)
    assert not both.quiet, "the rings of both points hold more than may wait"
    assert MOST_WAITING > 100


def test_a_ring_that_would_lose_what_is_unseen_is_heard_first() -> None:
    both = Both(OPEN)
    both.calm(0, 1)
    room = int(both.fast.table.recent.capacity[both.fast.table.numbers["f/temperature"]])
    both.calm(2, 2 * room + 5)
    unseen = both.fast.joints.columns.unseen
    assert 0 < unseen.max() <= room
    assert both.frontiers() == [2 * room + 5, 2 * room + 5]


def test_a_delay_that_ends_as_its_input_goes_bad_has_ended_for_a_rule_that_catches_up_too() -> None:
    """The temperature of that moment comes first, and finds the door open for as long as the mask asks."""
    door = "{metric: door, above: 0.5, on_delay: 3min}"
    both = Both(f"condition: {{above: -12}}, mask: {{when: {door}, for_at_most: 10min, tail: 4min}}")
    both.calm(0, 19)
    for minute in range(20, 30):
        both.calm(minute, minute, door=float("nan") if minute == 23 else 1.0)
    assert both.quiet
    said = [both.feed("a", minute, ("temperature", minute, -9.0), ("door", minute, 1.0)) for minute in range(30, 36)]
    assert [one for one in said if one] == [[(33, "raise")]], "ten minutes from 23 on"


def test_an_older_reading_that_comes_later_brings_the_hearing_forward() -> None:
    """The temperature's agent is ahead; what the power's agent brings is beyond its limit since long before."""
    both = Both("condition: {any: [{above: -12}, {metric: power, above: 130}]}, on_delay: 3min, max_gap: 1h")
    both.feed("a", 1, ("temperature", 0, -18.0))
    both.feed("b", 1, ("power", 0, 90.0))
    both.review(1)
    both.feed("a", 1.5, ("temperature", 1.2, -18.0))
    both.feed("b", 1.5, ("power", 1.2, 90.0))
    assert both.quiet
    assert both.feed("a", 7, ("temperature", 7, -8.0)) == []
    assert both.feed("b", 2, ("power", 2, 140.0)) == []
    assert both.feed("b", 6, ("power", 5.5, 140.0)) == [(5, "raise")]
