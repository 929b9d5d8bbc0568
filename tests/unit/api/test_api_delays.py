"""Delays that run: on the asset's page, on the board's card of a silent asset, and for programs."""

import re
from dataclasses import replace
from typing import Any

import pytest

from api.delays import DelayDesk
from domain.alarms import EventKind
from domain.readings import Quality
from domain.times import HOUR, MINUTE, iso
from tests.unit.api.conftest import RULES

AIR = "fridge-1/temperature"
ROUTE = "/api/v1/sites/school/assets/fridge-1/delays"


def beyond(bench: Any, minutes: int, ago: int = 0, value: float = 9.0) -> int:
    """The fridge was in order for an hour and beyond its limit for so many readings, the last so many minutes ago;
    the time of the first one beyond."""
    last = bench.now - ago * MINUTE
    first = last - (minutes - 1) * MINUTE
    for back in range(60, 0, -1):
        bench.series.put(AIR, (first - back * MINUTE, 4.0))
    for number in range(minutes):
        bench.series.put(AIR, (first + number * MINUTE, value))
    bench.measured(AIR, value, last_ago(bench, last))
    return first


def last_ago(bench: Any, last: int) -> int:
    return int(bench.now - last)


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_what_is_beyond_and_not_yet_an_alarm_says_since_when(bench: Any) -> None:
    bench.all_measured()
    first = beyond(bench, 13)
    assert bench.json(ROUTE) == [
        {
            "rule": "cold-high", "point": AIR, "level": 0, "above": 8.0, "below": None, "since": iso(first),
            "met_ms": 12 * MINUTE, "delay_ms": 30 * MINUTE, "known_until": None, "silent": False, "value": 9.0,
        }
    ]  # fmt: skip
    assert "Too warm (&gt; 8.0 °C): 12 min of 30 min have passed" in plain(bench.page("/assets/fridge-1"))
    assert "have passed" not in plain(bench.page("/")), "the board tells it of silent assets only"


def test_of_a_fridge_that_fell_silent_the_board_and_its_page_say_how_far_it_was(bench: Any) -> None:
    bench.all_measured()
    first = beyond(bench, 23, ago=100)
    (found,) = bench.json(ROUTE)
    assert (found["met_ms"], found["delay_ms"], found["silent"]) == (25 * MINUTE, 30 * MINUTE, True)
    assert found["since"] == iso(first)
    assert found["known_until"] == iso(bench.now - 97 * MINUTE)
    said = "Too warm (&gt; 8.0 °C): 25 min of 30 min had passed when it fell silent, 12:53"
    for path in ("/", "/assets/fridge-1"):
        assert said in plain(bench.page(path))
    chinese = plain(bench.page("/", "zh"))
    assert "温度过高（&gt; 8.0 °C）" in chinese or "温度过高 (&gt; 8.0 °C)" in chinese
    assert "中断前已计时 25 分钟" in chinese


def test_a_fridge_that_was_in_order_when_it_fell_silent_has_no_delay(bench: Any) -> None:
    bench.all_measured()
    beyond(bench, 10, ago=100, value=4.2)
    assert bench.json(ROUTE) == []
    assert "fell silent" not in bench.page("/")


def test_what_is_raised_already_is_the_alarms_to_tell(bench: Any) -> None:
    bench.all_measured()
    first = beyond(bench, 50)
    bench.raise_alarm("cold-high", AIR, 9.0)
    assert bench.json(ROUTE) == []
    assert first < bench.now


def test_an_alarm_that_stands_is_not_waited_for_whatever_the_stored_readings_say(bench: Any) -> None:
    bench.all_measured()
    beyond(bench, 10)
    assert len(bench.json(ROUTE)) == 1
    bench.raise_alarm("cold-high", AIR, 9.0)
    assert bench.json(ROUTE) == []


def test_a_point_that_was_never_heard_and_an_unknown_asset(bench: Any) -> None:
    assert bench.json(ROUTE) == []
    assert bench.get("/api/v1/sites/school/assets/no-such/delays").status_code == 404
    assert bench.get("/api/v1/sites/nowhere/assets/fridge-1/delays").status_code == 404


def test_a_mask_that_is_on_stops_the_counting(bench: Any) -> None:
    bench.all_measured()
    masked = RULES.replace("      - {above: 12.0, priority: urgent}\n", "").replace(
        "    levels:\n      - {above: 8.0, deadband: 0.5, on_delay: 30min, priority: high}\n",
        "    condition: {above: 8.0}\n    on_delay: 30min\n    priority: high\n"
        "    mask: {when: {metric: door, above: 0.5}}\n",
    )
    revision = bench.console.rules["school"][-1]
    bench.console.rules["school"].append(replace(revision, number=9, documents=(("r.yaml", masked),)))
    beyond(bench, 20)
    for minute in range(80, -1, -1):
        bench.series.put("fridge-1/door", (bench.now - minute * MINUTE, 1.0 if minute <= 5 else 0.0))
    (found,) = bench.json(ROUTE)
    assert (found["met_ms"], found["silent"]) == (14 * MINUTE, False)
    assert found["known_until"] == iso(bench.now - 5 * MINUTE)
    assert "14 min of 30 min have passed; it is not counted just now" in plain(bench.page("/assets/fridge-1"))


def test_a_silent_assets_story_is_read_once(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.all_measured()
    beyond(bench, 23, ago=100)
    desk, operations = DelayDesk(bench.app.state.operations), bench.app.state.operations
    asked: list[str] = []
    read = bench.series.read
    monkeypatch.setattr(
        bench.series, "read", lambda site, point, *span: (asked.append(point), read(site, point, *span))[1]
    )
    assert set(desk.silent(operations.state("school"))) == {"fridge-1"}
    often = len(asked)
    assert often > 0
    bench.clock[0] += HOUR
    assert desk.silent(operations.state("school"))["fridge-1"][0].pending.met == 25 * MINUTE
    assert [point for point in asked[often:] if point == AIR] == []
    bench.measured(AIR, 9.0, ago=50 * MINUTE)
    desk.silent(operations.state("school"))
    assert AIR in asked[often:]


def test_of_a_point_that_is_silent_for_long_only_the_end_of_its_story_is_read(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.all_measured()
    beyond(bench, 23, ago=9_000)
    ends: list[int] = []
    read = bench.series.read

    def noted(site: str, point: str, start: int, end: int, limit: int | None = None) -> Any:
        ends.append(end)
        return read(site, point, start, end, limit)

    monkeypatch.setattr(bench.series, "read", noted)
    assert bench.json(ROUTE)[0]["met_ms"] == 25 * MINUTE
    assert max(ends) <= bench.now - 8_990 * MINUTE


def test_a_store_that_is_away_leaves_the_page_without_it(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.all_measured()
    beyond(bench, 23, ago=100)

    def away(*_: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(bench.series, "read", away)
    assert bench.json(ROUTE) == []
    assert "Fridge 1" in bench.page("/")


def test_a_bad_reading_stops_it_too(bench: Any) -> None:
    bench.all_measured()
    first = beyond(bench, 10, ago=5)
    bench.series.put_bad(AIR, bench.now - 4 * MINUTE, "ERR")
    bench.measured(AIR, float("nan"), ago=4 * MINUTE, quality=Quality.BAD, text="ERR")
    (found,) = bench.json(ROUTE)
    assert (found["since"], found["met_ms"]) == (iso(first), 10 * MINUTE)
    assert EventKind.RAISE not in {one.event for one in bench.console.log}


def with_rule(bench: Any, text: str) -> None:
    """That rule alone is in force."""
    revision = bench.console.rules["school"][-1]
    bench.console.rules["school"].append(replace(revision, number=9, documents=(("r.yaml", f"rules: [{text}]"),)))


def test_a_lower_limit_is_said_as_one(bench: Any) -> None:
    bench.all_measured()
    with_rule(
        bench, "{id: cold, applies_to: {metric: temperature}, condition: {below: 2}, on_delay: 1h, priority: low}"
    )
    beyond(bench, 11, value=1.0)
    (found,) = bench.json(ROUTE)
    assert (found["above"], found["below"], found["value"]) == (None, 2.0, 1.0)
    assert "cold (&lt; 2.0 °C): 10 min of 1 h have passed" in plain(bench.page("/assets/fridge-1"))


def test_what_has_no_limit_is_said_by_its_rule(bench: Any) -> None:
    bench.all_measured()
    rule = "{id: rising, applies_to: {metric: temperature}, condition: {rate: {above: 30, per: 1h, over: 10min}}, "
    with_rule(bench, f"{rule}on_delay: 20min, priority: low, title: {{en: Rises fast, zh: 升温过快}}}}")
    for minute in range(40, -1, -1):
        bench.series.put(AIR, (bench.now - minute * MINUTE, 4.0 + max(0, 12 - minute)))
    (found,) = bench.json(ROUTE)
    assert (found["above"], found["below"]) == (None, None)
    assert re.search(r"Rises fast: \d+ min of 20 min have passed", plain(bench.page("/assets/fridge-1")))
    assert "升温过快：已计时" in plain(bench.page("/assets/fridge-1", "zh"))
