"""Reads the tables of a TOML file strictly: every wrong key or value is an `InputError` with file, line and remedy.

For the agent's configuration and the options of its sources. It knows nothing of what the keys mean.
"""

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from domain.errors import InputError, Place
from domain.ids import check_id, parse_point
from domain.times import parse_duration
from domain.units import unit_of
from edge.toml_lines import Path, line_numbers, line_of

_SIZES = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "B": 1}


class Table(Mapping[str, Any]):
    """One table of the file; as a mapping it gives the plain values of `tomllib`."""

    def __init__(self, values: Mapping[str, Any], file: str, lines: Mapping[Path, int], path: Path = ()) -> None:
        self._values = values
        self._file = file
        self._lines = lines
        self._path = path

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def error(self, message: str, remedy: str = "", key: str | None = None) -> InputError:
        """The error to raise for that key, or for the table as a whole."""
        path = self._path if key is None else (*self._path, key)
        return InputError(Place(self._file, line_of(dict(self._lines), path)), message, remedy)

    def check_keys(self, *known: str) -> None:
        """Refuse keys other than these; the remedy says which one was probably meant."""
        for key in self._values:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
                raise self.error(f"unknown key {key!r}", hint, key)

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty; required when there is no default."""
        if key not in self._values and default is not None:
            return default
        value = self._required(key, f'{key} = "…"')
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key} = {value!r} is not a text", f'write it in quotes: {key} = "…"', key)
        return value

    def word(self, key: str, known: tuple[str, ...], default: str | None = None) -> str:
        """One of the known words."""
        value = self.text(key, default)
        if value not in known:
            near = difflib.get_close_matches(value, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(known)}"
            raise self.error(f"{key} = {value!r} is not known", hint, key)
        return value

    def id(self, key: str) -> str:
        """A legal id."""
        value = self.text(key)
        try:
            return check_id(value, key)
        except ValueError as error:
            raise self.error(str(error), f"for example {key} = {_as_id(value)!r}", key) from None

    def point(self, key: str = "point") -> str:
        """A point's name."""
        value = self.text(key)
        try:
            return str(parse_point(value))
        except ValueError as error:
            raise self.error(str(error), "", key) from None

    def unit(self, key: str, default: str | None = None) -> str:
        """The code of a known unit."""
        value = self.text(key, default)
        try:
            return unit_of(value).code
        except ValueError as error:
            raise self.error(f"{key}: {error}", "", key) from None

    def duration(self, key: str, default: str | None = None, *, least: int = 1) -> int:
        """Milliseconds of a text such as "10s", at least `least`."""
        value = default if key not in self._values and default is not None else self._required(key, f'{key} = "10s"')
        try:
            duration = parse_duration(value)
        except ValueError as error:
            raise self.error(f"{key}: {error}", f'for example {key} = "10s"', key) from None
        if duration < least:
            raise self.error(f"{key} = {value!r} is too short", f"use at least {least} ms", key)
        return duration

    def size(self, key: str, default: str, *, least: int) -> int:
        """Bytes of a number, or of a text such as "200MB"."""
        value = self._values.get(key, default)
        amount: object = value
        if isinstance(value, str):
            unit = next((unit for unit in _SIZES if value.endswith(unit)), "")
            digits = value.removesuffix(unit).strip()
            amount = int(digits) * _SIZES[unit] if unit and digits.isdecimal() else None
        if not isinstance(amount, int) or isinstance(amount, bool):
            raise self.error(f"{key} = {value!r} is not a size", f'for example {key} = "200MB"', key)
        if amount < least:
            raise self.error(f"{key} = {value!r} is too small", f"use at least {least} bytes", key)
        return amount

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(f"{key} = {value!r} is not a number", "write it without quotes", key)
        return float(value)

    def integer(self, key: str, default: int | None = None, *, least: int, most: int) -> int:
        """A whole number between `least` and `most`."""
        value = default if key not in self._values and default is not None else self._required(key, f"{key} = {least}")
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.error(f"{key} = {value!r} is not a whole number from {least} to {most}", "", key)
        return value

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers; empty when it is absent."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(type(item) is int for item in value):
            raise self.error(f"{key} = {value!r} is not a list of whole numbers", f"{key} = [32767]", key)
        return tuple(value)

    def path(self, key: str, default: str | None = None) -> FilePath:
        """A path; a relative one begins at the configuration file's folder."""
        return FilePath(self._file).parent / FilePath(self.text(key, default)).expanduser()

    def boolean(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            raise self.error(f"{key} = {value!r} is neither true nor false", f"{key} = true, without quotes", key)
        return value

    def table(self, key: str) -> "Table":
        """The table of that name; an empty one when it is absent."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            raise self.error(f"{key} must be a table", f"begin it with a line [{key}]", key)
        return Table(value, self._file, self._lines, (*self._path, key))

    def tables(self, key: str) -> list["Table"]:
        """The list of tables of that name; empty when it is absent."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            name = ".".join(str(part) for part in (*self._path, key) if isinstance(part, str))
            raise self.error(f"{key} must be a list of tables", f"begin each of them with a line [[{name}]]", key)
        return [Table(item, self._file, self._lines, (*self._path, key, n)) for n, item in enumerate(value)]

    def _required(self, key: str, example: str) -> Any:
        if key not in self._values:
            raise self.error(f"{key!r} is missing", f"add a line: {example}")
        return self._values[key]


def _as_id(text: str) -> str:
    """What the person might write instead of `text`."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in text.lower()).strip("-") or "kitchen"


def parse_tables(text: str, file: str) -> Table:
    """The root table of a TOML text. InputError with the line when it is not TOML."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, line, column = _place_of(str(error), text)
        hint = 'check quotes, brackets and that each line reads key = value, texts in "quotes"'
        raise InputError(Place(file, line, column), f"not TOML: {reason}", hint) from None
    return Table(values, file, line_numbers(text))


def _place_of(message: str, text: str) -> tuple[str, int, int]:
    """`tomllib` says `… (at line 3, column 7)` or `… (at end of document)`; its attributes came only in 3.14."""
    reason, _, place = message.rpartition(" (at ")
    digits = [int(part.strip("),")) for part in place.split() if part.strip("),").isdecimal()]
    if len(digits) == 2:
        return reason, digits[0], digits[1]
    return reason or message, text.count("\n") + 1, 0
