"""Schedules of a site: hours of the week, terms, holidays and make-up days, on days on which clocks change too."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from domain.alarms import AlarmEvent
from domain.batch import batch_of
from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.errors import InputError
from domain.readings import Reading
from domain.times import HOUR, MINUTE
from rules.engine import Engine
from rules.loading import load_rules
from rules.matching import check_against
from rules.signals.schedule import standing

FILE = """\
site: {{id: s, timezone: {zone}, commissioned_at: 1970-01-01T00:00:00Z}}
areas: [{{id: k}}]
assets:
  - {{id: room, type: cold_dish_room, area: k, points: {{temperature: {{unit: Cel, interval: 60s}}}}}}
calendars:
  school:
    terms: [{{from: 2026-03-01, to: 2026-07-10}}]
    holidays: [2026-04-06, {{from: 2026-05-01, to: 2026-05-05}}]
    working_days: [2026-05-09, {{date: 2026-05-10, as: wed}}]
schedules:
  meals:
    calendar: school
    hours: {{mon-tue: ["11:00-13:30"], wed: ["06:30-08:00", "11:00-14:00"], thu-fri: ["11:00-13:30"]}}
  night: {{hours: {{mon-sun: ["22:00-06:00"]}}}}
  early: {{hours: {{mon-sun: ["01:30-02:30"]}}}}
  whole: {{hours: {{mon-sun: ["00:00-24:00"]}}}}
"""


def site(zone: str = "Asia/Shanghai") -> Catalogue:
    return load_catalogue(FILE.format(zone=zone), "site.yaml")


def moment(text: str, zone: str = "Asia/Shanghai", fold: int = 0) -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(local.timestamp() * 1000)


def spans(schedule: str, start: str, hours: int, zone: str = "Asia/Shanghai") -> list[tuple[str, float]]:
    """Local beginnings and lengths in hours of what a schedule says from a moment on."""
    catalogue = site(zone)
    now, found = moment(start, zone), []
    end = now + hours * HOUR
    while now < end:
        inside, change = standing(catalogue.schedules[schedule], zone, now)
        if inside:
            local = datetime.fromtimestamp(now / 1000, ZoneInfo(zone))
            found.append((local.strftime("%m-%d %H:%M"), (change - now) / HOUR))
        assert change > now
        now = change
    return found


def test_the_hours_of_each_day_of_the_week() -> None:
    assert spans("meals", "2026-03-02T00:00", 72) == [
        ("03-02 11:00", 2.5),
        ("03-03 11:00", 2.5),
        ("03-04 06:30", 1.5),
        ("03-04 11:00", 3.0),
    ]
    assert spans("meals", "2026-03-07T00:00", 48) == [], "a weekend"


def test_holidays_terms_and_make_up_days() -> None:
    assert spans("meals", "2026-04-06T00:00", 24) == [], "a holiday on a Monday"
    assert spans("meals", "2026-05-01T00:00", 24 * 5) == []
    assert spans("meals", "2026-05-09T00:00", 48) == [
        ("05-09 11:00", 2.5),
        ("05-10 06:30", 1.5),
        ("05-10 11:00", 3.0),
    ], "a Saturday with Monday's hours, a Sunday with Wednesday's"
    assert spans("meals", "2026-07-13T00:00", 24 * 20) == [], "after the term"


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    assert spans("night", "2026-03-02T12:00", 24) == [("03-02 22:00", 8.0)]


def test_a_whole_week_of_whole_days_has_no_seams() -> None:
    inside, change = standing(site().schedules["whole"], "Asia/Shanghai", moment("2026-03-02T12:00"))
    assert inside
    assert change > moment("2026-03-08T00:00")


def test_a_day_with_an_hour_less() -> None:
    """Berlin, 29 March 2026: 02:00 becomes 03:00."""
    zone = "Europe/Berlin"
    assert spans("night", "2026-03-28T12:00", 24, zone) == [("03-28 22:00", 7.0)]
    assert spans("early", "2026-03-29T00:00", 12, zone) == [("03-29 01:30", 1.0)], "02:30 is 03:30 that day"
    assert spans("meals", "2026-03-30T00:00", 24, zone) == [("03-30 11:00", 2.5)]


def test_a_day_with_an_hour_more() -> None:
    """Berlin, 25 October 2026: 03:00 becomes 02:00."""
    zone = "Europe/Berlin"
    assert spans("night", "2026-10-24T12:00", 24, zone) == [("10-24 22:00", 9.0)]
    assert spans("early", "2026-10-25T00:00", 12, zone) == [("10-25 01:30", 2.0)], "until the second 02:30"


def told(lines: str, start: str, minutes: int, zone: str = "Asia/Shanghai") -> list[tuple[str, str]]:
    """Local times at which a room of 27 °C all the time is said to be too warm, and no longer."""
    engine = Engine("s")
    rule = f"rules: [{{id: r, applies_to: {{metric: temperature}}, condition: {{above: 25}}, priority: low, {lines}}}]"
    first = moment(start, zone)
    engine.set_rules(site(zone), load_rules(rule, "r.yaml"), first)
    rows = [Reading("room/temperature", first + minute * MINUTE, 27.0) for minute in range(minutes)]
    events = engine.feed(batch_of("s", rows[-1].time, rows, agent="a", upto=rows[-1].time))
    return [(local(event, zone), event.kind.value) for event in events]


def local(event: AlarmEvent, zone: str) -> str:
    return datetime.fromtimestamp(event.at / 1000, ZoneInfo(zone)).strftime("%d %H:%M")


def test_a_rule_is_judged_only_within_its_active_hours() -> None:
    active = "active: meals, on_delay: 30min"
    assert told(active, "2026-03-02T09:00", 240) == [("02 11:30", "raise")]
    assert told(active, "2026-03-07T09:00", 240) == []
    assert told("active: meals", "2026-03-02T09:00", 240) == [("02 11:00", "raise")], "at the very hour"


def test_a_delay_waits_for_the_next_hours() -> None:
    assert told("active: meals, on_delay: 3h", "2026-03-02T09:00", 60 * 30) == [("03 11:30", "raise")], "2.5 + 0.5 h"


def test_a_schedule_as_a_mask() -> None:
    mask = "on_delay: 30min, mask: {schedule: night}"
    assert told(mask, "2026-03-29T00:00", 600, "Europe/Berlin") == [("29 06:30", "raise")]
    assert told(mask, "2026-10-25T00:00", 600, "Europe/Berlin") == [("25 06:30", "raise")]


def test_a_schedule_within_a_combination() -> None:
    when = "on_delay: 30min, mask: {when: {any: [{schedule: meals}, {schedule: night}]}}"
    assert told(when, "2026-03-02T10:45", 300) == [("02 13:45", "raise")], "15 minutes before, 15 after"


def test_a_rule_with_a_schedule_survives_a_restart() -> None:
    engine, again = Engine("s"), Engine("s")
    rule = "rules: [{id: r, applies_to: {metric: temperature}, condition: {above: 25}, priority: low, active: meals}]"
    start = moment("2026-03-02T10:50")
    engine.set_rules(site(), load_rules(rule, "r.yaml"), start)
    engine.feed(batch_of("s", start, [Reading("room/temperature", start, 27.0)], agent="a", upto=start))
    again.restore(engine.snapshot())
    later = start + 15 * MINUTE
    rows = [Reading("room/temperature", start + minute * MINUTE, 27.0) for minute in range(1, 16)]
    said = [one.feed(batch_of("s", later, rows, agent="a", upto=later)) for one in (engine, again)]
    assert [local(event, "Asia/Shanghai") for event in said[0]] == ["02 11:00"]
    assert said[0] == said[1]


def test_a_schedule_that_the_site_does_not_have_is_an_error() -> None:
    rule = "rules: [{id: r, applies_to: {metric: temperature}, condition: {above: 25}, priority: low, active: meal}]"
    findings = check_against(load_rules(rule, "r.yaml"), site())
    assert [(str(finding.weight), finding.message, finding.remedy) for finding in findings] == [
        ("error", "s has no schedule 'meal'", "did you mean meals?")
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("to: 2026-07-10}}", "to: 2026-02-10}}", "it ends before"),
        ("holidays: [2026-04-06", "holidays: [2026-04-31", "is no date"),
        ("as: wed", "as: wednesday", "'wednesday' is not known"),
        ("calendar: school", "calendar: scool", "did you mean 'school'"),
        ("mon-tue:", "tue-mon:", "is no day of the week"),
        ("mon-tue:", "mon-wed:", "wed has hours already"),
        ('"11:00-13:30"], wed', '"11:00-13:60"], wed', "is no span of hours"),
        ('"11:00-13:30"], wed', '"11:00-11:00"], wed', "is no span of hours"),
        ('night: {{hours: {{mon-sun: ["22:00-06:00"]}}}}', "night: {{hours: {{mon: []}}}}", "there are no hours"),
        ("night:", "Night:", "schedule"),
        ("terms:", "term:", "did you mean 'terms'"),
    ],
)
def test_what_is_refused_has_file_and_line(old: str, new: str, message: str) -> None:
    assert old in FILE
    with pytest.raises(InputError, match=message) as error:
        load_catalogue(FILE.replace(old, new, 1).format(zone="UTC"), "site.yaml")
    assert str(error.value).startswith("site.yaml:")


def test_a_file_without_calendars_has_no_schedules() -> None:
    bare = load_catalogue("site: {id: s}\n", "site.yaml")
    assert bare.schedules == {}
    assert load_catalogue(FILE.format(zone="UTC"), "a") == load_catalogue(FILE.format(zone="UTC"), "b")
