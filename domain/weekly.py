"""A moment of the week at a site: when the weekly list is due, whatever the clock changes. Pure.

Written as a weekday and a time of day, `monday 08:00`, in the site's own time zone.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain.times import from_ms, to_ms

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TEXT = re.compile(r"([a-z]+)\s+([0-2]?\d):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Weekly:
    """`day` 0 is Monday; `hour` and `minute` are the site's local time."""

    day: int
    hour: int
    minute: int

    def last(self, now: int, timezone: str) -> int:
        """The newest such moment that is not after `now` (both UTC ms)."""
        zone = ZoneInfo(timezone)
        local = from_ms(now).astimezone(zone)
        date = local.date() - timedelta(days=(local.weekday() - self.day) % 7)
        for weeks in (0, 1):
            on = date - timedelta(weeks=weeks)
            moment = to_ms(datetime(on.year, on.month, on.day, self.hour, self.minute, tzinfo=zone))
            if moment <= now:
                return moment
        raise AssertionError("a week has passed, and its moment has not")


def parse_weekly(text: str) -> Weekly:
    """`monday 08:00` or `mon 8:00`. ValueError says what is wrong."""
    found = _TEXT.fullmatch(text.strip().lower())
    days = [number for number, name in enumerate(DAYS) if found and len(found[1]) >= 2 and name.startswith(found[1])]
    if found is None or len(days) != 1 or int(found[2]) > 23:
        raise ValueError(f"{text!r} is no weekday and time of day: write for example monday 08:00")
    return Weekly(days[0], int(found[2]), int(found[3]))
