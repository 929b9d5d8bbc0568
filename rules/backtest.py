"""Rules on recorded readings: what would have been said, and when, had they been in force.

It drives the very engine that runs live. Each point of a file is its own story with its own frontier (the newest event
time seen of it), so that files sorted by point and backlogs after an outage are judged in order; docs/backtest.md says
exactly what that means. Rules that need several points are judged in `rules.joint_backtest`. No people act here: the
lifecycle alone gives from and to. Pure: no files, no clock.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind, Transition
from domain.batch import Int64s, ReadingBatch, Span
from domain.catalogue import Catalogue
from domain.lifecycle import apply
from domain.times import iso
from rules.engine import Engine
from rules.events import RETROACTIVE
from rules.joint_backtest import in_service, judged_together
from rules.model import NoData, Rule, RuleSet
from rules.readings_csv import ReadingRows
from rules.resolve import looks_elsewhere
from rules.story import Stored, Story, stories

SITE = "backtest"  # where there is no catalogue


@dataclass(frozen=True, slots=True)
class Outcome:
    """The transitions in order of detection, and how many late readings were too old to be judged."""

    transitions: tuple[Transition, ...]
    unjudged: int = 0


def backtest(rules: RuleSet, rows: ReadingRows, catalogue: Catalogue | None = None, end: int | None = None) -> Outcome:
    """What the rules say about the readings.

    Every story is complete up to and including `end` (UTC ms; default the newest event time of all rows), by arrival up
    to `end` or the newest arrival. Without a catalogue rules take points by name or metric. ValueError for a rule that
    cannot be judged.
    """
    transitions: list[Transition] = []
    unjudged = 0
    if len(rows):
        last = int(rows.time.max()) if end is None else end
        last_arrival = max(last, int(rows.received.max())) if end is None else end
        site = SITE if catalogue is None else catalogue.site
        alone = RuleSet({rule.id: rule for rule in rules.rules.values() if not looks_elsewhere(rule)})
        told = list(stories(rows))
        for story in told:
            judged = _Judged(alone, site, _only(catalogue, story.point), story)
            transitions += _lived(site, judged.events(last, last_arrival))
            unjudged += judged.unjudged
        joined = RuleSet({rule.id: rule for rule in rules.rules.values() if looks_elsewhere(rule)})
        if joined.rules:
            transitions += _lived(site, judged_together(joined, site, in_service(catalogue), told, last))
    transitions.sort(key=lambda one: (one.detected_at, one.at, one.key.rule, one.key.point))
    return Outcome(tuple(transitions), unjudged)


def as_line(transition: Transition) -> Mapping[str, str | float | bool | None]:
    """The transition as one flat record for people and programs; times are RFC 3339 in UTC with milliseconds."""
    return {
        "rule": transition.key.rule,
        "point": transition.key.point,
        "from": transition.source.value,
        "to": transition.target.value,
        "reason": transition.reason.value,
        "priority": None if transition.priority is None else transition.priority.value,
        "value": transition.value,
        "at": iso(transition.at),
        "detected_at": iso(transition.detected_at),
        "retroactive": transition.retroactive,
    }


class _Judged:
    """One point's story through engines of its own: one for values along event time, one for silence by arrival."""

    def __init__(self, rules: RuleSet, site: str, catalogue: Catalogue | None, story: Story) -> None:
        self.story = story
        self.site = site
        self.catalogue = catalogue
        self.silent = _subset(rules, silent=True)
        self.valued = _subset(rules, silent=False)
        self.unjudged = 0
        self.told = 0  # detection of the newest event so far: the story is told in one order

    def events(self, last: int, last_arrival: int) -> Iterator[AlarmEvent]:
        """All events of the story, each rule's in the order in which they must be lived through."""
        if self.valued.rules:
            yield from self._by_value(last)
        if self.silent.rules:
            yield from self._by_arrival(last_arrival)

    def _by_value(self, last: int) -> Iterator[AlarmEvent]:
        story = self.story
        history = Stored(story)
        engine = Engine(self.site, history=history)
        engine.set_rules(self.catalogue, self.valued, int(story.arrival[0]))
        for stretch in story.stretches():
            events = engine.feed(self._batch(stretch.rows, stretch.upto, stretch.arrival))
            history.reveal(stretch)
            events += engine.review(stretch.arrival)[1]
            for event in events:
                yield self._detected(event, stretch.arrival if stretch.late else story.known_at(event.at))
        for event in engine.advance(story.point, last + 1):
            yield self._detected(event, story.known_at(event.at))
        self.unjudged = engine.counters.unjudged

    def _by_arrival(self, last_arrival: int) -> Iterator[AlarmEvent]:
        story = self.story
        engine = Engine(self.site)
        engine.set_rules(self.catalogue, self.silent, int(story.arrival[0]))
        delays = {level.condition.delay for rule in self.silent.rules.values() for level in rule.levels
                  if isinstance(level.condition, NoData)}  # fmt: skip
        self.told = before = int(story.arrival[0])
        for row, unbroken in story.signs_of_life(delays):
            arrival = int(story.arrival[row])
            # Time in which nothing can become due need not be lived through: as if nobody had listened meanwhile.
            events = engine.clock(before, not unbroken)
            events += engine.feed(self._batch(np.array([row]), int(story.time[row]), arrival))
            events += engine.clock(arrival, True)
            before = arrival
            for event in events:
                yield self._detected(event, event.at)
        for event in engine.clock(last_arrival + 1, True):
            yield self._detected(event, event.at)

    def _batch(self, rows: Int64s, upto: int, received: int) -> ReadingBatch:
        story = self.story
        return ReadingBatch(
            self.site,
            received,
            (story.point,),
            np.zeros(len(rows), np.int32),
            story.time[rows],
            story.value[rows],
            story.quality[rows],
            (Span(story.point, 0, len(rows), upto),),
        )

    def _detected(self, event: AlarmEvent, known: int) -> AlarmEvent:
        self.told = max(self.told, event.at, known)
        return replace(event, detected_at=self.told, retroactive=self.told - event.at > RETROACTIVE)


def _lived(site: str, events: Iterator[AlarmEvent]) -> list[Transition]:
    """The events through the lifecycle, from normal, with nobody answering."""
    alarms: dict[AlarmKey, Alarm] = {}
    found: list[Transition] = []
    for event in events:
        if event.kind is EventKind.CLOSE:
            continue  # an engine that begins has nothing to close
        alarm, transition = apply(alarms.get(event.key, Alarm(site, event.key)), event)
        alarms[event.key] = alarm
        found.append(transition)
    return found


def _subset(rules: RuleSet, silent: bool) -> RuleSet:
    """The rules that judge arrival, or those that judge values."""

    def wanted(rule: Rule) -> bool:
        return any(isinstance(level.condition, NoData) for level in rule.levels) == silent

    return RuleSet({rule.id: rule for rule in rules.rules.values() if wanted(rule)})


def _only(catalogue: Catalogue | None, point: str) -> Catalogue | None:
    """The catalogue with that point alone; without a date of commissioning every transition needs an answer."""
    if catalogue is None:
        return None
    assets = tuple(
        replace(asset, points=tuple(one for one in asset.points if one.name == point))
        for asset in catalogue.assets
        if any(one.name == point for one in asset.points)
    )
    return in_service(replace(catalogue, assets=assets))
