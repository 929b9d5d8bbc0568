"""How far each agent's clock is off, judged from when it says that it sent a pack and when the pack arrived.

Pure. A message takes time, so `sent - received` of one pack says only that the clock is at least so far ahead; the
greatest value of some minutes is the estimate (network delay and queues make the others smaller). A clock that seems
behind may be a queue being emptied, so that is believed only after `BELIEVED_AFTER` of packs that all say so. The
readings themselves never count: they may be days old. Nothing is altered: the verdict is an annotation of the agent.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from domain.times import MINUTE

BOUND = MINUTE  # beyond it a clock counts as wrong
WINDOW = 10  # minutes that the estimate looks back
BELIEVED_AFTER = 5 * MINUTE  # of packs, before a clock counts as behind


class ClockVerdict(StrEnum):
    """What is thought of an agent's clock: the same word in the log, the store and the sign of life."""

    RIGHT = "right"
    AHEAD = "ahead"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class ClockNote:
    """One agent's clock: `skew` ms ahead of ingest's (negative: behind), as estimated."""

    agent: str
    verdict: ClockVerdict
    skew: int


@dataclass(slots=True)
class _Window:
    """The greatest `sent - received` of each minute that had a pack."""

    minutes: deque[tuple[int, int]] = field(default_factory=deque)
    verdict: ClockVerdict | None = None

    def add(self, minute: int, skew: int) -> None:
        while self.minutes and not 0 <= minute - self.minutes[0][0] < WINDOW:
            self.minutes.popleft()
        if self.minutes and self.minutes[-1][0] == minute:
            skew = max(skew, self.minutes.pop()[1])
        self.minutes.append((minute, skew))

    @property
    def skew(self) -> int:
        return max(skew for _, skew in self.minutes)


class ClockWatch:
    """The clocks of one site's agents."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def note(self, agent: str, received: int, sent: int) -> ClockNote | None:
        """Take one pack's times (UTC ms); the agent's note when the verdict is new, else None."""
        window = self._windows.setdefault(agent, _Window())
        window.add(received // MINUTE, sent - received)
        skew = window.skew
        if skew > BOUND:
            verdict = ClockVerdict.AHEAD
        elif skew >= -BOUND:
            verdict = ClockVerdict.RIGHT
        elif (received // MINUTE - window.minutes[0][0]) * MINUTE >= BELIEVED_AFTER:
            verdict = ClockVerdict.BEHIND
        else:
            return None
        if verdict is window.verdict:
            return None
        window.verdict = verdict
        return ClockNote(agent, verdict, skew)

    def wrong(self) -> Mapping[str, ClockNote]:
        """The agents whose clocks are off, with the present estimate."""
        return {
            agent: ClockNote(agent, window.verdict, window.skew)
            for agent, window in list(self._windows.items())
            if window.verdict not in (None, ClockVerdict.RIGHT)
        }
