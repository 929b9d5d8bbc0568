"""Rules that look at several points of one asset: combined conditions, masks, and agents that fall silent."""

import pytest

from domain.alarms import AlarmEvent
from domain.batch import batch_of
from domain.catalogue_file import load_catalogue
from domain.errors import InputError
from domain.readings import Reading
from domain.times import DAY, HOUR, MINUTE
from rules.engine import Engine
from rules.loading import load_rules
from rules.matching import Weight, check_against
from rules.model import Combined, Limit, Mask, Mode, Part, StateIs
from tests.unit.rules.signal_stories import T0, readings

SITE = load_catalogue(
    """\
site: {id: s, commissioned_at: 1970-01-01T00:00:00Z}
areas: [{id: k}]
assets:
  - id: f
    type: freezer
    area: k
    points:
      temperature: {unit: Cel, interval: 60s}
      power: {unit: W, interval: 60s}
      door: {interval: 60s, states: {closed: 0, open: 1}}
  - {id: g, type: freezer, area: k, points: {temperature: {unit: Cel, interval: 60s}}}
""",
    "s.yaml",
)
DEAD = "condition: {all: [{above: -12}, {metric: power, below: 5}]}, on_delay: 5min"
DOOR = "condition: {above: -12}, on_delay: 5min, mask: {door: open, for_at_most: 10min, tail: 4min}"


def rule(lines: str) -> str:
    return f"rules: [{{id: r, applies_to: {{asset_type: freezer, metric: temperature}}, {lines}, priority: high}}]"


def engine_with(lines: str) -> Engine:
    engine = Engine("s")
    engine.set_rules(SITE, load_rules(rule(lines), "r.yaml"), T0)
    return engine


def series(point: str, values: str) -> list[Reading]:
    return [Reading(point, row.time, row.value, row.quality) for row in readings(values)]


def feed(engine: Engine, agent: str, rows: list[Reading], upto: float) -> list[AlarmEvent]:
    moment = T0 + round(upto * MINUTE)
    events = engine.feed(batch_of("s", moment, rows, agent=agent, upto=moment))
    return events + engine.review(moment)[1]


def minutes(events: list[AlarmEvent]) -> list[tuple[float, str]]:
    return [((event.at - T0) / MINUTE, event.kind.value) for event in events]


def told(lines: str, **values: str) -> list[tuple[float, str]]:
    """What is said of freezer f when one agent brings all of its points."""
    rows = [row for metric, words in values.items() for row in series(f"f/{metric}", words)]
    last = max((row.time - T0) / MINUTE for row in rows)
    return minutes(feed(engine_with(lines), "a", rows, last + 0.001))


def test_all_of_several_conditions_for_the_whole_delay() -> None:
    assert told(DEAD, temperature="-18x5 -10x25", power="90x10 0x20") == [(15, "raise")]
    assert told(DEAD, temperature="-18x5 -10x25", power="90x30") == []
    assert told(DEAD, temperature="-18x30", power="0x30") == []


def test_any_and_not() -> None:
    either = "condition: {any: [{above: -12}, {metric: power, above: 500}]}"
    assert told(either, temperature="-18x9", power="90x3 900x3 90x3") == [(3, "raise"), (6, "clear")]
    neither = "condition: {not: {metric: power, above: 5}}"
    assert told(neither, temperature="-18x9", power="90x3 0x3 90x3") == [(3, "raise"), (6, "clear")]


@pytest.mark.parametrize(
    "lines",
    [
        "condition: {all: [{above: -12}, {metric: power, cumulative: {above: 20, longer_than: 10min, in: 1h}}]}",
        "condition: {cumulative: {above: -12, longer_than: 40min, in: 1h}}, mask: {door: open}",
    ],
)
def test_a_pack_may_bring_nothing_of_an_input_that_is_being_counted(lines: str) -> None:
    engine = engine_with(lines)
    assert feed(engine, "a", series("f/power", "100x5") + series("f/temperature", "-10x5"), 5) == []
    for point, values in (("f/door", "0x40"), ("f/temperature", "-18x40")):
        rest = [row for row in series(point, values) if row.time >= T0 + 5 * MINUTE]
        assert feed(engine, "a", rest, 40) == []


def test_what_changes_hands_at_one_moment_does_not_flicker() -> None:
    either = "condition: {any: [{above: -12}, {metric: power, above: 500}]}"
    assert told(either, temperature="-10x5 -18x5", power="90x5 900x5") == [(0, "raise")]


def test_a_member_may_have_delays_and_a_signal_of_its_own() -> None:
    slow = "condition: {all: [{above: -12}, {metric: power, below: 5, on_delay: 8min}]}"
    assert told(slow, temperature="-10x20", power="0x20") == [(8, "raise")]
    worn = "condition: {all: [{above: -12}, {metric: power, duty: {on_above: 20, over: 12min, above: 0.9}}]}"
    assert told(worn, temperature="-10x20", power="100x20") == [(8, "raise")], "two thirds of 12 minutes are known"


def test_unknown_decides_nothing_by_itself() -> None:
    gone = "90x4 _x26"  # the power says nothing after minute 3, and counts until 6
    assert told(DEAD, temperature="-18x5 -10x25", power=gone) == []
    nothing = "condition: {not: {metric: power, above: 5}}"
    assert told(nothing, temperature="-18x30", power=gone) == [], "unknown is not 'not running'"
    either = "condition: {any: [{above: -12}, {metric: power, above: 500}]}"
    assert told(either, temperature="-18x10 -10x20", power=gone) == [(10, "raise")], "one is enough for any"


def test_while_a_mask_is_on_the_delay_does_not_run() -> None:
    assert told(DOOR, temperature="-18x5 -10x25", door="closed".replace("closed", "0") + "x30") == [(10, "raise")]
    assert told(DOOR, temperature="-18x5 -10x25", door="0x5 1x6 0x19") == [(20, "raise")], "6 open, 4 tail, 5 more"


def test_a_mask_ends_when_it_has_lasted_too_long() -> None:
    assert told(DOOR, temperature="-18x5 -10x30", door="0x5 1x30") == [(20, "raise")], "10 are allowed, then 5"


def test_an_active_alarm_stays_while_it_is_masked() -> None:
    said = told(DOOR, temperature="-10x10 -18x20", door="0x8 1x6 0x16")
    assert said == [(5, "raise"), (18, "clear")], "masked from 8 to 18"


def test_an_unknown_mask_masks_no_longer_than_its_tail() -> None:
    said = told(DOOR, temperature="-18x5 -10x25", door="1x2 _x28")
    assert said == [(13, "raise")], "the door counts as open until minute 4, then the tail of 4 minutes"
    without = DOOR.replace(", tail: 4min", "")
    assert told(without, temperature="-18x5 -10x25", door="1x2 _x28") == [(10, "raise")]
    assert told(DOOR, temperature="-18x5 -10x25", door="_x30") == [(10, "raise")], "never known, never a mask"


def test_a_mask_that_was_lost_for_a_while_has_lasted_since_its_beginning() -> None:
    long = DOOR.replace("for_at_most: 10min, tail: 4min", "for_at_most: 20min, tail: 10min")
    said = told(long, temperature="-18x5 -10x40", door="0x5 1x6 _x5 1x29")
    assert said == [(30, "raise")], "open since minute 5 for 20 minutes at the most, the hole included; 5 more"
    said = told(long, temperature="-18x5 -10x40", door="0x5 1x6 _x5 0x29")
    assert said == [(28, "raise")], "closed somewhere in the hole: the tail from minute 13 on; 5 more"


def test_a_mask_on_what_the_asset_does_not_have_is_left_out() -> None:
    said = minutes(feed(engine_with(DOOR), "a", series("g/temperature", "-18x5 -10x10"), 15))
    assert said == [(10, "raise")]


def test_a_combined_condition_is_not_judged_where_a_metric_is_missing() -> None:
    engine = engine_with(DEAD)
    assert feed(engine, "a", series("g/temperature", "-10x30"), 30) == []
    findings = check_against(load_rules(rule(DEAD), "r.yaml"), SITE)
    assert [(finding.weight, finding.message) for finding in findings] == [
        (Weight.WARNING, "it is not judged at g/temperature: g has no power")
    ]


def test_two_agents_are_waited_for() -> None:
    engine = engine_with(DEAD)
    assert feed(engine, "a", series("f/temperature", "-10x4"), 3.5) == []
    assert feed(engine, "b", series("f/power", "0x4"), 3.5) == []
    assert feed(engine, "a", [Reading("f/temperature", T0 + 5 * MINUTE, -10.0)], 6) == [], "b is behind"
    assert minutes(feed(engine, "b", [Reading("f/power", T0 + 5 * MINUTE, 0.0)], 6)) == [(5, "raise")]


def test_an_agent_that_fell_silent_stalls_the_others_for_two_gaps_only() -> None:
    either = "condition: {any: [{above: -12}, {metric: power, above: 500}]}"
    engine = engine_with(either)
    feed(engine, "b", series("f/power", "90x3"), 3)
    assert feed(engine, "a", series("f/temperature", "-18x4 -10x2"), 6) == [], "3 minutes ahead of b"
    more = [Reading("f/temperature", T0 + minute * MINUTE, -10.0) for minute in range(6, 10)]
    assert minutes(feed(engine, "a", more, 10.5)) == [(4, "raise")], "judged up to two gaps of three minutes behind a"


def test_what_a_silent_agent_brings_later_is_judged_as_late() -> None:
    engine = engine_with(DEAD)
    feed(engine, "b", series("f/power", "90x3"), 3)
    assert feed(engine, "a", series("f/temperature", "-10x60"), 60) == []
    backlog = [Reading("f/power", T0 + minute * MINUTE, 0.0 if minute < 30 else 90.0) for minute in range(3, 60)]
    assert minutes(feed(engine, "b", backlog, 60)) == [(8, "raise"), (30, "clear")]


def test_a_late_reading_of_another_input_is_judged_over_its_lookback() -> None:
    engine = engine_with(DEAD)
    temperature = series("f/temperature", "-10x20")
    power = series("f/power", "90x5 _x9 90x6")
    assert feed(engine, "a", [*temperature, *power], 20) == []
    late = [Reading("f/power", T0 + minute * MINUTE, 0.0) for minute in range(5, 13)]
    events = feed(engine, "a", late, 20)
    assert minutes(events) == [(10, "raise"), (14, "clear")]


def test_a_new_rule_begins_with_what_recent_readings_say() -> None:
    engine = Engine("s")
    both = load_rules(rule("condition: {above: 99}"), "r.yaml")
    engine.set_rules(SITE, both, T0)
    feed(engine, "a", [*series("f/temperature", "-10x20"), *series("f/power", "0x20")], 20)
    engine.set_rules(SITE, load_rules(rule(DEAD), "r.yaml"), T0 + 20 * MINUTE)
    ahead = range(20, 26)
    more = [Reading("f/power", T0 + minute * MINUTE, 0.0) for minute in ahead]
    more += [Reading("f/temperature", T0 + minute * MINUTE, -10.0) for minute in ahead]
    assert minutes(feed(engine, "a", more, 26)) == [(25, "raise")], "power was kept by nobody before"


def test_readings_older_than_a_week_are_counted_unjudged() -> None:
    engine = engine_with(DEAD)
    late = T0 + 9 * DAY
    engine.feed(batch_of("s", late, [Reading("f/temperature", late, -10.0)], agent="a", upto=late))
    engine.feed(batch_of("s", late, series("f/power", "0x3"), agent="a", upto=late))
    assert engine.counters.unjudged == 3


MASKED = "mask: [{door: open, for_at_most: 10min}, {when: {metric: power, below: 5}, tail: 1h}]"


def test_masks_and_combinations_read_as() -> None:
    read = load_rules(rule(f"condition: {{above: 8}}, {MASKED}"), "r.yaml").rules["r"]
    assert read.masks == (
        Mask(Part(StateIs(("open",)), metric="door"), 10 * MINUTE),
        Mask(Part(Limit(below=5.0), metric="power"), None, HOUR),
    )
    deep = "condition: {any: [{above: 8}, {not: {point: a/b, below: 3, off_delay: 2min}}]}"
    assert load_rules(rule(deep), "r.yaml").rules["r"].levels[0].condition == Combined(
        Mode.ANY,
        (
            Part(Limit(above=8.0)),
            Part(Combined(Mode.NOT, (Part(Limit(below=3.0), point="a/b", off_delay=2 * MINUTE),))),
        ),
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("condition: {all: [{above: 8}]}", "at least two"),
        ("condition: {all: [{above: 8}, {no_data: 5min}]}", "silence is judged by arrival"),
        ("condition: {all: [{above: 8}, {metric: a, point: b/c, below: 1}]}", "a point is named already"),
        ("condition: {all: [{above: 8}, {metric: Power, below: 1}]}", "metric"),
        ("condition: {any: [{above: 8}, {point: bc, below: 1}]}", "bc"),
        ("condition: {any: [{above: 8}, {metric: a, not: {below: 1}}]}", "has several inputs"),
        ("condition: {above: 8}, mask: {tail: 5min}", "a mask is exactly one of"),
        ("condition: {above: 8}, mask: {door: open, when: {above: 1}}", "a mask is exactly one of"),
        ("condition: {above: 8}, mask: {door: open, for_at_most: 0min}", "longer than zero"),
        ("condition: {no_data: 5min}, mask: {door: open}", "no time to mask"),
    ],
)
def test_what_is_refused(lines: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        load_rules(rule(lines), "r.yaml")
    assert str(error.value).startswith("r.yaml:1:")


def test_a_named_point_that_is_not_there_and_a_state_that_it_does_not_have_are_errors() -> None:
    lines = "condition: {all: [{above: -12}, {point: f/powr, below: 5}]}, mask: {door: ajar}"
    findings = check_against(load_rules(rule(lines), "r.yaml"), SITE)
    errors = {(finding.message, finding.remedy) for finding in findings if finding.weight is Weight.ERROR}
    assert ("s has no point f/powr", "did you mean f/power?") in errors
    assert ("f/door has no state 'ajar'", "its states: closed (0), open (1)") in errors
