"""The record of an excursion: its figures, the rule's options, a person's decision; as JSON and as a page."""

import json
from typing import Any

import pytest

from api import excursions
from api.excursions import MOST_LISTED, Excursions
from domain.alarms import Priority
from domain.records import Excursion
from domain.times import DAY, HOUR, MINUTE, iso

RULES = """
rules:
  - id: cold-high
    title: {en: Too warm, zh: 温度过高}
    applies_to: {asset_type: [refrigerator], metric: temperature}
    condition: {above: 8.0, deadband: 0.5}
    priority: high
    food:
      - option: use_now
        when: {less_than: 2h}
        text: {en: Cool it and use it first, zh: 降温并优先使用}
        basis: {kind: legal, document: GB 31654-2021}
      - option: discard
        when: {at_least: 2h}
        text: {en: Discard it, zh: 应废弃}
        basis: {kind: operating}
  - id: boiler-fault
    applies_to: {asset_type: [boiler], metric: status}
    condition: {state: fault}
    priority: medium
"""
PLACE = "/api/v1/sites/school/excursions/7"
POINT = "fridge-1/temperature"


def warm(bench: Any, minutes: int = 60, *, measured: int | None = None, rule: str = "cold-high") -> Excursion:
    """An excursion of so many minutes that ended an hour ago, measured for the first of them."""
    bench.console.apply_rules("school", [("rules.yaml", RULES)], "setup", bench.now)
    start = bench.now - HOUR - minutes * MINUTE
    one = Excursion("school", rule, POINT, start, bench.now - HOUR, Priority.HIGH, 7)
    bench.console.excursion_rows.append(one)
    count = minutes if measured is None else measured
    bench.series.put(POINT, *((start + n * MINUTE, 9.0 + n / 100) for n in range(count)))
    return one


def decide(bench: Any, **parts: object) -> Any:
    body = {"option": "use_now", "fate": "moved", "by": "Li", "note": "5 °C inside", **parts}
    return bench.request("POST", f"{PLACE}/decisions", json=body)


def test_the_figures_come_from_the_stored_readings(bench: Any) -> None:
    warm(bench)
    facts = bench.json(PLACE)["facts"]
    assert (facts["lasted_ms"], facts["beyond_ms"], facts["unknown_ms"]) == (HOUR, HOUR, 0)
    assert facts["peak"] == pytest.approx(9.59)
    assert facts["day_beyond_ms"] == HOUR
    assert facts["kinetic"] == pytest.approx(9.3, abs=0.05)


def test_readings_that_come_late_are_in_the_next_look(bench: Any) -> None:
    one = warm(bench, measured=30)
    before = bench.json(PLACE)["facts"]
    bench.series.put(POINT, *((one.start + n * MINUTE, 12.0) for n in range(30, 60)))
    after = bench.json(PLACE)["facts"]
    assert before["unknown_ms"] == 28 * MINUTE  # the last reading counts for three intervals
    assert (after["unknown_ms"], after["peak"]) == (0, 12.0)


def test_an_excursion_that_goes_on_is_figured_up_to_now(bench: Any) -> None:
    warm(bench)
    bench.console.excursion_rows[0] = Excursion("school", "cold-high", POINT, bench.now - HOUR, None, Priority.HIGH, 7)
    found = bench.json(PLACE)
    assert (found["end"], found["facts"]["lasted_ms"]) == (None, HOUR)


def test_the_rules_options_are_offered_with_their_basis(bench: Any) -> None:
    warm(bench)
    (offer,) = bench.json(PLACE)["offers"]
    assert offer == {
        "option": "use_now", "text": {"en": "Cool it and use it first", "zh": "降温并优先使用"},
        "basis": "GB 31654-2021", "certain": True,
    }  # fmt: skip


def test_unknown_minutes_lead_to_the_harder_option_and_it_says_so(bench: Any) -> None:
    warm(bench, minutes=180, measured=60)
    (offer,) = bench.json(PLACE)["offers"]
    assert (offer["option"], offer["certain"], offer["basis"]) == ("discard", False, "")
    page = bench.page("/excursions/7")
    assert "because of unknown time" in page
    assert "1 h 58 min were not measured" in page


def test_an_unknown_excursion_is_not_found(bench: Any) -> None:
    assert bench.get(PLACE).status_code == 404
    assert decide(bench).status_code == 404
    bench.page("/excursions/7", status=404)


def test_a_rule_that_is_gone_leaves_the_interval_without_figures(bench: Any) -> None:
    warm(bench, rule="long-gone")
    found = bench.json(PLACE)
    assert (found["facts"], found["offers"]) == (None, [])
    assert "there are no figures" in bench.page("/excursions/7")


def test_a_decision_is_recorded_with_who_when_and_what_was_seen(bench: Any) -> None:
    warm(bench)
    answer = decide(bench)
    assert answer.status_code == 200
    made = answer.json()
    assert (made["option"], made["fate"], made["by"], made["note"]) == ("use_now", "moved", "Li", "5 °C inside")
    (kept,) = bench.console.decision_rows
    assert kept.at == bench.now
    seen = json.loads(kept.seen)
    assert (seen["facts"]["beyond"], seen["offers"]) == (HOUR, ["use_now"])
    assert bench.json(PLACE)["decisions"] == [made]


def test_a_newer_decision_supersedes_and_one_that_did_not_see_it_is_refused(bench: Any) -> None:
    warm(bench)
    first = decide(bench).json()
    assert decide(bench, option="discard", fate="discarded").status_code == 409
    second = decide(bench, option="discard", fate="discarded", supersedes=first["id"])
    assert second.status_code == 200
    assert [one["option"] for one in bench.json(PLACE)["decisions"]] == ["use_now", "discard"]


@pytest.mark.parametrize(
    "wrong", [{"option": "eat"}, {"fate": "eaten"}, {"by": ""}, {"by": "x" * 81}, {"note": "x" * 501}]
)
def test_a_decision_that_cannot_be_used_is_refused_and_changes_nothing(bench: Any, wrong: dict[str, str]) -> None:
    warm(bench)
    assert decide(bench, **wrong).status_code == 422
    assert bench.console.decision_rows == []


def test_the_page_shows_figures_options_and_the_form(bench: Any) -> None:
    warm(bench)
    page = bench.page("/excursions/7")
    for text in ("What was measured", "1 h", "9.6", "Use now", "GB 31654-2021", "Nobody has decided yet"):
        assert text in page
    assert "never a food pass" in page
    chinese = bench.page("/excursions/7", "zh")
    assert "平均动力学温度" in chinese
    assert "降温并优先使用" in chinese


def test_the_form_records_and_leads_back_to_the_record(bench: Any) -> None:
    warm(bench)
    form = {"site": "school", "option": "discard", "fate": "discarded", "by": "王", "note": "", "supersedes": "0"}
    answer = bench.request("POST", "/excursions/7/decisions", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/excursions/7?site=school")
    page = bench.page("/excursions/7")
    assert "王" in page
    assert "Decide anew" in page
    again = bench.request("POST", "/excursions/7/decisions", data=form)
    assert again.status_code == 409


def test_the_list_shows_the_newest_first_with_what_stands(bench: Any) -> None:
    warm(bench)
    page = bench.page("/excursions")
    assert "Too warm" in page
    assert "/excursions/7" in page
    assert "> open<" in page
    decide(bench)
    assert "Use now" in bench.page("/excursions")
    assert "Nothing was out" in bench.page("/excursions?asset=boiler-1")


def test_a_site_without_excursions_and_no_site_say_so(bench: Any, empty: Any) -> None:
    assert empty is bench
    assert "Nothing was out of its limit" in bench.page("/excursions")


def test_a_list_is_bounded_and_shows_the_newest(bench: Any) -> None:
    first = warm(bench)
    bench.console.excursion_rows += [
        Excursion("school", "cold-high", POINT, first.start - n * HOUR, first.start - n * HOUR + MINUTE, None, 100 + n)
        for n in range(1, MOST_LISTED + 5)
    ]
    desk = Excursions(bench.app.state.operations)
    listed = desk.listed("school", None, bench.app.state.operations.span(bench.now - 30 * DAY, None))
    assert len(listed) == MOST_LISTED
    assert [one.start for one, _ in listed] == sorted((one.start for one, _ in listed), reverse=True)
    assert listed[0][0].id == 7


def test_where_a_sensor_speaks_each_second_the_worst_of_each_minute_stands_for_it(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excursions, "MOST_RAW", 100)
    one = warm(bench, measured=0)
    bench.series.put(POINT, *((one.start + n * 10_000, 10.5 if n % 6 == 3 else 7.0) for n in range(360)))
    facts = bench.json(PLACE)["facts"]
    assert (facts["beyond_ms"], facts["peak"]) == (HOUR, 10.5)


def test_below_a_limit_the_lowest_of_each_minute_stands_for_it(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excursions, "MOST_RAW", 100)
    one = warm(bench, measured=0)
    rules = RULES.replace("{above: 8.0, deadband: 0.5}", "{below: 0.0}")
    bench.console.apply_rules("school", [("rules.yaml", rules)], "setup", bench.now)
    bench.series.put(POINT, *((one.start + n * 10_000, -1.5 if n % 6 == 3 else 7.0) for n in range(360)))
    facts = bench.json(PLACE)["facts"]
    assert (facts["beyond_ms"], facts["peak"]) == (HOUR, -1.5)


def test_a_bad_reading_makes_unknown_minutes(bench: Any) -> None:
    one = warm(bench, measured=30)
    bench.series.put_bad(POINT, one.start + 30 * MINUTE, "85")
    facts = bench.json(PLACE)["facts"]
    assert (facts["beyond_ms"], facts["unknown_ms"], facts["peak"]) == (30 * MINUTE, 30 * MINUTE, pytest.approx(9.29))


def test_a_rules_own_max_gap_says_how_long_a_reading_counts(bench: Any) -> None:
    warm(bench, measured=30)
    rules = RULES.replace("    priority: high\n", "    priority: high\n    max_gap: 10min\n", 1)
    bench.console.apply_rules("school", [("rules.yaml", rules)], "setup", bench.now)
    assert bench.json(PLACE)["facts"]["unknown_ms"] == 21 * MINUTE


def test_a_rule_on_states_has_an_interval_but_no_figures(bench: Any) -> None:
    warm(bench, rule="boiler-fault")
    found = bench.json(PLACE)
    assert (found["facts"], found["offers"], found["decisions"]) == (None, [], [])
    page = bench.page("/excursions/7")
    assert "What may be done with the food" not in page


def test_a_rule_that_lost_its_food_section_still_shows_what_was_decided(bench: Any) -> None:
    warm(bench)
    decide(bench)
    rules = RULES.split("    food:")[0]
    bench.console.apply_rules("school", [("rules.yaml", rules)], "setup", bench.now)
    page = bench.page("/excursions/7")
    assert "Use now" in page
    assert "Li" in page


def test_a_page_of_another_site_cannot_decide(bench: Any) -> None:
    warm(bench)
    form = {"site": "school", "option": "discard", "fate": "discarded", "by": "Li", "supersedes": "0"}
    headers = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    answer = bench.request("POST", "/excursions/7/decisions", data=form, headers=headers)
    assert answer.status_code == 403
    assert bench.console.decision_rows == []


def test_what_people_write_is_shown_as_text(bench: Any) -> None:
    warm(bench)
    decide(bench, by="<b>Li</b>", note="<script>alert(1)</script>")
    page = bench.page("/excursions/7")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_record_of_an_excursion_is_the_published_one_field_by_field(bench: Any) -> None:
    one = warm(bench)
    made = decide(bench).json()
    assert bench.json(PLACE) == {
        "id": 7,
        "rule": "cold-high",
        "point": POINT,
        "start": iso(one.start),
        "end": iso(one.start + HOUR),
        "priority": "high",
        "facts": {
            "lasted_ms": HOUR,
            "beyond_ms": HOUR,
            "within_ms": 0,
            "unknown_ms": 0,
            "peak": 9.59,
            "peak_at": iso(one.start + 59 * MINUTE),
            "day_beyond_ms": HOUR,
            "day_unknown_ms": 23 * HOUR,
            "kinetic": 9.3,
        },
        "offers": [
            {
                "option": "use_now",
                "text": {"en": "Cool it and use it first", "zh": "降温并优先使用"},
                "basis": "GB 31654-2021",
                "certain": True,
            }
        ],
        "decisions": [made],
    }


def test_a_language_is_kept_on_the_record(bench: Any) -> None:
    warm(bench)
    assert "What was measured" in bench.page("/excursions/7?lang=en", "zh")
    assert "测量结果" in bench.page("/excursions/7?lang=zh", "en")
