"""What every signal is: a pure transformer of readings into a derived series, on which an ordinary condition judges.

A signal has two halves. Its *parameters* are a frozen struct, part of the plan, so that definitions compare and travel
in snapshots; they say how far back a reading can matter (`lookback`). What is *running* holds the state: it is told
readings in ascending time, and says by `due` when its value changes by time alone. NaN is unknown: gaps and bad
readings are not guessed at. Whoever drives it fires every `due` before a reading's time first (`rules.derived`).

Most readings change nothing that a level could see. A signal may say so beforehand (`calm`) or of readings at hand
(`ahead`), and then takes them at once (`pass_over`): the state is the same as after one by one, only the moments in
between were not looked at. Whoever asks for this stands idle: unknown or in order is the same to it.
"""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from domain.batch import Float64s, Int64s
from rules.timeline import NEVER

Bools = npt.NDArray[np.bool_]
UNKNOWN_VALUE = float("nan")
_WORTH_IT = 24  # readings: as `rules.kernel` has it


class Calm(NamedTuple):
    """Readings that leave a signal between two bounds: good ones from `low` to `high` of a time until `until` (UTC ms,
    included), and bad ones if `bad`. It holds without any reading too. With another reading, at a time t, it holds for
    `grace` ms whatever comes: before t + grace, and no longer than `until`."""

    low: float = -np.inf
    high: float = np.inf
    until: int = NEVER
    bad: bool = True
    grace: int = 0

    def also(self, other: "Calm") -> "Calm":
        """What is one and the other."""
        return Calm(
            max(self.low, other.low),
            min(self.high, other.high),
            min(self.until, other.until),
            self.bad and other.bad,
            min(self.grace, other.grace),
        )

    def delayed(self, delay: int) -> "Calm":
        """The same of what becomes of it after a delay (ms)."""
        return self._replace(until=min(self.until + delay, NEVER), grace=self.grace + delay)

    def reach(self, times: Int64s, values: Float64s, bad: Bools) -> int:
        """How many of the first readings are such ones."""
        count = len(times) if self.until == NEVER else int(np.searchsorted(times, self.until, "right"))
        if self.low == -np.inf and self.high == np.inf:
            fine = ~bad[:count]
        else:
            fine = (values[:count] >= self.low) & (values[:count] <= self.high) & ~bad[:count]
        if self.bad:
            fine |= bad[:count]
        return first_of(~fine)


def worth(count: int, offered: int) -> int:
    """So many readings, or 0 where that is neither all there is nor as many as pay for having looked."""
    return count if count == offered or count >= _WORTH_IT else 0


def first_of(rows: Bools) -> int:
    """The number of the first row that is True; how many there are when none is."""
    where = int(rows.argmax()) if len(rows) else 0
    return where if len(rows) and rows[where] else len(rows)


class Running(ABC):
    """A signal at work. `value` is in force since the last call; `due` (UTC ms) is when to call `fire` next.

    `edge` is the end of what is known: a reading counts for at most `gap` ms (None: until the next one).
    """

    HEEDS_BAD: ClassVar[bool] = True  # False: bad readings are left out
    FIELDS: ClassVar[tuple[str, ...]] = ()  # what its state is, beside value, due, edge and edge_said

    def __init__(self, gap: int | None) -> None:
        self.gap = gap
        self.value = UNKNOWN_VALUE
        self.due = NEVER
        self.edge = -NEVER
        self.edge_said = False  # the value at the edge itself was said: what follows is unknown

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        """Take a reading, later than every one before; `source` is the input's number where there are several."""
        known = min(time, self.edge)
        if bad or known < time:
            self.end(known)
        if bad:
            self.edge = known
            self._lose()
            return
        self.take(time, value)
        self.edge = NEVER if self.gap is None else time + self.gap
        self.edge_said = False
        self.say(time)

    def fire(self) -> None:
        """Let the moment `due` pass. At the edge the value still counts; after it nothing is known."""
        now = self.due
        if now < self.edge:
            self.say(now)
        elif not self.edge_said:
            self.edge_said = True
            self.say(now)
            self.due = now
        else:
            self.end(now)
            self._lose()

    @abstractmethod
    def take(self, time: int, value: float) -> None:
        """Enter a good reading."""

    @abstractmethod
    def say(self, now: int) -> None:
        """Work out `value` as of `now`, which is known, and `due`, not after `edge`."""

    @abstractmethod
    def end(self, at: int) -> None:
        """Known time ended at that moment (it may be told twice)."""

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Which readings keep the value above `floor` and below `ceiling`, or unknown; None: nothing can be said."""
        return None

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        """How many of the first of these readings keep it so, at every moment until the last of them."""
        calm = self.calm(floor, ceiling)
        return 0 if calm is None else calm.reach(times, values, bad)

    def pass_over(self, times: Int64s, values: Float64s, bad: Bools) -> None:
        """Take readings of which `calm` or `ahead` spoke, as if one by one, with every `due` before the last one."""
        if not self.HEEDS_BAD:
            heard = ~bad
            self._absorb(times[heard], values[heard], bad[heard])
        else:
            stop = len(bad) - first_of(~bad[::-1])  # behind the last good one
            self._absorb(times[:stop], values[:stop], bad[:stop])
            for time, value in zip(times[stop:].tolist(), values[stop:].tolist(), strict=True):
                while self.due < time:
                    self.fire()
                self.read(time, value, True)
        last = int(times[-1])
        while self.due < last:
            self.fire()

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """Enter readings at once, the last one good; False, with nothing done, where only one by one will do."""
        return False

    def calm_together(self, floor: float, ceiling: float) -> dict[int, Calm] | None:
        """`calm` of several inputs, by their numbers: of those that are not named nothing matters."""
        return None

    def ahead_together(
        self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float
    ) -> int:
        """`ahead` for readings of several inputs, sorted by time."""
        return 0

    def pass_over_together(self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools) -> None:
        """`pass_over` for those that `ahead_together` spoke of."""
        raise NotImplementedError

    def take_each(self, times: Int64s, values: Float64s) -> bool:
        """`absorb` of good readings, where `say` has no influence on what is remembered: one by one, saying nothing."""
        edge = self.edge
        for time, value in zip(times.tolist(), values.tolist(), strict=True):
            if edge < time:
                self.end(edge)
            self.take(time, value)
            edge = NEVER if self.gap is None else time + self.gap
        return True

    def _absorb(self, times: Int64s, values: Float64s, bad: Bools) -> None:
        if not len(times):
            return
        if self.absorb(times, values, bad):
            last = int(times[-1])
            self.edge = NEVER if self.gap is None else last + self.gap
            self.edge_said = False
            self.say(last)
            return
        for time, value, unknown in zip(times.tolist(), values.tolist(), bad.tolist(), strict=True):
            while self.due < time:
                self.fire()
            self.read(time, value, unknown)

    def holes(self, times: Int64s) -> Bools:
        """Before which of these readings nothing was known, if none of them is bad."""
        holes = np.empty(len(times), np.bool_)
        holes[0] = times[0] > self.edge
        if self.gap is None:
            holes[1:] = False
        else:
            np.greater(np.diff(times), self.gap, out=holes[1:])
        return holes

    def inherit(self, other: "Running", before: int) -> None:  # noqa: B027 - most remember nothing beyond their lookback
        """Begin a stretch that starts at `before` with what another one like it remembers of the time until then."""

    def state(self) -> list[Any]:
        """Everything it knows, as plain values."""
        own = (_plain(getattr(self, name)) for name in self.FIELDS)
        return [self.value, self.due, self.edge, self.edge_said, *own]

    def resume(self, stored: list[Any]) -> None:
        """Go on from a `state`."""
        self.value, self.due, self.edge, self.edge_said = float(stored[0]), stored[1], stored[2], stored[3]
        for name, raw in zip(self.FIELDS, stored[4:], strict=True):
            entries = isinstance(getattr(self, name), deque)
            setattr(self, name, deque(tuple(one) if isinstance(one, list) else one for one in raw) if entries else raw)

    def _lose(self) -> None:
        self.value = UNKNOWN_VALUE
        self.due = NEVER


class Parameters(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The parameters of a signal. `of_the_point`: whether its value has the point's own unit, to show beside it."""

    of_the_point: ClassVar[bool] = False

    @property
    def lookback(self) -> int:
        """How far back (ms) a reading can matter to its value, one gap apart."""
        raise NotImplementedError

    @property
    def memory(self) -> int:
        """How far back (ms) the history is told when a rule begins: more than `lookback` for one that remembers."""
        return self.lookback

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without any knowledge; `marks` are the values that the levels compare with."""
        raise NotImplementedError


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, deque) else value


def pieces(times: Int64s, bad: Bools, since: int, edge: int, gap: int | None) -> tuple[Int64s, Int64s]:
    """From when to when (UTC ms) what came before each of these readings was in force: before the first one since
    `since` until `edge` at most; before the others a reading, for at most `gap`, a bad one not at all."""
    start = np.concatenate((np.array([since], np.int64), times[:-1]))
    end = times.copy() if gap is None else np.minimum(times, start + gap)
    end[0] = max(since, min(int(times[0]), edge))
    end[1:][bad[:-1]] = start[1:][bad[:-1]]
    return start, end
