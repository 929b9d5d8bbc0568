"""A site's calendars and schedules: terms, holidays, make-up working days, and hours of the week, as frozen values.

All dates and times are local to the site. Days are proleptic ordinals (`date.toordinal`), hours are minutes since local
midnight. Nothing here knows a time zone: what a schedule means in UTC is decided where it is judged.
"""

from dataclasses import dataclass
from datetime import date

Hours = tuple[tuple[int, int], ...]  # (start, end) in minutes of the day; an end not after its start is of the next day
Dates = tuple[tuple[int, int], ...]  # (first, last) day, both included


@dataclass(frozen=True)
class Schedule:
    """Hours of the seven days from Monday on, as the calendar lets them be.

    Without `terms` every day is in term; `holidays` have no hours; `working` are days that have those of another
    weekday (0 = Monday) although they are a weekend or holiday.
    """

    week: tuple[Hours, ...]
    terms: Dates = ()
    holidays: Dates = ()
    working: tuple[tuple[int, int], ...] = ()

    def hours_of(self, day: date) -> Hours:
        """The hours that begin on that day."""
        number = day.toordinal()
        for made_up, weekday in self.working:
            if made_up == number:
                return self.week[weekday]
        if self.terms and not _within(number, self.terms):
            return ()
        return () if _within(number, self.holidays) else self.week[day.weekday()]


def _within(number: int, dates: Dates) -> bool:
    return any(first <= number <= last for first, last in dates)
