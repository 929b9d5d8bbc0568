"""How much of the energy is used when nobody is there: outside the hours of a schedule of the site.

The share of the last complete local days together, by when the energy was drawn; judged when a day is over. Known
when two thirds of those days are, and anything was used at all. Holidays and days outside the terms have no hours
(`domain.calendar`), so all that they use is out of hours.
"""

from domain.batch import Int64s
from domain.calendar import Schedule
from domain.times import DAY
from rules.signals.base import UNKNOWN_VALUE, Running
from rules.signals.metered import Metered, Remembering, day_at
from rules.signals.schedule import standing


class OutOfHours(Metered, frozen=True, array_like=True, tag=True):
    """Percent of the energy of the last `days` local days that was used outside the hours of the schedule `hours`."""

    hours: str = ""
    days: int = 7
    schedule: Schedule | None = None  # those hours, filled in for a site

    @property
    def lookback(self) -> int:
        """The day of a late reading and the one before: what lies further back is remembered."""
        return 2 * DAY

    @property
    def memory(self) -> int:
        """The days."""
        return (self.days + 2) * DAY

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without a memory."""
        return _OutOfHours(self, gap)


class _OutOfHours(Remembering):
    """An entry: start (UTC ms), known ms, energy, energy out of hours (thousandths of a watt times ms)."""

    def __init__(self, what: OutOfHours, gap: int | None) -> None:
        assert what.schedule is not None
        super().__init__(what, gap)
        self.what = what
        self.schedule = what.schedule
        self.inside, self.looked, self.until_change = False, 0, 0  # within the hours from when until when

    def period(self, at: int) -> tuple[int, int]:
        return day_at(self.zone, at)

    def entry(self) -> tuple[float, ...]:
        return self.start, self.known, self.energy, self.apart

    def set_apart(self, start: int, end: int, energy: int) -> int:
        """What of it falls outside the hours."""
        at, left, out = start, energy, 0
        while at < end:
            if not self.looked <= at < self.until_change:
                self.looked = at
                self.inside, self.until_change = standing(self.schedule, self.zone, at)
            cut = min(end, self.until_change)
            piece = left * (cut - at) // (end - at)
            left -= piece
            out += 0 if self.inside else piece
            at = cut
        return out

    def set_apart_together(self, start: Int64s, end: Int64s, energy: Int64s) -> int | None:
        """Within or without the hours as a whole, or not known at once."""
        if not self.looked <= start[0] <= end[-1] <= self.until_change:
            return None
        return 0 if self.inside else int(energy.sum())

    def derive(self) -> float:
        first = day_at(self.zone, self.start - self.what.days * DAY + DAY // 2)[0]
        days = [entry for entry in self.entries if first <= entry[0] < self.start]
        total = sum(entry[2] for entry in days)
        if 3 * sum(entry[1] for entry in days) < 2 * (self.start - first) or total <= 0:
            return UNKNOWN_VALUE
        return 100.0 * sum(entry[3] for entry in days) / total
