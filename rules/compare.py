"""Two rule sets on the same readings: what a change would gain and lose, before anybody saves it.

For a person who wants fewer alarms and must not lose one that matters. It decides which alarms correspond and what a
lost one was; whether the change is allowed is `rules.guard`'s. Pure.

An episode is *kept* when the other rule set has one of the same rule and point at that time. A lost one is *covered*
when another rule still has the point in alarm then, a *nuisance* when a person marked it so or it was over before
people's time to respond, and otherwise *real*: somebody would have had to act, and would not be told. Episodes of one
alarm that follow each other within that time are one trouble: ten minutes too warm six times in an hour is an hour.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from domain.catalogue import Catalogue
from domain.episodes import Episode, episodes
from domain.times import MINUTE
from rules.backtest import backtest
from rules.matching import select
from rules.model import Rule, RuleSet
from rules.quality import UNRESPONSIVE, lapsed
from rules.readings_csv import ReadingRows

Key = TypeVar("Key")


class Loss(StrEnum):
    """What a lost alarm was."""

    NUISANCE = "nuisance"
    REAL = "real"
    COVERED = "covered"


@dataclass(frozen=True, slots=True)
class Mark:
    """A person said of the alarm that stood at `at` (UTC ms) that it was a nuisance."""

    rule: str
    point: str
    at: int


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule that differs: episodes and minutes in alarm, before and after."""

    rule: str
    before: int
    after: int
    minutes_before: int
    minutes_after: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a change does over `start` to `end` (UTC ms).

    `kept` counts old episodes that have a counterpart; of these `merged` share it with an earlier one (people are told
    once instead of again and again), `later` and `earlier` are raised at another time.
    """

    start: int
    end: int
    rules: tuple[RuleChange, ...]
    gained: tuple[Episode, ...]
    lost: tuple[tuple[Episode, Loss], ...]
    kept: int
    merged: int
    later: int
    earlier: int
    readings: int

    def count(self, loss: Loss) -> int:
        """How many lost alarms were of that kind."""
        return sum(kind is loss for _, kind in self.lost)

    @property
    def sentence(self) -> str:
        """The change in one sentence of English."""
        parts = [f"removes {_plural(self.count(Loss.NUISANCE), 'nuisance alarm')}"]
        parts.append(f"hides {_plural(self.count(Loss.REAL), 'real excursion')}")
        if self.merged:
            parts.append(f"joins {self.merged} to the one before")
        if self.count(Loss.COVERED):
            parts.append(f"leaves {self.count(Loss.COVERED)} to another rule")
        if self.gained:
            parts.append(f"adds {_plural(len(self.gained), 'alarm')}")
        if self.later:
            parts.append(f"tells of {self.later} later")
        if self.earlier:
            parts.append(f"tells of {self.earlier} earlier")
        return ", ".join(parts)


def changed_rules(before: RuleSet, after: RuleSet) -> list[str]:
    """Ids of the rules that are new, gone or judge differently, in the order of the files."""
    ids = dict.fromkeys([*before.rules, *after.rules])
    return [name for name in ids if _judged(before.rules.get(name)) != _judged(after.rules.get(name))]


def concerned(before: RuleSet, after: RuleSet, catalogue: Catalogue) -> list[str]:
    """The points whose alarms the change can touch, in the catalogue's order: all points of the assets concerned."""
    changed = changed_rules(before, after)
    named = {
        point.name
        for rules in (before, after)
        for name in changed
        if name in rules.rules
        for point in select(rules.rules[name], catalogue)
    }
    assets = {name.partition("/")[0] for name in named}
    return [point.name for point in catalogue.points() if point.name.partition("/")[0] in assets]


def compare(
    before: RuleSet,
    after: RuleSet,
    rows: ReadingRows,
    catalogue: Catalogue | None = None,
    marks: Sequence[Mark] = (),
    end: int | None = None,
) -> Comparison:
    """What `after` says otherwise than `before` about the readings. ValueError for a rule that cannot be judged."""
    # The rest of both sets is the same, and says the same, except where it covers what is lost.
    changed = set(changed_rules(before, after))
    stop = int(rows.time.max()) + 1 if end is None and len(rows) else end or 0
    old = _told(before, rows, catalogue, end)
    new = _told(after, rows, catalogue, end)
    by_key, by_point = _grouped(new, lambda one: one.key), _grouped(new, lambda one: one.key.point)
    respond = response_times(before)
    lasting = _lasting(old, respond)
    kept: list[tuple[Episode, Episode]] = []
    lost: list[tuple[Episode, Loss]] = []
    for one in old:
        match = next((each for each in by_key.get(one.key, ()) if each.overlaps(one)), None)
        if match is not None:
            kept.append((one, match))
        else:
            lost.append((one, _loss(one, by_point.get(one.key.point, ()), marks, one in lasting)))
    first = list({id(now): (then, now) for then, now in reversed(kept)}.values())
    old_by_key = _grouped(old, lambda one: one.key)
    gained = [one for one in new if not any(each.overlaps(one) for each in old_by_key.get(one.key, ()))]
    return Comparison(
        start=int(rows.time.min()) if len(rows) else 0,
        end=stop,
        rules=_per_rule(old, new, changed, stop),
        gained=tuple(gained),
        lost=tuple(lost),
        kept=len(kept),
        merged=len(kept) - len(first),
        later=sum(now.raised_at > then.raised_at for then, now in first),
        earlier=sum(now.raised_at < then.raised_at for then, now in first),
        readings=len(rows),
    )


def response_times(rules: RuleSet) -> Mapping[str, int]:
    """Rule -> how long people have to respond (ms)."""
    return MappingProxyType({one.id: one.time_to_respond or UNRESPONSIVE for one in rules.rules.values()})


def only_points(rows: ReadingRows, points: Sequence[str]) -> ReadingRows:
    """The readings of those points."""
    wanted = set(points)
    flags = np.array([name in wanted for name in rows.points], np.bool_)
    if flags.all():
        return rows
    chosen = np.flatnonzero(flags[rows.point]) if len(rows) else np.zeros(0, np.int64)
    place = {int(row): number for number, row in enumerate(chosen.tolist())} if rows.texts else {}
    return ReadingRows(
        rows.points, rows.point[chosen], rows.time[chosen], rows.value[chosen], rows.quality[chosen],
        rows.received[chosen], {place[row]: text for row, text in rows.texts.items() if row in place},
    )  # fmt: skip


def _told(rules: RuleSet, rows: ReadingRows, catalogue: Catalogue | None, end: int | None) -> list[Episode]:
    return episodes(backtest(rules, rows, catalogue, end).transitions)


def _lasting(old: Sequence[Episode], respond: Mapping[str, int]) -> set[Episode]:
    """The episodes that, with those close to them, lasted as long as people have to respond, or were answered."""
    found: set[Episode] = set()
    for mine in _grouped(old, lambda one: one.key).values():
        chain: list[Episode] = []
        for one in sorted(mine, key=lambda each: each.raised_at):
            if chain and one.raised_at - _end(chain) >= respond.get(one.key.rule, UNRESPONSIVE):
                chain = []
            chain.append(one)
            if not lapsed(replace(one, raised_at=chain[0].raised_at), respond):
                found.update(chain)
    return found


def _end(chain: Sequence[Episode]) -> int:
    return max(one.raised_at if one.cleared_at is None else one.cleared_at for one in chain)


def _loss(one: Episode, others: Sequence[Episode], marks: Sequence[Mark], lasting: bool) -> Loss:
    if any(each.overlaps(one) and each.priority.rank >= one.priority.rank for each in others):
        return Loss.COVERED
    if not lasting or any(_marked(one, mark) for mark in marks):
        return Loss.NUISANCE
    return Loss.REAL


def _marked(one: Episode, mark: Mark) -> bool:
    """Whether the mark is about this episode; people often answer some time after it cleared."""
    if (mark.rule, mark.point) != one.key:
        return False
    return one.raised_at <= mark.at and (one.cleared_at is None or mark.at <= one.cleared_at)


def _per_rule(old: Sequence[Episode], new: Sequence[Episode], changed: set[str], stop: int) -> tuple[RuleChange, ...]:
    counts = [Counter(one.key.rule for one in told) for told in (old, new)]
    active: list[Counter[str]] = [Counter(), Counter()]
    for told, total in zip((old, new), active, strict=True):
        for one in told:
            total[one.key.rule] += one.active_for(stop)
    return tuple(
        RuleChange(name, counts[0][name], counts[1][name], active[0][name] // MINUTE, active[1][name] // MINUTE)
        for name in sorted(changed)
    )


def _judged(rule: Rule | None) -> Rule | None:
    """The rule without what people read: two that are equal judge alike."""
    if rule is None:
        return None
    plain = Rule(rule.id, rule.applies_to, rule.levels)
    return replace(rule, title=plain.title, basis=None, cause=plain.cause, consequence=plain.consequence,
                   response=plain.response, time_to_respond=None, escalate=plain.escalate)  # fmt: skip


def _grouped(told: Sequence[Episode], key: Callable[[Episode], Key]) -> dict[Key, list[Episode]]:
    grouped: dict[Key, list[Episode]] = defaultdict(list)
    for one in told:
        grouped[key(one)].append(one)
    return grouped


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
