"""What each physics fault does to a step; edges count by their share; nothing outside a fault's span and target."""

from types import MappingProxyType

import numpy as np
import pytest

from domain.catalogue import Catalogue
from domain.times import DAY, HOUR, MINUTE, SECOND, parse_time
from simulators.effects import EffectsOfFaults, Hold, remaining
from simulators.environment import STEP
from simulators.faults import SPECS, Fault, FaultKind
from simulators.parameters import draw_thermal
from simulators.plant import Effects, no_effects

START = parse_time("2026-06-01T00:00:00Z")


def fault(kind: str, target: str, start: int = 0, length: int = HOUR, **parameters: float) -> Fault:
    """A fault that begins `start` ms after START."""
    word = FaultKind(kind)
    usual = {name: each.default for name, each in SPECS[word].parameters.items()}
    begin = START + start
    return Fault(f"{kind}-{target}", word, target, begin, begin + length, MappingProxyType(usual | parameters))


def effects(catalogue: Catalogue, *faults: Fault, holds: tuple[Hold, ...] = ()) -> EffectsOfFaults:
    return EffectsOfFaults(catalogue, draw_thermal(catalogue, 1), faults, holds)


def same(first: Effects, second: Effects) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in Effects.__dataclass_fields__)


def changed(catalogue: Catalogue, found: Effects) -> set[str]:
    """Which fields differ from a healthy plant."""
    healthy = no_effects(len(catalogue.assets), len(draw_thermal(catalogue, 1)))
    names = Effects.__dataclass_fields__
    return {name for name in names if not np.array_equal(getattr(found, name), getattr(healthy, name))}


@pytest.mark.parametrize(
    ("kind", "target", "fields"),
    [
        ("compressor_failure", "fridge", {"cooling", "draw"}),
        ("door_left_open", "fridge", {"ajar"}),
        ("power_cut", "board", {"supply"}),
        ("power_cut", "small", {"supply"}),
        ("refrigerant_loss", "fridge", {"cooling", "draw"}),
        ("iced_evaporator", "freezer", {"cooling"}),
        ("condenser_fouling", "freezer", {"cooling", "draw"}),
        ("fan_failure", "freezer", {"fan"}),
        ("missed_defrost", "freezer", {"no_defrost"}),
        ("endless_defrost", "freezer", {"always_defrost"}),
        ("pump_fault", "pump", {"broken"}),
        ("stuck_sensor", "fridge/temperature", set()),
        ("network_cut", "one", set()),
    ],
)
def test_a_fault_changes_its_own_and_only_while_it_lasts(
    small: Catalogue, kind: str, target: str, fields: set[str]
) -> None:
    found = effects(small, fault(kind, target, start=HOUR, length=12 * HOUR))
    assert changed(small, found.during(START + 8 * HOUR)) == fields
    for outside in (START, START + HOUR - STEP, START + 13 * HOUR, START + DAY):
        assert changed(small, found.during(outside)) == set()


def test_only_the_target_is_hit(small: Catalogue) -> None:
    row = draw_thermal(small, 1).row
    found = effects(small, fault("compressor_failure", "fridge")).during(START)
    assert found.cooling[row["fridge"]] == 0.0
    assert found.cooling[row["freezer"]] == 1.0


def test_a_power_cut_takes_what_hangs_below_and_nothing_else(school: Catalogue) -> None:
    number = {asset.id: place for place, asset in enumerate(school.assets)}
    found = effects(school, fault("power_cut", "north-board")).during(START).supply
    dark = {name for name, place in number.items() if found[place] == 0.0}
    assert dark == {asset.id for asset in school.assets if asset.fed_by == "north-board"} | {"north-board"}
    whole = effects(school, fault("power_cut", "school")).during(START).supply
    assert not whole.any()
    top = effects(school, fault("power_cut", "main-meter")).during(START).supply
    assert not top.any()


def test_an_edge_within_a_step_counts_by_its_share(small: Catalogue) -> None:
    row = draw_thermal(small, 1).row["fridge"]
    begins = effects(small, fault("compressor_failure", "fridge", start=4 * SECOND, length=HOUR))
    assert begins.during(START).cooling[row] == pytest.approx(0.4)
    assert begins.during(START + STEP).cooling[row] == 0.0
    assert begins.during(START + HOUR).cooling[row] == pytest.approx(0.6)
    assert begins.during(START + HOUR + STEP).cooling[row] == 1.0
    blink = effects(small, fault("compressor_failure", "fridge", start=2 * SECOND, length=SECOND))
    assert blink.during(START).cooling[row] == pytest.approx(0.9)


def test_a_decline_runs_from_all_to_what_remains(small: Catalogue) -> None:
    leak = fault("refrigerant_loss", "fridge", length=4 * HOUR, remaining=0.2, ramp=2.0 * HOUR)
    assert remaining(leak, leak.start) == 1.0
    assert remaining(leak, leak.start + HOUR) == pytest.approx(0.6)
    assert remaining(leak, leak.start + 3 * HOUR) == pytest.approx(0.2)
    at_once = fault("refrigerant_loss", "fridge", remaining=0.2, ramp=0.0)
    assert remaining(at_once, at_once.start) == pytest.approx(0.2)
    row = draw_thermal(small, 1).row["fridge"]
    found = effects(small, leak)
    falling = [found.during(START + number * MINUTE).cooling[row] for number in range(0, 240, 5)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == pytest.approx(0.2)


def test_a_leak_saves_power_and_a_fouled_condenser_costs_it(small: Catalogue) -> None:
    row = draw_thermal(small, 1).row["fridge"]
    leak = effects(small, fault("refrigerant_loss", "fridge", remaining=0.4, ramp=0.0)).during(START)
    fouled = effects(small, fault("condenser_fouling", "fridge", remaining=0.4, ramp=0.0)).during(START)
    iced = effects(small, fault("iced_evaporator", "fridge", remaining=0.4, ramp=0.0)).during(START)
    assert leak.draw[row] == pytest.approx(0.8)
    assert fouled.draw[row] == pytest.approx(1.25)
    assert iced.draw[row] == 1.0


def test_faults_on_one_machine_add_to_each_other(small: Catalogue) -> None:
    row = draw_thermal(small, 1).row["fridge"]
    weak = fault("iced_evaporator", "fridge", remaining=0.5, ramp=0.0)
    dirty = fault("condenser_fouling", "fridge", remaining=0.6, ramp=0.0)
    assert effects(small, weak, dirty).during(START).cooling[row] == pytest.approx(0.3)
    wide = fault("door_left_open", "fridge", opening=0.9)
    narrow = fault("door_left_open", "fridge", opening=0.2)
    assert effects(small, wide, narrow).during(START).ajar[row] == pytest.approx(0.9)


def test_a_held_door_is_shut_while_it_is_held(small: Catalogue) -> None:
    row = draw_thermal(small, 1).row["fridge"]
    found = effects(small, holds=(Hold(row, START + HOUR, START + 2 * HOUR),))
    assert not found.during(START).shut.any()
    assert list(np.flatnonzero(found.during(START + HOUR).shut)) == [row]
    assert not found.during(START + 2 * HOUR).shut.any()


def test_what_is_remembered_equals_what_is_worked_out_anew(small: Catalogue) -> None:
    faults = (
        fault("compressor_failure", "fridge", start=33_333, length=17 * MINUTE + 777),
        fault("door_left_open", "freezer", start=5 * MINUTE, length=90 * SECOND),
        fault("refrigerant_loss", "freezer", start=2 * MINUTE, length=20 * MINUTE, ramp=15.0 * MINUTE),
        fault("power_cut", "board", start=21 * MINUTE + 1, length=3),
    )
    keeping = effects(small, *faults, holds=(Hold(0, START + MINUTE, START + 9 * MINUTE),))
    for time in range(START - MINUTE, START + 30 * MINUTE, STEP):
        fresh = effects(small, *faults, holds=(Hold(0, START + MINUTE, START + 9 * MINUTE),))
        assert same(keeping.during(time), fresh.during(time)), time - START


def test_a_healthy_plants_effects_are_its_own() -> None:
    first, second = no_effects(3, 2), no_effects(3, 2)
    first.cooling[0] = 0.0
    assert first.draw[0] == 1.0
    assert second.cooling[0] == 1.0
