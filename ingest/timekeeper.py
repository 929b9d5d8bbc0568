"""What one site's judge is told of time, and which of it the journal must know.

Decides two things. First, whether ingest itself stood still (a stalled store, a sleeping machine, a restart): then the
judge is told that nothing could be heard meanwhile. Second, when a tick of the clock is journalled: by itself when it
said or changed something, or the last one is old; otherwise together with the next entry, so that a replay feeds every
batch at the very frontiers at which it was fed (devices without promises are moved by the clock). Reads no clock.
"""

from domain.records import Clock
from domain.times import SECOND

DEAF_AFTER = 5 * SECOND  # a pause of ingest's own that the no-data clock must not count


class Timekeeper:
    """Remembers what was told. `deaf`: nothing was heard since the newest time of `newest` (UTC ms)."""

    def __init__(self, newest: int, now: int, *, deaf: bool, entry_every: int) -> None:
        self._time = newest
        self._seen_at = now
        self._deaf = deaf
        self._every = entry_every
        self._entry_at = 0
        self._connected = True
        self._untold: Clock | None = None

    def now(self, clock: int) -> int:
        """The time, UTC ms, never going back: the journal's order is the order of its times."""
        self._time = max(self._time, clock)
        return self._time

    def look_up(self, now: int) -> None:
        """Notice a pause of ingest's own: it heard nothing meanwhile."""
        self._deaf = self._deaf or now - self._seen_at > DEAF_AFTER
        self._seen_at = now

    def recovered(self) -> bool:
        """Whether the judge has to be told first that nothing could be heard; True once per pause."""
        deaf, self._deaf = self._deaf, False
        return deaf

    def told(self, tick: Clock, *, spoke: bool) -> bool:
        """The judge was told the time, and said something or not; whether that must be journalled now."""
        due = tick.now - self._entry_at >= self._every
        if spoke or due or tick.connected != self._connected:
            self._entry_at, self._connected = tick.now, tick.connected
            if tick.connected:  # it says all that an earlier tick said; a deaf one does not count the time before it
                self._untold = None
            return True
        self._untold = tick
        return False

    def take_untold(self) -> Clock | None:
        """The newest tick that the judge knows and the journal does not: to be journalled before the next entry."""
        tick, self._untold = self._untold, None
        if tick is not None:
            self._entry_at = tick.now
        return tick
