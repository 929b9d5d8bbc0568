"""What there is to watch, as programs read it."""

from typing import Any

from api.board import Standing
from domain.alarms import Priority
from domain.records import Discovery
from domain.times import MINUTE


def test_a_site_says_what_it_holds_and_which_revisions_are_in_force(bench: Any) -> None:
    assert bench.json("/api/v1/sites") == [
        {
            "id": "school",
            "title": {"en": "School", "zh": "学校"},
            "timezone": "Asia/Shanghai",
            "commissioned_at": "2026-02-28T06:30:00.000Z",
            "assets": 3,
            "points": 4,
            "catalogue_revision": 1,
            "rules_revision": 1,
        }
    ]
    assert bench.json("/api/v1/sites/school") == bench.json("/api/v1/sites")[0]


def test_before_any_site_the_list_is_empty(empty: Any) -> None:
    assert empty.json("/api/v1/sites") == []


def test_a_site_that_is_being_commissioned_has_no_moment_yet(bench: Any) -> None:
    bench.console.commission("school", None, "setup", bench.now)
    assert bench.json("/api/v1/sites/school")["commissioned_at"] is None


def test_an_unknown_site_is_not_found_by_every_route_of_a_site(bench: Any) -> None:
    tails = (
        "", "/assets", "/assets/fridge-1", "/points", "/latest", "/discoveries", "/agents", "/gaps", "/excursions",
        "/points/fridge-1/temperature/history", "/alarms/cold-high/fridge-1/temperature", "/events",
    )  # fmt: skip
    for tail in tails:
        answer = bench.get(f"/api/v1/sites/nowhere{tail}")
        assert answer.status_code == 404, tail
        assert "nowhere" in answer.json()["detail"]


def test_points_name_their_unit_states_and_rules(bench: Any) -> None:
    points = {point["point"]: point for point in bench.json("/api/v1/sites/school/points")}
    temperature = points["fridge-1/temperature"]
    assert temperature["unit"] == "Cel"
    assert temperature["symbol"] == "°C"
    assert temperature["interval_ms"] == MINUTE
    assert temperature["rules"] == ["cold-high", "cold-low"]
    assert points["fridge-1/door"]["states"] == {"closed": 0, "open": 1}
    assert points["meter-1/power"]["rules"] == []


def test_an_asset_says_how_it_stands(bench: Any) -> None:
    bench.all_measured()
    assets = {asset["id"]: asset for asset in bench.json("/api/v1/sites/school/assets")}
    assert [asset["state"] for asset in assets.values()] == [Standing.NORMAL, Standing.NORMAL, Standing.UNWATCHED]
    assert assets["fridge-1"]["content"] == {"en": "Milk", "zh": "牛奶"}
    assert bench.json("/api/v1/sites/school/assets/fridge-1") == assets["fridge-1"]


def test_an_asset_with_an_alarm_says_its_priority(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    fridge = bench.json("/api/v1/sites/school/assets/fridge-1")
    assert (fridge["state"], fridge["priority"]) == (Standing.ALARM, Priority.HIGH)


def test_an_unknown_asset_is_not_found(bench: Any) -> None:
    assert bench.get("/api/v1/sites/school/assets/fridge-9").status_code == 404


def test_discoveries_are_points_that_the_catalogue_does_not_know(bench: Any) -> None:
    row = Discovery("school", "esp32/temperature", "esp32", "Cel", bench.now - 9_000, bench.now, float("nan"))
    bench.console.discovery_rows.append(row)
    (found,) = bench.json("/api/v1/sites/school/discoveries")
    assert found["point"] == "esp32/temperature"
    assert found["value"] is None


def test_a_new_revision_of_the_catalogue_is_seen_at_once(bench: Any) -> None:
    bench.json("/api/v1/sites/school/points")
    text = "site: {id: school}\nareas: []\nassets: []\n"
    bench.console.apply_site("school", [("site.yaml", text)], "setup", bench.now)
    assert bench.json("/api/v1/sites/school/points") == []
    assert bench.json("/api/v1/sites/school")["catalogue_revision"] == 2
