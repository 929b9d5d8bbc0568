"""More energy than usual: against the same hours of the week before, as the place itself used to be.

The usual is the mean of that hour of the week (Monday 00:00 to Sunday 23:00 on the site's clock) over the last weeks;
it is unknown until two of them were seen. Judged when an hour is complete, over the last `hours` of them together. Days
that the site's calendar makes unlike their weekday (holidays, outside the terms, make-up days) are neither learnt nor
judged when a schedule is named. Where the usual is nothing, more than usual has no meaning: unknown.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from domain.calendar import Schedule
from domain.times import DAY, HOUR
from rules.signals.base import UNKNOWN_VALUE, Running
from rules.signals.metered import ByHour, RememberingHours, day_of

LEAST_WEEKS = 2  # seen of an hour of the week before it has a usual
CLOCK = 2 * HOUR  # the same local hour of other weeks is a clock change away at most
WEEK = 7 * DAY


class Baseline(ByHour, frozen=True, array_like=True, tag=True):
    """Percent above the mean of the same hours of the last `weeks` weeks, over the last `hours` complete hours."""

    weeks: int = 4
    hours: int = 1
    like: str = ""  # the schedule whose calendar says which days are ordinary
    schedule: Schedule | None = None

    @property
    def memory(self) -> int:
        """The weeks."""
        return self.weeks * WEEK + (self.hours + 2) * HOUR

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without a memory."""
        return _Baseline(self, gap)


class _Baseline(RememberingHours):
    """An entry: start (UTC ms), hour of the week, mean power (W)."""

    def __init__(self, what: Baseline, gap: int | None) -> None:
        super().__init__(what, gap)
        self.what = what

    def entry(self) -> tuple[float, ...]:
        return self.start, self._hour_of_week(), self.mean()

    def _turn(self, at: int) -> None:
        if at >= self.until > 0 and not self._ordinary():
            self.known = 0
        super()._turn(at)

    def _ordinary(self) -> bool:
        schedule = self.what.schedule
        if schedule is None:
            return True
        day = date.fromordinal(day_of(self.zone, self.start))
        return schedule.hours_of(day) == schedule.week[day.weekday()]

    def _hour_of_week(self) -> int:
        today = day_of(self.zone, self.start)
        return date.fromordinal(today).weekday() * 24 + _hour_of_day(self.zone, self.start)

    def derive(self) -> float:
        used = usual = 0.0
        judged = [entry for entry in self.entries if self.start - self.what.hours * HOUR <= entry[0] < self.start]
        if len(judged) < self.what.hours:
            return UNKNOWN_VALUE
        for start, hour, mean in judged:
            oldest = start - self.what.weeks * WEEK - CLOCK
            before = [entry[2] for entry in self.entries if entry[1] == hour and oldest <= entry[0] < start]
            if len(before) < LEAST_WEEKS:
                return UNKNOWN_VALUE
            used += mean
            usual += sum(before) / len(before)
        return 100.0 * (used / usual - 1.0) if usual > 0.0 else UNKNOWN_VALUE


def _hour_of_day(zone: str, start: int) -> int:
    return datetime.fromtimestamp(start / 1000, ZoneInfo(zone)).hour
