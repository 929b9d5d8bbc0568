"""What has one cause is one incident: told story by story, from the log and the asset tree."""

from dataclasses import replace

from domain.alarms import AlarmKey, Priority
from domain.catalogue import Area, Asset, Catalogue, Label, Point
from domain.episodes import Episode
from domain.incidents import AlarmCause, Gathers, Incident, IncidentPlan, IncidentRule, Quorum
from domain.times import HOUR, MINUTE
from domain.units import UNITS

NOW = 1_000 * HOUR


def asset(name: str, area: str, fed_by: str | None, agent: str, *metrics: str) -> Asset:
    points = tuple(Point(name, metric, UNITS["Cel"], agent=agent) for metric in metrics)
    return Asset(name, "other", area, Label(name), points, fed_by=fed_by)


SCHOOL = Catalogue(
    "school",
    Label("School"),
    areas=(Area("north", Label("North")), Area("south", Label("South"))),
    assets=(
        asset("main", "south", None, "plant", "power"),
        asset("board-n", "north", "main", "plant", "power"),
        asset("board-s", "south", "main", "plant", "power"),
        asset("fridge-1", "north", "board-n", "canteen", "temperature", "door"),
        asset("fridge-2", "north", "board-n", "canteen", "temperature"),
        asset("fridge-3", "south", "board-s", "canteen", "temperature"),
        asset("pump-1", "south", "main", "plant", "status"),
    ),
)
DEAD = IncidentRule("dead", AlarmCause("no-power"), Gathers.FED_BY, settle=MINUTE, tail=HOUR, empty_first=True)
DOOR = IncidentRule("door", AlarmCause("door-open"), Gathers.ASSET, rules=("warm",), tail=10 * MINUTE)
SILENT = IncidentRule("silent", Quorum(2, 0.6), Gathers.AGENT, rules=("no-data",), settle=2 * MINUTE, tail=MINUTE)
JUDGED = {
    "no-data": frozenset({f"fridge-{number}/temperature" for number in (1, 2, 3)}),
    "no-power": frozenset({"main/power", "board-n/power", "board-s/power"}),
    "door-open": frozenset({"fridge-1/door"}),
}


def alarm(rule: str, point: str, raised: int, cleared: int | None = None, level: int = 0) -> Episode:
    """An episode from that minute to that."""
    end = None if cleared is None else cleared * MINUTE
    return Episode(AlarmKey(rule, point), raised * MINUTE, raised * MINUTE, end, Priority.HIGH, level)


def warm(number: int, raised: int, cleared: int | None = None) -> Episode:
    return alarm("warm", f"fridge-{number}/temperature", raised, cleared)


def silent(number: int, raised: int, cleared: int | None = None) -> Episode:
    return alarm("no-data", f"fridge-{number}/temperature", raised, cleared)


def gathered(*log: Episode, rules: tuple[IncidentRule, ...] = (DEAD, DOOR, SILENT), now: int = NOW) -> list[Incident]:
    return IncidentPlan(rules, SCHOOL, JUDGED).gather(log, now)


def told(*log: Episode, rules: tuple[IncidentRule, ...] = (DEAD, DOOR, SILENT)) -> list[tuple[str, list[str]]]:
    return [
        (f"{one.rule.id} {one.root}", [f"{child.key.rule} {child.key.point}" for child in one.children])
        for one in gathered(*log, rules=rules)
    ]


def test_without_alarms_or_without_rules_there_is_no_incident() -> None:
    assert gathered() == []
    assert gathered(alarm("no-power", "main/power", 1), rules=()) == []


def test_a_dead_board_gathers_what_it_feeds_and_nothing_else() -> None:
    log = [
        alarm("no-power", "board-n/power", 10),
        warm(1, 45),
        warm(2, 50),
        warm(3, 50),
        alarm("fault", "pump-1/status", 11),
    ]
    assert told(*log) == [("dead board-n", ["warm fridge-1/temperature", "warm fridge-2/temperature"])]


def test_a_dead_main_gathers_through_the_boards_and_a_board_behind_it_is_its_child() -> None:
    log = [
        alarm("no-power", "board-n/power", 10), alarm("no-power", "main/power", 10),
        alarm("no-power", "board-s/power", 11), warm(1, 45), warm(3, 50),
    ]  # fmt: skip
    assert told(*log) == [
        ("dead main", [
            "no-power board-n/power", "no-power board-s/power",
            "warm fridge-1/temperature", "warm fridge-3/temperature",
        ]),
    ]  # fmt: skip


def test_a_power_cut_is_worth_telling_before_anything_got_warm() -> None:
    (one,) = gathered(alarm("no-power", "board-n/power", 10))
    assert (one.children, one.end, one.cause is not None, one.start) == ((), None, True, 10 * MINUTE)


def test_other_causes_without_children_are_plain_alarms() -> None:
    assert gathered(alarm("door-open", "fridge-1/door", 10)) == []


def test_what_was_out_of_order_long_before_is_no_child() -> None:
    assert told(warm(1, 8), warm(2, 9), alarm("no-power", "board-n/power", 10)) == [
        ("dead board-n", ["warm fridge-2/temperature"])
    ]


def test_what_follows_within_the_tail_after_the_end_is_a_child_and_what_comes_later_is_not() -> None:
    log = [alarm("no-power", "board-n/power", 10, 30), warm(1, 90), warm(2, 91)]
    (one,) = gathered(*log)
    assert ([child.key.point for child in one.children], one.end) == (["fridge-1/temperature"], 30 * MINUTE)


def test_a_door_gathers_only_the_rules_that_it_names_at_its_own_asset() -> None:
    log = [alarm("door-open", "fridge-1/door", 10), warm(1, 20), warm(2, 20), silent(1, 20)]
    assert told(*log, rules=(DOOR,)) == [("door fridge-1", ["warm fridge-1/temperature"])]


def test_the_level_of_the_cause_counts() -> None:
    urgent = replace(DEAD, cause=AlarmCause("voltage", 1))
    assert gathered(alarm("voltage", "main/power", 10), warm(1, 11), rules=(urgent,)) == []
    assert len(gathered(alarm("voltage", "main/power", 10, level=1), warm(1, 11), rules=(urgent,))) == 1


def test_each_alarm_is_in_one_incident_the_first_rule_claims_it() -> None:
    log = [alarm("no-power", "board-n/power", 10), alarm("door-open", "fridge-1/door", 11), warm(1, 45)]
    assert told(*log) == [("dead board-n", ["door-open fridge-1/door", "warm fridge-1/temperature"])]
    assert told(*log, rules=(DOOR, DEAD)) == [("dead board-n", []), ("door fridge-1", ["warm fridge-1/temperature"])]


def test_a_quorum_of_silent_points_is_a_silent_agent() -> None:
    assert gathered(silent(1, 10)) == []
    (one,) = gathered(silent(1, 10), silent(3, 11))
    assert (one.rule.id, one.root, one.start, one.end, one.cause) == ("silent", "canteen", 11 * MINUTE, None, None)
    assert len(one.children) == 2


def test_two_alarms_of_one_point_are_one_voice() -> None:
    assert gathered(silent(1, 10, 11), silent(1, 12)) == []
    twice = replace(SILENT, rules=("no-data", "warm"))
    assert gathered(silent(1, 10), warm(1, 10), rules=(twice,)) == []


def test_a_sensor_that_has_long_been_dead_counts_but_is_not_gathered() -> None:
    (one,) = gathered(silent(1, 10), silent(2, 500))
    assert [child.key.point for child in one.children] == ["fridge-2/temperature"]


def test_a_quorum_ends_when_too_few_are_left_and_may_come_again() -> None:
    log = [silent(1, 10, 30), silent(2, 10, 40), silent(1, 100), silent(3, 101)]
    first, second = gathered(*log)
    assert (first.start, first.end, len(first.children)) == (10 * MINUTE, 30 * MINUTE, 2)
    assert (second.start, second.end, len(second.children)) == (101 * MINUTE, None, 2)


def test_the_share_is_of_all_that_the_rules_judge() -> None:
    all_of_them = replace(SILENT, cause=Quorum(2, 1.0))
    assert gathered(silent(1, 10), silent(2, 10), rules=(all_of_them,)) == []
    assert len(gathered(silent(1, 10), silent(2, 10), silent(3, 10), rules=(all_of_them,))) == 1


def test_a_quorum_of_more_than_there_are_points_is_never_met() -> None:
    assert gathered(silent(1, 1), silent(2, 1), silent(3, 1), rules=(replace(SILENT, cause=Quorum(4, 0)),)) == []


def test_areas_and_the_whole_site_can_be_roots() -> None:
    area = replace(SILENT, id="area", gathers=Gathers.AREA)
    site = replace(SILENT, id="site", gathers=Gathers.SITE)
    log = [silent(1, 10), silent(2, 10)]
    assert [one.root for one in gathered(*log, rules=(area,))] == ["north"]
    assert [one.root for one in gathered(*log, rules=(site, area))] == ["school"]
    whole = replace(DEAD, gathers=Gathers.SITE)
    assert [
        len(one.children) for one in gathered(alarm("no-power", "main/power", 10), warm(3, 20), rules=(whole,))
    ] == [1]


def test_hidden_alarms_are_nobodys_news() -> None:
    log = [alarm("no-power", "board-n/power", 10), replace(warm(1, 45), hidden=True)]
    assert gathered(*log)[0].children == ()
    assert gathered(replace(log[0], hidden=True), warm(1, 45)) == []


def test_the_order_of_the_log_does_not_matter() -> None:
    log = [
        alarm("no-power", "board-n/power", 10, 20), warm(1, 45), warm(2, 46),
        silent(1, 11), silent(2, 12), silent(3, 12),
    ]  # fmt: skip
    assert gathered(*log) == gathered(*reversed(log))


def test_an_incident_has_the_same_name_however_often_it_is_looked_at() -> None:
    log = [alarm("no-power", "board-n/power", 10)]
    assert gathered(*log)[0].id == gathered(*log, warm(1, 45))[0].id == f"dead.board-n.{10 * MINUTE}"


def test_cause_and_children_together() -> None:
    log = [alarm("no-power", "board-n/power", 10), warm(1, 45)]
    assert gathered(*log)[0].episodes == tuple(log)
    assert len(gathered(silent(1, 10), silent(2, 10))[0].episodes) == 2


def test_how_long_an_alarm_waits_for_its_cause() -> None:
    plan = IncidentPlan((DEAD, DOOR, SILENT), SCHOOL, JUDGED)
    assert plan.settle_of(AlarmKey("warm", "fridge-1/temperature")) == MINUTE
    assert plan.settle_of(AlarmKey("no-data", "fridge-1/temperature")) == 2 * MINUTE
    assert plan.settle_of(AlarmKey("no-power", "main/power")) == 0
    assert IncidentPlan((DOOR,), SCHOOL, JUDGED).settle_of(AlarmKey("warm", "fridge-2/temperature")) == 0


def test_boards_that_feed_each_other_by_mistake_are_walked_once() -> None:
    loop = replace(
        SCHOOL, assets=(asset("a", "north", "b", "x", "power"), asset("b", "north", "a", "x", "power"))
    )  # fmt: skip
    plan = IncidentPlan((replace(DEAD, cause=AlarmCause("no-power")),), loop, {"no-power": frozenset({"a/power"})})
    assert [one.root for one in plan.gather([alarm("no-power", "a/power", 1)], NOW)] == ["a"]


def test_points_that_the_catalogue_does_not_know_are_left_alone() -> None:
    agent = replace(DEAD, gathers=Gathers.AGENT)
    area = replace(DEAD, gathers=Gathers.AREA)
    for rule in (agent, area):
        (one,) = gathered(alarm("no-power", "stranger/power", 10), warm(1, 11), rules=(rule,))
        assert (one.root, one.children) == ("", ())
