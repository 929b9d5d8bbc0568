"""Late data of rules on several points: the backlog of one agent is judged once, with the readings of all inputs.

The kitchen's readings came live, the cellar's come afterwards: late at their own agent, or in its order but behind what
the rules had judged already. Rings are too small to hold the story, so that the history is needed and may be away.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alarms import AlarmEvent, AlarmKey
from domain.batch import batch_of
from domain.readings import Reading
from domain.records import Review, Series
from domain.times import MINUTE, SECOND
from rules.backtest import backtest
from rules.engine import Engine
from rules.model import RuleSet
from tests.properties.promises import T0, by_alarm, readings, undated
from tests.properties.test_joint_promises import columns, rule_sets
from tests.properties.test_signal_promises import EXAMPLES

AGENTS = ("kitchen", "cellar")


class Store:
    """A history that knows what it was given, unless it is away."""

    def __init__(self) -> None:
        self.rows: list[Reading] = []
        self.away = False

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        if self.away:
            raise ConnectionError("the store is away")
        rows = sorted((row for row in self.rows if row.point == point and start <= row.time < end),
                      key=lambda row: row.time)  # fmt: skip
        return Series(
            np.array([row.time for row in rows], np.int64), np.array([row.value for row in rows], np.float64),
            tuple(row.quality for row in rows),
        )  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _small_rings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rules.points.KEPT_WITHOUT_INTERVAL", 6)
        patch.setattr("rules.points.LEAST_KEPT", 6)
        yield


@st.composite
def halves(draw: st.DrawFn) -> tuple[list[Reading], list[Reading]]:
    """Readings of both agents, the cellar's first the oldest of all: then all of the story is judged again."""
    kitchen, cellar = draw(readings("kitchen")), draw(readings("cellar"))
    first = Reading("fridge-3/temperature", T0 - MINUTE, draw(st.sampled_from((4.0, 8.5, 9.0))))
    return [list({(row.point, row.time): row for row in rows}.values()) for rows in (kitchen, [first, *cellar])]  # type: ignore[return-value]


def end_of(rows: Sequence[Reading]) -> int:
    return max(row.time for row in rows)


class Told:
    """An engine that lived through the kitchen's readings, and what it said."""

    def __init__(self, rules: RuleSet, kitchen: Sequence[Reading], end: int) -> None:
        self.store, self.end = Store(), end
        self.engine = Engine("school", self.store)
        self.engine.set_rules(None, rules, T0)
        self.before = self.feed("kitchen", kitchen, end)
        self.after: list[AlarmEvent] = []

    def feed(self, agent: str, rows: Sequence[Reading], upto: int) -> list[AlarmEvent]:
        events = self.engine.feed(batch_of("school", self.end, rows, agent=agent, upto=upto))
        self.store.rows += rows
        return events

    def restart(self) -> None:
        blob = self.engine.snapshot()
        self.engine = Engine("school", self.store)
        self.engine.restore(blob)

    def finish(self) -> dict[AlarmKey, list[AlarmEvent]]:
        """Judge what is in doubt, and let both agents go on; what is said since the backlog began."""
        self.after += self.engine.review(self.end + MINUTE)[1]
        for agent in AGENTS:
            self.after += self.engine.advance(agent, self.end + 1)
        assert not self.engine.joints.doubtful
        assert self.engine.counters.unjudged == 0
        return undated(self.after)


def cut(data: st.DataObject, rows: list[Reading]) -> list[list[Reading]]:
    places = sorted(data.draw(st.sets(st.integers(1, max(1, len(rows) - 1)), max_size=5)))
    return [rows[a:b] for a, b in zip([0, *places], [*places, len(rows)], strict=True)]


@settings(max_examples=EXAMPLES)
@given(rule_sets(), halves(), st.data())
def test_how_a_backlog_is_cut_and_ordered_does_not_matter_nor_does_a_restart_or_a_store_that_is_away(
    rules: RuleSet, story: tuple[list[Reading], list[Reading]], data: st.DataObject
) -> None:
    kitchen, cellar = story
    end = end_of(kitchen + cellar)
    at_once = Told(rules, kitchen, end)
    at_once.after += at_once.feed("cellar", cellar, end)
    other = Told(rules, kitchen, end)
    late = data.draw(st.booleans())
    if late:
        assert other.feed("cellar", [], end) == [], "the promise came first: the readings are late at their own agent"
    rows = data.draw(st.permutations(cellar)) if late else cellar
    other.store.away = data.draw(st.booleans())
    for piece in cut(data, list(rows)):
        other.after += other.feed("cellar", piece, end if late else max([T0, *(row.time for row in piece)]))
        if data.draw(st.booleans()):
            other.restart()
    if not late:
        other.after += other.feed("cellar", [], end)
    if other.store.away:
        other.after += other.engine.review(other.end + 20 * SECOND)[1]
        other.restart()
        other.store.away = False
    assert other.finish() == at_once.finish()


@settings(max_examples=EXAMPLES)
@given(rule_sets(), halves())
def test_a_backlog_is_judged_as_a_backtest_judges_it_where_nothing_was_said_before(
    rules: RuleSet, story: tuple[list[Reading], list[Reading]]
) -> None:
    kitchen, cellar = story
    end = end_of(kitchen + cellar)
    told = Told(rules, kitchen, end)
    told.after += told.feed("cellar", cellar, end)
    spoken = {event.key for event in told.before}
    after = told.finish()
    expected: dict[AlarmKey, list[tuple[str, int]]] = {}
    for one in backtest(rules, columns([*kitchen, *cellar]), None, end).transitions:
        expected.setdefault(one.key, []).append((str(one.event), one.at))
    for key in {*expected, *after} - spoken:
        assert [(str(one.kind), one.at) for one in after.get(key, [])] == expected.get(key, [])


@settings(max_examples=EXAMPLES)
@given(rule_sets(), halves(), st.data())
def test_a_replay_of_the_journal_says_what_was_said(
    rules: RuleSet, story: tuple[list[Reading], list[Reading]], data: st.DataObject
) -> None:
    """SIGKILL after any review, with the newest snapshot from any moment before: the rest is replayed."""
    kitchen, cellar = story
    end = end_of(kitchen + cellar)
    told = Told(rules, kitchen, end)
    told.store.away = data.draw(st.booleans())
    told.feed("cellar", cellar, end)
    calls: list[Review] = []
    blob, since = told.engine.snapshot(), 0
    said: list[AlarmEvent] = []
    for second in range(4):
        if second == 2:
            told.store.away = False
        review, events = told.engine.review(end + second * MINUTE)
        calls.append(review)
        said += events
        if second == 1 and data.draw(st.booleans()):
            blob, since, said = told.engine.snapshot(), 2, []
    again = Engine("school", told.store)
    again.restore(blob)
    replayed = [event for review in calls[since:] for event in again.review(review.now, review)[1]]
    assert by_alarm(replayed) == by_alarm(said)
    assert again.snapshot() == told.engine.snapshot()
