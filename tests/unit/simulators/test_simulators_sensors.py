"""From the plant to its readings: resolution, noise, words, start-up peaks, and sensor faults one upon another."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError
from domain.readings import Quality
from domain.times import DAY, HOUR, MINUTE, parse_time
from simulators.faults import SPECS, Fault, FaultKind
from simulators.sensors import RESOLUTION, Sample, Shown
from simulators.simulation import Simulation

START = parse_time("2026-06-01T00:00:00Z")
AIR = "fridge/temperature"


def fault(kind: str, target: str = AIR, start: int = 0, length: int = HOUR, **parameters: float) -> Fault:
    word = FaultKind(kind)
    usual = {name: each.default for name, each in SPECS[word].parameters.items()}
    return Fault(kind, word, target, START + start, START + start + length, MappingProxyType(usual | parameters))


def column(simulation: Simulation, name: str) -> int:
    return [point.name for point in simulation.sensors.points].index(name)


def special(simulation: Simulation, name: str, time: int) -> Sample | str | None:
    """The sample of a point when it is not simply the value shown; `as shown` otherwise."""
    found = simulation.sensors.samples(simulation.show(time))
    return found.get(column(simulation, name), "as shown")


def test_readings_have_the_resolution_of_their_metric(school: Catalogue) -> None:
    simulation = Simulation(school, 1, START, ())
    for minute in range(30):
        shown = simulation.show(START + minute * MINUTE)
        for point, value in zip(simulation.sensors.points, shown.value, strict=True):
            if not np.isnan(value):
                assert round(float(value), RESOLUTION[point.metric][0]) == float(value), point.name


def test_air_is_noisy_by_no_more_than_its_width_and_only_while_it_is_moved(small: Catalogue) -> None:
    simulation = Simulation(small, 1, START, ())
    at, row = column(simulation, AIR), simulation.model.thermal.row["fridge"]
    moved, still = [], []
    for second in range(0, 3 * 3600, 20):
        time = START + second * 1000
        shown = simulation.show(time)
        away = float(shown.value[at]) - float(simulation.true(time)[0][row])
        (moved if simulation.state.stirred[row] else still).append(abs(away))
    assert max(still) <= 0.05 + 1e-9  # half a digit
    assert 0.05 < max(moved) <= 0.05 + RESOLUTION["temperature"][1]


def test_noise_does_not_change_when_it_is_looked_at_again(small: Catalogue) -> None:
    simulation = Simulation(small, 1, START, ())
    first = simulation.show(START + 5)
    assert np.array_equal(simulation.show(START + 5).value, first.value)


def test_a_start_up_peak_shows_only_to_who_looks_at_that_moment(small: Catalogue) -> None:
    simulation = Simulation(small, 1, START, ())
    thermal, row = simulation.model.thermal, simulation.model.thermal.row["fridge"]
    while not simulation.state.peak[row]:
        simulation.step()
    at, end = column(simulation, "fridge/power"), simulation.state.time
    looks = [float(simulation.show(time).value[at]) for time in range(end - 9_900, end + 1, 100)]
    high = [watt for watt in looks if watt > 2.0 * thermal.run_power[row]]
    assert 3 <= len(high) <= 10  # less than a second of the ten
    assert max(high) == pytest.approx(thermal.peak_factor[row] * thermal.run_power[row], rel=0.01)


def test_voltage_sags_with_the_load_and_stays_in_its_band(school: Catalogue) -> None:
    simulation = Simulation(school, 1, START, ())
    volts, watts = column(simulation, "main-meter/voltage"), column(simulation, "main-meter/power")
    seen = [simulation.show(START + minute * MINUTE).value[[volts, watts]] for minute in range(0, 600, 5)]
    values = np.array(seen)
    assert values[:, 0].min() > 198.0
    assert values[:, 0].max() < 235.4
    assert np.corrcoef(values[:, 0], values[:, 1])[0, 1] < -0.3


def test_current_follows_power(small: Catalogue) -> None:
    simulation = Simulation(small, 1, START, ())
    shown = simulation.show(START + HOUR).value
    power, current = shown[column(simulation, "board/power")], shown[column(simulation, "board/current")]
    assert current == pytest.approx(power / 228.0, abs=0.02)


def test_things_without_physics_stay_where_they_are() -> None:
    text = (
        "site: {id: s}\nareas: [{id: a}]\nassets:\n"
        "  - {id: gas, type: gas_detector, area: a, points: {co2: {unit: ppm}}}\n"
        "  - {id: board, type: distribution_board, area: a, points: {residual_current: {unit: A}}}\n"
        "  - {id: office, type: room, area: a, points: {temperature: {}, humidity: {}, power: {}}}\n"
        "  - {id: washer, type: dishwasher, area: a, points: {power: {}, status: {states: {off: 0, run: 1}}}}\n"
    )
    simulation = Simulation(load_catalogue(text, "s.yaml"), 1, START, ())
    for hour in range(24):
        shown = dict(
            zip(
                [point.name for point in simulation.sensors.points],
                simulation.show(START + hour * HOUR).value,
                strict=True,
            )
        )
        assert 600 <= shown["gas/co2"] <= 700
        assert 0.1 <= shown["board/residual_current"] <= 0.2
        assert shown["office/temperature"] == pytest.approx(22.0, abs=0.2)
        assert shown["office/humidity"] == pytest.approx(50.0, abs=1.0)
        assert (shown["washer/power"] > 1000.0) == (shown["washer/status"] == 1.0)


def test_a_metric_that_the_plant_cannot_give_is_named() -> None:
    text = "site: {id: s}\nareas: [{id: a}]\nassets: [{id: x, type: other, area: a, points: {flow: {unit: m3/s}}}]\n"
    with pytest.raises(CaretakerError, match="has no x/flow") as caught:
        Simulation(load_catalogue(text, "s.yaml"), 1, START, ())
    assert "temperature" in caught.value.remedy


def test_a_hot_holding_says_off_then_preheating_then_degrees(school: Catalogue) -> None:
    simulation = Simulation(school, 1, parse_time("2026-06-01T05:00:00+08:00"), ())
    at = column(simulation, "hot-holding-1/temperature")
    words = []
    for minute in range(180):
        shown = simulation.show(parse_time("2026-06-01T05:00:00+08:00") + minute * MINUTE)
        sample = simulation.sensors.samples(shown).get(at)
        words.append(sample.text if sample is not None else "degrees")
    order = [word for number, word in enumerate(words) if number == 0 or words[number - 1] != word]
    assert order == ["off", "preheating", "degrees", "off"]


def test_a_hot_holding_without_electricity_says_so(school: Catalogue) -> None:
    noon = parse_time("2026-06-01T12:00:00+08:00")
    cut = Fault("cut", FaultKind.POWER_CUT, "north-board", noon, noon + HOUR)
    simulation = Simulation(school, 1, noon, (cut,))
    sample = simulation.sensors.samples(simulation.show(noon + MINUTE))[column(simulation, "hot-holding-1/temperature")]
    assert sample is not None
    assert (sample.quality, sample.text) == (Quality.BAD, "no power")
    assert np.isnan(sample.value)


def test_a_fault_begins_at_its_first_moment_and_ends_before_its_last(small: Catalogue) -> None:
    simulation = Simulation(small, 1, START - HOUR, (fault("error_code", length=MINUTE),))
    assert special(simulation, AIR, START - 1) == "as shown"
    assert special(simulation, AIR, START) == Sample(85.0, Quality.BAD, "85")
    assert special(simulation, AIR, START + MINUTE - 1) == Sample(85.0, Quality.BAD, "85")
    assert special(simulation, AIR, START + MINUTE) == "as shown"


def test_a_stuck_sensor_that_drifts_drifts_from_where_it_stuck(small: Catalogue) -> None:
    both = (fault("stuck_sensor"), replace(fault("sensor_drift", per_hour=6.0, most=100.0), id="z"))
    simulation = Simulation(small, 1, START, both)
    values = []
    for minute in range(0, 40, 10):
        sample = special(simulation, AIR, START + minute * MINUTE)
        assert isinstance(sample, Sample)
        values.append(sample.value)
    assert np.diff(values) == pytest.approx([1.0, 1.0, 1.0], abs=1e-6)


def test_a_drift_may_go_down(small: Catalogue) -> None:
    simulation = Simulation(small, 1, START, (fault("sensor_drift", per_hour=-8.0, most=2.0),))
    shown = simulation.show(START + 50 * MINUTE)
    sample = simulation.sensors.samples(shown)[column(simulation, AIR)]
    assert sample is not None
    assert sample.value == pytest.approx(float(shown.value[column(simulation, AIR)]) - 2.0)


def test_what_dropped_out_cannot_be_wrong_besides(small: Catalogue) -> None:
    both = (fault("drop_out"), replace(fault("error_code"), id="z"))
    simulation = Simulation(small, 1, START, both)
    assert special(simulation, AIR, START + MINUTE) is None


def test_a_stuck_sensor_stays_stuck_when_the_time_line_changes(small: Catalogue) -> None:
    simulation = Simulation(small, 1, START, (fault("stuck_sensor", length=DAY),))
    first = special(simulation, AIR, START)
    simulation.set_faults((*simulation.faults, fault("door_left_open", "fridge", start=HOUR, length=HOUR)))
    assert special(simulation, AIR, START + 2 * HOUR) == first


def test_nothing_special_on_a_normal_day(small: Catalogue) -> None:
    simulation = Simulation(small, 1, START, ())
    shown = simulation.show(START + HOUR)
    assert isinstance(shown, Shown)
    assert simulation.sensors.samples(shown) == {}
