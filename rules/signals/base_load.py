"""What runs all night: the lowest hour of each day, averaged over some days.

The least hourly mean of a local day, not its least reading (one dropout to 0 would hide everything) and not a
percentile (which needs all readings). Judged when a day is over; a day counts when two thirds of its hours do.
"""

from collections import defaultdict

from domain.times import DAY
from rules.signals.base import UNKNOWN_VALUE, Running
from rules.signals.metered import ByHour, RememberingHours, day_of

ENOUGH_HOURS = 16  # of a day


class BaseLoad(ByHour, frozen=True, array_like=True, tag=True):
    """W: the mean over the last `days` local days of each day's lowest hourly mean."""

    days: int = 1

    @property
    def memory(self) -> int:
        """The days, each with its whole day."""
        return (self.days + 2) * DAY

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without a memory."""
        return _BaseLoad(self, gap)


class _BaseLoad(RememberingHours):
    """An entry: start (UTC ms), local day, mean power (W)."""

    def __init__(self, what: BaseLoad, gap: int | None) -> None:
        super().__init__(what, gap)
        self.what = what

    def entry(self) -> tuple[float, ...]:
        return self.start, day_of(self.zone, self.start), self.mean()

    def derive(self) -> float:
        today = day_of(self.zone, self.start)
        hours: defaultdict[int, list[float]] = defaultdict(list)
        for _, day, mean in self.entries:
            if today - self.what.days <= day < today:
                hours[int(day)].append(mean)
        lowest = [min(means) for means in hours.values() if len(means) >= ENOUGH_HOURS]
        return sum(lowest) / len(lowest) if len(lowest) == self.what.days else UNKNOWN_VALUE
