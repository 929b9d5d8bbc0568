"""Two rule sets on the same readings: what is gained, lost, hidden and covered."""

from domain.alarms import AlarmKey, Priority
from domain.catalogue_file import load_catalogue
from domain.episodes import Episode
from domain.times import HOUR, MINUTE
from rules.compare import Comparison, Loss, Mark, changed_rules, compare, concerned, only_points
from rules.loading import load_rules
from rules.model import RuleSet
from rules.readings_csv import ReadingRows, read_readings

T0 = 1_772_352_000_000
POINT = "fridge-1/temperature"
SITE = """
site: {id: school, title: {en: School}, timezone: Asia/Shanghai}
areas: [{id: kitchen, title: {en: Kitchen}}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, title: {en: One}, points: {temperature: {interval: 60s}, door: {interval: 60s, states: {closed: 0, open: 1}}}}
  - {id: fridge-2, type: refrigerator, area: kitchen, title: {en: Two}, points: {temperature: {interval: 60s}}}
  - {id: pump-1, type: pump, area: kitchen, title: {en: Pump}, points: {power: {interval: 60s}}}
"""  # noqa: E501 - a file as a person writes it


def rule(name: str = "warm", *, above: float = 8, on: int = 5, off: int = 0, respond: int = 20, more: str = "") -> str:
    return (
        f"  - {{id: {name}, applies_to: {{metric: temperature}}, condition: {{above: {above}}}, on_delay: {on}min, "
        f"off_delay: {off}min, priority: high, time_to_respond: {respond}min{more}}}\n"
    )


def rules(*texts: str) -> RuleSet:
    return load_rules("rules:\n" + "".join(texts), "r.yaml") if texts else RuleSet()


def warm_from(*spans: tuple[int, int], until: int = 300, point: str = POINT) -> ReadingRows:
    """One reading a minute: 9 °C in the spans (first minute, last minute), else 4 °C."""
    lines = ["time,point,value"]
    for minute in range(until):
        value = 9 if any(first <= minute <= last for first, last in spans) else 4
        lines.append(f"{T0 + minute * MINUTE},{point},{value}")
    return read_readings(["\n".join(lines).encode()], "r.csv")


def compared(before: RuleSet, after: RuleSet, rows: ReadingRows, *marks: Mark) -> Comparison:
    return compare(before, after, rows, None, marks)


def minutes(told: tuple[Episode, ...]) -> list[int]:
    return [(one.raised_at - T0) // MINUTE for one in told]


def test_the_same_rules_change_nothing() -> None:
    found = compared(rules(rule()), rules(rule()), warm_from((10, 40)))
    assert (found.rules, found.gained, found.lost, found.kept, found.later) == ((), (), (), 1, 0)
    assert found.sentence == "removes 0 nuisance alarms, hides 0 real excursions"


def test_of_no_readings_there_is_nothing_to_say() -> None:
    found = compared(rules(rule()), rules(rule(on=9)), warm_from(until=0))
    assert (found.readings, found.kept, found.lost) == (0, 0, ())


def test_a_longer_delay_removes_the_short_ones_and_tells_later_of_the_long_one() -> None:
    # Warm for 10 and 12 minutes (over 5 and 7 minutes after the raise: nobody could have acted), then for an hour.
    found = compared(rules(rule()), rules(rule(on=15)), warm_from((10, 19), (50, 61), (100, 160)))
    assert [(minutes((one,))[0], kind) for one, kind in found.lost] == [(15, Loss.NUISANCE), (55, Loss.NUISANCE)]
    assert (found.kept, found.later, found.earlier, found.gained) == (1, 1, 0, ())
    assert found.sentence == "removes 2 nuisance alarms, hides 0 real excursions, tells of 1 later"


def test_what_lasted_longer_than_people_need_is_real_and_would_be_hidden() -> None:
    found = compared(rules(rule()), rules(rule(on=60)), warm_from((10, 50)))
    assert [kind for _, kind in found.lost] == [Loss.REAL]
    assert found.sentence == "removes 0 nuisance alarms, hides 1 real excursion"


def test_short_ones_that_follow_each_other_are_one_long_trouble() -> None:
    before, after = rules(rule(on=0)), rules(rule(on=30))
    close = [kind for _, kind in compared(before, after, warm_from((10, 14), (20, 24), (30, 34))).lost]
    apart = [kind for _, kind in compared(before, after, warm_from((10, 14), (35, 39), (60, 64))).lost]
    assert (close, apart) == ([Loss.REAL] * 3, [Loss.NUISANCE] * 3)


def test_the_time_to_respond_of_the_old_rule_decides() -> None:
    found = compared(rules(rule(respond=60)), rules(rule(on=60, respond=1)), warm_from((10, 50)))
    assert [kind for _, kind in found.lost] == [Loss.NUISANCE]


def test_a_person_who_marked_it_knows_better_than_the_clock() -> None:
    mark = Mark("warm", POINT, T0 + 30 * MINUTE)
    before, after, rows = rules(rule()), rules(rule(on=60)), warm_from((10, 50))
    assert [kind for _, kind in compared(before, after, rows, mark).lost] == [Loss.NUISANCE]
    for other in (
        Mark("cold", POINT, mark.at), Mark("warm", "fridge-2/temperature", mark.at),
        Mark("warm", POINT, T0 + 14 * MINUTE), Mark("warm", POINT, T0 + 52 * MINUTE),
    ):  # fmt: skip
        assert [kind for _, kind in compared(before, after, rows, other).lost] == [Loss.REAL], other


def test_what_another_rule_still_says_of_the_point_is_covered() -> None:
    second = rule("hot", above=8.5, on=10)
    found = compared(rules(rule(), second), rules(second), warm_from((10, 50)))
    assert [kind for _, kind in found.lost] == [Loss.COVERED]
    assert found.sentence == "removes 0 nuisance alarms, hides 0 real excursions, leaves 1 to another rule"


def test_a_weaker_word_about_the_point_covers_nothing() -> None:
    weak = rule("hint", above=8.5, on=10).replace("priority: high", "priority: low")
    found = compared(rules(rule(), weak), rules(weak), warm_from((10, 50)))
    assert [kind for _, kind in found.lost] == [Loss.REAL]


def test_a_stricter_limit_gains_alarms() -> None:
    found = compared(rules(rule(above=9.5)), rules(rule(above=8)), warm_from((10, 50), (100, 150)))
    assert (minutes(found.gained), found.lost, found.kept) == ([15, 105], (), 0)
    assert found.sentence.endswith("adds 2 alarms")


def test_a_shorter_delay_tells_earlier() -> None:
    found = compared(rules(rule(on=20)), rules(rule(on=5)), warm_from((10, 50)))
    assert (found.kept, found.earlier, found.later) == (1, 1, 0)


def test_two_alarms_that_become_one_are_both_kept() -> None:
    found = compared(rules(rule(on=0)), rules(rule(on=0, off=30)), warm_from((10, 20), (30, 40)))
    assert (found.kept, found.merged, found.gained, found.lost) == (2, 1, (), ())
    assert found.sentence.endswith("joins 1 to the one before")


def test_per_rule_counts_and_minutes() -> None:
    found = compared(rules(rule(), rule("other", above=20)), rules(rule(on=15)), warm_from((10, 19), (100, 160)))
    warm = next(one for one in found.rules if one.rule == "warm")
    assert (warm.before, warm.after, warm.minutes_before, warm.minutes_after) == (2, 1, 61, 46)
    assert [one.rule for one in found.rules] == ["other", "warm"]


def test_an_alarm_that_lasts_counts_up_to_the_end() -> None:
    found = compared(rules(rule()), rules(rule(on=6)), warm_from((10, 99), until=100))
    (warm,) = found.rules
    assert (warm.minutes_before, warm.minutes_after) == (84, 83)


def test_words_do_not_change_a_rule_but_delays_and_priorities_do() -> None:
    plain = rules(rule())
    assert changed_rules(plain, rules(rule(more=", title: {en: New}, cause: A door, response: Shut it"))) == []
    assert changed_rules(plain, rules(rule(respond=99))) == []
    assert changed_rules(plain, rules(rule(more=", latching: true"))) == ["warm"]
    assert changed_rules(plain, rules(rule(on=6))) == ["warm"]
    assert changed_rules(plain, rules(rule("new"), rule())) == ["new"]
    assert changed_rules(plain, rules(rule("new"))) == ["warm", "new"]


def test_all_points_of_the_assets_that_a_change_can_touch() -> None:
    catalogue = load_catalogue(SITE, "site.yaml")
    one = "  - {id: one, applies_to: {point: fridge-1/temperature}, condition: {above: 8}, priority: low}\n"
    assert concerned(rules(one), rules(one), catalogue) == []
    assert concerned(rules(one), rules(one.replace("8}", "9}")), catalogue) == ["fridge-1/temperature", "fridge-1/door"]
    assert concerned(rules(), rules(rule()), catalogue) == [
        "fridge-1/temperature", "fridge-1/door", "fridge-2/temperature",
    ]  # fmt: skip


def test_only_the_readings_of_some_points() -> None:
    text = f"time,point,value\n{T0},a/t,1\n{T0},b/t,x\n{T0 + HOUR},a/t,y\n"
    rows = read_readings([text.encode()], "r.csv")
    assert only_points(rows, ["a/t", "b/t"]) is rows
    kept = only_points(rows, ["a/t"])
    assert (kept.time.tolist(), dict(kept.texts)) == ([T0, T0 + HOUR], {1: "y"})
    assert len(only_points(rows, [])) == 0


def test_a_lost_alarm_names_itself() -> None:
    ((lost, _),) = compared(rules(rule()), rules(rule(on=60)), warm_from((10, 50))).lost
    assert (lost.key, lost.priority) == (AlarmKey("warm", POINT), Priority.HIGH)
