"""Ground truth: what was really wrong in a simulated site, when, and when true temperatures left their limits.

It is written beside the readings, so that whoever judges the readings can be judged. Limits are the strictest of the
shipped rule packs' Chinese limits by asset type; times are those of samples, crossings joined by lines between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from domain.catalogue import Catalogue
from domain.times import iso
from simulators.faults import PHYSICS_FAULTS, SPECS, Fault, FaultKind, Target
from simulators.parameters import Flags, Thermal
from simulators.plant import PlantState
from simulators.randomness import Floats

FORMAT = 1
QUANTITIES = ("air", "product")

# 餐饮服务食品安全操作规范 (2018 No. 12): cold storage 0-8 °C, freezing <= -12 °C, cold-dish room <= 25 °C, hot holding
# >= 60 °C.
LIMITS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "refrigerator": ("above", 8.0),
        "sample_fridge": ("above", 8.0),
        "cold_room": ("above", 8.0),
        "freezer": ("above", -12.0),
        "cold_dish_room": ("above", 25.0),
        "hot_holding": ("below", 60.0),
    }
)

_MACHINE_FAULTS = (
    FaultKind.COMPRESSOR_FAILURE, FaultKind.REFRIGERANT_LOSS, FaultKind.ICED_EVAPORATOR, FaultKind.CONDENSER_FOULING,
    FaultKind.FAN_FAILURE,
)  # fmt: skip


@dataclass(slots=True)
class Excursion:
    """A true temperature beyond its limit from `start` to `end` (UTC ms; None: still beyond), at worst `worst` °C."""

    asset: str
    quantity: str
    side: str
    limit: float
    start: int
    worst: float
    end: int | None = None


class Witness:
    """Watches the true plant sample by sample and writes the truth down at the end."""

    def __init__(self, catalogue: Catalogue, thermal: Thermal, faults: tuple[Fault, ...]) -> None:
        self._catalogue = catalogue
        self._faults = faults
        types = [catalogue.assets[number].type for number in thermal.index]
        sides = [LIMITS.get(kind, ("above", np.inf)) for kind in types]
        self._names = [catalogue.assets[number].id for number in thermal.index]
        self._side = [side for side, _ in sides]
        self._limit = np.array([limit for _, limit in sides])
        self._sign = np.array([1.0 if side == "above" else -1.0 for side in self._side])
        self._always = np.array([kind != "hot_holding" for kind in types], np.bool_)
        self._row = thermal.row
        self._last: Floats | None = None
        self._last_time = 0
        self._beyond: Flags = np.zeros((2, len(types)), np.bool_)
        self._open: dict[tuple[int, int], Excursion] = {}
        self._closed: list[Excursion] = []
        self._onset: dict[str, int] = {}

    def see(self, time: int, air: Floats, product: Floats, state: PlantState) -> None:
        """The true temperatures at a sample's time."""
        over = self._sign * (np.stack((air, product)) - self._limit)
        # A hot holding has a limit only while it serves; warming up and standing empty are no excursions.
        over = np.where(self._always | state.ready, over, -np.inf)
        beyond = over > 0.0
        for quantity, row in np.argwhere(beyond != self._beyond):
            self._cross(int(quantity), int(row), time, over)
        for (quantity, row), excursion in self._open.items():
            temperature = self._limit[row] + self._sign[row] * over[quantity, row]
            excursion.worst = self._worse(row, excursion.worst, float(temperature))
        self._beyond, self._last, self._last_time = beyond, over, time
        for fault in self._faults:
            if fault.active(time) and fault.kind in PHYSICS_FAULTS and fault.id not in self._onset:
                self._notice(fault, time, state)

    def notice_reading(self, fault: Fault, time: int) -> None:
        """A reading was altered, lost or held up by the fault."""
        self._onset.setdefault(fault.id, time)

    def document(self, seed: int, start: int, end: int) -> dict[str, Any]:
        """The truth as it is written to truth.json; see docs/simulators.md for the schema."""
        excursions = sorted(
            (*self._closed, *self._open.values()), key=lambda each: (each.start, each.asset, each.quantity)
        )
        return {
            "format": FORMAT,
            "site": self._catalogue.site,
            "seed": seed,
            "start": iso(start),
            "end": iso(end),
            "limits": {kind: {side: limit} for kind, (side, limit) in LIMITS.items()},
            "faults": [self._fault(fault, excursions) for fault in self._faults],
            "excursions": [_excursion(each) for each in excursions],
        }

    def _cross(self, quantity: int, row: int, time: int, over: Floats) -> None:
        at = time
        if self._last is not None and np.isfinite(self._last[quantity, row]) and np.isfinite(over[quantity, row]):
            first, last = float(self._last[quantity, row]), float(over[quantity, row])
            at = self._last_time + round((time - self._last_time) * first / (first - last))
        key = (quantity, row)
        if key in self._open:
            excursion = self._open.pop(key)
            excursion.end = at
            self._closed.append(excursion)
        else:
            limit = float(self._limit[row])
            self._open[key] = Excursion(self._names[row], QUANTITIES[quantity], self._side[row], limit, at, limit)

    def _worse(self, row: int, first: float, second: float) -> float:
        return max(first, second) if self._sign[row] > 0 else min(first, second)

    def _notice(self, fault: Fault, time: int, state: PlantState) -> None:
        if fault.kind in _MACHINE_FAULTS and not state.on[self._row[fault.target]]:
            return  # a broken machine shows only when it is called for
        first = max(fault.start, 0) if fault.kind not in _MACHINE_FAULTS else time
        self._onset[fault.id] = first

    def _fault(self, fault: Fault, excursions: list[Excursion]) -> dict[str, Any]:
        spec = SPECS[fault.kind]
        onset = self._onset.get(fault.id)
        return {
            "id": fault.id,
            "kind": str(fault.kind),
            "target": {str(spec.target): fault.target},
            "start": iso(fault.start),
            "end": iso(fault.end),
            "parameters": dict(fault.parameters),
            "onset": None if onset is None else iso(onset),
            "crossings": [] if spec.target is not Target.ASSET else self._crossings(fault, excursions),
        }

    def _crossings(self, fault: Fault, excursions: list[Excursion]) -> list[dict[str, Any]]:
        found: dict[str, Excursion] = {}
        for each in excursions:
            reached = each.asset == fault.target and each.start < fault.end and (each.end or fault.end) > fault.start
            if reached and each.quantity not in found:
                found[each.quantity] = each
        return [
            {"quantity": name, each.side: each.limit, "at": iso(max(each.start, fault.start))}
            for name, each in sorted(found.items())
        ]


def _excursion(each: Excursion) -> dict[str, Any]:
    return {
        "asset": each.asset,
        "quantity": each.quantity,
        each.side: each.limit,
        "start": iso(each.start),
        "end": None if each.end is None else iso(each.end),
        "worst": round(each.worst, 2),
    }
