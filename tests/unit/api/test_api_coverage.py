"""Data completeness: of each point and local day what was measured, backfilled and unknown, as JSON, page and CSV."""

import csv
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from api.coverage import HEADER, local_days, percent
from api.i18n import language
from api.wording import length
from domain.alarms import Priority
from domain.batch import Gap
from domain.readings import Quality
from domain.records import AgentRow, Excursion
from domain.times import DAY, HOUR, MINUTE, iso, parse_time
from rules.coverage import Coverage
from tests.unit.api.conftest import SITE

AIR = "fridge-1/temperature"
TODAY = parse_time("2026-03-01T00:00+08:00")
BOARD = "/api/v1/sites/school/coverage"


def minutes(bench: Any, first: int, last: int, point: str = AIR, *, late: int = 0) -> None:
    """Readings of each minute of today, local, from `first` up to `last`."""
    for minute in range(first, last):
        time = TODAY + minute * MINUTE
        bench.series.put(point, (time, 4.0))
        if late:
            bench.series.late[point, time] = late


def of(bench: Any, point: str, **query: object) -> dict[str, Any]:
    report = bench.json(BOARD, params=query)
    return next(one for one in report["items"] if one["point"] == point)


def parts(model: dict[str, Any]) -> list[float]:
    names = ("measured", "backfilled", "unknown", "sensor_error", "lost", "silent")
    assert model["whole_ms"] == model["measured_ms"] + model["backfilled_ms"] + model["unknown_ms"]
    assert model["unknown_ms"] == model["sensor_error_ms"] + model["lost_ms"] + model["silent_ms"]
    return [model[f"{name}_ms"] / MINUTE for name in names]


def test_today_of_a_fridge_whose_agent_was_offline_and_came_back(bench: Any) -> None:
    minutes(bench, 0, 300)
    minutes(bench, 300, 400, late=3 * HOUR)
    minutes(bench, 500, 870)
    found = of(bench, AIR, days=1)
    assert parts(found["total"]) == [670.0, 102.0, 98.0, 0.0, 0.0, 98.0], "the last of them counts until 402"
    assert found["days"][0]["date"] == "2026-03-01"
    assert (found["days"][0]["start"], found["days"][0]["end"]) == (iso(TODAY), iso(bench.now))


def test_the_last_seven_local_days_are_told_one_by_one(bench: Any) -> None:
    minutes(bench, -1440, 0)
    found = of(bench, AIR)
    assert [day["date"] for day in found["days"]] == [f"2026-02-{day}" for day in range(23, 29)] + ["2026-03-01"]
    measured = [day["coverage"]["measured_ms"] / MINUTE for day in found["days"]]
    assert measured == [0, 0, 0, 0, 0, 1440, 2], "the last reading before midnight counts for three minutes"
    assert found["total"]["whole_ms"] == 6 * DAY + bench.now - TODAY


def test_an_error_of_the_sensor_and_what_the_agent_lost_are_named(bench: Any) -> None:
    minutes(bench, 0, 100)
    for minute in range(100, 110):
        bench.series.put_bad(AIR, TODAY + minute * MINUTE, "ERR")
    minutes(bench, 300, 870)
    bench.series.gap_rows.append(Gap("canteen", TODAY + 150 * MINUTE, TODAY + 199 * MINUTE, 50, "outbox_full"))
    bench.series.gap_rows.append(Gap("other", TODAY + 250 * MINUTE, TODAY + 260 * MINUTE, 50, "outbox_full"))
    assert parts(of(bench, AIR, days=1)["total"]) == [670.0, 0.0, 200.0, 12.0, 52.0, 136.0]


def test_where_the_site_file_names_no_agent_the_one_that_announced_the_point_is_meant(bench: Any) -> None:
    minutes(bench, 0, 100, "meter-1/power")
    bench.series.gap_rows.append(Gap("plant", TODAY + 200 * MINUTE, TODAY + 299 * MINUTE, 100, "outbox_age"))
    bench.console.agent_rows = [AgentRow("box", True, 1, "b", 1, json.dumps({"points": [{"point": "meter-1/power"}]}))]
    assert parts(of(bench, "meter-1/power", days=1)["total"])[4] == 0.0
    bench.console.agent_rows.append(
        AgentRow("plant", True, 1, "b", 1, json.dumps({"points": [{"point": "meter-1/power"}, 7, {"point": 7}]}))
    )
    bench.console.agent_rows += [AgentRow("odd", True, 1, "b", 1, '{"points": 7}'), AgentRow("new", True, 1, "", 0)]
    assert parts(of(bench, "meter-1/power", days=1)["total"])[4] == 102.0


def test_unknown_time_is_that_of_the_excursion_record(bench: Any) -> None:
    minutes(bench, 0, 60)
    minutes(bench, 100, 130)
    minutes(bench, 400, 870)
    bench.console.excursion_rows = [Excursion("school", "cold-high", AIR, TODAY, bench.now, Priority.HIGH, 1)]
    record = bench.json("/api/v1/sites/school/excursions/1")
    assert record["facts"]["unknown_ms"] == of(bench, AIR, days=1)["total"]["unknown_ms"] == (38 + 268) * MINUTE


def test_what_only_summaries_are_left_of_has_no_account(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    minutes(bench, 0, 870)
    read = bench.series.read

    def purged(site: str, point: str, start: int, end: int, limit: int | None = None) -> Any:
        return read(site, point, max(start, TODAY + 6 * HOUR), end, limit)

    monkeypatch.setattr(bench.series, "read", purged)
    found = of(bench, AIR, days=1)
    assert found["days"][0]["coverage"] is None
    assert found["total"]["whole_ms"] == 0
    assert "only summaries are left" in bench.page("/coverage?days=1")
    assert bench.get("/coverage?days=1&form=csv").text.splitlines()[1] == f"{AIR},2026-03-01,870.0,,,,,,,"


def test_points_come_in_pages_and_of_one_asset_alone(bench: Any) -> None:
    first = bench.json(BOARD, params={"limit": 3})
    assert [one["point"] for one in first["items"]] == [AIR, "fridge-1/door", "boiler-1/status"]
    assert (first["total"], first["next"]) == (4, 3)
    rest = bench.json(BOARD, params={"limit": 3, "offset": 3})
    assert [one["point"] for one in rest["items"]] == ["meter-1/power"]
    assert rest["next"] is None
    assert [one["point"] for one in bench.json(BOARD, params={"asset": "boiler-1"})["items"]] == ["boiler-1/status"]


def test_what_cannot_be_asked(bench: Any) -> None:
    assert bench.get(BOARD, params={"asset": "no-such"}).status_code == 404
    assert bench.get("/api/v1/sites/nowhere/coverage").status_code == 404
    assert bench.get(BOARD, params={"days": 32}).status_code == 422
    assert bench.get(BOARD, params={"limit": 51}).status_code == 422


@pytest.mark.parametrize(("moment", "hours"), [("2026-03-29T12:00+02:00", 23), ("2026-10-25T12:00+01:00", 25)])
def test_a_day_on_which_the_clock_is_changed_is_one_day(moment: str, hours: int) -> None:
    now = parse_time(moment)
    (day,) = local_days("Europe/Berlin", now, 1)
    assert day.end == now
    (before, _) = local_days("Europe/Berlin", now + DAY, 2)
    assert before.end - before.start == hours * HOUR
    assert local_days("Europe/Berlin", day.start, 1) == (), "a day that has just begun has no time yet"


def test_what_has_a_hole_is_never_a_hundred_percent() -> None:
    assert percent(Coverage(measured=99_999, silent=1)) == "99.9"
    assert percent(Coverage(measured=1, backfilled=1)) == "100.0"
    assert percent(Coverage()) == "0.0"


def test_the_table_for_inspectors(bench: Any) -> None:
    minutes(bench, 0, 870)
    answer = bench.get("/coverage?form=csv&days=2")
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="school-coverage.csv"' in answer.headers["content-disposition"]
    rows = list(csv.reader(answer.text.splitlines()))
    assert tuple(rows[0]) == HEADER
    assert len(rows) == 1 + 4 * 2
    assert rows[2] == [AIR, "2026-03-01", "870.0", "870.0", "0.0", "0.0", "0.0", "0.0", "0.0", "100.0"]


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_page_in_both_languages(bench: Any) -> None:
    minutes(bench, 0, 300)
    minutes(bench, 300, 400, late=3 * HOUR)
    minutes(bench, 500, 870)
    page = bench.page("/coverage?days=1")
    assert (
        "Fridge 1 · Air temperature 2026-03-01: 88.7 % 88.7 % 11 h 10 min 1 h 42 min 1 h 38 min nothing came 1 h 38 min"
        in plain(page)
    )
    assert "2026-03-01: 0.0 % 0.0 % — — 14 h 30 min" in plain(page), "the door was never heard"
    chinese = plain(bench.page("/coverage?days=1", "zh"))
    assert "数据完整性" in chinese
    assert "没有数据 1 小时 38 分钟" in chinese
    assert 'href="/coverage?asset=fridge-1"' in bench.page("/assets/fridge-1")


def test_a_point_without_an_interval_says_how_it_is_counted(bench: Any) -> None:
    revision = bench.console.revisions["school"]
    documents = (("site.yaml", SITE.replace("power: {interval: 60s}", "power: {}")),)
    bench.console.revisions["school"] = replace(revision, number=9, documents=documents)
    assert of(bench, "meter-1/power", days=1)["has_interval"] is False
    assert "a reading counts for 3 min" in bench.page("/coverage?days=1")
    assert of(bench, AIR, days=1)["has_interval"] is True


def test_many_points_are_turned_over_like_pages(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.coverage_routes.PER_PAGE", 3)
    monkeypatch.setattr("api.coverage.PER_PAGE", 3)
    assert 'rel="prev"' in bench.page("/coverage?offset=3")
    assert 'rel="next"' not in bench.page("/coverage?offset=3")


def test_before_any_site_the_page_says_which_command_to_run(empty: Any) -> None:
    assert "caretaker site apply site.yaml" in empty.page("/coverage")


def test_an_uncertain_time_is_a_measurement(bench: Any) -> None:
    bench.series.rows["school", AIR] = [(TODAY + n * MINUTE, 4.0, Quality.UNCERTAIN, "") for n in range(870)]
    assert of(bench, AIR, days=1)["total"]["unknown_ms"] == 0


def test_the_page_names_every_reason_it_knows(bench: Any) -> None:
    minutes(bench, 0, 100)
    for minute in range(100, 110):
        bench.series.put_bad(AIR, TODAY + minute * MINUTE, "ERR")
    minutes(bench, 300, 870)
    bench.series.gap_rows.append(Gap("canteen", TODAY + 150 * MINUTE, TODAY + 199 * MINUTE, 50, "outbox_full"))
    page = plain(bench.page("/coverage?days=1"))
    assert "3 h 20 min sensor error 12 min · lost for good 52 min · nothing came 2 h 16 min" in page
    chinese = plain(bench.page("/coverage?days=1", "zh"))
    assert "传感器故障 12 分钟 · 永久丢失 52 分钟 · 没有数据 2 小时 16 分钟" in chinese


def test_the_page_of_one_asset_shows_it_alone_and_leads_back_to_all(bench: Any) -> None:
    page = bench.page("/coverage?asset=boiler-1&days=1")
    assert "Boiler 1" in page
    assert "Fridge 1" not in page
    assert 'href="/coverage?days=1"' in page
    assert 'href="/coverage?days=1&amp;asset=boiler-1&amp;form=csv"' in page
    assert bench.page("/coverage?asset=no-such", status=404)


def test_each_day_is_a_bar_of_what_was_measured_and_what_came_later(bench: Any) -> None:
    minutes(bench, -1440, -720)
    minutes(bench, -720, 0, late=HOUR)
    minutes(bench, 0, 870)
    page = bench.page("/coverage?days=2&asset=fridge-1")
    strip = page.partition('<svg class="strip"')[2].partition("</svg>")[0]
    assert re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)" width="9" height="([\d.]+)"', strip) == [
        ("hole", "0.5", "0", "20"),
        ("backfilled", "0.5", "0.0", "10.0"),
        ("measured", "0.5", "10.0", "10.0"),
        ("hole", "10.5", "0", "20"),
        ("measured", "10.5", "0.0", "20.0"),
    ]
    assert 'aria-label="2026-02-28: 100.0 %, 2026-03-01: 100.0 %"' in page


@pytest.mark.parametrize(
    ("ms", "said"),
    [(20_000, "less than a minute"), (HOUR, "1 h"), (25 * HOUR + MINUTE, "1 d 1 h"), (DAY + MINUTE, "1 d 1 min")],
)
def test_a_time_is_said_in_its_two_largest_units(ms: int, said: str) -> None:
    assert length(language("en"), ms) == said
