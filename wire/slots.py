"""How a value that is sent under one name and unit is understood: which point it is of, and how it becomes the unit of
store.

Pure. Decides by the catalogue where it knows the point; a point that nobody knows yet is taken in the canonical unit of
what it was sent in. It looks at names and units only, never at a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.catalogue import Point
from domain.ids import parse_point
from domain.reasons import DeadReason
from domain.times import EARLIEST, LATEST
from domain.units import CANONICAL, UNITS, Quantity, Unit
from wire.rejection import Rejection, quote

EARLIEST_SECONDS = EARLIEST / 1000  # times that are absolute and plausible, in SenML's unit
LATEST_SECONDS = LATEST / 1000


@dataclass(slots=True)
class Slot:
    """How a value under one name and unit is understood; `index` is -1 until the first row."""

    name: str
    unit: str
    factor: float
    offset: float
    states: Mapping[str, int]
    two_valued: bool
    index: int = -1
    as_is: bool = field(init=False)

    def __post_init__(self) -> None:
        self.as_is = self.factor == 1.0 and self.offset == 0.0

    def stored(self, value: float, base_value: float) -> float:
        """The value in the unit of store; what needs no arithmetic is kept to the last bit (also -0.0)."""
        if base_value:
            value += base_value
        return value if self.as_is else self.factor * value + self.offset


def is_point(name: str) -> bool:
    """Whether the name is an `asset/metric`."""
    try:
        parse_point(name)
    except ValueError:
        return False
    return True


def slot_of(name: str, code: str, points: Mapping[str, Point]) -> Slot | Rejection:
    """The slot of a full name and a unit's code ("" for none), or why values under them are not taken."""
    point = points.get(name)
    if point is None and not is_point(name):
        return Rejection(DeadReason.BAD_NAME, f"{quote(name)} is not a point: write asset/metric")
    unit = UNITS.get(code)
    if point is None:
        # Nobody knows the point yet. Stored in the canonical unit, its history will fit whatever the catalogue says.
        stored = code if unit is None else CANONICAL[unit.quantity].code
        return Slot(name, stored, *_conversion(unit), {}, unit is None or unit.quantity is Quantity.STATE)
    if code and (unit is None or unit.quantity is not point.unit.quantity):
        expected = f"{name} is a {point.unit.quantity}: send it in {point.unit.code}"
        return Rejection(DeadReason.BAD_UNIT, f"unit {quote(code)} does not fit; {expected}")
    return Slot(name, point.unit.code, *_conversion(unit), point.states, point.unit.quantity is Quantity.STATE)


def _conversion(unit: Unit | None) -> tuple[float, float]:
    """Factor and offset to the canonical unit; none for a unit that nobody knows or named."""
    return (1.0, 0.0) if unit is None else (unit.factor, unit.offset)
