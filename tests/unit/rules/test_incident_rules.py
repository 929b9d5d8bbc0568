"""The `incidents:` section of rule files: what it can say, and how a mistake in it is named."""

import numpy as np
import pytest

from domain.alarms import AlarmKey, Priority
from domain.catalogue_file import load_catalogue
from domain.episodes import Episode, episodes
from domain.errors import InputError
from domain.incidents import AlarmCause, Gathers, Quorum
from domain.readings import Reading
from domain.times import HOUR, MINUTE
from rules.backtest import backtest
from rules.incident_rules import incident_plan
from rules.loading import load_documents, load_rules
from rules.packs import load_pack, load_pack_text
from rules.readings_csv import ReadingRows

RULES = """
rules:
  - {id: dead, applies_to: {metric: power}, condition: {below: 5}, priority: urgent}
  - {id: silent, applies_to: {metric: temperature}, condition: {no_data: 30min}, priority: low}
"""
CAUSED = "  - {id: cut, cause: {rule: dead, level: 1}, gathers: fed_by, settle: 2min, tail: 2h, empty_first: true}\n"
QUORUM = "  - {id: quiet, cause: {at_least: 3, share: 0.8}, gathers: agent, rules: [silent]}\n"


def text(*incidents: str) -> str:
    return RULES + "incidents:\n" + "".join(incidents)


def test_a_cause_and_a_quorum_are_read() -> None:
    found = load_rules(text(CAUSED, QUORUM), "r.yaml").incidents
    cut, quiet = found["cut"], found["quiet"]
    assert (cut.cause, cut.gathers, cut.rules) == (AlarmCause("dead", 0), Gathers.FED_BY, ())
    assert (cut.settle, cut.tail, cut.empty_first) == (2 * MINUTE, 2 * HOUR, True)
    assert (quiet.cause, quiet.gathers, quiet.rules) == (Quorum(3, 0.8), Gathers.AGENT, ("silent",))
    assert (quiet.settle, quiet.tail, quiet.empty_first, quiet.title.en) == (MINUTE, 0, False, "quiet")


def test_titles_and_responses_are_for_people_in_both_languages() -> None:
    entry = CAUSED.replace("settle: 2min", "title: {en: Power cut, zh: 停电}, response: {en: Wait, zh: 等待}")
    cut = load_rules(text(entry), "r.yaml").incidents["cut"]
    assert (cut.title.zh, cut.response.en) == ("停电", "Wait")


def test_a_file_without_the_section_has_no_incidents() -> None:
    assert load_rules(RULES, "r.yaml").incidents == {}


def test_an_incident_may_name_rules_of_another_file() -> None:
    other = "rules: []\nincidents:\n" + CAUSED
    assert list(load_documents([("own.yaml", other), ("r.yaml", RULES)]).incidents) == ["cut"]


@pytest.mark.parametrize(
    ("entry", "said", "remedy"),
    [
        (CAUSED.replace("dead", "daed"), "names the rule 'daed'", "name a rule of these files"),
        (CAUSED.replace("fed_by", "fed-by"), "'fed-by' is not known here", "did you mean 'fed_by'?"),
        (CAUSED.replace("settle: 2min", "settle: 11min"), "11 min is out of range", "at most 10 min"),
        (CAUSED.replace("tail: 2h", "tail: 25h"), "1500 min is out of range", "at most 1440 min"),
        (CAUSED.replace("level: 1", "level: 0"), "not a whole number >= 1", ""),
        (CAUSED.replace("level: 1", "share: 0.5"), "either one rule's alarm or a quorum", "leave 'share' out"),
        (CAUSED.replace("rule: dead, level: 1", "level: 1"), "neither 'rule' nor 'at_least'", "{rule: ID}"),
        (CAUSED.replace("id: cut", "id: Cut!"), "Cut!", ""),
        (CAUSED.replace("id: cut", "id: dead"), "defined twice", "give each its own id"),
        (CAUSED.replace("tail:", "tial:"), "unknown key 'tial'", "did you mean 'tail'?"),
        (
            CAUSED.replace("settle: 2min", "not_rules: [slient]"),
            "names the rule 'slient'",
            "name a rule of these files",
        ),
        (QUORUM.replace("rules: [silent]", "rules: [silent], not_rules: [dead]"), "says already", "leave one of them"),
        (CAUSED.replace("settle: 2min", "metrics: [Air]"), "Air", ""),
        (QUORUM.replace(", rules: [silent]", ""), "a quorum needs 'rules'", "name the rules"),
        (QUORUM.replace("share: 0.8", "share: 80"), "between 0 and 1", "write 0.8"),
        (QUORUM.replace("share: 0.8", "level: 2"), "a quorum has no level", "leave 'level' out"),
        (QUORUM.replace("at_least: 3", "at_least: 1"), "not a whole number >= 2", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_remedy(entry: str, said: str, remedy: str) -> None:
    with pytest.raises(InputError, match=r"r\.yaml:6:") as caught:
        load_rules(text(entry), "r.yaml")
    assert said in caught.value.message
    assert remedy in caught.value.remedy


def test_the_plan_knows_which_points_the_named_rules_judge() -> None:
    catalogue = load_catalogue(
        """
site: {id: school, title: {en: School}, timezone: Asia/Shanghai}
areas: [{id: kitchen, title: {en: Kitchen}}]
assets:
  - {id: board, type: distribution_board, area: kitchen, title: {en: B}, points: {power: {interval: 60s}}}
  - {id: fridge, type: refrigerator, area: kitchen, title: {en: F}, fed_by: board, points: {temperature: {interval: 60s}}}
""",  # noqa: E501 - a file as a person writes it
        "site.yaml",
    )
    plan = incident_plan(load_rules(text(CAUSED, QUORUM), "r.yaml"), catalogue)
    assert dict(plan.judged) == {"dead": {"board/power"}, "silent": {"fridge/temperature"}}
    assert [one.id for one in plan.rules] == ["cut", "quiet"]


def test_the_pack_gathers_power_cuts_and_silence() -> None:
    found = load_pack("facility-basic").incidents
    assert list(found)[:2] == ["power-lost", "board-dead"]
    assert {"site-silent", "agent-silent"} <= set(found)
    assert all(one.title.zh and one.response.zh for one in found.values())


SCHOOL = """
site: {id: school, title: {en: School}, timezone: Asia/Shanghai}
areas: [{id: kitchen, title: {en: Kitchen}}]
assets:
  - id: room-1
    type: cold_room
    area: kitchen
    points:
      temperature: {interval: 60s}
      product_temperature: {interval: 60s}
      door: {interval: 60s, states: {closed: 0, open: 1}}
  - {id: room-2, type: cold_room, area: kitchen, points: {temperature: {interval: 60s}}}
"""
T0 = 1_780_000_000_000 // HOUR * HOUR


def a_cold_room(open_from: int, open_to: int, silent_from: int = 10**6) -> list[Reading]:
    """Eight hours, a reading a minute: air and food warm up while the door is open, and cool down after; the second
    room is warm from the fourth hour on for a reason of its own. From `silent_from` on nothing comes of the air."""
    rows: list[Reading] = []
    air = food = 4.0
    for minute in range(8 * 60):
        at, is_open = T0 + minute * MINUTE, open_from <= minute < open_to
        noise = 0.1 * (minute % 3)  # a probe that stands still is a fault of its own
        air += (14.0 - air) / 30 if is_open else (4.0 - air) / 30
        food += (air - food) / 60
        rows += [Reading("room-1/product_temperature", at, food + noise), Reading("room-1/door", at, float(is_open))]
        rows.append(Reading("room-2/temperature", at, noise + (12.0 if minute > 240 else 4.0)))
        if minute < silent_from:
            rows.append(Reading("room-1/temperature", at, air + noise))
    return rows


def columns(rows: list[Reading]) -> ReadingRows:
    points = tuple(dict.fromkeys(one.point for one in rows))
    time = np.array([one.time for one in rows], np.int64)
    return ReadingRows(
        points,
        np.array([points.index(one.point) for one in rows], np.int32),
        time,
        np.array([one.value for one in rows], np.float64),
        np.zeros(len(rows), np.uint8),
        time,
    )


def gathered(rows: list[Reading]) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """Each incident of the packs with the points of its children, and the alarms that are in none."""
    catalogue = load_catalogue(SCHOOL, "site.yaml")
    rules = load_documents([(name, load_pack_text(name)) for name in ("cn-canteen", "facility-basic")])
    end = T0 + 8 * HOUR
    log = episodes(backtest(rules, columns(rows), catalogue, end).transitions)
    found = incident_plan(rules, catalogue).gather(log, end)
    inside = {one for each in found for one in each.episodes}
    return (
        [(one.rule.id, [f"{each.key.rule} {each.key.point}" for each in one.children]) for one in found],
        sorted({f"{one.key.rule} {one.key.point}" for one in log if one not in inside}),
    )


def test_the_packs_gather_what_an_open_door_warms_and_nothing_else() -> None:
    found, alone = gathered(a_cold_room(60, 170))
    assert found == [
        ("door-open", ["cold-room-high room-1/temperature", "cold-product-high room-1/product_temperature"])
    ]
    # What the food was above 8 °C in all is over its two hours long after the door was closed: to be told.
    assert alone == ["cold-product-cumulative room-1/product_temperature", "cold-room-high room-2/temperature"]


def test_only_alarms_of_the_named_metrics_and_not_of_the_rules_left_out_are_gathered() -> None:
    catalogue = load_catalogue(SCHOOL, "site.yaml")
    of_door = (
        RULES
        + """
  - {id: open, applies_to: {metric: door}, condition: {state: open}, priority: low}
incidents:
  - {id: door, cause: {rule: open}, gathers: asset, metrics: [temperature], not_rules: [silent]}
"""
    )
    plan = incident_plan(load_rules(of_door, "r.yaml"), catalogue)
    named = [("open", "door"), ("warm", "temperature"), ("warm", "product_temperature"), ("silent", "temperature")]
    log = [
        Episode(AlarmKey(rule, f"room-1/{metric}"), T0 + number, T0 + number, None, Priority.LOW, 0)
        for number, (rule, metric) in enumerate(named)
    ]
    (one,) = plan.gather(log, T0 + HOUR)
    assert [each.key for each in one.children] == [AlarmKey("warm", "room-1/temperature")]
    assert plan.settle_of(AlarmKey("warm", "room-1/temperature")) == MINUTE
    assert plan.settle_of(AlarmKey("silent", "room-1/temperature")) == 0


def test_what_is_warm_when_the_door_has_been_closed_still_came_of_it() -> None:
    found, _ = gathered(a_cold_room(60, 115))
    assert found == [("door-open", ["cold-product-high room-1/product_temperature"])]


def test_a_probe_that_falls_silent_beside_an_open_door_is_an_alarm_of_its_own() -> None:
    found, alone = gathered(a_cold_room(60, 240, silent_from=150))
    assert "cold-storage-no-data room-1/temperature" in alone
    assert [rule for rule, _ in found] == ["door-open"]


def test_without_an_open_door_warm_air_is_told_by_itself() -> None:
    assert gathered(a_cold_room(0, 0)) == ([], ["cold-room-high room-2/temperature"])
