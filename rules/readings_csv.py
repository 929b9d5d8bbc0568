"""Readings as a CSV file: `time,point,value[,quality][,received]` in, columns or an `InputError` with the line out.

The order of the rows is the order of arrival. A uniform file (no quotes, one form of time) is read in columns at a few
million cells a second; anything else takes the row-by-row way, which is the meaning, and which finds the line of every
mistake. Pure: the caller hands over the file's bytes, in blocks cut anywhere, so that a file of any size can be read.
"""

import csv
import difflib
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from domain.batch import Bytes8, Float64s, Int32s, Int64s
from domain.errors import InputError, Place
from domain.ids import parse_point
from domain.readings import Quality, QualityCode
from domain.times import parse_time
from rules.timestamps import parse_times

COLUMNS = ("time", "point", "value", "quality", "received")
REQUIRED = ("time", "point", "value")
_BOM = b"\xef\xbb\xbf"
_QUALITIES: Mapping[str, int] = MappingProxyType({"": 0, **{quality.value: int(quality.code) for quality in Quality}})

States = Mapping[str, Mapping[str, int]]  # point -> text state -> number
NO_STATES: States = MappingProxyType({})

_Row = tuple[int, int, float, int, int]  # point, time, value, quality, received
_Columns = tuple[Int32s, Int64s, Float64s, Bytes8, Int64s]


@dataclass(frozen=True, slots=True)
class ReadingRows:
    """Readings in order of arrival: columns of equal length n, as in `domain.batch.ReadingBatch`, and arrival.

    `received` (n,) int64: UTC ms at which each one arrived.
    """

    points: tuple[str, ...]
    point: Int32s
    time: Int64s
    value: Float64s
    quality: Bytes8
    received: Int64s
    texts: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        return len(self.time)

    def between(self, start: int | None, end: int | None) -> "ReadingRows":
        """Those with start <= time < end; None = without that bound."""
        kept = np.ones(len(self), np.bool_)
        if start is not None:
            kept &= self.time >= start
        if end is not None:
            kept &= self.time < end
        if kept.all():
            return self
        rows = np.flatnonzero(kept)
        place = {int(row): number for number, row in enumerate(rows)} if self.texts else {}
        return ReadingRows(
            self.points, self.point[rows], self.time[rows], self.value[rows], self.quality[rows], self.received[rows],
            {place[row]: text for row, text in self.texts.items() if row in place},
        )  # fmt: skip


def read_readings(blocks: Iterable[bytes], file: str, states: States = NO_STATES) -> ReadingRows:
    """The readings of the file. InputError with file, line and remedy; `states` makes text states numbers.

    The first line may name the columns, in any order; without it they stand in the order of `COLUMNS`. Times are
    RFC 3339 or epoch milliseconds. A value that is empty or no finite number is a `bad` reading with its text.
    `received` is `time` where it is empty or missing. UTF-8, with or without a byte order mark, LF or CRLF.
    """
    reader = _Reader(file, states)
    for block in _whole_lines(blocks):
        reader.take(block)
    return reader.result()


class _Reader:
    """Collects the columns of all blocks."""

    def __init__(self, file: str, states: States) -> None:
        self.file = file
        self.states = states
        self.header: tuple[str, ...] | None = None
        self.lines = 0  # lines before the present block
        self.count = 0
        self.numbers: dict[str, int] = {}
        self.parts: list[_Columns] = []
        self.texts: dict[int, str] = {}

    def take(self, block: bytes) -> None:
        """Whole lines."""
        body, first_line = block, self.lines
        if self.header is None:
            head, _, rest = block.partition(b"\n")
            names = self._read_header(head)
            if names is None:
                return self._blank(block, rest)
            self.header, named = names
            body, first_line = (rest, 1 + self.lines) if named else (block, self.lines)
        if body.strip():
            columns = self._uniform(body) or self._row_by_row(body, first_line)
            self.count += len(columns[0])
            self.parts.append(columns)
        self.lines += block.count(b"\n")
        return None

    def _blank(self, block: bytes, rest: bytes) -> None:
        """Blank lines before the header."""
        self.lines += 1
        if rest:
            self.take(rest)

    def _read_header(self, line: bytes) -> tuple[tuple[str, ...], bool] | None:
        """The columns' names and whether the line named them; None for a blank line."""
        place = Place(self.file, self.lines + 1)
        if not line.strip():
            return None
        try:
            cells = [cell.strip() for cell in next(csv.reader([_decoded(line, self.file, self.lines)]))]
        except csv.Error as error:
            raise InputError(place, f"not CSV: {error}", "save the file with LF or CRLF at the end of lines") from None
        if _is_time(cells[0]):
            if not len(REQUIRED) <= len(cells) <= len(COLUMNS):
                raise InputError(place, f"the row has {len(cells)} columns", f"write {','.join(COLUMNS)}")
            return COLUMNS[: len(cells)], False
        names = tuple(cell.lower() for cell in cells)
        for name in names:
            if name not in COLUMNS:
                near = difflib.get_close_matches(name, COLUMNS, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(COLUMNS)}"
                raise InputError(place, f"unknown column {name!r}", hint)
            if names.count(name) > 1:
                raise InputError(place, f"the column {name!r} stands here twice", "name each column once")
        for name in REQUIRED:
            if name not in names:
                raise InputError(place, f"there is no column {name!r}", "begin the file with a line time,point,value")
        return names, True

    def _uniform(self, body: bytes) -> _Columns | None:
        """The columns, when every row has every column and nothing is unusual; else None and nothing is changed."""
        assert self.header is not None
        table = _split(body, len(self.header))
        if table is None:
            return None
        cells = dict(zip(self.header, table, strict=True))
        times = parse_times(cells["time"])
        received = times if "received" not in cells else parse_times(cells["received"])
        if times is None or received is None:
            return None
        numbers = self._numbers(cells["point"])
        if numbers is None:
            return None
        quality = np.zeros(len(times), np.uint8)
        if "quality" in cells:
            known = {name.encode(): code for name, code in _QUALITIES.items()}
            if not known.keys() >= set(cells["quality"]):
                return None
            quality = np.fromiter(map(known.__getitem__, cells["quality"]), np.uint8, len(times))
        return numbers, times, self._values(cells, quality), quality, received

    def _numbers(self, cells: Sequence[bytes]) -> Int32s | None:
        found: dict[bytes, int] = {}
        for cell in dict.fromkeys(cells):
            name = cell.decode("ascii")
            if name not in self.numbers:
                try:
                    parse_point(name)
                except ValueError:
                    return None
            found[cell] = self.numbers.setdefault(name, len(self.numbers))
        return np.fromiter(map(found.__getitem__, cells), np.int32, len(cells))

    def _values(self, cells: Mapping[str, Sequence[bytes]], quality: Bytes8) -> Float64s:
        texts = cells["value"]
        try:
            values = np.fromiter(map(float, texts), np.float64, len(texts))
        except ValueError:
            values = None
        # Python reads 1_0 as 10; here it is the raw text of a sensor that said something odd.
        if values is not None and np.isfinite(values).all() and b"_" not in b"".join(texts):
            return values
        values = np.empty(len(texts), np.float64)
        for row, text in enumerate(texts):
            name = cells["point"][row].decode("ascii")
            values[row], quality[row] = self._value(self.count + row, name, text.decode("ascii"), int(quality[row]))
        return values

    def _value(self, row: int, point: str, text: str, quality: int) -> tuple[float, int]:
        """Value and quality of a cell; what is no number is kept as text of that row."""
        try:
            value = math.nan if "_" in text else float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value, quality
        text = text.strip()
        if text:
            self.texts[row] = text
        number = self.states.get(point, {}).get(text)
        if number is not None and quality != QualityCode.BAD:
            return float(number), quality
        return math.nan, int(QualityCode.BAD)

    def _row_by_row(self, body: bytes, first_line: int) -> _Columns:
        assert self.header is not None
        text = _decoded(body, self.file, first_line)
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        found: list[_Row] = []
        line = first_line + 1
        try:
            for row in rows:
                if any(cell.strip() for cell in row):
                    found.append(self._row(row, Place(self.file, line), self.count + len(found)))
                line = first_line + rows.line_num + 1
        except csv.Error as error:
            raise InputError(Place(self.file, line), f"not CSV: {error}", "check the quotes there") from None
        point, time, value, quality, received = zip(*found, strict=True) if found else ((), (), (), (), ())
        return (
            np.array(point, np.int32), np.array(time, np.int64), np.array(value, np.float64),
            np.array(quality, np.uint8), np.array(received, np.int64),
        )  # fmt: skip

    def _row(self, row: list[str], place: Place, number: int) -> _Row:
        assert self.header is not None
        if not len(REQUIRED) <= len(row) <= len(self.header):
            wanted = ",".join(self.header)
            raise InputError(place, f"the row has {len(row)} columns, not {len(self.header)}", f"write {wanted}")
        cells = dict(zip(self.header, (cell.strip() for cell in row), strict=False))
        for name in REQUIRED:
            if name not in cells:
                raise InputError(place, f"the row ends before its {name}", f"write {','.join(self.header)}")
        time = _time(cells["time"], place)
        received = _time(cells["received"], place) if cells.get("received") else time
        try:
            name = str(parse_point(cells["point"]))
        except ValueError as error:
            raise InputError(place, str(error), "write asset/metric in the column point") from None
        quality = _QUALITIES.get(cells.get("quality", ""))
        if quality is None:
            words = ", ".join(word for word in _QUALITIES if word)
            raise InputError(place, f"{cells['quality']!r} is not a quality", f"use one of: {words}; or leave it empty")
        value, code = self._value(number, name, cells["value"], quality)
        return self.numbers.setdefault(name, len(self.numbers)), time, value, code, received

    def result(self) -> ReadingRows:
        """All blocks as one."""
        if self.header is None:
            raise InputError(Place(self.file, 1), "the file is empty", "begin it with a line time,point,value")
        none = np.empty(0, np.int64)
        parts = self.parts or [(none.astype(np.int32), none, none.astype(np.float64), none.astype(np.uint8), none)]
        point, time, value, quality, received = zip(*parts, strict=True)
        return ReadingRows(
            tuple(self.numbers), np.concatenate(point), np.concatenate(time), np.concatenate(value),
            np.concatenate(quality), np.concatenate(received), MappingProxyType(self.texts),
        )  # fmt: skip


def _split(body: bytes, width: int) -> list[list[bytes]] | None:
    """The cells by column, when the body is plain: ASCII, no quotes, no blanks, the same columns in every row."""
    if b'"' in body or not body.isascii():
        return None
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
        if b"\r" in body:
            return None
    body = body.removesuffix(b"\n")
    raw = np.frombuffer(body, np.uint8)
    ends = raw[(raw == ord(",")) | (raw == ord("\n"))]
    ends = np.append(ends, np.uint8(ord("\n")))
    if len(ends) % width:
        return None
    ends = ends.reshape(-1, width)
    if (ends[:, -1] != ord("\n")).any() or (ends[:, :-1] != ord(",")).any():
        return None
    if b" " in body or b"\t" in body:
        return None
    cells = body.replace(b"\n", b",").split(b",")
    return [cells[column::width] for column in range(width)]


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks that end with a line, outside quotes; the byte order mark taken off."""
    rest, begun = b"", False
    for block in blocks:
        rest += block
        if not begun and len(rest) < len(_BOM):
            continue
        if not begun:
            rest, begun = rest.removeprefix(_BOM), True
        cut = rest.rfind(b"\n") + 1
        if cut and rest.count(b'"', 0, cut) % 2 == 0:
            yield rest[:cut]
            rest = rest[cut:]
    rest = rest if begun else rest.removeprefix(_BOM)
    if rest:
        yield rest


def _decoded(body: bytes, file: str, lines_before: int) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        line = lines_before + body.count(b"\n", 0, error.start) + 1
        raise InputError(Place(file, line), "the file is not UTF-8", "save it as CSV UTF-8") from None


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def _time(text: str, place: Place) -> int:
    try:
        return parse_time(text)
    except ValueError as error:
        raise InputError(place, str(error), "write for example 2026-03-01T08:00:00Z or epoch milliseconds") from None
