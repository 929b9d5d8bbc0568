"""Several conditions as one, and masks over one: the running side of `rules.plan.Composite` and `Masked`.

A member is a whole condition with limit, delays and gap rule on one input; it is true, false or unknown. What is
unknown decides nothing by itself: *all* is false when one is false, *any* is true when one is true, everything else
that has an unknown in it is unknown. A mask that is unknown does not mask, beyond its tail: unknown is never green.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from domain.batch import Float64s, Int64s
from rules.condition import Condition, LevelState, as_stored
from rules.derived import Derived, calm_of
from rules.mask import Mask
from rules.model import Mode
from rules.plan import NEVER, UNKNOWN, Composite, Masked, Member, Plan
from rules.signals.base import UNKNOWN_VALUE, Bools, Calm, Running
from rules.signals.plain import Plain
from rules.signals.schedule import InSchedule
from rules.signals.unbalance import Unbalance
from rules.thinning import Rows, before_hole, before_true, play_thinned


class _Member:
    """One member at work."""

    def __init__(self, member: Member, condition: Condition) -> None:
        self.source = member.source
        self.condition = condition
        self.everything = isinstance(condition, Derived) and member.source < 0  # a composite: it sorts out its inputs

    def read(self, time: int, value: float, bad: bool, source: int) -> None:
        """Take a reading of one of its inputs; deadlines before it must have been fired."""
        if isinstance(self.condition, Derived):
            if self.everything:
                self.condition.take(time, value, bad, source)
            elif source == self.source:
                self.condition.take(time, value, bad)
        elif source == self.source:
            self.condition.read(time, UNKNOWN if bad else self.condition.plan.code(value), value, time)

    def pass_by(self, now: int) -> None:
        """Fire what is due up to now."""
        while self.condition.due <= now:
            self.condition.fire()

    def due(self, now: int) -> int:
        """The next moment at which its truth may change by time alone."""
        edge = self.condition.edge
        ends = edge if not isinstance(self.condition, Derived) and now < edge else NEVER
        return min(self.condition.due, ends)

    def truth(self, now: int) -> float:
        """1, 0 or NaN."""
        if isinstance(self.condition, Derived):
            known = self.condition.running.value == self.condition.running.value
        else:
            known = now < self.condition.edge
        return float(self.condition.level >= 0) if known else UNKNOWN_VALUE

    def plain(self) -> Iterator[tuple[int, Condition]]:
        """The limits and states in it, with their inputs."""
        if not isinstance(self.condition, Derived):
            yield self.source, self.condition
        elif isinstance(self.condition.running, _Combining):
            for member in self.condition.running.members:
                yield from member.plain()

    def whole(self) -> Iterator[int]:
        """The inputs of which its signals must hear everything: a schedule's is none."""
        if isinstance(self.condition, Derived):
            if isinstance(self.condition.running, _Combining):
                for member in self.condition.running.members:
                    yield from member.whole()
            elif not isinstance(self.condition.plan.signal, InSchedule):
                yield self.source

    def ready(self) -> bool:
        """Whether only what it hears, and time, can change it: a schedule is looked up with the first reading."""
        if not isinstance(self.condition, Derived):
            return True
        if isinstance(self.condition.running, _Combining):
            return all(member.ready() for member in self.condition.running.members)
        if isinstance(self.condition.plan.signal, InSchedule):
            return self.condition.running.value == self.condition.running.value
        return not self.everything

    def not_true(self, rows: Rows) -> int:
        """During how many of the first rows it certainly does not become true."""
        one = self.condition
        if not isinstance(one, Derived):
            return before_true(rows, self.source, one) if one.idle else 0
        if self.everything:
            return one.ahead_together(*rows)
        mine = rows.of(self.source)
        return rows.until(mine, one.ahead(rows.time[mine], rows.value[mine], rows.bad[mine]))

    def calm(self, truth: bool) -> dict[int, Calm] | None:
        """Which readings of which inputs leave it untrue, or true, or unknown: None when that cannot be told."""
        one = self.condition
        if not isinstance(one, Derived):
            found = calm_of(one, truth)
            return None if found is None else {self.source: found}
        if truth:
            return None
        if self.everything:
            return one.calm_together()
        alone = one.calm()
        return None if alone is None else {self.source: alone}

    def inherit(self, other: "_Member", before: int) -> None:
        """Remember what the other one does."""
        inherit(self.condition, other.condition, before)

    def state(self) -> list[Any]:
        one = self.condition
        levels = [list(as_stored(level)) for level in one.levels]
        own = one.state() if isinstance(one, Derived) else None
        return [levels, one.edge, one.value, one.code, one.level, one.due, own]

    def resume(self, stored: list[Any]) -> None:
        one = self.condition
        levels, one.edge, value, one.code, one.level, one.due, own = stored
        one.levels = [LevelState(*level) for level in levels]
        one.value = float(value)
        if isinstance(one, Derived):
            one.resume(own)


class _Combining(Running):
    """A `Composite` at work."""

    def __init__(self, what: Composite, members: list[_Member]) -> None:
        super().__init__(None)
        self.mode = what.mode
        self.members = members

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        for member in self.members:
            member.read(time, value, bad, source)
        self.say(time)

    def fire(self) -> None:
        self.say(self.due)

    def take(self, time: int, value: float) -> None:
        """Members take readings."""

    def end(self, at: int) -> None:
        """Members know their own."""

    def say(self, now: int) -> None:
        for member in self.members:
            member.pass_by(now)
        truths = [member.truth(now) for member in self.members]
        unknown = any(truth != truth for truth in truths)
        if self.mode is Mode.NOT:
            self.value = 1.0 - truths[0]
        elif self.mode is Mode.ALL:
            self.value = 0.0 if 0.0 in truths else UNKNOWN_VALUE if unknown else 1.0
        else:
            self.value = 1.0 if 1.0 in truths else UNKNOWN_VALUE if unknown else 0.0
        self.due = min(member.due(now) for member in self.members)

    def ahead_together(
        self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float
    ) -> int:
        if self.mode is Mode.NOT or not floor < 0.0 < ceiling <= 1.0 or not all(one.ready() for one in self.members):
            return 0
        rows = Rows(sources, times, values, bad)
        counts = [member.not_true(rows) for member in self.members]
        count = max(counts) if self.mode is Mode.ALL else min(counts)
        return min(count, before_hole(rows, self._plain())) if count else 0

    def calm_together(self, floor: float, ceiling: float) -> dict[int, Calm] | None:
        """One member that stays untrue is enough for *all*; of *any* all must, and that of *not* must stay true."""
        if not floor < 0.0 < ceiling <= 1.0:
            return None
        found = (member.calm(self.mode is Mode.NOT) for member in self.members)
        if self.mode is Mode.ALL:
            return next((calms for calms in found if calms is not None), None)
        together: dict[int, Calm] = {}
        for calms in found:
            if calms is None:
                return None
            for source, calm in calms.items():
                together[source] = calm.also(together[source]) if source in together else calm
        return together

    def pass_over_together(self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools) -> None:
        def read(time: int, value: float, bad: bool, source: int) -> None:
            for member in self.members:
                member.read(time, value, bad, source)

        whole = {one for member in self.members for one in member.whole()}
        play_thinned(
            Rows(sources, times, values, bad), self._plain(), whole, self.due - 1,
            due=lambda now: self.due, read=read, step=self.say,
        )  # fmt: skip
        self.say(int(times[-1]))

    def _plain(self) -> list[tuple[int, Condition]]:
        return [one for member in self.members for one in member.plain()]

    def inherit(self, other: Running, before: int) -> None:
        assert isinstance(other, _Combining)
        for member, known in zip(self.members, other.members, strict=True):
            member.inherit(known, before)

    def state(self) -> list[Any]:
        return [self.value, self.due, [member.state() for member in self.members]]

    def resume(self, stored: list[Any]) -> None:
        self.value, self.due = float(stored[0]), stored[1]
        for member, own in zip(self.members, stored[2], strict=True):
            member.resume(own)


class _Masking(Running):
    """A `Masked` at work."""

    def __init__(self, inner: Running, masks: list[Mask[_Member]], joint: bool) -> None:
        super().__init__(None)
        self.inner = inner
        self.masks = masks
        self.joint = joint  # the inner one sorts out its inputs

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        if self.joint or source == 0:
            self.inner.read(time, value, bad, source)
        self._mask(time, value, bad, source)
        self.say(time)

    def fire(self) -> None:
        now = self.due
        while self.inner.due <= now:
            self.inner.fire()
        self.say(now)

    def take(self, time: int, value: float) -> None:
        """What is inside takes readings."""

    def end(self, at: int) -> None:
        """What is inside knows its own."""

    def say(self, now: int) -> None:
        self._note(now)
        self.value = UNKNOWN_VALUE if any(mask.on(now) for mask in self.masks) else self.inner.value
        self.due = min(self.inner.due, *(mask.due(now) for mask in self.masks))

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        return None if self.joint else self.inner.calm(floor, ceiling)

    def calm_together(self, floor: float, ceiling: float) -> dict[int, Calm] | None:
        """What is inside decides: masked, it is unknown at most."""
        if self.joint:
            return self.inner.calm_together(floor, ceiling)
        calm = self.inner.calm(floor, ceiling)
        return None if calm is None else {0: calm}

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        return self.ahead_together(np.zeros(len(times), np.int64), times, values, bad, floor, ceiling)

    def pass_over(self, times: Int64s, values: Float64s, bad: Bools) -> None:
        self.pass_over_together(np.zeros(len(times), np.int64), times, values, bad)

    def ahead_together(
        self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float
    ) -> int:
        """What is inside decides: masked, it is unknown at most."""
        if not all(mask.member.ready() for mask in self.masks):
            return 0
        rows = Rows(sources, times, values, bad)
        if self.joint:
            count = self.inner.ahead_together(*rows, floor, ceiling)
        else:
            own = rows.of(0)
            if not len(own):
                return 0
            count = rows.until(own, self.inner.ahead(times[own], values[own], bad[own], floor, ceiling))
        return min(count, before_hole(rows, self._plain())) if count else 0

    def pass_over_together(self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools) -> None:
        last = int(times[-1])
        if self.joint:
            self.inner.pass_over_together(sources, times, values, bad)
        else:
            own = np.flatnonzero(sources == 0)
            if len(own):
                self.inner.pass_over(times[own], values[own], bad[own])
        while self.inner.due < last:
            self.inner.fire()
        whole = {one for mask in self.masks for one in mask.member.whole()}
        play_thinned(
            Rows(sources, times, values, bad), self._plain(), whole, self.due - 1,
            due=lambda now: min(mask.due(now) for mask in self.masks), read=self._mask, step=self._note,
        )  # fmt: skip
        self.say(last)

    def _plain(self) -> list[tuple[int, Condition]]:
        return [one for mask in self.masks for one in mask.member.plain()]

    def _mask(self, time: int, value: float, bad: bool, source: int) -> None:
        for mask in self.masks:
            mask.member.read(time, value, bad, source)

    def _note(self, now: int) -> None:
        for mask in self.masks:
            mask.member.pass_by(now)
            mask.note(now)

    def inherit(self, other: Running, before: int) -> None:
        assert isinstance(other, _Masking)
        self.inner.inherit(other.inner, before)
        for mask, known in zip(self.masks, other.masks, strict=True):
            mask.member.inherit(known.member, before)

    def state(self) -> list[Any]:
        masks = [[mask.since, mask.tail, mask.lost, mask.member.state()] for mask in self.masks]
        return [self.value, self.due, self.inner.state(), masks]

    def resume(self, stored: list[Any]) -> None:
        self.value, self.due = float(stored[0]), stored[1]
        self.inner.resume(stored[2])
        for mask, (since, tail, lost, own) in zip(self.masks, stored[3], strict=True):
            mask.since, mask.tail, mask.lost = since, tail, lost
            mask.member.resume(own)


def running_of(plan: Plan) -> Running:
    """The plan's signal at its beginning, with nothing known."""
    signal = plan.signal
    marks = tuple(level.limit for level in plan.levels)
    if isinstance(signal, Masked):
        inner = msgspec.structs.replace(plan, signal=signal.inner)
        running = Plain(plan.max_gap) if signal.inner is None else running_of(inner)
        masks = [Mask(mask, _member(mask.member)) for mask in signal.masks]
        return _Masking(running, masks, isinstance(signal.inner, Composite | Unbalance))
    if isinstance(signal, Composite):
        return _Combining(signal, [_member(member) for member in signal.members])
    assert signal is not None
    return signal.start(plan.max_gap, marks)


def _member(member: Member) -> _Member:
    return _Member(member, condition_of(member.plan))


def condition_of(plan: Plan) -> Condition:
    """The plan at its beginning, with nothing known."""
    return Condition(plan) if plan.signal is None else Derived(plan, running_of(plan))


def inherit(fresh: Condition, live: Condition, before: int) -> None:
    """Let a condition that begins at `before` remember what the live one of the same plan knows of earlier time."""
    if isinstance(fresh, Derived) and isinstance(live, Derived):
        fresh.running.inherit(live.running, before)


def again(live: Condition, before: int) -> Condition:
    """The live condition's plan at its beginning, for a stretch of the past that starts at `before`."""
    fresh = condition_of(live.plan)
    inherit(fresh, live, before)
    return fresh
