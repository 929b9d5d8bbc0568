"""What the edge asks of a source of readings. No numpy here: this runs on the edge box."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from domain.readings import Reading


@dataclass(frozen=True, slots=True)
class PointDescription:
    """One point as an agent announces it: unit code as published (SenML), interval in ms, states as text -> number."""

    point: str
    unit: str
    interval: int | None = None
    states: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


class Source(Protocol):
    """A place that readings come from: a simulated plant, a CSV file, a sensor directory, registers.

    The agent calls `read` once per sampling cycle, from one thread. A source never raises for a fault of its hardware:
    it returns a `bad` reading with the raw text, so that the fault is evidence. It does raise `CaretakerError` from
    `open` when its configuration cannot work.
    """

    def open(self) -> None:
        """Acquire what it needs."""

    def points(self) -> Sequence[PointDescription]:
        """What it will publish."""

    def read(self, now: int) -> Iterable[Reading]:
        """Readings that became available until `now` (UTC ms), in ascending event time; may be many after a pause.

        A source may yield a long history lazily; the agent stores as it iterates.
        """

    @property
    def exhausted(self) -> bool:
        """Whether no more readings will ever come (a replay that ended)."""

    def close(self) -> None:
        """Release what it holds."""


@runtime_checkable
class RecordedTime(Protocol):
    """What a source adds whose readings carry a recorded time of their own, not the agent's clock (a CSV replay).

    Without it the agent takes `now` as the promise once `read(now)` was iterated to its end.
    """

    @property
    def complete_until(self) -> int:
        """UTC ms: nothing earlier than this follows, once what `read` returned was iterated to its end."""
