"""What really happened in a measured fleet, as far as alarms are judged by it: faults with their windows, warm food.

A fault concerns some assets from `start` to `end`. An alarm counts as its detection when it is raised on one of them
in [start, until); alarms up to `settled` still belong to it, as a mended machine needs time to cool down. A sensor
fault is detected on its own point only. Slow faults must be found within 3 days of the moment at which half of their
effect is there. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from domain.batch import Int64s
from domain.times import DAY, HOUR
from simulators.faults import SENSOR_FAULTS, Fault, FaultKind
from simulators.fleet import Fleet
from simulators.parameters import COOLED
from simulators.recording import Recording
from simulators.truth import LIMITS

FOUND_WITHIN = 3 * DAY
SETTLES = 6 * HOUR  # machines and what they cool
SENSOR_SETTLES = HOUR
SLOW = (FaultKind.REFRIGERANT_LOSS, FaultKind.ICED_EVAPORATOR, FaultKind.CONDENSER_FOULING, FaultKind.MISSED_DEFROST)

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class FaultTruth:
    """One fault; times UTC ms. `point` is set for a sensor fault. `limit_at`: when the true temperature of the food
    first passed its limit during the fault (of a power cut: of the first food); None = it never did."""

    id: str
    kind: str
    assets: frozenset[str]
    start: int
    until: int
    end: int
    settled: int
    point: str | None = None
    limit_at: int | None = None

    def detects(self, point: str, at: int) -> bool:
        """Whether an alarm on that point, known at `at`, is a detection of the fault."""
        on_target = point == self.point if self.point is not None else point.partition("/")[0] in self.assets
        return on_target and self.start <= at < self.until

    def explains(self, asset: str, at: int) -> bool:
        """Whether an alarm of that asset at that time comes of the fault."""
        return asset in self.assets and self.start <= at < self.settled


@dataclass(frozen=True)
class Truth:
    """A fleet, or a part of it, from `start` to `end` (UTC ms): `warm` asset -> spans in which its food truly was
    beyond its limit; `told` asset -> spans in which people had told the system that it is out of use."""

    start: int
    end: int
    assets: tuple[str, ...]
    faults: tuple[FaultTruth, ...]
    warm: Mapping[str, Spans]
    told: Mapping[str, Spans]


def truth_of(fleet: Fleet, recording: Recording) -> Truth:
    """The truth of a recorded fleet."""
    warm = {
        asset.id: spans_of(recording.times, _beyond(recording, asset.id, asset.type))
        for asset in fleet.catalogue.assets
        if asset.type in COOLED
    }
    told = {
        asset: tuple((stop.start, stop.end) for stop in stops if stop.told) for asset, stops in fleet.life.stops.items()
    }
    faults = tuple(_fault(fault, fleet, warm) for fault in fleet.faults)
    return Truth(fleet.start, fleet.end, tuple(asset.id for asset in fleet.catalogue.assets), faults, warm, told)


def within(spans: Sequence[tuple[int, int]], at: int, slack: int = 0) -> bool:
    """Whether one of the spans contains the moment or ended at most `slack` ms before it."""
    return any(start <= at < end + slack for start, end in spans)


def spans_of(times: Int64s, true: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Spans:
    """The spans [first, last + one step) in which the flags of the ascending times are set."""
    if not len(times):
        return ()
    edges = np.flatnonzero(np.diff(np.concatenate(([False], true, [False])).astype(np.int8)))
    step = int(times[1] - times[0]) if len(times) > 1 else 1
    return tuple((int(times[first]), int(times[last - 1]) + step) for first, last in edges.reshape(-1, 2))


def _beyond(recording: Recording, asset: str, asset_type: str) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    side, limit = LIMITS[asset_type]
    food = recording.product[:, recording.row[asset]]
    flags: np.ndarray[tuple[int], np.dtype[np.bool_]] = food > limit if side == "above" else food < limit
    return flags


def _fault(fault: Fault, fleet: Fleet, warm: Mapping[str, Spans]) -> FaultTruth:
    asset, _, metric = fault.target.partition("/")
    hit = frozenset(one.id for one in fleet.catalogue.assets if asset in (one.id, one.fed_by))
    until, settles = fault.end, SENSOR_SETTLES if fault.kind in SENSOR_FAULTS else SETTLES
    if fault.kind in SLOW:
        half = fault.start + round(fault.parameters.get("ramp", 0.0) / 2.0)
        until = min(fault.end, half + FOUND_WITHIN)
    crossings = [
        max(start, fault.start)
        for one in (hit if fault.kind not in SENSOR_FAULTS else ())
        for start, end in warm.get(one, ())
        if start < fault.end and end > fault.start
    ]
    return FaultTruth(
        fault.id, str(fault.kind), hit, fault.start, until, fault.end, fault.end + settles,
        fault.target if metric else None, min(crossings, default=None),
    )  # fmt: skip
