"""The YAML form of calendars and schedules of a site's file: nodes in, `Schedule` or `InputError` with its place out.

Hours are wall-clock times of the site. Dates are `2026-05-01`, alone or as `{from: …, to: …}`, both days included.
"""

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from domain.calendar import Dates, Hours, Schedule
from domain.documents import Node
from domain.ids import check_id

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)")
_NO_WEEK: tuple[Hours, ...] = ((),) * 7


def read_schedules(schedules: Node | None, calendars: Node | None) -> Mapping[str, Schedule]:
    """The schedules of a site by name, with the calendars that they name in them."""
    known = {} if calendars is None else {name: _calendar(node) for name, node in calendars.entries().items()}
    named = {} if schedules is None else schedules.entries()
    return MappingProxyType({name: _schedule(name, node, known) for name, node in named.items()})


def _calendar(node: Node) -> Schedule:
    parts = node.fields((), ("terms", "holidays", "working_days"))
    return Schedule(
        _NO_WEEK,
        _dates(parts["terms"]) if "terms" in parts else (),
        _dates(parts["holidays"]) if "holidays" in parts else (),
        tuple(_working(item) for item in parts["working_days"].items()) if "working_days" in parts else (),
    )


def _schedule(name: str, node: Node, calendars: Mapping[str, Schedule]) -> Schedule:
    try:
        check_id(name, "schedule")
    except ValueError as error:
        raise node.error(str(error)) from None
    parts = node.fields(("hours",), ("calendar",))
    base = Schedule(_NO_WEEK)
    if "calendar" in parts:
        base = calendars[parts["calendar"].text(one_of=tuple(calendars) or ("(this file has no calendars)",))]
    week: list[Hours | None] = [None] * 7
    for days, hours in parts["hours"].entries().items():
        for day in _days(days, hours):
            if week[day] is not None:
                raise hours.error(f"{_DAYS[day]} has hours already", "name each day once")
            week[day] = tuple(_hours(item) for item in hours.items())
    whole = tuple(hours or () for hours in week)
    if not any(whole):
        raise parts["hours"].error("there are no hours", 'write for example {mon-fri: ["11:00-13:30"]}')
    return Schedule(whole, base.terms, base.holidays, base.working)


def _days(text: str, node: Node) -> range:
    first, _, last = text.partition("-")
    if first not in _DAYS or (last or first) not in _DAYS or _DAYS.index(last or first) < _DAYS.index(first):
        raise node.error(
            f"{text!r} is no day of the week", "use mon, tue, wed, thu, fri, sat, sun, or a span such as mon-fri"
        )
    return range(_DAYS.index(first), _DAYS.index(last or first) + 1)


def _hours(node: Node) -> tuple[int, int]:
    found = _SPAN.fullmatch(node.text().strip())
    if found is None:
        raise node.error(f"{node.text()!r} is no span of hours", 'write for example "11:00-13:30"')
    start = int(found[1]) * 60 + int(found[2])
    end = int(found[3]) * 60 + int(found[4])
    if start >= 1440 or end > 1440 or start == end:
        raise node.error(f"{node.text()!r} is no span of hours", "the whole day is 00:00-24:00")
    return start, end


def _dates(node: Node) -> Dates:
    found = []
    for item in node.items():
        if not item.is_mapping:
            day = _day(item)
            found.append((day, day))
            continue
        parts = item.fields(("from", "to"))
        first, last = _day(parts["from"]), _day(parts["to"])
        if last < first:
            raise parts["to"].error("it ends before it begins", "write the earlier day after from")
        found.append((first, last))
    return tuple(found)


def _working(node: Node) -> tuple[int, int]:
    """A make-up working day and the weekday whose hours it has; Monday where the file does not say."""
    if not node.is_mapping:
        return _day(node), 0
    parts = node.fields(("date",), ("as",))
    return _day(parts["date"]), _DAYS.index(parts["as"].text(one_of=_DAYS)) if "as" in parts else 0


def _day(node: Node) -> int:
    try:
        return date.fromisoformat(node.text()).toordinal()
    except ValueError:
        raise node.error(f"{node.text()!r} is no date", "write for example 2026-05-01") from None
