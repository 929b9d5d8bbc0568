"""Which faults strike a fleet, when and how hard: drawn from the seed and spread so that normal life stays countable.

The kinds are those of the cold chain. Their lengths follow how such things happen: a door is found after an hour, a
compressor is mended next morning, a leak or a fouled condenser takes days to show. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from domain.catalogue import Asset, Catalogue
from domain.times import DAY, HOUR, MINUTE
from simulators.faults import SENSOR_FAULTS, SPECS, Fault, FaultKind
from simulators.life import Life
from simulators.parameters import COOLED, DEFROSTED, DOORED
from simulators.probes import ERROR_CODES
from simulators.randomness import generator

Span = tuple[float, float]
_K = FaultKind
BEFORE = 6 * HOUR  # free of other things before a fault
AFTER = 12 * HOUR  # to recover
_TRIES = 400


@dataclass(frozen=True, slots=True)
class Course:
    """How a kind of fault goes: which assets, how many hours it lasts, and the ranges of its parameters."""

    types: tuple[str, ...]
    hours: Span
    parameters: Mapping[str, Span]


def _course(types: tuple[str, ...], hours: Span, **parameters: Span) -> Course:
    return Course(types, hours, MappingProxyType(parameters))


# The longest first: they are the hardest to place.
COURSES: Mapping[FaultKind, Course] = MappingProxyType(
    {
        _K.CONDENSER_FOULING: _course(COOLED, (168.0, 216.0), remaining=(0.35, 0.55), ramp=(3 * DAY, 5 * DAY)),
        _K.REFRIGERANT_LOSS: _course(COOLED, (120.0, 156.0), remaining=(0.1, 0.35), ramp=(2 * DAY, 4 * DAY)),
        _K.MISSED_DEFROST: _course(DEFROSTED, (96.0, 120.0)),
        _K.ICED_EVAPORATOR: _course(COOLED, (72.0, 108.0), remaining=(0.1, 0.3), ramp=(1 * DAY, 2 * DAY)),
        _K.SENSOR_DRIFT: _course(COOLED, (36.0, 72.0), per_hour=(0.1, 0.4), most=(4.0, 8.0)),
        _K.POWER_CUT: _course(("distribution_board",), (0.7, 6.0)),
        _K.STUCK_SENSOR: _course(COOLED, (10.0, 30.0)),
        _K.COMPRESSOR_FAILURE: _course(COOLED, (10.0, 16.0)),
        _K.FAN_FAILURE: _course(COOLED, (6.0, 12.0)),
        _K.DROP_OUT: _course(COOLED, (2.0, 24.0), share=(1.0, 1.0)),
        _K.ERROR_CODE: _course(COOLED, (2.0, 12.0), share=(0.7, 1.0)),
        _K.ENDLESS_DEFROST: _course(DEFROSTED, (3.0, 8.0)),
        _K.DOOR_LEFT_OPEN: _course(DOORED, (1.0, 8.0), opening=(0.2, 1.0)),
    }
)


@dataclass(frozen=True)
class Strike:
    """What is needed to place faults: `per_kind` of each kind in [start, end) (UTC ms)."""

    seed: int
    catalogue: Catalogue
    life: Life
    start: int
    end: int
    per_kind: int


def strike(plan: Strike) -> tuple[Fault, ...]:
    """The faults by start; fewer than wanted where the fleet has no room for more."""
    booked = {
        asset.id: [(stop.start, stop.end) for stop in plan.life.stops.get(asset.id, ())]
        for asset in plan.catalogue.assets
    }
    chance = generator(plan.seed, "faults")
    # Whoever learns what is normal is given some days for it.
    first = plan.start + min(3 * DAY, (plan.end - plan.start) // 6)
    faults: list[Fault] = []
    for kind, course in COURSES.items():
        assets = [asset for asset in plan.catalogue.assets if asset.type in course.types]
        for number in range(plan.per_kind if assets else 0):
            found = _place(plan, kind, course, assets, booked, chance, first)
            if found is None:
                break
            asset, start, end = found
            for hit in _hit(plan.catalogue, asset):
                booked[hit].append((start - BEFORE, end + AFTER))
            faults.append(_fault(f"{kind}-{number + 1}", kind, course, asset.id, start, end, chance))
    return tuple(sorted(faults, key=lambda fault: (fault.start, fault.id)))


def _place(
    plan: Strike,
    kind: FaultKind,
    course: Course,
    assets: list[Asset],
    booked: Mapping[str, list[tuple[int, int]]],
    chance: np.random.Generator,
    first: int,
) -> tuple[Asset, int, int] | None:
    """An asset and a time span (whole minutes) free for the fault."""
    for _ in range(_TRIES):
        asset = assets[int(chance.integers(len(assets)))]
        length = _minutes(float(np.exp(chance.uniform(*np.log(course.hours)))))
        last = plan.end - length - HOUR
        if last <= first:
            return None
        start = int(chance.integers(first, last)) // MINUTE * MINUTE
        taken = [span for hit in _hit(plan.catalogue, asset) for span in booked[hit]]
        if all(end <= start - BEFORE or begin >= start + length + AFTER for begin, end in taken):
            return asset, start, start + length
    return None


def _hit(catalogue: Catalogue, asset: Asset) -> list[str]:
    """The assets that the fault of this one concerns: a board with all it feeds."""
    return [other.id for other in catalogue.assets if asset.id in (other.id, other.fed_by)]


def _fault(
    name: str, kind: FaultKind, course: Course, asset: str, start: int, end: int, chance: np.random.Generator
) -> Fault:
    parameters = {key: parameter.default for key, parameter in SPECS[kind].parameters.items()}
    parameters |= {key: float(chance.uniform(*span)) for key, span in course.parameters.items()}
    if kind is _K.ERROR_CODE:
        parameters["code"] = float(ERROR_CODES[int(chance.integers(len(ERROR_CODES)))])
        parameters["good"] = float(chance.integers(2))
    if kind is _K.SENSOR_DRIFT and chance.random() < 0.5:
        parameters["per_hour"] = -parameters["per_hour"]
    target = f"{asset}/temperature" if kind in SENSOR_FAULTS else asset
    return Fault(name, kind, target, start, end, MappingProxyType(parameters))


def _minutes(hours: float) -> int:
    return round(hours * 60.0) * MINUTE
