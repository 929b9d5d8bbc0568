"""How long until the limit: against a plant whose true future is known, and where nothing can be said."""

from dataclasses import replace

import numpy as np
import pytest

from domain.readings import QualityCode
from domain.times import HOUR, MINUTE
from rules.insight.columns import AssetColumns, Column, grid_of
from rules.insight.machine import machine_of, unbroken
from rules.insight.regression import fit_line
from rules.insight.thermal import MEMBERS, Outlook, Quantity, TimeLeft, learn, time_left
from tests.insight.synthetic import END, Plant, Story, course, course_with_truth

FAILED = Story(fails_at=40)


def _width(found: TimeLeft) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def first_beyond(values: np.ndarray[tuple[int], np.dtype[np.float64]], limit: float) -> int:
    return int(np.argmax(values > limit)) + 1


@pytest.mark.parametrize("quantity", list(Quantity))
def test_a_failed_compressor_is_told_within_a_tenth_by_what_the_fridge_taught(quantity: Quantity) -> None:
    columns, (air, food) = course_with_truth(FAILED, Plant(), 600)
    found = time_left(columns, END, 8.0, quantity)
    true = first_beyond(air if quantity is Quantity.AIR else food, 8.0)
    assert found.outlook is Outlook.HEADING
    assert found.learned
    assert found.minutes == pytest.approx(true, rel=0.1)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= true <= found.high
    assert found.low < found.minutes < found.high


def test_the_figures_learned_are_those_of_the_plant() -> None:
    plant = Plant()
    grid = grid_of(course(Story(), plant), END)
    air = unbroken(grid.air)
    model = learn(grid, machine_of(grid, air), air)
    assert model.learned
    assert model.lag == pytest.approx(plant.lag, rel=0.15)
    assert model.exchange == pytest.approx(plant.exchange, rel=0.2)
    assert model.warming == pytest.approx(plant.loss * (plant.outside - model.air0), rel=0.1)


def test_an_ordinary_cycle_is_not_heading_for_the_limit() -> None:
    assert time_left(course(), END, 8.0).outlook is Outlook.NOT_HEADING


def test_what_settles_below_the_limit_is_not_heading_for_it() -> None:
    # Half of the coil is iced: the machine runs on and holds 6 °C or so.
    found = time_left(course(Story(fan_at=600, reaching=0.3)), END, 9.0)
    assert found.outlook is Outlook.NOT_HEADING
    assert found.minutes is None


def test_beyond_the_limit_there_is_no_time_left() -> None:
    found = time_left(course(Story(fails_at=400)), END, 8.0)
    assert (found.outlook, found.minutes) == (Outlook.BEYOND, None)
    assert found.temperature is not None
    assert found.temperature > 8.0


def test_without_a_probe_in_the_food_its_interval_is_wider() -> None:
    with_probe = time_left(course(FAILED), END, 8.0, Quantity.PRODUCT)
    without = time_left(course(replace(FAILED, without=frozenset({"product"}))), END, 8.0, Quantity.PRODUCT)
    assert without.outlook is Outlook.HEADING
    assert _width(without) > _width(with_probe)


def test_without_power_the_rising_air_teaches() -> None:
    columns, (air, _) = course_with_truth(
        replace(FAILED, without=frozenset({"power", "product"}), fails_at=60), Plant(), 900
    )
    found = time_left(columns, END, 8.0)
    assert found.minutes == pytest.approx(first_beyond(air, 8.0), rel=0.4)


@pytest.mark.parametrize("asset_type", ["hot_holding", "boiler", "other"])
def test_what_is_not_kept_cold_has_no_time_left(asset_type: str) -> None:
    assert time_left(replace(course(FAILED), asset_type=asset_type), END, 8.0).outlook is Outlook.UNKNOWN


def test_old_readings_are_no_present() -> None:
    assert time_left(course(FAILED), END + HOUR, 8.0).outlook is Outlook.UNKNOWN


def test_without_readings_nothing_is_said() -> None:
    empty = Column(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
    assert time_left(AssetColumns("refrigerator", air=empty), END, 8.0).outlook is Outlook.UNKNOWN
    assert time_left(AssetColumns("refrigerator"), END, 8.0).outlook is Outlook.UNKNOWN


def test_an_hour_of_past_gives_typical_figures_and_says_so() -> None:
    columns = course(Story(minutes=70, fails_at=40))
    found = time_left(columns, END, 8.0)
    assert not found.learned
    assert found.outlook in (Outlook.HEADING, Outlook.NOT_HEADING)


def test_the_same_readings_in_another_order_give_the_same_answer() -> None:
    columns = course(FAILED)
    assert columns.air is not None
    mixed = np.random.default_rng(3).permutation(len(columns.air.time))
    air = Column(columns.air.time[mixed], columns.air.value[mixed], columns.air.quality[mixed])
    assert time_left(replace(columns, air=air), END, 8.0) == time_left(columns, END, 8.0)


def test_error_codes_and_bad_readings_are_not_believed() -> None:
    columns = course(FAILED)
    assert columns.air is not None
    value, quality = columns.air.value.copy(), columns.air.quality.copy()
    value[::37], quality[5::41] = 327.67, QualityCode.BAD
    value[5::41] = -20.0
    spoiled = time_left(replace(columns, air=Column(columns.air.time, value, quality)), END, 8.0)
    whole = time_left(columns, END, 8.0)
    assert spoiled.minutes == pytest.approx(whole.minutes, rel=0.1)


def test_readings_of_the_future_are_not_looked_at() -> None:
    columns, _ = course_with_truth(FAILED, Plant(), 0)
    earlier = END - 20 * MINUTE
    cut = {
        name: Column(one.time[one.time <= earlier], one.value[one.time <= earlier], one.quality[one.time <= earlier])
        for name in ("air", "product", "power", "door")
        if (one := getattr(columns, name)) is not None
    }
    assert time_left(columns, earlier, 8.0) == time_left(replace(columns, **cut), earlier, 8.0)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="unequal length"):
        Column(np.zeros(2, np.int64), np.zeros(3), np.zeros(2, np.uint8))


def test_a_line_is_not_bent_by_what_lies_far_off() -> None:
    x = np.linspace(0.0, 10.0, 101)
    y = 2.0 + 0.5 * x
    y[::10] += 40.0
    fit = fit_line(x, y)
    assert fit is not None
    assert (fit.level, fit.slope) == (pytest.approx(2.0, abs=0.05), pytest.approx(0.5, abs=0.02))


def test_no_line_goes_through_points_of_one_place_or_too_few() -> None:
    assert fit_line(np.ones(10), np.arange(10.0)) is None
    assert fit_line(np.arange(3.0), np.arange(3.0)) is None
    assert MEMBERS > 30


@pytest.mark.parametrize("minutes", [1, 5, 12])
def test_a_unit_that_was_just_connected_has_no_half_hour_to_judge_by(minutes: int) -> None:
    time = END - np.arange(minutes - 1, -1, -1) * MINUTE
    air = Column(time, np.full(minutes, 4.2), np.full(minutes, int(QualityCode.GOOD), np.uint8))
    found = time_left(AssetColumns("refrigerator", air), END, 8.0, Quantity.AIR)
    assert found.outlook in (Outlook.NOT_HEADING, Outlook.UNKNOWN)
