"""Replays readings from a CSV file: a data logger's export, or recorded trouble for a rehearsal.

Columns `time,point,value[,quality][,received]` with a header, sorted by time (RFC 3339 or epoch ms); `received` is
ignored. A value that is empty or no number becomes a bad reading with that text. The whole file is checked when it is
opened, so that a mistake is an error with its line and not a reading that is missing.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from domain.errors import InputError, Place
from domain.ids import parse_point
from domain.readings import Quality, Reading
from domain.source import PointDescription
from domain.times import parse_time
from edge.tables import Table

KEYS = ("kind", "path", "times", "pace", "units")
COLUMNS = ("time", "point", "value", "quality", "received")
TIMES = ("recorded", "from_now", "until_now")
PACES = ("recorded", "fast")

# What these metrics are in when the options do not say otherwise.
USUAL_UNITS: Mapping[str, str] = {
    "temperature": "Cel", "product_temperature": "Cel", "humidity": "%RH", "power": "W", "energy": "kWh",
    "voltage": "V", "current": "A", "pressure": "Pa", "door": "state", "status": "state",
}  # fmt: skip


class CsvReplay:
    """A source that reads one CSV file from its first row to its last, once.

    `times`: `recorded` keeps them, `from_now` moves the first row to the first cycle, `until_now` the last one.
    `pace`: `recorded` gives each row when as much time has passed as in the file, `fast` all at once.
    """

    def __init__(self, path: Path, times: str, pace: str, units: Mapping[str, str]) -> None:
        self._path = path
        self._times = times
        self._fast = pace == "fast" or times == "until_now"
        self._units = units
        self._points: dict[str, PointDescription] = {}
        self._first = self._last = 0
        self._shift = 0
        self._began: int | None = None
        self._rows: Iterator[Reading] = iter(())
        self._waiting: Reading | None = None

    @classmethod
    def from_options(cls, options: Table) -> "CsvReplay":
        """The source of those options; InputError when one is wrong."""
        options.check_keys(*KEYS)
        times, pace = options.word("times", TIMES, "recorded"), options.word("pace", PACES, "recorded")
        if times == "from_now" and pace == "fast":
            raise options.error(
                "from_now at the pace fast would give readings of the future", 'use times = "until_now"'
            )
        units = options.table("units")
        return cls(options.path("path"), times, pace, {name: units.unit(name) for name in units})

    def open(self) -> None:
        """Check every row. InputError with the line of the first that cannot be used."""
        count = 0
        for reading in self._read_file():
            self._first = reading.time if count == 0 else self._first
            self._last = reading.time
            count += 1
            if reading.point not in self._points:
                self._points[reading.point] = PointDescription(reading.point, self._unit(reading.point))
        if count == 0:
            raise InputError(Place(str(self._path), 1), "there is no reading in it", "add rows below the header")
        self._rows = self._read_file()
        self._waiting = next(self._rows)

    def points(self) -> Sequence[PointDescription]:
        """The points that stand in the file."""
        return tuple(self._points.values())

    def read(self, now: int) -> Iterator[Reading]:
        """The rows that are due at `now`, lazily."""
        if self._began is None:
            self._began = now
            anchor = {"recorded": now, "from_now": self._first, "until_now": self._last}[self._times]
            self._shift = now - anchor
        while self._waiting is not None and (self._fast or self._waiting.time - self._first <= now - self._began):
            reading, self._waiting = self._waiting, next(self._rows, None)
            time = reading.time + self._shift
            yield Reading(reading.point, time, reading.value, reading.quality, reading.text)

    @property
    def complete_until(self) -> int:
        """The time of the next row: nothing earlier follows."""
        return (self._last if self._waiting is None else self._waiting.time) + self._shift

    @property
    def exhausted(self) -> bool:
        """Whether the last row was given."""
        return self._waiting is None

    def close(self) -> None:
        """Forget the rest of the file."""
        self._rows, self._waiting = iter(()), None

    def _unit(self, point: str) -> str:
        metric = parse_point(point).metric
        unit = self._units.get(point) or self._units.get(metric) or USUAL_UNITS.get(metric)
        if unit is None:
            remedy = f'add to the source: [source.units], then {metric} = "Cel", or whatever it is in'
            raise InputError(Place(str(self._path)), f"the unit of {point} is not known", remedy)
        return unit

    def _read_file(self) -> Iterator[Reading]:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.reader(file)
                header = [name.strip() for name in next(rows, [])]
                self._check_header(header)
                before = 0
                for row in rows:
                    if row:
                        reading = self._reading(dict(zip(header, row, strict=False)), rows.line_num, before)
                        before = reading.time
                        yield reading
        except OSError as error:
            raise InputError(Place(str(self._path)), f"cannot read it: {error.strerror}", "check `path`") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(Place(str(self._path)), f"not a CSV file in UTF-8: {error}") from None

    def _check_header(self, header: list[str]) -> None:
        if header[:3] != list(COLUMNS[:3]) or not set(header) <= set(COLUMNS):
            remedy = "begin the file with a line: time,point,value,quality"
            raise InputError(Place(str(self._path), 1), "the header is not that of readings", remedy)

    def _reading(self, row: Mapping[str, str], line: int, before: int) -> Reading:
        place = Place(str(self._path), line)
        if "value" not in row:
            raise InputError(place, "the row has fewer than three columns", "write time,point,value")
        try:
            time, point = parse_time(row["time"]), str(parse_point(row["point"].strip()))
            quality = Quality(row.get("quality", "").strip() or "good")
        except ValueError as error:
            raise InputError(place, str(error), "quality is good, uncertain or bad") from None
        if time < before:
            raise InputError(place, "the row is earlier than the one before it", "sort the file by time")
        value, text = _number(row["value"])
        return Reading(point, time, value, Quality.BAD if text is not None else quality, text or "")


def _number(text: str) -> tuple[float, str | None]:
    """The value, and the raw text when it is none."""
    try:
        value = float(text)
    except ValueError:
        return math.nan, text
    return (value, None) if math.isfinite(value) else (math.nan, text)
