"""Hard normal life: deliveries, cleaning, holidays and hot kitchens happen as they are meant; calm life stays."""

from datetime import date
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np

from domain.catalogue import Catalogue
from domain.times import HOUR, MINUTE, parse_time
from simulators.life import BIG_DELIVERY, CALM, DELIVERIES, DELIVERY_MINUTES, Life, Stop, stopped
from simulators.recording import record
from simulators.timetable import day_events, local_ms

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY, SUNDAY = date(2026, 6, 1), date(2026, 6, 7)
START = parse_time("2026-06-01T00:00:00+08:00")
BUSY = Life(True)


def test_calm_life_is_the_timetable_as_it_was() -> None:
    assert CALM.events(7, "fridge", "refrigerator", "kitchen", MONDAY, ZONE) == day_events(
        7, "fridge", "refrigerator", MONDAY, ZONE
    )


def test_a_closed_day_has_no_doors_and_only_in_that_canteen() -> None:
    life = Life(True, closed=MappingProxyType({"kitchen": frozenset({MONDAY})}))
    assert life.events(7, "fridge", "refrigerator", "kitchen", MONDAY, ZONE).openings == ()
    assert life.events(7, "fridge", "refrigerator", "other", MONDAY, ZONE).openings
    assert not life.is_open("other", SUNDAY)


def test_deliveries_prop_the_door_for_a_quarter_to_half_an_hour_in_the_morning() -> None:
    days = [date.fromordinal(MONDAY.toordinal() + week * 7 + day) for week in range(40) for day in range(5)]
    propped = [
        (day, span) for day in days for span in BUSY.events(7, "fridge", "refrigerator", "kitchen", day, ZONE).propped
    ]
    assert 40 < len(propped) < 80  # one and a half a week
    for day, (start, end, width) in propped:
        assert local_ms(day, BIG_DELIVERY[0], ZONE) <= start <= local_ms(day, BIG_DELIVERY[1], ZONE)
        assert DELIVERY_MINUTES[0] * MINUTE <= end - start <= DELIVERY_MINUTES[1] * MINUTE
        assert DELIVERIES["refrigerator"].width[0] <= width <= DELIVERIES["refrigerator"].width[1]


def test_the_same_day_is_the_same_and_another_seed_is_another() -> None:
    first = BUSY.events(7, "fridge", "refrigerator", "kitchen", MONDAY, ZONE)
    assert first == BUSY.events(7, "fridge", "refrigerator", "kitchen", MONDAY, ZONE)
    assert first != BUSY.events(8, "fridge", "refrigerator", "kitchen", MONDAY, ZONE)


def test_a_stop_is_off_before_it_is_empty_only() -> None:
    times = np.arange(0, 10, dtype=np.int64)
    off, empty = stopped((Stop(2, 4, 7, told=False),), times)
    assert np.flatnonzero(off).tolist() == [2, 3]
    assert np.flatnonzero(empty).tolist() == [2, 3, 4, 5, 6]
    assert not stopped((), times)[1].any()


def test_a_cleaned_fridge_warms_up_without_power_while_its_food_stays_cold(small: Catalogue) -> None:
    stop = Stop(START + 14 * HOUR, START + 15 * HOUR, START + 17 * HOUR, told=False)
    life = Life(True, stops=MappingProxyType({"fridge": (stop,)}))
    run = record(small, 3, START, START + 20 * HOUR, (), life)
    row, place = run.row["fridge"], [asset.id for asset in small.assets].index("fridge")
    off = (run.times > stop.start) & (run.times <= stop.on)
    assert run.power[off, place].max() == 0.0
    assert run.door[off, row].all()
    assert run.air[off, row].max() > 20.0
    empty = (run.times > stop.start) & (run.times <= stop.end)
    assert np.ptp(run.product[empty, row]) < 2.0  # what is carried in afterwards may warm it a little
    assert run.air[run.times == stop.end, row][0] < 9.0  # it ran down before the food came back


def test_a_hotter_kitchen_makes_machines_work_harder_but_keeps_food_cold(small: Catalogue) -> None:
    duty = []
    for warmth in (0.0, 6.0):
        run = record(small, 3, START, START + 6 * HOUR, (), Life(True, MappingProxyType({"kitchen": warmth})))
        place = [asset.id for asset in small.assets].index("fridge")
        duty.append(float((run.power[:, place] > 60.0).mean()))
        assert run.product[:, run.row["fridge"]].max() < 8.0
    assert duty[1] > duty[0] + 0.05
