"""Units: which ones Caretaker knows, which is canonical for a quantity, and how to convert.

Codes on the wire are those of SenML (RFC 8428 section 12.1 and the secondary units of RFC 8798). Points are stored in
the canonical unit of their quantity, so that a limit has one meaning; what a device sends in another unit of the same
quantity is converted on arrival: canonical = factor * value + offset.
"""

from dataclasses import dataclass
from enum import StrEnum


class Quantity(StrEnum):
    """What is measured; units convert only within one quantity."""

    TEMPERATURE = "temperature"
    POWER = "power"
    APPARENT_POWER = "apparent_power"
    ENERGY = "energy"
    VOLTAGE = "voltage"
    CURRENT = "current"
    FREQUENCY = "frequency"
    HUMIDITY = "humidity"
    PRESSURE = "pressure"
    CONCENTRATION = "concentration"
    FLOW = "flow"
    VOLUME = "volume"
    RATIO = "ratio"
    DURATION = "duration"
    COUNT = "count"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: its code, its quantity, its name for people, and `canonical = factor * value + offset`."""

    code: str
    quantity: Quantity
    symbol: str
    factor: float = 1.0
    offset: float = 0.0

    def to_canonical(self, value: float) -> float:
        """The value in the canonical unit of its quantity."""
        return value if self.factor == 1.0 and self.offset == 0.0 else self.factor * value + self.offset

    def from_canonical(self, value: float) -> float:
        """The value in this unit."""
        return value if self.factor == 1.0 and self.offset == 0.0 else (value - self.offset) / self.factor


_Q = Quantity
_ALL = (
    Unit("Cel", _Q.TEMPERATURE, "°C"),
    Unit("K", _Q.TEMPERATURE, "K", 1.0, -273.15),
    Unit("degF", _Q.TEMPERATURE, "°F", 5 / 9, -160 / 9),  # not in RFC 8428; UCUM's [degF] is not a SenML code
    Unit("W", _Q.POWER, "W"),
    Unit("kW", _Q.POWER, "kW", 1000.0),
    Unit("VA", _Q.APPARENT_POWER, "VA"),
    Unit("kVA", _Q.APPARENT_POWER, "kVA", 1000.0),
    Unit("kWh", _Q.ENERGY, "kWh"),
    Unit("Wh", _Q.ENERGY, "Wh", 0.001),
    Unit("J", _Q.ENERGY, "J", 1 / 3_600_000),
    Unit("V", _Q.VOLTAGE, "V"),
    Unit("mV", _Q.VOLTAGE, "mV", 0.001),
    Unit("A", _Q.CURRENT, "A"),
    Unit("mA", _Q.CURRENT, "mA", 0.001),
    Unit("Hz", _Q.FREQUENCY, "Hz"),
    Unit("%RH", _Q.HUMIDITY, "%"),
    Unit("Pa", _Q.PRESSURE, "Pa"),
    Unit("hPa", _Q.PRESSURE, "hPa", 100.0),
    Unit("kPa", _Q.PRESSURE, "kPa", 1000.0),
    Unit("bar", _Q.PRESSURE, "bar", 100_000.0),
    Unit("ppm", _Q.CONCENTRATION, "ppm"),
    Unit("m3/s", _Q.FLOW, "m³/s"),
    Unit("l/s", _Q.FLOW, "l/s", 0.001),
    Unit("m3", _Q.VOLUME, "m³"),
    Unit("l", _Q.VOLUME, "l", 0.001),
    Unit("/", _Q.RATIO, ""),
    Unit("%", _Q.RATIO, "%", 0.01),
    Unit("s", _Q.DURATION, "s"),
    Unit("ms", _Q.DURATION, "ms", 0.001),
    Unit("min", _Q.DURATION, "min", 60.0),
    Unit("h", _Q.DURATION, "h", 3600.0),
    Unit("count", _Q.COUNT, ""),
    Unit("state", _Q.STATE, ""),
)

UNITS: dict[str, Unit] = {unit.code: unit for unit in _ALL}
CANONICAL: dict[Quantity, Unit] = {}
for _unit in _ALL:
    CANONICAL.setdefault(_unit.quantity, _unit)

# What people write in files for the codes above.
_ALIASES = {"°C": "Cel", "C": "Cel", "°F": "degF", "F": "degF", "RH": "%RH", "bool": "state", "": "/"}


def unit_of(code: str) -> Unit:
    """The unit of that code or alias (`°C`, `°F`). ValueError names the known ones."""
    unit = UNITS.get(_ALIASES.get(code, code))
    if unit is None:
        raise ValueError(f"{code!r} is not a known unit: use one of {', '.join(sorted(UNITS))}")
    return unit


def convert(value: float, source: str, target: str) -> float:
    """The value of unit `source` in unit `target`. ValueError when they measure different quantities."""
    first, second = unit_of(source), unit_of(target)
    if first.quantity is not second.quantity:
        raise ValueError(f"{source} is a unit of {first.quantity}, {target} of {second.quantity}")
    return second.from_canonical(first.to_canonical(value))
