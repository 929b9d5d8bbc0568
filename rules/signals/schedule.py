"""Opening hours as a signal: 1 within a schedule's hours, 0 outside, in the site's own time zone; it is never unknown.

Hours are wall-clock times of a local day; those that end at or before their start run on into the next day. Clock
changes: a time that is skipped in spring is as much later as the clock jumped (02:30 is 03:30), a time that comes twice
in autumn counts from its first to its last. Holidays and days outside the terms have no hours; a make-up working day
has those of the weekday that it stands for.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.batch import Float64s, Int64s
from domain.calendar import Schedule
from domain.times import DAY
from rules.signals.base import Bools, Calm, Parameters, Running

AHEAD = 8  # days that are looked through for the next change; then it is looked again


class InSchedule(Parameters, frozen=True, array_like=True, tag=True):
    """1 within the hours of the schedule (in the zone of that IANA name), 0 outside."""

    zone: str
    schedule: Schedule

    @property
    def lookback(self) -> int:
        """None: the calendar says it all."""
        return 0

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin with the first reading of whatever the rule looks at."""
        return _InSchedule(self)


class _InSchedule(Running):
    def __init__(self, what: InSchedule) -> None:
        super().__init__(None)
        self.what = what

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        """Only the time counts."""
        if not time < self.due or self.value != self.value:
            self.say(time)

    def fire(self) -> None:
        """The hours begin or end."""
        self.say(self.due)

    def take(self, time: int, value: float) -> None:
        """Readings say nothing about the hours."""

    def end(self, at: int) -> None:
        """The hours are known always."""

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Whatever comes before the hours begin or end."""
        return Calm(until=self.due - 1) if floor < self.value < ceiling else None

    def pass_over(self, times: Int64s, values: Float64s, bad: Bools) -> None:
        """Only the time counts, and nothing changes yet."""

    def say(self, now: int) -> None:
        """Whether it is within the hours, and when that changes."""
        inside, self.due = standing(self.what.schedule, self.what.zone, now)
        self.value = float(inside)


def standing(schedule: Schedule, zone: str, now: int) -> tuple[bool, int]:
    """Whether `now` (UTC ms) is within the hours, and when to look again: at the next change, or in some days."""
    today = datetime.fromtimestamp(now / 1000, ZoneInfo(zone)).date()
    spans = [span for day in range(-1, AHEAD) for span in _spans(schedule, zone, today + timedelta(days=day))]
    inside = [end for start, end in spans if start <= now < end]
    if inside:
        end = max(inside)
        while joined := [later for start, later in spans if start <= end < later]:
            end = max(joined)
        return True, end
    coming = [start for start, end in spans if start > now and end > start]
    return False, min(coming, default=now + (AHEAD - 2) * DAY)


@lru_cache(maxsize=4_096)
def _spans(schedule: Schedule, zone: str, day: date) -> tuple[tuple[int, int], ...]:
    """The hours of that local day in UTC ms."""
    return tuple(
        (_moment(day, start, zone, last=False), _moment(day, end if end > start else end + 1440, zone, last=True))
        for start, end in schedule.hours_of(day)
    )


def _moment(day: date, minutes: int, zone: str, last: bool) -> int:
    """UTC ms of that time of that local day; of a time that comes twice the first or the last."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + timedelta(minutes=minutes)  # by the clock
    # Of a time that is skipped, fold 1 is the earlier moment: by the clock before the jump.
    first, second = (local.replace(fold=fold).astimezone(UTC).timestamp() for fold in (0, 1))
    return round((max(first, second) if last else first) * 1000)
