"""The physics: energy is kept, thermostats hold, defrosts hump, normal life keeps the legal limits."""

from itertools import pairwise

import numpy as np
import pytest

from domain.catalogue import Catalogue
from domain.times import DAY, HOUR, MINUTE, parse_time
from simulators.environment import STEP
from simulators.faults import Fault, FaultKind
from simulators.parameters import (
    BUILDS,
    DEFROST_HOURS,
    START_PEAK_FACTOR,
    START_PEAK_SECONDS,
    Thermal,
    draw_thermal,
)  # fmt: skip
from simulators.plant import DT, PlantState
from simulators.simulation import Simulation

MONDAY = parse_time("2026-06-01T00:00:00+08:00")


def states(simulation: Simulation, span: int) -> list[PlantState]:
    """Every state of the next `span` ms."""
    end = simulation.state.time + span
    found = []
    while simulation.state.time < end:
        found.append(simulation.step())
    return found


def runs(flags: np.ndarray) -> list[int]:
    """Lengths of the runs of true values, in steps."""
    edges = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    return list(np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1))


@pytest.fixture
def healthy(small: Catalogue) -> Simulation:
    return Simulation(small, 7, MONDAY, ())


def test_what_leaves_the_air_arrives_somewhere(healthy: Simulation) -> None:
    """Heat balance of each step to rounding: stored = from the kitchen + from the defrost - moved by the machine."""
    thermal = healthy.model.thermal
    for _ in range(3 * HOUR // STEP):
        before, block = healthy.state, healthy.environment.block(healthy.state.time)
        number = (before.time - block.start) // STEP
        after = healthy.step()
        loaded = block.loaded[number]
        stored = thermal.air_mass * (after.air - before.air)
        stored = stored + thermal.product_mass * (after.product - before.product - loaded)
        outward = thermal.to_ambient * block.demand[number] + thermal.through_door * block.door[number]
        reaching = 1.0 / (1.0 + 0.08 * before.frost**2)
        moved = thermal.sign * thermal.capacity * after.on * reaching - after.defrosting * thermal.defrost_heat
        assert stored == pytest.approx(DT * (outward * (block.ambient[number] - after.air) - moved), abs=1e-6)


def test_without_difference_of_temperature_nothing_moves(healthy: Simulation) -> None:
    """The second law in small: the product follows the air, never overtakes it."""
    for before, after in pairwise(states(healthy, 6 * HOUR)):
        toward = np.sign(after.air - before.product)
        moved = after.product - before.product
        loaded = moved > 0.05
        assert np.all((moved * toward >= -1e-12) | loaded)


def test_a_board_counts_the_sum_of_what_it_feeds_and_its_own(healthy: Simulation, small: Catalogue) -> None:
    first = healthy.state.energy.copy()
    names = [asset.id for asset in small.assets]
    found = states(healthy, 12 * HOUR)
    counted = healthy.model.tree @ (found[-1].energy - first)
    own = found[-1].energy - first
    assert counted[names.index("board")] == pytest.approx(own.sum())
    assert counted[names.index("fridge")] == pytest.approx(own[names.index("fridge")])
    base = sum(state.power[names.index("board")] * DT for state in found)
    assert own[names.index("board")] == pytest.approx(base)


def test_meters_never_run_backwards(healthy: Simulation) -> None:
    energies = np.array([state.energy for state in states(healthy, 24 * HOUR)])
    assert np.all(np.diff(energies, axis=0) >= 0.0)


def test_a_start_up_peak_is_counted_although_no_sample_sees_it(healthy: Simulation) -> None:
    thermal, row = healthy.model.thermal, healthy.model.thermal.row["fridge"]
    number = thermal.index[row]
    before = healthy.state
    for after in states(healthy, 12 * HOUR):
        extra = after.energy[number] - before.energy[number] - after.power[number] * DT
        started = after.on[row] and not before.on[row]
        expected = (thermal.peak_factor[row] - 1.0) * thermal.run_power[row] * thermal.peak_seconds[row]
        assert extra == pytest.approx(expected if started else 0.0, abs=1e-5)
        before = after


def test_the_thermostat_keeps_its_band_while_nobody_opens_the_door(healthy: Simulation) -> None:
    thermal, row = healthy.model.thermal, healthy.model.thermal.row["fridge"]
    night = states(healthy, 5 * HOUR)  # Monday, 0 to 5 o'clock
    air = np.array([state.air[row] for state in night])
    assert np.all(np.abs(air - thermal.setpoint[row]) < thermal.half_band[row] + 0.15)
    assert 3 <= len(runs(np.array([state.on[row] for state in night]))) <= 20


def test_a_compressor_rests_for_its_minimum(healthy: Simulation) -> None:
    thermal = healthy.model.thermal
    on = np.array([state.on for state in states(healthy, 2 * DAY)])
    for name in ("fridge", "freezer"):
        rests = runs(~on[:, thermal.row[name]])[1:-1]
        assert min(rests) * DT >= thermal.min_off[thermal.row[name]]


def test_a_freezer_defrosts_on_time_and_shows_a_hump(healthy: Simulation) -> None:
    thermal, row = healthy.model.thermal, healthy.model.thermal.row["freezer"]
    found = states(healthy, 2 * DAY)
    defrosts = runs(np.array([state.defrosting[row] for state in found]))
    assert len(defrosts) == 2 * DAY // thermal.defrost_period[row]
    assert set(defrosts) == {thermal.defrost_length[row] // STEP}
    air = np.array([state.air[row] for state in found])
    humps = [steps * DT / 60.0 for steps in runs(air > thermal.setpoint[row] + 3.0) if steps * DT > 600]
    assert len(humps) == len(defrosts)
    assert all(20.0 <= minutes <= 50.0 for minutes in humps)  # real ones: 27-42 min, doors come on top
    assert -6.0 <= air.max() <= 8.0
    assert max(state.frost[row] for state in found) < 1.3


def test_doors_stay_shut_at_the_weekend(small: Catalogue) -> None:
    saturday = Simulation(small, 7, MONDAY + 5 * DAY, ())
    assert not any(state.door.any() for state in states(saturday, 2 * DAY))
    assert any(state.door.any() for state in states(saturday, DAY))


@pytest.mark.parametrize(("seed", "start"), [(1, "2026-06-01"), (2, "2026-07-27"), (3, "2026-01-05")])
def test_a_healthy_week_keeps_the_legal_limits(school: Catalogue, seed: int, start: str) -> None:
    """Refrigerators pass 8 °C only for a door and for less than 30 min, a freezer only for a defrost."""
    simulation = Simulation(school, seed, parse_time(f"{start}T00:00:00+08:00"), ())
    found = states(simulation, 7 * DAY)
    air, product = np.array([state.air for state in found]), np.array([state.product for state in found])
    ready, on = np.array([state.ready for state in found]), np.array([state.on for state in found])
    longest: dict[str, tuple[float, float]] = {
        "refrigerator": (8.0, 30), "sample_fridge": (8.0, 30), "cold_room": (8.0, 30), "freezer": (-12.0, 60),
        "cold_dish_room": (25.0, 0),
    }  # fmt: skip
    for name, row in simulation.model.thermal.row.items():
        kind = school.assets_by_id[name].type
        if kind in longest:
            limit, minutes = longest[kind]
            assert max(runs(air[:, row] > limit), default=0) * DT <= minutes * 60.0, name
            assert product[:, row].max() <= limit, name
            assert np.median(air[:, row]) < limit - 3.0, name
        if kind in ("refrigerator", "sample_fridge", "freezer", "cold_room"):
            assert 0.25 <= on[:, row].mean() <= 0.70, name
            starts = np.flatnonzero(on[1:, row] & ~on[:-1, row])
            assert 12.0 <= np.median(np.diff(starts)) * DT / 60.0 <= 60.0, name
        if kind == "hot_holding":
            serving = ready[:, row]
            assert serving.any()
            assert air[serving, row].min() >= 60.0


def each(thermal: Thermal, school: Catalogue, kinds: tuple[str, ...]) -> list[int]:
    return [row for name, row in thermal.row.items() if school.assets_by_id[name].type in kinds]


@pytest.mark.parametrize("seed", range(5))
def test_parameters_lie_in_their_ranges(school: Catalogue, seed: int) -> None:
    thermal = draw_thermal(school, seed)
    assert np.all((thermal.peak_seconds >= START_PEAK_SECONDS[0]) & (thermal.peak_seconds < 1.0))
    cooled = each(thermal, school, ("refrigerator", "sample_fridge", "freezer", "cold_room"))
    assert np.all(thermal.peak_factor[cooled] >= START_PEAK_FACTOR[0])
    assert np.all(thermal.peak_factor[cooled] <= START_PEAK_FACTOR[1])
    for row in each(thermal, school, ("freezer", "cold_room")):
        assert thermal.defrost_period[row] in [hours * HOUR for hours in DEFROST_HOURS]
        assert 15 * MINUTE <= thermal.defrost_length[row] <= 30 * MINUTE
    for row in each(thermal, school, ("refrigerator",)):
        duty = thermal.to_ambient[row] * (25.0 - thermal.setpoint[row]) / thermal.capacity[row]
        mean = thermal.idle_power[row] + thermal.run_power[row] * duty
        assert 70.0 <= mean <= 300.0
        low, high = BUILDS["refrigerator"].setpoint
        assert low <= thermal.setpoint[row] <= high


def test_another_seed_is_another_school_and_the_same_seed_the_same(school: Catalogue) -> None:
    first, again, other = (draw_thermal(school, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.air_mass, again.air_mass)
    assert not np.any(first.air_mass == other.air_mass)


def test_an_asset_is_the_same_whatever_stands_beside_it(school: Catalogue) -> None:
    fewer = Catalogue(school.site, school.label, school.timezone, None, school.areas, school.assets[::-1][3:])
    whole, part = draw_thermal(school, 4), draw_thermal(fewer, 4)
    for name, row in part.row.items():
        assert part.capacity[row] == whole.capacity[whole.row[name]]


def test_a_failed_fridge_warms_as_an_exponential_towards_the_kitchen(small: Catalogue) -> None:
    """Beyond the first hour air and product move as one body: the distance to ambient falls by a constant share."""
    start = MONDAY + 5 * DAY  # a weekend: no doors, hardly a change in the kitchen
    fault = Fault("f", FaultKind.COMPRESSOR_FAILURE, "fridge", start, start + 2 * DAY)
    simulation = Simulation(small, 3, start, (fault,))
    row = simulation.model.thermal.row["fridge"]
    hourly = []
    for _ in range(10):
        state = states(simulation, HOUR)[-1]
        ambient = simulation.environment.block(state.time - STEP).ambient[0, row]
        hourly.append((float(state.air[row]), float(ambient - state.air[row])))
    assert all(later[0] > earlier[0] for earlier, later in pairwise(hourly))
    shares = [later[1] / earlier[1] for earlier, later in pairwise(hourly[2:])]
    assert np.std(shares) < 0.03  # the kitchen's own day moves it a little
    thermal = simulation.model.thermal
    tau = (thermal.air_mass[row] + thermal.product_mass[row]) / thermal.to_ambient[row] / 3600.0
    assert np.mean(shares) == pytest.approx(np.exp(-1.0 / tau), abs=0.03)
    assert 1.0 <= (hourly[2][0] - hourly[0][0]) / 2.0 <= 4.0  # °C/h


def test_a_moment_looks_the_same_whichever_moments_were_looked_at_before(school: Catalogue) -> None:
    def shown(moments: list[int], at: int) -> np.ndarray:
        simulation = Simulation(school, 1, MONDAY, ())
        for moment in moments:
            simulation.show(moment)
        return simulation.show(at).value

    at = MONDAY + 3 * HOUR + 123_456
    direct = shown([], at)
    often = shown(list(range(MONDAY, at, 7_001)), at)
    assert np.array_equal(direct, often, equal_nan=True)


def test_a_branch_leaves_its_origin_as_it_was(small: Catalogue) -> None:
    simulation = Simulation(small, 1, MONDAY, ())
    untouched = Simulation(small, 1, MONDAY, ())
    fault = Fault("f", FaultKind.COMPRESSOR_FAILURE, "fridge", MONDAY, MONDAY + DAY)
    branch = simulation.branch((fault,))
    warm = states(branch, 4 * HOUR)[-1]
    after, expected = states(simulation, 4 * HOUR)[-1], states(untouched, 4 * HOUR)[-1]
    assert np.array_equal(after.air, expected.air)
    assert warm.air[0] > after.air[0] + 2.0


def test_the_past_cannot_be_shown(small: Catalogue) -> None:
    simulation = Simulation(small, 1, MONDAY, ())
    simulation.show(MONDAY + HOUR)
    with pytest.raises(ValueError, match="lies before"):
        simulation.show(MONDAY)
