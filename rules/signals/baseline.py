"""More energy than usual: against the same hours of the time before, as the place or the machine itself used to be.

The usual of a building is the mean of that hour of the week (Monday 00:00 to Sunday 23:00 on the site's clock) over
the last weeks; it is unknown until two of them were seen. That of a machine, which knows no weekdays and may break
before a fortnight is over, is the median of that hour of the day over the last days, three of them at least: a bad day
among them does not move it, and hours in which nothing ran are left out, as a unit that was off for a holiday would
else seem to use too much ever after.

Judged when an hour is complete, over the last `hours` of them together, of which one in twelve may be unknown. Days
that the site's calendar makes unlike their weekday (holidays, outside the terms, make-up days) are neither learnt nor
judged when a schedule is named. Where the usual is nothing, more than usual has no meaning: unknown.
"""

from datetime import date, datetime
from itertools import takewhile
from statistics import median
from zoneinfo import ZoneInfo

from domain.calendar import Schedule
from domain.times import DAY, HOUR
from rules.signals.base import UNKNOWN_VALUE, Running
from rules.signals.metered import ByHour, RememberingHours, day_of

LEAST_WEEKS = 2  # seen of an hour of the week before it has a usual
LEAST_DAYS = 3  # the same of an hour of the day: fewer have no middle
# how a usual is learnt -> what counts it in a rule file, what does not, least, omitted, most
USUALS = {"hour_of_week": ("weeks", "days", LEAST_WEEKS, 4, 12), "hour_of_day": ("days", "weeks", LEAST_DAYS, 14, 60)}
LEAST_POWER = 1.0  # W: a machine that draws less in an hour was off
UNKNOWN_HOURS = 12  # one in so many of the hours that are judged together may be unknown
CLOCK = 2 * HOUR  # the same local hour of other weeks is a clock change away at most
WEEK = 7 * DAY


class Baseline(ByHour, frozen=True, array_like=True, tag=True):
    """Percent above the usual of the same hours, over the last `hours` complete hours.

    The usual is that of the hour of the week in the last `weeks` weeks, or, with `days`, of the hour of the day in so
    many days.
    """

    weeks: int = 4
    hours: int = 1
    like: str = ""  # the schedule whose calendar says which days are ordinary
    schedule: Schedule | None = None
    days: int = 0

    @property
    def span(self) -> int:
        """How far back (ms) the usual is learnt."""
        return self.days * DAY or self.weeks * WEEK

    @property
    def memory(self) -> int:
        """The weeks, or days."""
        return self.span + (self.hours + 2) * HOUR

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without a memory."""
        return _Baseline(self, gap)


class _Baseline(RememberingHours):
    """An entry: start (UTC ms), hour of the week (or day), mean power (W)."""

    def __init__(self, what: Baseline, gap: int | None) -> None:
        super().__init__(what, gap)
        self.what = what

    def entry(self) -> tuple[float, ...]:
        return self.start, self._hour(), self.mean()

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

    def _hour(self) -> int:
        hour = _hour_of_day(self.zone, self.start)
        return hour if self.what.days else date.fromordinal(day_of(self.zone, self.start)).weekday() * 24 + hour

    def derive(self) -> float:
        begin = self.start - self.what.hours * HOUR
        latest = list(takewhile(lambda entry: entry[0] >= begin, reversed(self.entries)))[::-1]
        alike: dict[float, list[tuple[float, float]]] = {hour: [] for _, hour, _ in latest}
        for start, hour, power in self.entries:
            if hour in alike:
                alike[hour].append((start, power))
        used = usual = 0.0
        for entry in latest:
            figure = self._usual(entry[0], alike[entry[1]])
            if figure != figure:
                return UNKNOWN_VALUE
            used, usual = used + entry[2], usual + figure
        if len(latest) < self.what.hours - self.what.hours // UNKNOWN_HOURS or usual <= 0.0:
            return UNKNOWN_VALUE
        return 100.0 * (used / usual - 1.0)

    def _usual(self, start: float, alike: list[tuple[float, float]]) -> float:
        """What the same hour used to draw (W) before the one that starts then; NaN where too little of it is known."""
        oldest = start - self.what.span - CLOCK
        before = [power for at, power in alike if oldest <= at < start]
        if not self.what.days:
            return sum(before) / len(before) if len(before) >= LEAST_WEEKS else UNKNOWN_VALUE
        ran = [power for power in before if power >= LEAST_POWER]
        return median(ran) if len(ran) >= LEAST_DAYS else UNKNOWN_VALUE


def _hour_of_day(zone: str, start: int) -> int:
    return datetime.fromtimestamp(start / 1000, ZoneInfo(zone)).hour
