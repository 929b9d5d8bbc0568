"""What every signal is: a pure transformer of readings into a derived series, on which an ordinary condition judges.

A signal has two halves. Its *parameters* are a frozen struct, part of the plan, so that definitions compare and travel
in snapshots; they say how far back a reading can matter (`lookback`). What is *running* holds the state: it is told
readings in ascending time, and says by `due` when its value changes by time alone. NaN is unknown: gaps and bad
readings are not guessed at. Whoever drives it fires every `due` before a reading's time first (`rules.derived`).
"""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, ClassVar

import msgspec

from rules.timeline import NEVER

UNKNOWN_VALUE = float("nan")


class Running(ABC):
    """A signal at work. `value` is in force since the last call; `due` (UTC ms) is when to call `fire` next.

    `edge` is the end of what is known: a reading counts for at most `gap` ms (None: until the next one).
    """

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
