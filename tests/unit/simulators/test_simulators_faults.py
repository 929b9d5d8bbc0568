"""Each kind of fault is visible in the readings and named in the truth; a wrong scenario is refused with its line."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.catalogue import Catalogue
from domain.errors import InputError
from domain.times import DAY, HOUR, MINUTE, iso, parse_time
from simulators.faults import PHYSICS_FAULTS, SPECS, FaultKind
from simulators.scenario import DEFAULT_START, faults_within, load_scenario

Row = dict[str, str]
Run = Callable[..., tuple[list[Row], dict[str, Any]]]


def fault(kind: str, target: str, start: str = "10h", duration: str = "3h", **more: object) -> str:
    extra = "".join(f", {name}: {value}" for name, value in more.items())
    return f"faults: [{{id: it, kind: {kind}, target: {target}, start: {start}, duration: {duration}{extra}}}]"


def series(rows: list[Row], point: str, start: float = 0.0, end: float = 1e9) -> list[float]:
    """The good values of a point between two hours of the run."""
    first, last = DEFAULT_START + start * HOUR, DEFAULT_START + end * HOUR
    return [
        float(row["value"])
        for row in rows
        if row["point"] == point and row["quality"] == "good" and first <= parse_time(row["time"]) < last
    ]


def truth_of(truth: dict[str, Any]) -> dict[str, Any]:
    (found,) = truth["faults"]
    assert found["id"] == "it"
    assert found["start"] == iso(DEFAULT_START + 10 * HOUR)
    assert found["onset"] is not None
    return dict(found)


def mean(values: list[float]) -> float:
    assert values
    return sum(values) / len(values)


def test_a_failed_compressor_draws_nothing_and_the_fridge_warms(run: Run) -> None:
    rows, truth = run(fault("compressor_failure", "fridge", duration="6h"))
    assert max(series(rows, "fridge/power", 10.1, 15.9)) < 30.0
    air = series(rows, "fridge/temperature", 10.5, 15.9)
    assert air[-1] > 8.0
    found = truth_of(truth)
    by_quantity = {each["quantity"]: parse_time(each["at"]) for each in found["crossings"]}
    assert parse_time(found["onset"]) <= by_quantity["air"] <= by_quantity["product"]
    crossed = [e for e in truth["excursions"] if e["asset"] == "fridge" and e["quantity"] == "product"]
    assert crossed[0]["worst"] > 8.0
    assert parse_time(crossed[0]["end"]) > DEFAULT_START + 16 * HOUR


def test_an_open_door_warms_the_air_fast_and_the_product_slowly(run: Run) -> None:
    rows, truth = run(fault("door_left_open", "fridge", duration="30min"))
    assert set(series(rows, "fridge/door", 10.02, 10.49)) == {1.0}
    assert max(series(rows, "fridge/temperature", 10.0, 10.5)) > 10.0
    product = max(series(rows, "fridge/product_temperature", 10.0, 10.5))
    assert product < max(series(rows, "fridge/temperature", 10.0, 10.5)) - 5.0
    assert series(rows, "fridge/temperature", 12.5, 12.6)[0] < 8.0
    assert truth_of(truth)["crossings"][0]["quantity"] == "air"


@pytest.mark.parametrize("target", ["board", "small"])
def test_a_power_cut_silences_the_meters_and_warms_everything(run: Run, target: str) -> None:
    rows, truth = run(fault("power_cut", target))
    for point in ("board/power", "fridge/power", "freezer/power", "pump/power", "board/voltage", "board/current"):
        assert set(series(rows, point, 10.01, 13.0)) == {0.0}, point
    assert set(series(rows, "pump/status", 10.01, 13.0)) == {0.0}
    assert len(set(series(rows, "board/energy", 10.01, 13.0))) == 1
    assert series(rows, "fridge/temperature", 12.9, 13.0)[0] > series(rows, "fridge/temperature", 9.9, 10.0)[0] + 2.0
    assert truth_of(truth)["target"] == {"supply": target}


def test_a_leak_raises_the_duty_over_days(run: Run) -> None:
    rows, truth = run(fault("refrigerant_loss", "fridge", duration="3d", remaining=0.3, ramp="2d"), days=3.0)
    power = series(rows, "fridge/power")
    running = [sum(watt > 60.0 for watt in power[day * 1440 : (day + 1) * 1440]) / 1440 for day in range(3)]
    assert running[2] > running[0] + 0.25
    truth_of(truth)


def test_a_blocked_coil_and_a_fouled_condenser_cool_less(run: Run) -> None:
    healthy, _ = run(days=2.0)
    iced, truth = run(fault("iced_evaporator", "fridge", duration="2d", ramp="6h"), days=2.0)
    assert mean(series(iced, "fridge/temperature", 36.0)) > mean(series(healthy, "fridge/temperature", 36.0)) + 1.0
    truth_of(truth)
    fouled, truth = run(fault("condenser_fouling", "fridge", duration="2d", ramp="6h"), days=2.0)
    assert max(series(fouled, "fridge/power", 30.0)) > 1.15 * max(series(healthy, "fridge/power", 30.0))
    assert series(fouled, "fridge/energy")[-1] > series(healthy, "fridge/energy")[-1]
    truth_of(truth)


def test_a_dead_fan_warms_the_air_while_the_compressor_runs(run: Run) -> None:
    rows, truth = run(fault("fan_failure", "fridge"))
    assert max(series(rows, "fridge/temperature", 12.5, 13.0)) > 6.5
    assert min(series(rows, "fridge/power", 12.0, 13.0)) > 60.0
    truth_of(truth)


def test_a_missed_defrost_has_no_hump_and_an_endless_one_no_end(run: Run) -> None:
    rows, truth = run(fault("missed_defrost", "freezer", duration="14h"))
    assert max(series(rows, "freezer/temperature", 10.5, 23.9)) < -13.0
    truth_of(truth)
    rows, truth = run(fault("endless_defrost", "freezer"))
    assert series(rows, "freezer/temperature", 12.9, 13.0)[0] > 0.0
    assert min(series(rows, "freezer/power", 10.1, 12.9)) > 100.0
    assert truth_of(truth)["crossings"][0]["above"] == -12.0


def test_a_pump_in_fault_says_so_and_stands(run: Run) -> None:
    # Pumps take turns by the day, and a site with one pump runs it every day.
    rows, truth = run(fault("pump_fault", "pump"))
    assert set(series(rows, "pump/status", 10.0, 13.0)) == {2.0}
    assert max(series(rows, "pump/power", 10.1, 12.9)) < 60.0 < min(series(rows, "pump/power", 13.1, 20.0))
    truth_of(truth)


def test_a_boiler_in_fault_says_so_and_cools(run: Run, school: Catalogue) -> None:
    rows, truth = run(fault("boiler_fault", "boiler-1", duration="2h"), days=0.6, site=school)
    assert set(series(rows, "boiler-1/status", 10.0, 12.0)) == {2.0}
    assert set(series(rows, "boiler-1/status", 12.0, 14.0)) == {1.0}
    warm = series(rows, "boiler-1/temperature", 9.0, 10.0)
    assert series(rows, "boiler-1/temperature", 11.9, 12.0)[0] < min(warm) - 5.0
    truth_of(truth)


def test_a_stuck_sensor_repeats_itself(run: Run) -> None:
    rows, truth = run(fault("stuck_sensor", "fridge/temperature"))
    assert len(set(series(rows, "fridge/temperature", 10.0, 13.0))) == 1
    assert len(set(series(rows, "fridge/temperature", 13.0, 16.0))) > 5
    assert truth_of(truth)["target"] == {"point": "fridge/temperature"}


def test_a_drifting_sensor_departs_until_its_most(run: Run) -> None:
    healthy, _ = run()
    rows, truth = run(fault("sensor_drift", "fridge/temperature", per_hour=2.0, most=3.0))
    true, shown = (series(each, "fridge/temperature") for each in (healthy, rows))
    away = [b - a for a, b in zip(true, shown, strict=True)]
    assert away[9 * 60] == 0.0
    assert away[11 * 60] == pytest.approx(2.0, abs=0.06)
    assert away[12 * 60] == pytest.approx(3.0, abs=0.06)
    truth_of(truth)


def test_a_sensor_that_drops_out_is_silent(run: Run) -> None:
    rows, truth = run(fault("drop_out", "fridge/temperature"))
    assert series(rows, "fridge/temperature", 10.0, 13.0) == []
    assert len(series(rows, "fridge/temperature")) == 1440 - 180
    assert len(series(rows, "fridge/power")) == 1440
    truth_of(truth)


@pytest.mark.parametrize("code", ["85", "-127", "327.67", "999"])
def test_an_error_code_is_a_bad_reading_with_its_number(run: Run, code: str) -> None:
    rows, truth = run(fault("error_code", "fridge/temperature", duration="10min", code=code), days=0.5)
    bad = [row for row in rows if row["quality"] == "bad"]
    assert [(row["point"], row["value"]) for row in bad] == [("fridge/temperature", code)] * 10
    truth_of(truth)


def test_an_unnoticed_error_code_is_good_and_comes_now_and_then(run: Run) -> None:
    scenario = fault("error_code", "fridge/temperature", code=85, share=0.3, good=1)
    rows, _ = run(scenario, days=0.6)
    hits = series(rows, "fridge/temperature", 10.0, 13.0).count(85.0)
    assert 20 <= hits <= 90
    assert {row["quality"] for row in rows} == {"good"}


def test_a_cut_network_delays_but_loses_nothing(run: Run) -> None:
    healthy, _ = run()
    rows, truth = run(fault("network_cut", "one"))
    assert sorted((r["time"], r["point"], r["value"]) for r in rows) == sorted(
        (r["time"], r["point"], r["value"]) for r in healthy
    )
    received = [parse_time(row["received"]) for row in rows]
    assert received == sorted(received)
    end = DEFAULT_START + 13 * HOUR
    for row in rows:
        time = parse_time(row["time"])
        if row["point"].startswith("fr") and DEFAULT_START + 10 * HOUR <= time < end:
            assert end <= parse_time(row["received"]) < end + MINUTE
        else:
            assert time < parse_time(row["received"]) <= time + 400
    truth_of(truth)


def test_a_network_still_cut_at_the_end_delivers_when_it_is_back(run: Run) -> None:
    rows, _ = run(fault("network_cut", "one", start="23h", duration="5h"))
    late = [row for row in rows if parse_time(row["received"]) == DEFAULT_START + 28 * HOUR]
    assert len(late) == 60 * 9
    assert rows[-len(late) :] == late


def test_a_wrong_clock_shifts_the_time_stamps_of_its_agent_only(run: Run) -> None:
    rows, truth = run(fault("clock_skew", "two", seconds=-900), days=0.6)
    for row in rows:
        time, received = parse_time(row["time"]), parse_time(row["received"])
        wrong = row["point"].startswith(("board", "pump")) and 10 * HOUR <= received - DEFAULT_START < 13 * HOUR
        assert (received - time > 890_000) == wrong
    truth_of(truth)


def test_faults_do_not_touch_other_assets(run: Run) -> None:
    healthy, _ = run()
    rows, _ = run(fault("compressor_failure", "fridge"))
    assert series(rows, "freezer/temperature") == series(healthy, "freezer/temperature")
    assert series(rows, "fridge/temperature", 0.0, 10.0) == series(healthy, "fridge/temperature", 0.0, 10.0)


def test_every_kind_says_what_it_does() -> None:
    assert set(SPECS) == set(FaultKind)
    assert all(spec.effect for spec in SPECS.values())
    assert FaultKind.CLOCK_SKEW not in PHYSICS_FAULTS
    assert len(PHYSICS_FAULTS) == 11


GOOD = "kind: compressor_failure, target: fridge, start: 1h"


@pytest.mark.parametrize(
    ("entry", "complaint", "remedy"),
    [
        ("kind: compresor_failure, target: fridge, start: 1h, duration: 1h", "not known here", "'compressor_failure'"),
        ("target: fridge, start: 1h, duration: 1h", "'kind' is missing", "kind"),
        ("kind: compressor_failure, start: 1h, duration: 1h", "'target' is missing", "target"),
        ("kind: compressor_failure, target: fridge, duration: 1h", "'start' is missing", "start"),
        ("kind: compressor_failure, target: fride, start: 1h, duration: 1h", "there is no asset 'fride'", "'fridge'"),
        ("kind: compressor_failure, target: pump, start: 1h, duration: 1h", "cannot hit 'pump', a pump", "fridge"),
        ("kind: power_cut, target: fridge, start: 1h, duration: 1h", "cannot hit 'fridge'", "board"),
        ("kind: stuck_sensor, target: fridge, start: 1h, duration: 1h", "no point (asset/metric) 'fridge'", "fridge/"),
        ("kind: network_cut, target: three, start: 1h, duration: 1h", "there is no agent 'three'", "one, two"),
        (GOOD, "the fault has no end", "duration"),
        (f"{GOOD}, duration: 1h, until: 3h", "both duration and until", "leave one"),
        (f"{GOOD}, until: 30min", "before it begins", "positive"),
        (f"{GOOD}, duration: 0s", "before it begins", "positive"),
        (f"{GOOD}, duration: 5", "not a duration", ""),
        (f"{GOOD}, duration: 1h, opening: 0.5", "unknown key 'opening'", ""),
        ("kind: compressor_failure, target: fridge, start: soon, duration: 1h", "'soon' is neither", "1d6h"),
        ("kind: door_left_open, target: fridge, start: 1h, duration: 1h, opening: 2", "between 0.05 and 1", ""),
        ("kind: refrigerant_loss, target: fridge, start: 1h, duration: 1h, ramp: 90d", "ramp must lie", ""),
    ],
)  # fmt: skip
def test_a_wrong_fault_is_refused_with_its_line_and_a_remedy(
    small: Catalogue, entry: str, complaint: str, remedy: str
) -> None:
    with pytest.raises(InputError) as caught:
        load_scenario(f"missing: 0\nfaults:\n  - {{{entry}}}\n", "story.yaml", small)
    assert caught.value.place.file == "story.yaml"
    assert caught.value.place.line == 3
    assert complaint in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("start: yesterday\nfaults: []\n", 1, "neither RFC 3339"),
        ("faults: []\nmissing: 1.5\n", 2, "between 0 and 1"),
        ("fault: []\n", 1, "unknown key 'fault'"),
        ("", 1, "empty"),
        (
            f"faults:\n  - {{{GOOD}, id: a, duration: 1h}}\n  - {{{GOOD}, id: a, duration: 1h}}\n",
            3,
            "'a' is here twice",
        ),
    ],
)
def test_a_wrong_scenario_is_refused(small: Catalogue, text: str, line: int, complaint: str) -> None:
    with pytest.raises(InputError, match="story") as caught:
        load_scenario(text, "story.yaml", small)
    assert caught.value.place.line == line
    assert complaint in caught.value.message


def test_times_may_be_offsets_or_moments(small: Catalogue) -> None:
    text = (
        "start: 2026-05-04T00:00:00+08:00\nfaults:\n"
        f"  - {{{GOOD}, until: 2026-05-04T03:00:00+08:00}}\n"
        "  - {kind: pump_fault, target: pump, start: 2026-05-05T00:00:00Z, duration: 1h}\n"
    )
    scenario = load_scenario(text, "story.yaml", small)
    first, second = scenario.faults
    assert (first.start, first.end) == (scenario.start + HOUR, scenario.start + 3 * HOUR)
    assert second.start == parse_time("2026-05-05T00:00:00Z")
    assert [each.id for each in scenario.faults] == ["compressor_failure-1", "pump_fault-2"]
    assert faults_within(scenario.faults, scenario.start, scenario.start + DAY) == (first,)
    text = text.replace("until: 2026-05-04T03:00:00+08:00", "until: 3h")
    moved = load_scenario(text, "story.yaml", small, start=DEFAULT_START)
    assert moved.faults[0].start == DEFAULT_START + HOUR
