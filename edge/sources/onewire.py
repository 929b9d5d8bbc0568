"""Reads DS18B20 temperature sensors where Linux's w1_therm driver shows them.

`<root>/28-…/w1_slave` holds the sensor's nine bytes, the driver's verdict on their checksum and the temperature in
m°C; newer kernels add `temperature`, which holds the number alone. A failed checksum, a missing sensor and the value
that the chip holds before its first conversion (85 °C) are bad readings with the raw text. The driver needs about
0.75 s per sensor, one after the other on a bus.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from domain.errors import CaretakerError
from domain.readings import Quality, Reading
from domain.source import PointDescription
from edge.tables import Table

KEYS = ("kind", "root", "sensors")
DEFAULT_ROOT = "/sys/bus/w1/devices"

# DS18B20 data sheet (Maxim 19-7487): power-on reset value 85 °C, range -55 to +125 °C.
POWER_ON_VALUE = 85.0
LEAST, MOST = -55.0, 125.0

_SENSOR = re.compile(r"[0-9a-f]{2}-[0-9a-f]{12}")
_MILLIDEGREES = re.compile(r"t=(-?\d+)")


class OneWireSource:
    """A source of one temperature point per sensor id."""

    def __init__(self, root: Path, sensors: Mapping[str, str]) -> None:
        self._root = root
        self._sensors = dict(sensors)

    @classmethod
    def from_options(cls, options: Table) -> "OneWireSource":
        """The source of those options; InputError when one is wrong."""
        options.check_keys(*KEYS)
        sensors = options.table("sensors")
        if not sensors:
            raise options.error(
                "no sensor is named", '[source.sensors], then "28-0316a2795abc" = "fridge-1/temperature"'
            )
        for name in sensors:
            if not _SENSOR.fullmatch(name):
                raise sensors.error(
                    f"{name!r} is not a sensor's id", f"ls {DEFAULT_ROOT} shows them: 28-0316a2795abc", name
                )
        return cls(options.path("root", DEFAULT_ROOT), {name: sensors.point(name) for name in sensors})

    def open(self) -> None:
        """CaretakerError when the kernel shows no 1-Wire devices at all; a single missing sensor is a bad reading."""
        if not self._root.is_dir():
            remedy = "load the driver: a line dtoverlay=w1-gpio in /boot/firmware/config.txt, then restart"
            raise CaretakerError(f"{self._root} is not there: the 1-Wire driver is not loaded", remedy)

    def points(self) -> Sequence[PointDescription]:
        """One point per sensor."""
        return tuple(PointDescription(point, "Cel") for point in self._sensors.values())

    def read(self, now: int) -> list[Reading]:
        """Every sensor's value, all stamped `now`."""
        return [self._reading(name, point, now) for name, point in self._sensors.items()]

    @property
    def exhausted(self) -> bool:
        """Never: sensors go on."""
        return False

    def close(self) -> None:
        """Nothing is held."""

    def _reading(self, name: str, point: str, now: int) -> Reading:
        folder = self._root / name
        try:
            full = folder / "w1_slave"
            if full.exists() or not (folder / "temperature").exists():
                value, quality, text = decode_w1_slave(full.read_text("ascii", "replace"))
            else:
                value, quality, text = decode_temperature((folder / "temperature").read_text("ascii", "replace"))
        except OSError as error:
            value, quality, text = math.nan, Quality.BAD, f"{name}: {error.strerror}"
        return Reading(point, now, value, quality, text)


def decode_w1_slave(text: str) -> tuple[float, Quality, str]:
    """Value in °C, quality and raw text of the file `w1_slave`."""
    raw = " | ".join(line.strip() for line in text.strip().splitlines())
    found = _MILLIDEGREES.search(text)
    if found is None or not re.search(r"crc=\w+ YES", text):
        return math.nan, Quality.BAD, raw or "empty"
    return _judged(int(found[1]) / 1000, raw)


def decode_temperature(text: str) -> tuple[float, Quality, str]:
    """Value in °C, quality and raw text of the file `temperature`."""
    raw = text.strip()
    if not re.fullmatch(r"-?\d+", raw):
        return math.nan, Quality.BAD, raw or "empty"
    return _judged(int(raw) / 1000, raw)


def _judged(value: float, raw: str) -> tuple[float, Quality, str]:
    """The value is kept whatever it is; what the chip cannot have measured is bad."""
    doubtful = value == POWER_ON_VALUE or not LEAST <= value <= MOST
    return (value, Quality.BAD, raw) if doubtful else (value, Quality.GOOD, "")
