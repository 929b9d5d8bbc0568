"""What became of everything that was produced: stored once, told as a gap, lost or doubled; and what the alarms said.

It reads the source's own log, the stores through their public interface, and the tables of the operational store that
have none. The oracle of value rules is `rules.backtest` on what was produced, in the order of event time.
"""

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from domain.batch import Gap, ReadingBatch
from domain.catalogue_file import load_catalogue
from domain.readings import Quality
from rules.backtest import backtest
from rules.loading import load_documents
from rules.model import NoData, RuleSet
from rules.readings_csv import ReadingRows
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.faults.plan import SITE
from tests.said import Said, said_of

ALWAYS = (0, 1 << 62)
MOVED_BY_AT_MOST = 20  # ms
NO_LONGER_THAN = 50  # differences that are written down in words


class Fact(NamedTuple):
    """One reading; `value` is None where there is none."""

    point: str
    time: int
    value: float | None
    quality: str


@dataclass
class Verdict:
    """The figures of one fault; `notes` say in words what is wrong."""

    kills: int = 0
    produced: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    in_gap_records: int = 0
    alarms: int = 0
    alarms_differ: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.alarms_differ or self.notes)


def produced_readings(log: Path) -> list[Fact]:
    """Every different reading of the source's log, in the order of its first appearance.

    A line that a kill tore is followed by the next one without a break: what can be read of it counts.
    """
    found: dict[Fact, None] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        start = line.rfind("{")
        try:
            row = json.loads(line[start:])
        except ValueError:
            continue
        found.setdefault(Fact(row["point"], row["time"], row["value"], row["quality"]))
    return list(found)


def stored_readings(path: Path, points: Iterable[str]) -> tuple[list[Fact], list[Gap]]:
    """Every reading of the series store and every gap record."""
    store = SqliteSeriesStore(path)
    try:
        found = []
        for point in points:
            series = store.read(SITE, point, *ALWAYS)
            for time, value, quality in zip(series.time.tolist(), series.value.tolist(), series.quality, strict=True):
                found.append(Fact(point, time, None if math.isnan(value) else value, quality.value))
        return found, store.gaps(SITE, *ALWAYS)
    finally:
        store.close()


def account(produced: Sequence[Fact], stored: Sequence[Fact], gaps: Sequence[Gap], verdict: Verdict) -> set[Fact]:
    """Where each reading is; the result are those that a gap record tells of: they never came and cannot be judged."""
    there, wanted = Counter(stored), set(produced)
    missing = [fact for fact in produced if fact not in there]
    told = {fact for fact in missing if any(_covers(gap, fact) for gap in gaps)}
    extra = [fact for fact in there if fact not in wanted]
    moved = _moved(missing, extra)
    lost = set(missing) - told - set(moved)
    extra = [fact for fact in extra if fact not in moved.values()]
    again = sum(count - 1 for count in there.values())
    verdict.produced, verdict.stored = len(produced), len(wanted & set(there)) + len(moved)
    verdict.in_gap_records, verdict.lost = len(told), len(lost)
    verdict.doubled += len(extra) + again
    _note(verdict, "lost", by_time(lost))
    _note(verdict, "stored, never produced", by_time(extra))
    return told


def expected_transitions(rules: str, site: str, readings: Iterable[Fact]) -> list[Said]:
    """What the value rules say of the readings in the given order of arrival."""
    loaded = load_documents((("rules.yaml", rules),))
    valued = RuleSet({
        rule.id: rule for rule in loaded.rules.values()
        if not any(isinstance(level.condition, NoData) for level in rule.levels)
    })  # fmt: skip
    outcome = backtest(valued, _columns(list(readings)), load_catalogue(site, "site.yaml"))
    return [said_of(one) for one in outcome.transitions]


def by_time(readings: Iterable[Fact]) -> list[Fact]:
    """In the order of event time; of one time in the order given."""
    return sorted(readings, key=lambda fact: fact.time)


def by_event(said: Iterable[Said]) -> list[Said]:
    return sorted(said, key=lambda one: one.at)


def logged_transitions(path: Path) -> list[Said]:
    """The whole log."""
    rows = _rows(path, "SELECT rule, point, source, target, reason, priority, at FROM transitions ORDER BY id")
    return [Said(row[0], row[1], row[2], row[3], row[4], row[5] or "", row[6]) for row in rows]


def compare_alarms(expected: Sequence[Said], said: Sequence[Said], verdict: Verdict) -> None:
    """Each transition of the one must be in the other, as often."""
    wanted, there = Counter(expected), Counter(said)
    verdict.alarms = len(said)
    missing, extra = wanted - there, there - wanted
    verdict.alarms_differ += missing.total() + extra.total()
    _note(verdict, "transition missing", by_event(missing.elements()))
    _note(verdict, "transition too many", by_event(extra.elements()))


def check_books(path: Path, verdict: Verdict) -> None:
    """Nothing doubled in the journal (as far as it is kept), the log of transitions and the notification outbox."""
    store = OperationalStore(f"sqlite:///{path}")
    try:
        packs: Counter[tuple[str, str, int]] = Counter()
        after = 0
        while entries := store.journal(SITE, after, 500):
            for entry in entries:
                if isinstance(entry.content, ReadingBatch):
                    packs.update((span.agent, span.boot, span.seq) for span in entry.content.spans if span.seq)
            after = entries[-1].n
        letters = store.dead_letters(SITE, 20)
    finally:
        store.close()
    doubled = sorted(pack for pack, count in packs.items() if count > 1)
    verdict.doubled += len(doubled)
    _note(verdict, "journalled twice", doubled)
    _note(verdict, "dead letter", [f"{one.reason}: {one.detail}" for one in letters])
    logged = Counter(row[0] for row in _rows(path, "SELECT id FROM transitions"))
    noticed = Counter(row[0] for row in _rows(
        path, "SELECT transition_id FROM notification_outbox UNION ALL SELECT DISTINCT transition_id FROM notices"
    ))  # fmt: skip
    verdict.doubled += (noticed - logged).total()
    verdict.lost += (logged - noticed).total()
    _note(verdict, "to be notified twice, or without a transition", list((noticed - logged).elements()))
    _note(verdict, "transition that nobody is to be told of", list((logged - noticed).elements()))


def _rows(path: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def _covers(gap: Gap, fact: Fact) -> bool:
    return gap.start <= fact.time <= gap.end and (not gap.points or fact.point in gap.points)


def _moved(missing: Iterable[Fact], extra: Iterable[Fact]) -> dict[Fact, Fact]:
    """Readings whose millisecond another value had: the next free one has them, as uncertain."""
    free = {(fact.point, fact.time, fact.value): fact for fact in extra if fact.quality == "uncertain"}
    found = {}
    for fact in missing:
        for time in range(fact.time + 1, fact.time + MOVED_BY_AT_MOST + 1):
            if place := free.pop((fact.point, time, fact.value), None):
                found[fact] = place
                break
    return found


def _columns(readings: Sequence[Fact]) -> ReadingRows:
    points = tuple(dict.fromkeys(fact.point for fact in readings))
    number = {name: index for index, name in enumerate(points)}
    time = np.array([fact.time for fact in readings], np.int64)
    # Readings of one moment arrive together; each such group arrives later than the one before it.
    group = np.cumsum(np.diff(time, prepend=time[:1]) != 0)
    return ReadingRows(
        points,
        np.array([number[fact.point] for fact in readings], np.int32),
        time,
        np.array([math.nan if fact.value is None else fact.value for fact in readings], np.float64),
        np.array([Quality(fact.quality).code for fact in readings], np.uint8),
        time.max(initial=0) + group,
    )


def _note(verdict: Verdict, what: str, found: Iterable[object]) -> None:
    for number, one in enumerate(found):
        if number == NO_LONGER_THAN:
            verdict.notes.append(f"{what}: and more")
            break
        verdict.notes.append(f"{what}: {one}")
