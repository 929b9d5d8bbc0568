"""Energy by the local hour or day, of a power or of a counter, as a memory of weeks: what baselines are made of.

A power is in force until its next reading. A counter's increase is spread over the time between two readings; where it
falls it was reset, and that time is unknown. A period of which less than two thirds are known is not remembered.

The memory outlives a judgement of the past: judging three weeks again for one late reading would be out of proportion,
so the periods before the stretch that is judged again are taken over (`inherit`), and only those within it are counted
anew. All sums are whole numbers, so that it does not matter how they were come by.
"""

from abc import abstractmethod
from collections import deque
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo

import numpy as np

from domain.batch import Float64s, Int64s
from domain.times import DAY, HOUR
from rules.signals.base import UNKNOWN_VALUE, Bools, Calm, Parameters, Running, pieces
from rules.timeline import NEVER

FINE = 1_000  # thousandths of a watt
PER_KWH = FINE * 1_000 * HOUR  # thousandths of a watt times ms
MOST_POWER = 10_000_000  # W: no school draws that; a counter that says so was exchanged
LATEST = 7 * DAY  # how far back late data is judged (`rules.revisit`): the memory reaches back further by so much


class Metered(Parameters, frozen=True, array_like=True, tag=True):
    """What all of them are bound to for a point (`rules.resolve`): the site's zone, and whether it counts energy."""

    zone: str = "UTC"
    counter: bool = False


class Remembering(Running):
    """Counts energy by period. `entries` are the finished ones, oldest first, each beginning with its start."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "entries", "start", "until", "energy", "apart", "known", "since", "weight", "figure",
    )  # fmt: skip

    def __init__(self, what: Metered, gap: int | None) -> None:
        super().__init__(gap)
        self.zone = what.zone
        self.counter = what.counter
        self.oldest = what.memory + LATEST  # how far before the present period (ms) an entry is kept
        self.entries: deque[tuple[float, ...]] = deque()
        self.start = self.until = -NEVER  # the present period
        self.energy = self.apart = self.known = 0  # of it: all, what is set apart (by the signal), known ms
        self.since = -1  # from when the last reading is in force and not counted yet
        self.weight: float = 0.0  # the last reading
        self.figure = UNKNOWN_VALUE  # what the signal says during the present period

    @abstractmethod
    def period(self, at: int) -> tuple[int, int]:
        """The period (UTC ms) that contains that moment."""

    @abstractmethod
    def entry(self) -> tuple[float, ...]:
        """The present period as an entry."""

    @abstractmethod
    def derive(self) -> float:
        """The figure for the present period, from the entries alone."""

    def set_apart(self, start: int, end: int, energy: int) -> int:
        """How much of that piece's energy is to be set apart."""
        return 0

    def inherit(self, other: Running, before: int) -> None:
        """Take over what another one remembers of the periods that began by that moment."""
        assert isinstance(other, Remembering)
        self.entries.extend(entry for entry in other.entries if entry[0] <= before)

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        """Take a reading; a counter's next good one makes up for a bad one within the gap rule."""
        if not (bad and self.counter):
            super().read(time, value, bad, source)

    def take(self, time: int, value: float) -> None:
        """Count until now what was in force."""
        if self.counter and self.since >= 0:
            self._pass(self.since, time, self._increase(value - self.weight, time - self.since))
        elif not self.counter:
            self._run(time)
        self._turn(time)
        self.since, self.weight = time, value

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Whatever comes within the present period: its figure stands."""
        stands = self.figure != self.figure or floor < self.figure < ceiling
        return Calm(until=self.until - 1) if stands else None

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """Count the power of readings within the present period."""
        values = np.where(bad, 0.0, values)
        if self.counter or times[-1] >= self.until or np.abs(values).max() > MOST_POWER:
            return False
        start, end = pieces(times, bad, self.since if self.since >= 0 else int(times[0]), self.edge, self.gap)
        if start[0] < self.start or abs(self.weight) > MOST_POWER:
            return False
        weight = np.rint(np.append(self.weight, values[:-1]) * FINE).astype(np.int64)
        length = end - start
        apart = self.set_apart_together(start, end, weight * length)
        if apart is None:
            return False
        self.energy += int((weight * length).sum())
        self.apart += apart
        self.known += int(length.sum())
        self.since, self.weight = int(times[-1]), float(values[-1])
        return True

    def set_apart_together(self, start: Int64s, end: Int64s, energy: Int64s) -> int | None:
        """`set_apart` of several pieces; None where only one by one will do."""
        return 0

    def end(self, at: int) -> None:
        """Known time ended."""
        if not self.counter:
            self._run(at)
        self.since = -1

    def say(self, now: int) -> None:
        """The figure of the present period, and when it ends."""
        if not self.counter:
            self._run(now)
            self._turn(now)
        self.value = self.figure
        self.due = self.edge if self.counter else min(self.edge, self.until)

    def _run(self, until: int) -> None:
        """Count the power in force."""
        if 0 <= self.since < until:
            plausible = abs(self.weight) <= MOST_POWER
            self._pass(self.since, until, round(self.weight * FINE) * (until - self.since) if plausible else None)
            self.since = until

    @staticmethod
    def _increase(kwh: float, span: int) -> int | None:
        return round(kwh * PER_KWH) if 0.0 <= kwh * PER_KWH <= MOST_POWER * FINE * span else None

    def _pass(self, start: int, end: int, energy: int | None) -> None:
        """Count a piece of time, cut where periods end; `energy` None: nobody knows."""
        at, left = start, energy
        while at < end:
            self._turn(at)
            cut = min(end, self.until)
            if left is not None:
                piece = left * (cut - at) // (end - at)
                left -= piece
                self.energy += piece
                self.apart += self.set_apart(at, cut, piece)
                self.known += cut - at
            at = cut

    def _turn(self, at: int) -> None:
        """Begin the period that contains that moment, when the present one is over."""
        if at < self.until:
            return
        begun = self.entries and self.entries[-1][0] >= self.start
        if not begun and self.known > 0 and 3 * self.known >= 2 * (self.until - self.start):
            self.entries.append(self.entry())
        self.start, self.until = self.period(at)
        self.energy = self.apart = self.known = 0
        while self.entries and self.entries[0][0] < self.start - self.oldest:
            self.entries.popleft()
        self.figure = self.derive()


class ByHour(Metered, frozen=True, array_like=True, tag=True):
    """What is remembered by the local hour."""

    @property
    def lookback(self) -> int:
        """The hour of a late reading and the one before: what lies further back is remembered."""
        return 2 * HOUR


class RememberingHours(Remembering):
    """An entry begins with its start (UTC ms) and ends with its mean power (W)."""

    def period(self, at: int) -> tuple[int, int]:
        """The local hour (UTC ms) that contains that moment."""
        return hour_at(self.zone, at)

    def mean(self) -> float:
        """The mean power (W) of the present hour, of which something must be known."""
        return self.energy / (self.known * FINE)


@lru_cache(maxsize=4_096)
def day_of(zone: str, at: int) -> int:
    """The local day (proleptic ordinal) of that moment (UTC ms)."""
    return datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).date().toordinal()


def hour_at(zone: str, at: int) -> tuple[int, int]:
    """The local hour, in UTC ms, that contains that moment."""
    local = datetime.fromtimestamp(at / 1000, ZoneInfo(zone))
    offset = local.utcoffset() or timedelta()
    ahead = round(offset.total_seconds() * 1000)
    start = (at + ahead) // HOUR * HOUR - ahead
    return start, start + HOUR


def day_at(zone: str, at: int) -> tuple[int, int]:
    """The local day, in UTC ms, that contains that moment: 23, 24 or 25 hours."""
    today = day_of(zone, at)
    return _midnight(zone, today), _midnight(zone, today + 1)


@lru_cache(maxsize=4_096)
def _midnight(zone: str, day: int) -> int:
    local = datetime.combine(date.fromordinal(day), time(), ZoneInfo(zone))
    return round(local.astimezone(UTC).timestamp() * 1000)
