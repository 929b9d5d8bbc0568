"""Words and figures for people: what a state, a reason or a value is called on a page. Pure.

Every word of a closed set has its text here, so that the API's words and the page's words cannot drift apart.
"""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_decimal

from api.board import Freshness, Standing
from api.i18n import Language
from api.i18n import mark as _
from domain.alarms import AlarmState, EventKind, FoodFate, Nuisance, OverlayKind, Priority, Reason, Remedy
from domain.catalogue import Point
from domain.readings import Quality
from domain.records import Latest
from domain.times import DAY, HOUR, MINUTE, SECOND, from_ms
from domain.units import Quantity, Unit

STANDINGS: Mapping[Standing, str] = {
    Standing.ALARM: _("Alarm"),
    Standing.FAULT: _("Sensor fault"),
    Standing.UNKNOWN: _("Unknown"),
    Standing.UNANSWERED: _("Unanswered"),
    Standing.SET_ASIDE: _("Set aside"),
    Standing.OUT_OF_SERVICE: _("Out of service"),
    Standing.OFF: _("Not in use"),
    Standing.UNWATCHED: _("No rule"),
    Standing.NORMAL: _("Normal"),
}
# The roles that the packs name; any other is shown by its id.
ROLES: Mapping[str, str] = {
    "canteen_manager": _("Canteen manager"),
    "maintenance": _("Maintenance"),
}
PRIORITIES: Mapping[Priority, str] = {
    Priority.LOW: _("Low"),
    Priority.MEDIUM: _("Medium"),
    Priority.HIGH: _("High"),
    Priority.URGENT: _("Urgent"),
}
STATES: Mapping[AlarmState, str] = {
    AlarmState.NORMAL: _("Over"),
    AlarmState.UNACKNOWLEDGED: _("Unanswered"),
    AlarmState.ACKNOWLEDGED: _("Acknowledged"),
    AlarmState.RETURNED_UNACKNOWLEDGED: _("Back to normal, unanswered"),
    AlarmState.LATCHED_UNACKNOWLEDGED: _("Held until reset, unanswered"),
    AlarmState.LATCHED_ACKNOWLEDGED: _("Held until reset"),
}
REASONS: Mapping[Reason, str] = {
    Reason.ABOVE_LIMIT: _("above the limit"),
    Reason.BELOW_LIMIT: _("below the limit"),
    Reason.WITHIN_LIMIT: _("within the limit again"),
    Reason.STATE_ENTERED: _("went into this state"),
    Reason.STATE_LEFT: _("left this state"),
    Reason.CHANGING_FAST: _("changes too fast"),
    Reason.STUCK: _("does not change any more"),
    Reason.OUT_OF_LIMIT_TOO_LONG: _("out of the limit for too long in all"),
    Reason.NOT_REACHED_IN_TIME: _("not there in time"),
    Reason.DUTY_BEYOND_LIMIT: _("runs too much or too little"),
    Reason.SHORT_CYCLES: _("starts and stops too often"),
    Reason.UNREADABLE: _("sends readings that cannot be used"),
    Reason.DEFROST_WRONG: _("a defrost is missing or does not end"),
    Reason.UNBALANCED: _("the phases are loaded unequally"),
    Reason.MORE_ENERGY: _("it uses more energy than it should"),
    Reason.CONDITIONS_MET: _("several conditions hold together"),
    Reason.CONDITION_OVER: _("this is over"),
    Reason.NO_DATA: _("no readings arrive"),
    Reason.DATA_RETURNED: _("readings arrive again"),
    Reason.CONNECTION_LOST: _("the connection is lost"),
    Reason.CONNECTION_BACK: _("the connection is back"),
    Reason.STEPPED_UP: _("got worse"),
    Reason.STEPPED_DOWN: _("got better"),
    Reason.RULE_CHANGED: _("the rule was changed"),
    Reason.RULE_REMOVED: _("the rule was removed"),
    Reason.POINT_REMOVED: _("the point was removed"),
    Reason.BY_PERSON: _("done by a person"),
    Reason.EXPIRED: _("time ran out"),
}
EVENTS: Mapping[EventKind, str] = {
    EventKind.RAISE: _("Raised"),
    EventKind.STEP_UP: _("Stepped up"),
    EventKind.STEP_DOWN: _("Stepped down"),
    EventKind.CLEAR: _("Cleared"),
    EventKind.PAST_RAISE: _("Raised (in the past)"),
    EventKind.PAST_CLEAR: _("Cleared (in the past)"),
    EventKind.CLOSE: _("Ended"),
    EventKind.ACKNOWLEDGE: _("Acknowledged"),
    EventKind.CONFIRM: _("Action confirmed"),
    EventKind.SILENCE: _("Silenced"),
    EventKind.RESET: _("Reset"),
    EventKind.SHELVE: _("Shelved"),
    EventKind.UNSHELVE: _("Taken from the shelf"),
    EventKind.SUPPRESS: _("Suppressed"),
    EventKind.UNSUPPRESS: _("No longer suppressed"),
    EventKind.REMOVE_FROM_SERVICE: _("Taken out of service"),
    EventKind.RETURN_TO_SERVICE: _("Back in service"),
    EventKind.ASSIGN: _("Assigned"),
    EventKind.COMMENT: _("Comment"),
}
OVERLAYS: Mapping[OverlayKind, str] = {
    OverlayKind.SHELVED: _("Shelved"),
    OverlayKind.SUPPRESSED: _("Suppressed"),
    OverlayKind.OUT_OF_SERVICE: _("Out of service"),
}
FRESHNESS: Mapping[Freshness, str] = {
    Freshness.GOOD: _("measured"),
    Freshness.UNCERTAIN: _("uncertain"),
    Freshness.BAD: _("sensor fault"),
    Freshness.OFF: _("not in use"),
    Freshness.STALE: _("too old"),
    Freshness.NEVER: _("no data yet"),
}
NUISANCES: Mapping[Nuisance, str] = {
    Nuisance.LOADING: _("Loading"),
    Nuisance.CLEANING: _("Cleaning"),
    Nuisance.DEFROST: _("Defrosting"),
    Nuisance.OTHER: _("Other"),
}
REMEDIES: Mapping[Remedy, str] = {
    Remedy.DOOR_CLOSED: _("Closed the door"),
    Remedy.ADJUSTED: _("Changed a setting"),
    Remedy.CLEANED: _("Cleaned it"),
    Remedy.REPAIRED: _("Repaired it"),
    Remedy.CALLED: _("Called for repair"),
    Remedy.NONE_NEEDED: _("Nothing was needed"),
    Remedy.OTHER: _("Something else"),
}
FOODS: Mapping[FoodFate, str] = {
    FoodFate.NOT_AFFECTED: _("No food concerned"),
    FoodFate.KEPT: _("Checked and kept"),
    FoodFate.MOVED: _("Moved elsewhere"),
    FoodFate.REHEATED: _("Reheated"),
    FoodFate.DISCARDED: _("Thrown away"),
}
# Names of states that catalogues commonly use; any other is shown as the catalogue writes it.
POINT_STATES: Mapping[str, str] = {
    "open": _("Open"),
    "closed": _("Closed"),
    "off": _("Off"),
    "run": _("Running"),
    "running": _("Running"),
    "on": _("On"),
    "fault": _("Fault"),
    "defrost": _("Defrosting"),
    "standby": _("Standby"),
    "preheating": _("Preheating"),
    "no power": _("No power"),
}
AGES = (
    (DAY, _("{n} d ago")),
    (HOUR, _("{n} h ago")),
    (MINUTE, _("{n} min ago")),
    (SECOND, _("{n} s ago")),
)
SPANS = (
    (DAY, _("{n} d")),
    (HOUR, _("{n} h")),
    (MINUTE, _("{n} min")),
    (SECOND, _("{n} s")),
)
JUST_NOW = _("just now")
UNTIL = _("until {time}")
UNTIL_PUT_BACK = _("Until somebody puts it back")
NUISANCE = _("It was nothing: {why}")

NOTHING = "—"
# Above this figure a unit is shown a thousandfold; (unit code, factor, symbol).
_LARGE = {"W": (1000.0, "kW"), "Pa": (1000.0, "kPa"), "VA": (1000.0, "kVA")}
_DECIMALS = {
    Quantity.TEMPERATURE: 1, Quantity.HUMIDITY: 0, Quantity.POWER: 0, Quantity.ENERGY: 1, Quantity.VOLTAGE: 1,
    Quantity.CURRENT: 2, Quantity.PRESSURE: 0, Quantity.CONCENTRATION: 0, Quantity.COUNT: 0,
}  # fmt: skip


def age(language: Language, ms: int) -> str:
    """How long ago, in the largest whole unit; a time of the near future (clocks differ) is just now."""
    for size, text in AGES:
        if ms >= size:
            return language.gettext(text).format(n=ms // size)
    return language.gettext(JUST_NOW)


def span(language: Language, ms: int) -> str:
    """How long, in the largest whole unit."""
    for size, text in SPANS:
        if ms >= size:
            return language.gettext(text).format(n=ms // size)
    return language.gettext(SPANS[-1][1]).format(n=0)


def length(language: Language, ms: int) -> str:
    """How long in the two largest units, where a minute counts."""
    minutes = round(ms / MINUTE)
    parts = ((minutes // 1440, _("{n} d")), (minutes // 60 % 24, _("{n} h")), (minutes % 60, _("{n} min")))
    shown = [language.gettext(text).format(n=count) for count, text in parts if count][:2]
    return " ".join(shown) or language.gettext(_("less than a minute"))


def clock(language: Language, ms: int, timezone: str, now: int) -> str:
    """The site's local time: hours and minutes, with the day when it is not today's."""
    local = _local(ms, timezone)
    if local.date() == _local(now, timezone).date():
        return f"{local:%H:%M}"
    day = "M月d日 HH:mm" if language.code == "zh" else "d MMM HH:mm"
    return str(format_datetime(local, day, locale=language.locale))


def figure(language: Language, value: float, unit: Unit) -> tuple[str, str]:
    """A measured value as number and unit, e.g. (`1.35`, `kW`); the value itself is never altered, only shown
    shorter.
    """
    factor, symbol = _LARGE.get(unit.code, (0.0, unit.symbol))
    decimals = _DECIMALS.get(unit.quantity, 2)
    if factor and abs(value) >= factor:
        value, decimals = value / factor, 2 if abs(value) < 10 * factor else 1
    elif factor:
        symbol = unit.symbol
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    shown = str(format_decimal(round(value, decimals) + 0.0, pattern, locale=language.locale)).replace(
        "-", "\N{MINUS SIGN}"
    )
    return shown, symbol


def value(language: Language, point: Point | None, number: float | None) -> tuple[str, str]:
    """A value of the point as text and unit: the state's name where it has one; a dash when there is no value."""
    if number is None or number != number or point is None:
        return (NOTHING, "") if number is None or number != number else (f"{number:g}", "")
    name = point.state_name(number)
    if name is not None:
        return state_name(language, name), ""
    if point.unit.quantity is Quantity.STATE:
        return f"{number:g}", ""
    return figure(language, number, point.unit)


def state_name(language: Language, name: str) -> str:
    """The state's name for people."""
    known = POINT_STATES.get(name)
    return language.gettext(known) if known else name


def joined(parts: tuple[str, str]) -> str:
    """Number and unit in one text, with a space that does not break."""
    return f"{parts[0]}\N{NO-BREAK SPACE}{parts[1]}" if parts[1] else parts[0]


def reading(language: Language, point: Point, latest: Latest | None) -> tuple[str, str]:
    """The newest reading as text and unit; the raw text of a bad one."""
    if latest is None:
        return NOTHING, ""
    if latest.quality is Quality.BAD:
        return state_name(language, latest.text) or NOTHING, ""
    return value(language, point, latest.value)


def _local(ms: int, timezone: str) -> datetime:
    return from_ms(ms).astimezone(ZoneInfo(timezone))
