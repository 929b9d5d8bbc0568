"""Time left and cause beside an asset's alarms, as programs and people get them."""

import re
from typing import Any

import pytest

from api import insight, insight_words
from api.i18n import language
from api.insight import KEPT_FOR, InsightDesk
from domain.alarms import FoodFate, Priority
from domain.food import FoodOption
from domain.times import MINUTE
from rules.insight.causes import Cause, Evidence
from rules.insight.columns import AssetColumns
from rules.insight.features import Feature
from rules.insight.thermal import Outlook, Quantity, TimeLeft
from tests.insight.synthetic import END, Story, course

EN, ZH = language("en"), language("zh")
PLACE = "/api/v1/sites/school/assets/fridge-1/insight"

SITE = """
site: {id: school, title: School, timezone: Asia/Shanghai}
areas: [{id: kitchen, title: Kitchen}]
assets:
  - {id: board-1, type: distribution_board, area: kitchen, points: {power: {interval: 60s}}}
  - id: fridge-1
    type: refrigerator
    area: kitchen
    fed_by: board-1
    points: {temperature: {interval: 60s}, power: {interval: 60s}, door: {interval: 60s}}
  - {id: fridge-2, type: refrigerator, area: kitchen, fed_by: board-1, points: {power: {interval: 60s}}}
  - {id: meter-1, type: energy_meter, area: kitchen, points: {power: {interval: 60s}}}
"""


def lived(bench: Any, story: Story, site: str = SITE) -> Any:
    """The bench after the story happened to fridge-1, which has no probe in its food."""
    bench.console.apply_site("school", [("site.yaml", site)], "setup", bench.now)
    columns: AssetColumns = course(story)
    for metric, column in (
        ("fridge-1/temperature", columns.air),
        ("fridge-1/power", columns.power),
        ("fridge-1/door", columns.door),
        ("board-1/power", columns.supply),
        ("fridge-2/power", columns.supply),
    ):
        assert column is not None
        moved = column.time - END + bench.now
        bench.series.put(metric, *zip(moved.tolist(), column.value.tolist(), strict=True))
    return bench


def test_a_failed_compressor_gives_a_time_left_and_its_evidence(bench: Any) -> None:
    found = lived(bench, Story(fails_at=40)).json(PLACE)
    assert [one["quantity"] for one in found["time_left"]] == ["air", "product"]
    first = found["time_left"][0]
    assert first["limit"] == 8.0
    assert first["low"] < first["minutes"] < first["high"]
    assert found["act_within_min"] == min(one["low"] for one in found["time_left"])
    assert found["cause"] == "compressor"
    assert "draw" in {one["feature"] for one in found["evidence"][:5]}


def test_the_page_says_it_in_both_languages(bench: Any) -> None:
    lived(bench, Story(fails_at=40))
    page = bench.page("/assets/fridge-1")
    assert "Air: about" in page
    assert "Act within" in page
    assert "compressor does not cool" in page
    assert "of the compressor’s power now" in page
    assert "压缩机不制冷" in bench.page("/assets/fridge-1", "zh")


CUT = """
rules:
  - {id: no-power, applies_to: {asset_type: distribution_board, metric: power}, condition: {below: 5}, priority: urgent}
  - {id: cold-high, applies_to: {asset_type: refrigerator, metric: temperature}, condition: {above: 8}, priority: high}
incidents:
  - {id: dead, cause: {rule: no-power}, gathers: fed_by, empty_first: true}
"""


def test_the_units_to_empty_first_say_whether_their_time_was_learned(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", CUT)], "setup", bench.now)
    lived(bench, Story(cut_at=40))
    for fridge, value in (("fridge-1", 5.0), ("fridge-2", 5.0)):
        bench.measured(f"{fridge}/temperature", value)
    bench.raise_alarm("no-power", "board-1/power", 0.0, Priority.URGENT)
    (found,) = bench.json("/api/v1/sites/school/incidents")
    units = {one["asset"]: one for one in found["empty_first"]}
    assert {name: one["basis"] for name, one in units.items()} == {"fridge-1": "learned", "fridge-2": "typical"}
    assert units["fridge-2"]["minutes_left"] == 105  # 3 °C at 1.7 °C an hour
    (told,) = [one for one in bench.json(PLACE)["time_left"] if one["quantity"] == "air"]
    assert units["fridge-1"]["minutes_left"] == int(told["low"])
    page = bench.page(f"/incidents/{found['id']}")
    assert "learned from this unit" in page
    assert "typical for its kind" in page
    assert "按该设备的历史推算" in bench.page("/", "zh")


def test_the_board_says_how_long_is_left_and_puts_the_shortest_first(bench: Any) -> None:
    lived(bench, Story(fails_at=40))
    bench.raise_alarm("ajar", "fridge-1/door", 1.0, ago=30 * MINUTE)
    bench.raise_alarm("odd", "meter-1/power", 1.0, ago=MINUTE)
    page = bench.page("/")
    first, second = re.findall(r'<article class="alarm .*?</article>', page, re.S)
    assert 'data-key="ajar/fridge-1/door"' in first
    assert re.search(r"(Air|Food): about .* to 8 °C \(.* to .*\)", first)
    assert "alarm-left" not in second
    assert re.search("(空气|食品)：约 .*后到 8 °C", bench.page("/", "zh"))
    bench.clear_alarm("ajar", "fridge-1/door", 0.0)
    assert "alarm-left" not in bench.page("/")


def test_only_so_many_assets_are_looked_at_for_one_page(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lived(bench, Story(fails_at=40))
    desk = bench.app.state.insight
    assert list(desk.soonest("school", ["fridge-2", "fridge-1", "meter-1"])) == ["fridge-1"]
    monkeypatch.setattr(insight, "MOST_AT_ONCE", 1)
    assert desk.soonest("school", ["fridge-2", "fridge-1"]) == {}


def test_an_ordinary_day_says_nothing(bench: Any) -> None:
    found = lived(bench, Story()).json(PLACE)
    assert (found["time_left"], found["cause"], found["act_within_min"]) == ([], None, None)
    assert "What is happening" not in bench.page("/assets/fridge-1")


def test_beyond_the_limit_the_cause_is_still_told(bench: Any) -> None:
    found = lived(bench, Story(fails_at=600)).json(PLACE)
    assert (found["time_left"], found["cause"]) == ([], "compressor")


def test_without_readings_or_for_other_assets_nothing_is_said(bench: Any) -> None:
    assert bench.json(PLACE)["cause"] is None
    other = bench.json("/api/v1/sites/school/assets/meter-1/insight")
    assert (other["at"], other["time_left"]) == (None, [])
    assert bench.get("/api/v1/sites/school/assets/nothing/insight").status_code == 404


def test_an_answer_is_kept_for_a_minute(bench: Any) -> None:
    lived(bench, Story(fails_at=40))
    desk = InsightDesk(bench.app.state.operations)
    first = desk.of_asset("school", "fridge-1")
    bench.series.rows.clear()
    bench.clock[0] += KEPT_FOR - 1
    assert desk.of_asset("school", "fridge-1") is first
    bench.clock[0] += 1
    assert desk.of_asset("school", "fridge-1").times == ()


def test_a_board_without_power_tells_of_a_cut(bench: Any) -> None:
    found = lived(bench, Story(cut_at=150)).json(PLACE)
    assert found["cause"] == "power_cut"
    assert {one["feature"]: one["value"] for one in found["evidence"]}["supply"] == 2.0
    assert "neither it nor its board draws power" in bench.page("/assets/fridge-1")


def test_the_voltage_of_a_meter_further_up_stands_for_a_board_without_readings(bench: Any) -> None:
    text = SITE.replace(
        "area: kitchen, points: {power: {interval: 60s}}}\n  - id: fridge-1",
        "area: kitchen, fed_by: meter-1}\n  - id: fridge-1",
    )
    text = text.replace("board-1, points: {power: {interval: 60s}}}", "board-1}")
    text = text.replace(
        "energy_meter, area: kitchen, points: {power:", "energy_meter, area: kitchen, points: {voltage:"
    )
    lived(bench, Story(cut_at=150), text)
    bench.series.put("meter-1/voltage", *((bench.now - n * MINUTE, 0.0) for n in range(9)))
    evidence = bench.json(PLACE)["evidence"]
    assert {one["feature"]: one["value"] for one in evidence}["supply"] == 2.0


def test_an_unplugged_fridge_is_told_by_its_neighbours(bench: Any) -> None:
    lived(bench, Story(cut_at=150))
    for name in ("board-1/power", "fridge-2/power"):
        bench.series.rows.pop(("school", name))
        bench.series.put(name, *((bench.now - n * MINUTE, 400.0) for n in range(9)))
    evidence = bench.json(PLACE)["evidence"]
    assert {one["feature"]: one["value"] for one in evidence}["supply"] == 1.0
    assert bench.json(PLACE)["cause"] == "power_cut"
    assert "while others on its board do" in bench.page("/assets/fridge-1")


def test_when_it_is_not_sure_it_names_the_two_likeliest(bench: Any) -> None:
    lived(bench, Story(fails_at=150))
    for name in ("fridge-1/power", "board-1/power", "fridge-2/power", "fridge-1/door"):
        bench.series.rows.pop(("school", name))
    found = bench.json(PLACE)
    assert found["cause"] == "not_sure"
    page = bench.page("/assets/fridge-1")
    assert "Likely cause: not sure" in page
    assert "Perhaps: " in page
    assert "也许是" in bench.page("/assets/fridge-1", "zh")


def test_typical_figures_are_named_as_such(bench: Any) -> None:
    lived(bench, Story(minutes=90, fails_at=45))
    found = bench.json(PLACE)
    if found["time_left"]:
        assert not any(one["learned"] for one in found["time_left"])
        assert "by typical figures" in bench.page("/assets/fridge-1")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.2, "1 min"), (47.4, "47 min"), (62.0, "1 h"), (83.0, "1 h 25 min"), (200.0, "3 h 15 min"),
        (1430.0, "23 h 45 min"),
    ],
)  # fmt: skip
def test_a_time_left_is_said_as_exactly_as_it_is_known(number: float, text: str) -> None:
    assert insight_words.minutes(EN, number) == text


def test_a_time_left_has_its_interval_and_its_limit() -> None:
    said = TimeLeft(Outlook.HEADING, Quantity.AIR, -12.0, -15.0, 4.0, 47.0, 35.0, 70.0, True)
    assert insight_words.time_left(EN, said) == "Air: about 47 min to \N{MINUS SIGN}12 °C (35 min to 1 h 10 min)"
    assert "约 47 分钟" in insight_words.time_left(ZH, said)
    endless = TimeLeft(Outlook.HEADING, Quantity.PRODUCT, 8.0, 4.0, 0.2, 900.0, 400.0, None, True)
    assert insight_words.time_left(EN, endless).endswith("to more than a day)")


@pytest.mark.parametrize("feature", list(Feature))
@pytest.mark.parametrize("lang", [EN, ZH])
def test_every_observation_has_a_sentence_with_its_number(feature: Feature, lang: Any) -> None:
    text = insight_words.sentence(lang, Evidence(feature, 1.0, 1.0), 2.0)
    assert "{" not in text
    assert feature is Feature.SUPPLY or any(part.isdigit() for part in text)


def test_every_cause_has_its_words() -> None:
    assert {insight_words.cause(EN, one) for one in Cause} == set(insight_words.CAUSES.values())
    assert all(insight_words.cause(ZH, one) != insight_words.cause(EN, one) for one in Cause)


def test_degrees_are_those_of_the_asset() -> None:
    assert insight_words.sentence(EN, Evidence(Feature.RISE, 3.0, 1.0), 2.0) == "the air rose by 6 °C within 15 min"
    assert insight_words.sentence(EN, Evidence(Feature.DOOR, 0.934, 1.0), 1.0).startswith("the door was open for 93 %")


def test_options_and_fates_of_food_have_their_words_in_both_languages() -> None:
    assert [insight_words.option(EN, one) for one in FoodOption] == ["Use", "Use now", "Reheat", "Assess", "Discard"]
    assert insight_words.fate(EN, FoodFate.NOT_AFFECTED) == "not affected"
    for one in FoodOption:
        assert insight_words.option(ZH, one) != insight_words.option(EN, one)
    for fate in FoodFate:
        assert insight_words.fate(ZH, fate) != insight_words.fate(EN, fate)


def test_a_measured_time_is_said_to_the_minute() -> None:
    assert insight_words.lasted(EN, 0) == "0 min"
    assert insight_words.lasted(EN, 59 * MINUTE) == "59 min"
    assert insight_words.lasted(EN, 60 * MINUTE) == "1 h"
    assert insight_words.lasted(ZH, 125 * MINUTE) == "2 小时 5 分钟"
