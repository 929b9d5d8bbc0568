"""A meter told in words: what is drawn at each quarter of an hour of local time, and what is said of it."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain.alarms import AlarmEvent
from domain.batch import batch_of
from domain.catalogue_file import load_catalogue
from domain.readings import Reading
from domain.times import MINUTE
from rules.engine import Engine
from rules.loading import load_rules

QUARTER = 15 * MINUTE
SITE_TEXT = """\
site: {id: s, timezone: ZONE, commissioned_at: 1970-01-01T00:00:00Z}
areas: [{id: k}]
assets:
  - id: meter
    type: energy_meter
    area: k
    points:
      power: {unit: W, interval: 15min}
      energy: {unit: kWh, interval: 15min}
      temperature: {unit: Cel, interval: 15min}
calendars:
  school: {holidays: [2026-01-26]}
schedules:
  open: {calendar: school, hours: {mon-fri: ["08:00-18:00"]}}
"""
Draw = Callable[[datetime], float | None]  # W at that local time; None: no reading
Said = list[tuple[str, str]]


def site(zone: str) -> str:
    return SITE_TEXT.replace("ZONE", zone)


def moment(text: str, zone: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def quarters(draw: Draw, first: str, days: float, zone: str = "Asia/Shanghai") -> list[Reading]:
    """Readings of meter/power from that local midnight on."""
    start, rows = moment(first, zone), []
    for number in range(round(days * 96)):
        time = start + number * QUARTER
        watts = draw(datetime.fromtimestamp(time / 1000, ZoneInfo(zone)))
        if watts is not None:
            rows.append(Reading("meter/power", time, watts))
    return rows


def counted(rows: Iterable[Reading]) -> list[Reading]:
    """The same as a counter of energy, read at the same moments."""
    total, before, found = 1000.0, None, []
    for row in rows:
        if before is not None:
            total += before.value * (row.time - before.time) / 3.6e9
        found.append(Reading("meter/energy", row.time, total))
        before = row
    return found


def engine_of(condition: str, metric: str = "power", zone: str = "Asia/Shanghai", more: str = "") -> Engine:
    engine = Engine("s")
    rule = f"rules: [{{id: r, applies_to: {{metric: {metric}}}, condition: {condition}, priority: low{more}}}]"
    engine.set_rules(load_catalogue(site(zone), "s.yaml"), load_rules(rule, "r.yaml"), 0)
    return engine


def feed(engine: Engine, rows: list[Reading]) -> list[AlarmEvent]:
    """Tell it all of them, and that time has come to the end of the last one's quarter."""
    end = max(row.time for row in rows) + QUARTER
    return engine.feed(batch_of("s", end, rows, agent="a", upto=end))


def when(events: Iterable[AlarmEvent], zone: str = "Asia/Shanghai") -> Said:
    """Local time and kind of each."""
    shown = [(datetime.fromtimestamp(event.at / 1000, ZoneInfo(zone)), event.kind.value) for event in events]
    return [(f"{at:%a %m-%d %H:%M}", kind) for at, kind in shown]


def told(condition: str, rows: list[Reading], zone: str = "Asia/Shanghai") -> Said:
    metric = rows[0].point.partition("/")[2]
    return when(feed(engine_of(condition, metric, zone), rows), zone)


def kitchen(at: datetime) -> float:
    """2 kW from 8 to 18 o'clock on weekdays, else 200 W."""
    return 2000.0 if at.weekday() < 5 and 8 <= at.hour < 18 else 200.0


def with_extra(draw: Draw, begin: str, hours: float, watts: float) -> Draw:
    """The same, with an oven left on from that local time."""

    def drawn(at: datetime) -> float | None:
        before = draw(at)
        start = datetime.fromisoformat(begin).replace(tzinfo=at.tzinfo)
        return before if before is None or not start <= at < start + timedelta(hours=hours) else before + watts

    return drawn
