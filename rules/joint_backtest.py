"""Rules with several inputs on recorded readings: all stories of a file told as one, in the order of event time.

A file may hold one point after the other, so arrival cannot say what was known together. Every reading is taken at its
event time, late ones too; what is said is said when the newest reading behind it had arrived. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from domain.alarms import AlarmEvent
from domain.batch import ReadingBatch, Span
from domain.catalogue import Catalogue
from rules.engine import Engine
from rules.events import RETROACTIVE
from rules.model import RuleSet
from rules.story import Story

AGENT = "file"
AT_ONCE = 10_000  # readings per batch: less than what an agent may have waiting


def judged_together(
    rules: RuleSet, site: str, catalogue: Catalogue | None, told: Sequence[Story], last: int
) -> Iterator[AlarmEvent]:
    """The events of these rules, each alarm's in its order; `last` (UTC ms) is how far every story is complete."""
    engine = Engine(site)
    engine.set_rules(catalogue, rules, min(int(story.arrival[0]) for story in told))
    by_name = {story.point: story for story in told}
    spoken = 0
    for events in _fed(engine, told, last):
        for event in events:
            known = [by_name[name].known_at(event.at) for name in _inputs(engine, event) if name in by_name]
            spoken = max(spoken, event.at, *known)
            yield replace(event, detected_at=spoken, retroactive=spoken - event.at > RETROACTIVE)


def in_service(catalogue: Catalogue | None) -> Catalogue | None:
    """The catalogue; without a date of commissioning every transition needs an answer."""
    if catalogue is None or catalogue.commissioned_at is not None:
        return catalogue
    return replace(catalogue, commissioned_at=0)


def _fed(engine: Engine, told: Sequence[Story], last: int) -> Iterator[list[AlarmEvent]]:
    names = tuple(story.point for story in told)
    point = np.concatenate([np.full(len(story.time), number, np.int32) for number, story in enumerate(told)])
    time = np.concatenate([story.time for story in told])
    value = np.concatenate([story.value for story in told])
    quality = np.concatenate([story.quality for story in told])
    order = np.argsort(time, kind="stable")
    # All points are made known before the first reading: one may be an input of another's rule.
    for start in range(-AT_ONCE, len(order), AT_ONCE):
        rows = order[max(0, start) : max(0, start + AT_ONCE)]
        upto = int(time[rows[-1]]) if len(rows) else 1
        spans = (Span(AGENT, 0, len(rows), upto),)
        yield engine.feed(
            ReadingBatch(engine.site, upto, names, point[rows], time[rows], value[rows], quality[rows], spans)
        )
    yield engine.advance(AGENT, last + 1)


def _inputs(engine: Engine, event: AlarmEvent) -> list[str]:
    """The points that the alarm's rule looked at."""
    names = engine.table.names
    return [
        names[source]
        for joint in engine.joints.all
        if joint.track.condition.plan.rule == event.key.rule and names[joint.track.point] == event.key.point
        for source in joint.sources
    ]
