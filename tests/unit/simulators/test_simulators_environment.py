"""What surrounds the plant, hour by hour: ambient, doors, schedules, other loads; the same however it is entered."""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from domain.catalogue import Catalogue
from domain.times import DAY, HOUR, parse_time
from simulators.environment import STEP, STEPS_PER_BLOCK, Block, Environment
from simulators.parameters import BASE_LOAD, PUMP_POWER, draw_thermal
from simulators.timetable import day_events

MONDAY = parse_time("2026-06-01T00:00:00+08:00")


def around(catalogue: Catalogue, seed: int = 1) -> Environment:
    return Environment(catalogue, draw_thermal(catalogue, seed), seed)


def day(environment: Environment, start: int = MONDAY, hours: int = 24) -> list[Block]:
    return [environment.block(start + number * HOUR) for number in range(hours)]


def column(catalogue: Catalogue, asset: str) -> int:
    return [each.id for each in catalogue.assets].index(asset)


def test_a_block_is_the_hour_that_the_moment_lies_in(small: Catalogue) -> None:
    block = around(small).block(MONDAY + 2 * HOUR + 1234)
    assert block.start == MONDAY + 2 * HOUR
    rows, assets = len(draw_thermal(small, 1)), len(small.assets)
    for array, width in (
        (block.ambient, rows), (block.door, rows), (block.loaded, rows), (block.service, rows), (block.demand, 1),
        (block.own, assets), (block.running, assets),
    ):  # fmt: skip
        assert array.shape[0] in (STEPS_PER_BLOCK, 1)
        assert array.shape[1] >= width


def test_an_hour_is_the_same_whichever_hours_were_entered_before(school: Catalogue) -> None:
    fresh = around(school).block(MONDAY + 10 * HOUR)
    wandering = around(school)
    for number in (0, 40, 11, 3, 10, 9, 30, 2, 1, 25, 26, 27, 28, 29, 31):
        wandering.block(MONDAY + number * HOUR)
    again = wandering.block(MONDAY + 10 * HOUR)
    for name in ("ambient", "door", "loaded", "service", "own", "running"):
        assert np.array_equal(getattr(fresh, name), getattr(again, name)), name


def test_door_shares_add_up_to_the_openings(small: Catalogue) -> None:
    environment, thermal = around(small), draw_thermal(small, 1)
    zone = ZoneInfo(small.timezone)
    blocks = day(environment)
    for name, row in thermal.row.items():
        kind = small.assets_by_id[name].type
        events = day_events(1, name, kind, date(2026, 6, 1), zone)
        merged, last = 0, 0
        for opened, closed in events.openings:
            merged += max(0, closed - max(opened, last))
            last = max(last, closed)
        counted = sum(float(block.door[:, row].sum()) * STEP for block in blocks)
        assert merged > 0
        assert counted == pytest.approx(merged, rel=0.02)  # two openings may share a step
        loaded = sum(float(block.loaded[:, row].sum()) for block in blocks)
        assert loaded == pytest.approx(sum(warmth for _, warmth in events.loadings))


def test_a_share_is_never_more_than_open(school: Catalogue) -> None:
    for seed in range(3):
        for block in day(around(school, seed)):
            assert block.door.min() >= 0.0
            assert block.door.max() <= 1.0
            assert block.loaded.min() >= 0.0


def test_summer_is_warmer_than_winter_and_lunch_than_night(school: Catalogue) -> None:
    environment = around(school)
    row = draw_thermal(school, 1).row["fridge-1"]

    def mean(start: int, first: int, last: int) -> float:
        blocks = [environment.block(start + hour * HOUR) for hour in range(first, last)]
        return float(np.mean([block.ambient[:, row].mean() for block in blocks]))

    winter = parse_time("2026-01-12T00:00:00+08:00")
    summer = parse_time("2026-07-20T00:00:00+08:00")
    assert mean(summer, 0, 24) > mean(winter, 0, 24) + 3.0
    assert mean(summer, 10, 12) > mean(summer, 1, 4) + 1.5
    assert 15.0 < mean(winter, 1, 4) < mean(summer, 10, 12) < 34.0


def test_ambient_never_jumps(school: Catalogue) -> None:
    ambient = np.concatenate([block.ambient for block in day(around(school), hours=48)])
    assert np.abs(np.diff(ambient, axis=0)).max() < 0.1


def test_hot_holding_is_in_service_for_meals_on_school_days(school: Catalogue) -> None:
    environment = around(school)
    row = draw_thermal(school, 1).row["hot-holding-1"]
    service = np.concatenate([block.service[:, row] for block in day(environment)])
    hours = np.flatnonzero(service) * STEP / HOUR
    assert 5.5 <= hours.min() <= 6.5
    assert 18.0 <= hours.max() <= 19.0
    assert 0.2 < service.mean() < 0.4
    for block in day(environment, MONDAY + 5 * DAY, 48):
        assert not block.service[:, row].any()


def test_fridges_are_always_in_service(school: Catalogue) -> None:
    thermal = draw_thermal(school, 1)
    rows = [row for name, row in thermal.row.items() if "fr" in name or "cold" in name]
    assert all(block.service[:, rows].all() for block in day(around(school)))


def test_pumps_take_turns_and_rest_at_night(school: Catalogue) -> None:
    environment = around(school)
    first, second = column(school, "pump-1"), column(school, "pump-2")
    turns = []
    for number in range(4):
        noon = environment.block(MONDAY + number * DAY + 12 * HOUR).running
        assert noon[:, first].all() != noon[:, second].all()
        turns.append(bool(noon[0, first]))
        night = environment.block(MONDAY + number * DAY + 2 * HOUR).running
        assert not night[:, [first, second]].any()
    assert turns in ([True, False, True, False], [False, True, False, True])


def test_a_running_pump_draws_its_power_and_a_resting_one_next_to_nothing(school: Catalogue) -> None:
    block = around(school).block(MONDAY + 12 * HOUR)
    for name in ("pump-1", "pump-2"):
        number = column(school, name)
        power = block.own[:, number]
        if block.running[0, number]:
            assert power.min() > PUMP_POWER[0] * 0.95
            assert power.max() < PUMP_POWER[1] * 1.1
        else:
            assert power.max() < 5.0


def test_a_board_has_a_base_load_and_cooks_at_noon(school: Catalogue) -> None:
    environment = around(school)
    number = column(school, "north-board")
    night = environment.block(MONDAY + 2 * HOUR).own[:, number]
    noon = environment.block(MONDAY + 12 * HOUR).own[:, number]
    sunday = environment.block(MONDAY + 6 * DAY + 12 * HOUR).own[:, number]
    assert BASE_LOAD[0] * 0.9 < night.mean() < BASE_LOAD[1] * 1.1
    assert noon.mean() > night.mean() + 1_500.0
    assert sunday.mean() == pytest.approx(night.mean(), rel=0.1)


def test_the_boiler_gives_more_heat_by_day(school: Catalogue) -> None:
    environment = around(school)
    row = draw_thermal(school, 1).row["boiler-1"]
    night, noon = environment.block(MONDAY + 2 * HOUR), environment.block(MONDAY + 12 * HOUR)
    assert not night.service[:, row].any()
    assert noon.service[:, row].all()
    assert noon.demand[:, row].mean() > 1.5 * night.demand[:, row].mean()
    other = draw_thermal(school, 1).row["fridge-1"]
    assert set(noon.demand[:, other]) == {1.0}


def test_a_site_without_anything_thermal_has_its_hours_too(small: Catalogue) -> None:
    bare = Catalogue(small.site, small.label, small.timezone, None, small.areas, small.assets[:1])
    block = around(bare).block(MONDAY)
    assert block.ambient.shape == (STEPS_PER_BLOCK, 0)
    assert block.own.shape == (STEPS_PER_BLOCK, 1)
