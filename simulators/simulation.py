"""One simulated site in virtual time: advance it to any moment and look at it there.

What is seen at a moment does not depend on the moments looked at before: the physics runs on a fixed grid of steps,
and values between two grid points are joined by lines.
"""

import copy
from collections.abc import Sequence

from domain.catalogue import Catalogue
from domain.times import HOUR
from simulators.effects import EffectsOfFaults, Hold
from simulators.environment import Environment
from simulators.faults import Fault, FaultKind
from simulators.life import CALM, Life
from simulators.plant import PlantModel, PlantState
from simulators.randomness import Floats
from simulators.sensors import Sample, Sensors, Shown

SETTLING = 4 * HOUR  # simulated before the first sample, so that it starts in the middle of normal life

_BREAKAGES = (FaultKind.BOILER_FAULT, FaultKind.PUMP_FAULT)


class Simulation:
    """A plant, its surroundings and its faults.

    `state` is at or after the moment last asked for, `before` one step earlier.
    """

    def __init__(self, catalogue: Catalogue, seed: int, start: int, faults: Sequence[Fault], life: Life = CALM) -> None:
        self.catalogue = catalogue
        self.model = PlantModel(catalogue, seed)
        self.environment = Environment(catalogue, self.model.thermal, seed, life)
        self.faults: tuple[Fault, ...] = ()
        self._stuck: dict[str, Sample] = {}
        self.before = self.state = self.model.initial(start - SETTLING)
        self.set_faults(faults)
        while self.state.time < start:
            self.step()

    def set_faults(self, faults: Sequence[Fault], holds: Sequence[Hold] = ()) -> None:
        """Replace the time line; what has been simulated stays as it is."""
        self.faults = tuple(faults)
        self.effects = EffectsOfFaults(self.catalogue, self.model.thermal, self.faults, holds)
        self.sensors = Sensors(self.model, self.faults, self._stuck)
        self._breakages = [fault for fault in self.faults if fault.kind in _BREAKAGES]

    def branch(self, faults: Sequence[Fault], holds: Sequence[Hold] = ()) -> "Simulation":
        """Another future of the same present: what happens to it leaves this simulation as it is."""
        other = copy.copy(self)
        other._stuck = dict(self._stuck)
        other.set_faults(faults, holds)
        return other

    def step(self) -> PlantState:
        """One physics step further."""
        self.before = self.state
        time = self.state.time
        self.state = self.model.step(self.state, self.environment.block(time), self.effects.during(time))
        return self.state

    def show(self, time: int) -> Shown:
        """What the points show at `time` (UTC ms, not earlier than asked before); simulates up to it."""
        if time <= self.before.time:
            raise ValueError(f"time {time} lies before the simulated present {self.before.time}")
        while self.state.time < time:
            self.step()
        broken = frozenset(fault.target for fault in self._breakages if fault.active(time))
        return self.sensors.observe(self.before, self.state, time, broken)

    def true(self, time: int) -> tuple[Floats, Floats]:
        """True air and product temperature of the thermal rows at a moment just shown."""
        share = (time - self.before.time) / (self.state.time - self.before.time)
        air = self.before.air + (self.state.air - self.before.air) * share
        return air, self.before.product + (self.state.product - self.before.product) * share
