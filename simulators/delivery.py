"""How readings travel in a simulated stretch: latency, lost readings, a cut network, a wrong clock.

Order of sending is order of arrival. While an agent's network is cut its lines wait here and arrive together with its
first sample after the cut; how many may wait is bounded by the length of the scenario's cuts.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from domain.catalogue import Catalogue
from domain.times import iso
from simulators.faults import DELIVERY_FAULTS, Fault, FaultKind
from simulators.parameters import Flags
from simulators.randomness import keys_of, uniform

LATENCY = (80, 400)  # ms from the sample to its arrival
NOBODY = ""  # the agent of points that none owns


class Delivery:
    """The way from the agents to the file."""

    def __init__(self, catalogue: Catalogue, seed: int, faults: Sequence[Fault], missing: float) -> None:
        points = list(catalogue.points())
        self.columns: dict[str, list[int]] = {}
        for column, point in enumerate(points):
            self.columns.setdefault(point.agent or NOBODY, []).append(column)
        self._agents = list(self.columns)
        self._latency_keys = keys_of(seed, [f"latency of {agent}" for agent in self._agents])
        self._loss_keys = keys_of(seed, [f"loss of {point.name}" for point in points])
        self._none: Flags = np.zeros(len(points), np.bool_)
        self._missing = missing
        self._faults = [fault for fault in faults if fault.kind in DELIVERY_FAULTS]
        self._waiting: dict[str, list[str]] = {}

    def acting(self, time: int) -> list[Fault]:
        """The delivery faults at that moment."""
        return [fault for fault in self._faults if fault.active(time)]

    def lost(self, time: int) -> Flags:
        """Which columns' readings of that moment get lost at random."""
        return uniform(self._loss_keys, time) < self._missing if self._missing else self._none

    def in_order(self, time: int) -> list[str]:
        """The agents in the order in which their samples of that moment arrive."""
        latency = uniform(self._latency_keys, time)
        return [self._agents[number] for number in np.argsort(latency, kind="stable")]

    def stamped(self, agent: str, time: int) -> int:
        """The time stamp that the agent's clock gives to that moment."""
        skew = sum(
            fault.parameters["seconds"]
            for fault in self._faults
            if fault.kind is FaultKind.CLOCK_SKEW and fault.target == agent and fault.active(time)
        )
        return time + round(skew * 1000.0)

    def send(self, agent: str, time: int, rows: list[str]) -> list[str]:
        """The complete lines that arrive now: the rows given, and those that waited; none while the network is cut."""
        if any(
            fault.kind is FaultKind.NETWORK_CUT and fault.target == agent and fault.active(time)
            for fault in self._faults
        ):
            self._waiting.setdefault(agent, []).extend(rows)
            return []
        latency = float(uniform(self._latency_keys, time)[self._agents.index(agent)])
        received = iso(time + round(LATENCY[0] + latency * (LATENCY[1] - LATENCY[0])))
        return [f"{row},{received}\n" for row in (*self._waiting.pop(agent, ()), *rows)]

    def rest(self) -> Iterator[list[str]]:
        """What still waits at the end of the stretch, as it arrives when the cut ends, agent by agent."""
        back = {
            agent: max(
                fault.end for fault in self._faults if fault.kind is FaultKind.NETWORK_CUT and fault.target == agent
            )
            for agent in self._waiting
        }
        for agent in sorted(back, key=lambda name: (back[name], name)):
            yield [f"{row},{iso(back[agent])}\n" for row in self._waiting.pop(agent)]
