"""A fleet is its seed: what stands where, how life goes, and faults that never hit the same thing twice at once."""

from collections import Counter
from itertools import pairwise

import pytest

from domain.errors import CaretakerError
from domain.times import DAY, HOUR
from simulators.faults import SENSOR_FAULTS, FaultKind
from simulators.fleet import CHUNK, Fleet, asset_days, free_span, make_fleet
from simulators.fleet_faults import AFTER, BEFORE, COURSES
from simulators.parameters import COOLED


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return make_fleet(11, 200, 30)


def test_two_hundred_assets_in_thirty_days_have_thirty_faults_of_every_kind(fleet: Fleet) -> None:
    assert len(fleet.catalogue.assets) == 200
    assert Counter(fault.kind for fault in fleet.faults) == dict.fromkeys(COURSES, 30)
    assert asset_days(fleet) == 6000.0


def test_the_seed_decides_everything(fleet: Fleet) -> None:
    assert make_fleet(11, 200, 30) == fleet
    other = make_fleet(12, 200, 30)
    assert other.faults != fleet.faults
    assert other.life != fleet.life


def test_no_asset_has_two_faults_at_once_nor_one_while_it_is_out_of_use(fleet: Fleet) -> None:
    spans: dict[str, list[tuple[int, int]]] = {}
    for fault in fleet.faults:
        target = fault.target.partition("/")[0]
        for asset in fleet.catalogue.assets:
            if target in (asset.id, asset.fed_by):
                spans.setdefault(asset.id, []).append((fault.start, fault.end))
    for asset, taken in spans.items():
        for (_, end), (start, _) in pairwise(sorted(taken)):
            assert start - end >= BEFORE
        for start, end in taken:
            assert free_span(fleet.life.stops.get(asset, ()), start - BEFORE, end + AFTER), asset


def test_faults_lie_within_the_stretch_and_leave_days_to_learn_from(fleet: Fleet) -> None:
    for fault in fleet.faults:
        assert fleet.start + 3 * DAY <= fault.start < fault.end <= fleet.end - HOUR


def test_faults_hit_what_they_can_hit_with_drawn_parameters(fleet: Fleet) -> None:
    for fault in fleet.faults:
        asset = fleet.catalogue.assets_by_id[fault.target.partition("/")[0]]
        assert asset.type in COURSES[fault.kind].types
        assert ("/" in fault.target) == (fault.kind in SENSOR_FAULTS)
        for name, (low, high) in COURSES[fault.kind].parameters.items():
            assert low <= abs(fault.parameters[name]) <= high
    drifts = [fault.parameters["per_hour"] for fault in fleet.faults if fault.kind is FaultKind.SENSOR_DRIFT]
    assert min(drifts) < 0 < max(drifts)


def test_every_cooled_unit_is_cleaned_and_some_canteens_close(fleet: Fleet) -> None:
    cooled = [asset for asset in fleet.catalogue.assets if asset.type in COOLED]
    short = [stop for asset in cooled for stop in fleet.life.stops[asset.id] if stop.end - stop.start < DAY]
    assert 0.9 * len(cooled) < len(short) < 1.4 * len(cooled)
    closed = [area for area, days in fleet.life.closed.items() if days]
    assert 2 <= len(closed) <= 12
    off = [stop for stops in fleet.life.stops.values() for stop in stops if stop.end - stop.start > DAY]
    assert off
    assert sum(stop.told for stop in off) > 0.7 * len(off)


def test_chunks_together_are_the_fleet(fleet: Fleet) -> None:
    chunks = fleet.chunks()
    assert [len(chunk.catalogue.areas) for chunk in chunks] == [CHUNK, CHUNK]
    assert [asset for chunk in chunks for asset in chunk.catalogue.assets] == list(fleet.catalogue.assets)
    assert sorted(fault.id for chunk in chunks for fault in chunk.faults) == sorted(one.id for one in fleet.faults)


def test_a_small_fleet_has_one_of_each_and_a_tiny_one_is_refused() -> None:
    small = make_fleet(1, 9, 12)
    assert max(Counter(fault.kind for fault in small.faults).values()) == 1
    assert make_fleet(1, 10, 5, per_kind=0).faults == ()
    with pytest.raises(CaretakerError, match="at least 3 assets"):
        make_fleet(1, 2, 30)


def test_a_fleet_without_room_has_fewer_faults_than_wanted() -> None:
    crowded = make_fleet(1, 3, 10, per_kind=50)
    assert 0 < len(crowded.faults) < 50
