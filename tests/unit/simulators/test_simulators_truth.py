"""The witness: what it calls an excursion, a crossing and an onset, from temperatures made by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from domain.catalogue import Catalogue
from domain.times import MINUTE, iso, parse_time
from simulators.faults import Fault, FaultKind
from simulators.plant import PlantModel, PlantState
from simulators.truth import LIMITS, Witness

START = parse_time("2026-06-01T00:00:00Z")


class Bench:
    """A witness of a site with temperatures by hand; all units at a good temperature unless said otherwise."""

    def __init__(self, catalogue: Catalogue, *faults: Fault) -> None:
        self.model = PlantModel(catalogue, 1)
        self.witness = Witness(catalogue, self.model.thermal, faults)
        self.state = self.model.initial(START)
        self.normal = self.model.thermal.setpoint
        self.time = START

    def see(self, asset: str = "", air: float | None = None, product: float | None = None, **state: Any) -> None:
        """A sample a minute after the last one."""
        airs, products = self.normal.copy(), self.normal.copy()
        if asset:
            row = self.model.thermal.row[asset]
            airs[row] = airs[row] if air is None else air
            products[row] = products[row] if product is None else product
        self.witness.see(self.time, airs, products, self._state(**state))
        self.time += MINUTE

    def _state(self, **state: Any) -> PlantState:
        return replace(self.state, **state)

    def document(self) -> dict[str, Any]:
        return self.witness.document(1, START, self.time)


def at(minutes: float) -> str:
    return iso(START + round(minutes * MINUTE))


def test_an_excursion_begins_and_ends_where_the_line_crosses(small: Catalogue) -> None:
    bench = Bench(small)
    for air in (6.0, 7.0, 9.0, 10.0, 7.0, 6.0):
        bench.see("fridge", air)
    (found,) = bench.document()["excursions"]
    assert found == {
        "asset": "fridge",
        "quantity": "air",
        "above": 8.0,
        "start": at(1.5),
        "end": at(3 + 2 / 3),
        "worst": 10.0,
    }


def test_air_and_product_are_two_stories(small: Catalogue) -> None:
    bench = Bench(small)
    for air, product in ((7.0, 4.0), (9.0, 7.0), (10.0, 9.0), (7.0, 9.0), (6.0, 7.0)):
        bench.see("fridge", air, product)
    found = {each["quantity"]: (each["start"], each["end"]) for each in bench.document()["excursions"]}
    assert found == {"air": (at(0.5), at(2 + 2 / 3)), "product": (at(1.5), at(3.5))}


def test_the_limit_itself_is_within(small: Catalogue) -> None:
    bench = Bench(small)
    for _ in range(3):
        bench.see("fridge", 8.0)
    assert bench.document()["excursions"] == []


def test_who_begins_beyond_the_limit_begins_at_the_first_sample(small: Catalogue) -> None:
    bench = Bench(small)
    bench.see("freezer", -5.0)
    bench.see("freezer", -6.0)
    (found,) = bench.document()["excursions"]
    assert (found["start"], found["end"], found["worst"]) == (at(0), None, -5.0)
    assert found["above"] == -12.0


def test_two_excursions_are_two(small: Catalogue) -> None:
    bench = Bench(small)
    for air in (7.0, 9.0, 7.0, 9.0, 7.0):
        bench.see("fridge", air)
    assert [each["start"] for each in bench.document()["excursions"]] == [at(0.5), at(2.5)]


def test_a_hot_holding_counts_only_while_it_serves(school: Catalogue) -> None:
    bench = Bench(school)
    rows = len(bench.model.thermal)
    off, ready = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    ready[bench.model.thermal.row["hot-holding-1"]] = True
    for air in (30.0, 50.0):
        bench.see("hot-holding-1", air, air, ready=off)
    for air in (65.0, 58.0, 55.0, 64.0):
        bench.see("hot-holding-1", air, 70.0, ready=ready)
    bench.see("hot-holding-1", 40.0, 40.0, ready=off)
    (found,) = bench.document()["excursions"]
    assert (found["below"], found["worst"], found["quantity"]) == (60.0, 55.0, "air")
    assert parse_time(found["start"]) == START + 2 * MINUTE + round(5 / 7 * MINUTE)


def test_a_hot_holding_switched_off_while_too_cool_ends_its_excursion(school: Catalogue) -> None:
    bench = Bench(school)
    ready = np.zeros(len(bench.model.thermal), np.bool_)
    ready[bench.model.thermal.row["hot-holding-1"]] = True
    bench.see("hot-holding-1", 50.0, 70.0, ready=ready)
    bench.see("hot-holding-1", 45.0, 70.0)
    (found,) = bench.document()["excursions"]
    assert (found["start"], found["end"]) == (at(0), at(1))


def test_a_boiler_has_no_limit(school: Catalogue) -> None:
    assert "boiler" not in LIMITS
    bench = Bench(school)
    bench.see("boiler-1", 150.0, 5.0)
    assert bench.document()["excursions"] == []


def fault(kind: FaultKind, target: str, start: float, end: float) -> Fault:
    return Fault("it", kind, target, START + round(start * MINUTE), START + round(end * MINUTE))


def told(bench: Bench) -> dict[str, Any]:
    (found,) = bench.document()["faults"]
    return dict(found)


def test_a_broken_machine_shows_when_it_is_called_for(small: Catalogue) -> None:
    bench = Bench(small, fault(FaultKind.COMPRESSOR_FAILURE, "fridge", 1, 60))
    on = np.ones(len(bench.model.thermal), np.bool_)
    bench.see(on=on)
    bench.see()
    bench.see()
    assert told(bench)["onset"] is None
    bench.see(on=on)
    bench.see(on=on)
    assert told(bench)["onset"] == at(3)


def test_an_open_door_shows_at_once(small: Catalogue) -> None:
    bench = Bench(small, fault(FaultKind.DOOR_LEFT_OPEN, "fridge", 0.5, 60))
    bench.see()
    bench.see()
    assert told(bench)["onset"] == at(0.5)


def test_a_sensor_fault_shows_at_its_first_reading(small: Catalogue) -> None:
    lying = fault(FaultKind.STUCK_SENSOR, "fridge/temperature", 0, 60)
    bench = Bench(small, lying)
    bench.see()
    assert told(bench)["onset"] is None
    bench.witness.notice_reading(lying, START + MINUTE)
    bench.witness.notice_reading(lying, START + 2 * MINUTE)
    assert told(bench)["onset"] == at(1)
    assert told(bench)["crossings"] == []


def test_crossings_are_those_during_the_fault(small: Catalogue) -> None:
    bench = Bench(small, fault(FaultKind.COMPRESSOR_FAILURE, "fridge", 4, 8))
    for air in (7.0, 9.0, 7.0, 7.0, 7.0, 7.0, 9.0, 9.0, 9.0, 7.0):
        bench.see("fridge", air)
    assert told(bench)["crossings"] == [{"quantity": "air", "above": 8.0, "at": at(5.5)}]


def test_who_was_beyond_already_crossed_when_the_fault_began(small: Catalogue) -> None:
    bench = Bench(small, fault(FaultKind.COMPRESSOR_FAILURE, "fridge", 2, 8))
    for _ in range(5):
        bench.see("fridge", 9.0)
    assert told(bench)["crossings"][0]["at"] == at(2)


@pytest.mark.parametrize("asset", ["freezer", "board"])
def test_crossings_of_others_are_not_the_faults(small: Catalogue, asset: str) -> None:
    bench = Bench(small, fault(FaultKind.COMPRESSOR_FAILURE, "fridge", 0, 60))
    for _ in range(3):
        bench.see("freezer" if asset == "freezer" else "", -5.0)
    assert told(bench)["crossings"] == []
