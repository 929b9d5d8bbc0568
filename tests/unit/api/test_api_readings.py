"""Newest readings, history and gaps, as programs read them."""

from typing import Any

import pytest

from api.operations import MOST_READINGS, MOST_WINDOWS
from domain.batch import Gap
from domain.readings import Quality
from domain.records import Discovery
from domain.times import HOUR, MINUTE, SECOND, iso

HISTORY = "/api/v1/sites/school/points/fridge-1/temperature/history"


def test_latest_is_empty_before_the_first_reading(bench: Any) -> None:
    assert bench.json("/api/v1/sites/school/latest") == []


def test_latest_says_how_old_a_reading_is_and_whether_that_is_fresh(bench: Any) -> None:
    bench.measured("fridge-1/temperature", 4.25, ago=3 * MINUTE)
    (row,) = bench.json("/api/v1/sites/school/latest")
    assert row["value"] == 4.25
    assert row["age_ms"] == 3 * MINUTE
    assert row["fresh"] is True
    bench.clock[0] += 1
    assert bench.json("/api/v1/sites/school/latest")[0]["fresh"] is False


def test_a_bad_reading_keeps_its_text_and_has_no_number(bench: Any) -> None:
    bench.measured("fridge-1/temperature", float("nan"), quality=Quality.BAD, text="-127")
    (row,) = bench.json("/api/v1/sites/school/latest")
    assert (row["value"], row["quality"], row["text"]) == (None, "bad", "-127")


def test_a_point_that_the_catalogue_does_not_know_is_listed_without_unit(bench: Any) -> None:
    bench.measured("esp32/temperature", 21.0)
    assert bench.json("/api/v1/sites/school/latest")[0]["unit"] is None


def test_history_without_a_step_is_the_readings_of_the_last_day(bench: Any) -> None:
    bench.series.put("fridge-1/temperature", (bench.now - 25 * HOUR, 3.0), (bench.now - HOUR, 4.0), (bench.now, 5.0))
    bench.series.put_bad("fridge-1/temperature", bench.now - MINUTE, "85")
    found = bench.json(HISTORY)
    assert [row["value"] for row in found["readings"]] == [4.0, None, 5.0]
    assert found["readings"][1] == {"time": iso(bench.now - MINUTE), "value": None, "quality": "bad", "text": "85"}
    assert found["windows"] == []
    assert found["next"] is None
    assert found["unit"] == "Cel"


def test_history_is_read_on_from_next_until_everything_was_seen(bench: Any) -> None:
    bench.series.put("fridge-1/temperature", *((bench.now - n * MINUTE, float(n)) for n in range(5)))
    seen, start = [], iso(bench.now - HOUR)
    while start is not None:
        page = bench.json(HISTORY, params={"from": start, "limit": 2})
        seen += [row["value"] for row in page["readings"]]
        start = page["next"]
    assert seen == [4.0, 3.0, 2.0, 1.0, 0.0]


def test_history_with_a_step_sums_up_and_leaves_empty_windows_out(bench: Any) -> None:
    start = bench.now - HOUR
    bench.series.put("fridge-1/temperature", (start, 2.0), (start + MINUTE, 4.0), (start + 30 * MINUTE, 7.0))
    bench.series.put_bad("fridge-1/temperature", start + 31 * MINUTE, "x")
    found = bench.json(HISTORY, params={"from": str(start), "to": iso(bench.now), "step": "10min"})
    assert found["step_ms"] == 10 * MINUTE
    assert found["readings"] == []
    first, second = found["windows"]
    assert first == {
        "start": iso(start), "min": 2.0, "mean": 3.0, "max": 4.0, "last": 4.0, "count": 2, "bad": 0,
    }  # fmt: skip
    assert (second["count"], second["bad"]) == (1, 1)


def test_the_end_of_a_span_is_exclusive(bench: Any) -> None:
    bench.series.put("fridge-1/temperature", (bench.now, 1.0))
    assert bench.json(HISTORY, params={"to": str(bench.now)})["readings"] == []


def test_history_of_a_discovered_point_can_be_read(bench: Any) -> None:
    row = Discovery("school", "esp32/temperature", "esp32", "Cel", bench.now, bench.now, 20.0)
    bench.console.discovery_rows.append(row)
    bench.series.put("esp32/temperature", (bench.now - SECOND, 20.0))
    found = bench.json("/api/v1/sites/school/points/esp32/temperature/history")
    assert len(found["readings"]) == 1
    assert found["unit"] == "Cel"


def test_history_of_a_point_that_nobody_knows_is_not_found(bench: Any) -> None:
    assert bench.get("/api/v1/sites/school/points/fridge-1/humidity/history").status_code == 404


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"from": "2026-03-01T08:00:00"}, "no time zone"),
        ({"from": "yesterday"}, "neither RFC 3339"),
        ({"from": "12"}, "plausible"),
        ({"step": "5"}, "duration"),
        ({"step": "10ms"}, "shorter than"),
        ({"step": "1s"}, f"{MOST_WINDOWS} windows"),
        ({"from": "2026-03-01T06:00:00Z", "to": "2026-03-01T06:00:00Z"}, "empty"),
        ({"from": "2001-01-01T00:00:00Z"}, "longer than"),
        ({"limit": "0"}, "limit"),
        ({"limit": str(MOST_READINGS + 1)}, "limit"),
    ],
)
def test_a_span_that_cannot_be_used_is_refused_with_the_reason(bench: Any, query: dict[str, str], says: str) -> None:
    answer = bench.get(HISTORY, params=query)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_too_many_windows_come_with_the_step_that_would_do(bench: Any) -> None:
    answer = bench.get(HISTORY, params={"step": "1s"})
    remedy = answer.json()["remedy"]
    step = remedy.split("step of ")[1].split(" or")[0]
    assert bench.get(HISTORY, params={"step": step}).status_code == 200


def test_gaps_are_those_that_overlap_the_span(bench: Any) -> None:
    bench.series.gap_rows = [
        Gap("canteen", bench.now - 30 * HOUR, bench.now - 29 * HOUR, 5, "dropped"),
        Gap("canteen", bench.now - HOUR, bench.now - MINUTE, 0, "outbox_full", ("fridge-1/temperature",)),
    ]
    (gap,) = bench.json("/api/v1/sites/school/gaps")
    assert gap["reason"] == "outbox_full"
    assert gap["points"] == ["fridge-1/temperature"]
    assert len(bench.json("/api/v1/sites/school/gaps", params={"from": iso(bench.now - 48 * HOUR)})) == 2
