"""What the physics faults of a time line do to one step of the plant.

Edges within a step count by their share of it, so that the physics depends smoothly on when a fault begins: the demo
relies on that to place an alarm to the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.catalogue import Catalogue
from domain.times import MINUTE
from simulators.environment import STEP
from simulators.faults import PHYSICS_FAULTS, Fault, FaultKind
from simulators.parameters import Thermal
from simulators.plant import Effects, no_effects

_K = FaultKind


@dataclass(frozen=True, slots=True)
class Hold:
    """A door that people keep shut and an asset they load nothing into, from `start` to `end` (UTC ms)."""

    row: int
    start: int
    end: int


class EffectsOfFaults:
    """The effects of a fixed list of faults, by step; unchanged stretches are worked out once."""

    def __init__(
        self, catalogue: Catalogue, thermal: Thermal, faults: Sequence[Fault], holds: Sequence[Hold] = ()
    ) -> None:
        self.faults = tuple(fault for fault in faults if fault.kind in PHYSICS_FAULTS)
        self.holds = tuple(holds)
        self._thermal = thermal
        self._assets = len(catalogue.assets)
        self._number = {asset.id: number for number, asset in enumerate(catalogue.assets)}
        self._fed = {
            fault.target: _fed_by(catalogue, fault.target) for fault in self.faults if fault.kind is _K.POWER_CUT
        }
        spans = [(fault.start, fault.end) for fault in self.faults] + [(hold.start, hold.end) for hold in self.holds]
        self._edges = np.array(sorted({edge for span in spans for edge in span}), np.int64)
        self._healthy = no_effects(self._assets, len(thermal))
        self._cached: Effects = self._healthy
        self._cached_for = (0, 0)

    def during(self, time: int) -> Effects:
        """The effects on the step from `time` (UTC ms, on the grid) to `time + STEP`."""
        first, last = self._cached_for
        if not first <= time < last:
            self._cached, self._cached_for = self._compute(time)
        return self._cached

    def _compute(self, time: int) -> tuple[Effects, tuple[int, int]]:
        end = time + STEP
        acting = [fault for fault in self.faults if fault.start < end and fault.end > time]
        holding = [hold for hold in self.holds if hold.start < end and hold.end > time]
        after = int(np.searchsorted(self._edges, time, side="right"))
        edge = int(self._edges[after]) if after < len(self._edges) else 2**62
        until = max(edge - edge % STEP, end)  # an edge within this step makes it one of its own
        if not acting and not holding:
            return self._healthy, (time, until)
        if any("ramp" in fault.parameters for fault in acting):
            until = min(until, time - time % MINUTE + MINUTE)
        effects = no_effects(self._assets, len(self._thermal))
        for fault in acting:
            share = (min(fault.end, end) - max(fault.start, time)) / STEP
            # A decline is taken by the minute: fine enough for hours and days, and the same however it is asked.
            self._apply(effects, fault, share, time - time % MINUTE)
        for hold in holding:
            effects.shut[hold.row] = True
        return effects, (time, until)

    def _apply(self, effects: Effects, fault: Fault, share: float, time: int) -> None:
        kind, most = fault.kind, share >= 0.5
        if kind is _K.POWER_CUT:
            for number in self._fed[fault.target]:
                effects.supply[number] *= 1.0 - share
            return
        if kind in (_K.BOILER_FAULT, _K.PUMP_FAULT):
            effects.broken[self._number[fault.target]] = True
            return
        row = self._thermal.row[fault.target]
        if kind is _K.COMPRESSOR_FAILURE:
            effects.cooling[row] *= 1.0 - share
            effects.draw[row] *= 1.0 - share
        elif kind is _K.DOOR_LEFT_OPEN:
            effects.ajar[row] = max(effects.ajar[row], fault.parameters["opening"] * share)
        elif kind is _K.FAN_FAILURE:
            effects.fan[row] = 0.0 if most else effects.fan[row]
        elif kind is _K.MISSED_DEFROST:
            effects.no_defrost[row] |= most
        elif kind is _K.ENDLESS_DEFROST:
            effects.always_defrost[row] |= most
        else:
            left = remaining(fault, time)
            effects.cooling[row] *= left
            effects.draw[row] *= _draw_factor(kind, left)


def remaining(fault: Fault, time: int) -> float:
    """Which share of its cooling power a declining machine still has: 1 at the fault's start, falling in a line."""
    ramp = fault.parameters["ramp"]
    done = 1.0 if ramp <= 0 else min(max((time - fault.start) / ramp, 0.0), 1.0)
    return 1.0 - done * (1.0 - fault.parameters["remaining"])


def _draw_factor(kind: FaultKind, left: float) -> float:
    if kind is _K.REFRIGERANT_LOSS:
        return 1.0 - (1.0 - left) / 3.0
    if kind is _K.CONDENSER_FOULING:
        return 1.0 + min((1.0 - left) * 0.6, 0.25)
    return 1.0


def _fed_by(catalogue: Catalogue, target: str) -> list[int]:
    """The places in the catalogue of all that is fed through the target, itself included; all for the site."""
    found = []
    for number, asset in enumerate(catalogue.assets):
        above: str | None = asset.id
        while above is not None and above != target:
            above = catalogue.assets_by_id[above].fed_by
        if above == target or target == catalogue.site:
            found.append(number)
    return found
