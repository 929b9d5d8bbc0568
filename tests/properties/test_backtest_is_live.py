"""Backtest and live are one: the same readings in received order give the same transitions, however they are cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alarms import Alarm, AlarmEvent, AlarmKey
from domain.batch import ReadingBatch, Span
from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.lifecycle import apply
from rules.backtest import backtest
from rules.engine import Engine
from rules.loading import load_rules
from rules.model import RuleSet
from rules.readings_csv import ReadingRows

T0 = 1_772_352_000_000
MIN = 60_000
POINTS = ("a/t", "b/t", "c/s")

RULES = load_rules(
    """\
rules:
  - id: warm
    applies_to: {metric: t}
    condition: {above: 8, deadband: 1}
    on_delay: 5min
    off_delay: 3min
    priority: high
  - id: levels
    applies_to: {metric: t}
    levels:
      - {above: 6, on_delay: 4min, off_delay: 2min, priority: low}
      - {above: 9, on_delay: 2min, priority: urgent}
  - id: cold
    applies_to: {point: a/t}
    condition: {below: 3, deadband: 0.5}
    priority: low
  - id: gappy
    applies_to: {metric: t}
    condition: {above: 8}
    on_delay: 6min
    max_gap: 2min
    priority: medium
  - id: broken
    applies_to: {metric: s}
    condition: {state: [2, 3]}
    off_delay: 1min
    priority: high
    latching: true
  - id: silent
    applies_to: {metric: t}
    condition: {no_data: 4min}
    priority: low
  - id: silences
    applies_to: {metric: s}
    levels:
      - {no_data: 3min, priority: low}
      - {no_data: 9min, priority: high}
""",
    "r.yaml",
)
VALUED = RuleSet({name: rule for name, rule in RULES.rules.items() if not name.startswith("silen")})
SITE = load_catalogue(
    """\
site: {id: s, commissioned_at: 1970-01-01T00:00:00Z}
areas: [{id: k}]
assets:
  - {id: a, type: freezer, area: k, points: {t: {unit: Cel, interval: 60s}}}
  - {id: b, type: freezer, area: k, points: {t: {unit: Cel}}}
  - {id: c, type: pump, area: k, points: {s: {interval: 60s, states: {off: 0, fault: 2}}}}
""",
    "s.yaml",
)


@dataclass(frozen=True)
class Row:
    point: str
    time: int
    value: float
    quality: int
    received: int


VALUES = st.sampled_from([2.0, 2.75, 3.0, 4.0, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 10.0, 0.0])


@st.composite
def story(draw: st.DrawFn, point: str, late: bool) -> list[Row]:
    """One point's readings: at intervals, with gaps, duplicates, backlogs, bad ones; late ones where asked for."""
    rows: list[Row] = []
    time, arrival, delayed_until = T0, T0, T0
    for _ in range(draw(st.integers(0, 25))):
        time += draw(st.sampled_from([0, 20_000, MIN, MIN, MIN, 2 * MIN, 3 * MIN, 7 * MIN, 20 * MIN]))
        if draw(st.integers(0, 9)) == 0:
            delayed_until = time + draw(st.integers(1, 15)) * MIN
        arrival = max(arrival, delayed_until, time)
        stamp = time - draw(st.integers(1, 12)) * 45_000 if late and draw(st.integers(0, 7)) == 0 else time
        bad = draw(st.integers(0, 11)) == 0
        value = float("nan") if bad else draw(VALUES)
        rows.append(Row(point, stamp, value, 2 if bad else 0, arrival))
    return rows


def stories(late: bool) -> st.SearchStrategy[list[list[Row]]]:
    return st.tuples(*(story(point, late) for point in POINTS)).map(list)


def in_received_order(told: Sequence[list[Row]]) -> list[Row]:
    return sorted((row for rows in told for row in rows), key=lambda row: row.received)


def columns(rows: Sequence[Row]) -> ReadingRows:
    points = tuple(dict.fromkeys(row.point for row in rows))
    return ReadingRows(
        points,
        np.array([points.index(row.point) for row in rows], np.int32),
        np.array([row.time for row in rows], np.int64),
        np.array([row.value for row in rows], np.float64),
        np.array([row.quality for row in rows], np.uint8),
        np.array([row.received for row in rows], np.int64),
    )


def batch(rows: Sequence[Row], frontier: dict[str, int]) -> ReadingBatch:
    """One batch of a live site: a pack per point, whose agent promises the newest event time that it has sent."""
    ordered = sorted(rows, key=lambda row: row.point)
    sent = columns(ordered)
    spans: list[Span] = []
    for name in sent.points:
        mine = [number for number, row in enumerate(ordered) if row.point == name]
        frontier[name] = max([frontier.get(name, 0), *(ordered[number].time for number in mine)])
        spans.append(Span(name, mine[0], mine[-1] + 1, frontier[name]))
    received = max(row.received for row in rows)
    return ReadingBatch(
        "s", received, sent.points, sent.point, sent.time, sent.value, sent.quality, tuple(spans)
    )  # fmt: skip


def live(
    rules: RuleSet, catalogue: Catalogue | None, batches: Sequence[Sequence[Row]], end: int
) -> set[tuple[object, ...]]:
    """What a live engine says of the same readings, lived through without anybody answering."""
    engine = Engine("s")
    events: list[AlarmEvent] = []
    engine.set_rules(catalogue, rules, T0)
    frontier: dict[str, int] = {}
    for rows in batches:
        sent = batch(rows, frontier)
        events += engine.feed(sent) + engine.review(sent.received)[1]
    for name in frontier:
        events += engine.advance(name, end + 1)
    alarms: dict[AlarmKey, Alarm] = {}
    found = set()
    for event in events:
        alarms[event.key], one = apply(alarms.get(event.key, Alarm("s", event.key)), event)
        found.add((*one.key, one.source, one.target, one.reason, one.priority, one.at))
    return found


def cut(rows: Sequence[Row], cuts: Sequence[int]) -> list[Sequence[Row]]:
    places = sorted({0, len(rows), *(place % (len(rows) + 1) for place in cuts)})
    return [rows[start:stop] for start, stop in pairwise(places)]


def replayed(rules: RuleSet, rows: Sequence[Row], catalogue: Catalogue | None, end: int) -> set[tuple[object, ...]]:
    found = backtest(rules, columns(rows), catalogue, end).transitions
    told = [(*one.key, one.source, one.target, one.reason, one.priority, one.at) for one in found]
    assert len(set(told)) == len(told)
    return set(told)


@settings(max_examples=max(150, settings().max_examples), deadline=None)
@given(stories(late=False), st.lists(st.integers(0, 80), max_size=12), st.sampled_from([None, SITE]))
def test_data_in_order_however_it_is_cut_into_batches(
    told: list[list[Row]], cuts: list[int], catalogue: Catalogue | None
) -> None:
    rows = in_received_order(told)
    if not rows:
        return
    end = max(row.time for row in rows)
    assert replayed(VALUED, rows, catalogue, end) == live(VALUED, catalogue, cut(rows, cuts), end)


@settings(max_examples=max(150, settings().max_examples), deadline=None)
@given(stories(late=True), st.sampled_from([None, SITE]))
def test_late_data_as_it_arrived(told: list[list[Row]], catalogue: Catalogue | None) -> None:
    """Reading by reading, but for late ones that arrived together: those are one message, live as in a backtest."""
    rows = in_received_order(told)
    if not rows:
        return
    end = max(row.time for row in rows)
    batches: list[list[Row]] = []
    newest: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row.point):
        is_late = row.time < newest.get(row.point, 0)
        newest[row.point] = max(newest.get(row.point, 0), row.time)
        before = batches[-1][-1] if batches else None
        together = before is not None and before.point == row.point and before.received == row.received
        if is_late and together and before is not None and before.time < newest[row.point]:
            batches[-1].append(row)
        else:
            batches.append([row])
    assert replayed(VALUED, rows, catalogue, end) == live(VALUED, catalogue, batches, end)


@settings(max_examples=max(100, settings().max_examples), deadline=None)
@given(stories(late=True))
def test_what_is_left_out_of_a_silence_changes_nothing(told: list[list[Row]]) -> None:
    """No-data by signs of life gives what it gives arrival by arrival."""
    silent = RuleSet({name: rule for name, rule in RULES.rules.items() if name.startswith("silen")})
    rows = in_received_order(told)
    if not rows:
        return
    end = max(row.received for row in rows) + MIN
    found = set()
    for name in dict.fromkeys(row.point for row in rows):
        mine = [row for row in rows if row.point == name]
        engine = Engine("s")
        engine.set_rules(None, silent, mine[0].received)
        events = []
        for row in mine:
            events += engine.feed(batch([row], {}))
        events += engine.clock(end + 1, True)
        found |= {(event.key, event.kind, event.at, event.level) for event in events}
    outcome = backtest(silent, columns(rows), None, end).transitions
    assert {(one.key, one.event, one.at, one.level) for one in outcome} == found


@settings(max_examples=max(100, settings().max_examples), deadline=None)
@given(stories(late=True), st.permutations(POINTS))
def test_the_order_between_points_does_not_matter(told: list[list[Row]], order: Sequence[str]) -> None:
    rows = in_received_order(told)
    grouped = [row for name in order for row in rows if row.point == name]
    assert backtest(RULES, columns(grouped)) == backtest(RULES, columns(rows))


@settings(max_examples=max(100, settings().max_examples), deadline=None)
@given(stories(late=True))
def test_it_is_told_in_order_of_detection_and_never_before_it_happened(told: list[list[Row]]) -> None:
    found = backtest(RULES, columns(in_received_order(told))).transitions
    assert list(found) == sorted(found, key=lambda one: one.detected_at)
    assert all(one.at <= one.detected_at for one in found)
    assert all(one.retroactive == (one.detected_at - one.at > MIN) for one in found)
