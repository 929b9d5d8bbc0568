"""What runs all night: the lowest hour of each day, averaged over some days.

The least hourly mean of a local day, not its least reading (one dropout to 0 would hide everything) and not a
percentile (which needs all readings). Judged when a day is over; a day counts when two thirds of its hours do.
"""

from collections import defaultdict

from domain.times import DAY, HOUR
from rules.signals.base import UNKNOWN_VALUE, Running
from rules.signals.metered import FINE, Metered, Remembering, day_of, hour_at

ENOUGH_HOURS = 16  # of a day


class BaseLoad(Metered, frozen=True, array_like=True, tag=True):
    """W: the mean over the last `days` local days of each day's lowest hourly mean."""

    days: int = 1

    @property
    def lookback(self) -> int:
        """The hour of a late reading and the one before: what lies further back is remembered."""
        return 2 * HOUR

    @property
    def memory(self) -> int:
        """The days, each with its whole day."""
        return (self.days + 2) * DAY

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without a memory."""
        return _BaseLoad(self, gap)


class _BaseLoad(Remembering):
    """An entry: start (UTC ms), local day, mean power (W)."""

    def __init__(self, what: BaseLoad, gap: int | None) -> None:
        super().__init__(what.zone, what.counter, gap)
        self.what = what

    def horizon(self) -> int:
        return self.what.memory

    def period(self, at: int) -> tuple[int, int]:
        return hour_at(self.zone, at)

    def entry(self) -> tuple[float, ...]:
        return self.start, day_of(self.zone, self.start), self.energy / (self.known * FINE)

    def derive(self) -> float:
        today = day_of(self.zone, self.start)
        hours: defaultdict[int, list[float]] = defaultdict(list)
        for _, day, mean in self.entries:
            if today - self.what.days <= day < today:
                hours[int(day)].append(mean)
        lowest = [min(means) for means in hours.values() if len(means) >= ENOUGH_HOURS]
        return sum(lowest) / len(lowest) if len(lowest) == self.what.days else UNKNOWN_VALUE
