"""Writes down what the sources gave, before the outbox sees it: the record that loss tests compare with.

JSON lines of `time`, `point`, `value` (null for none) and `quality`. Off unless the configuration names a file; it
grows without bound and is for tests and demonstrations only.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import msgspec

from domain.errors import CaretakerError
from domain.readings import Reading


class ProducedLog:
    """An open file of produced readings; does nothing without a path."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Open it for appending. CaretakerError when that cannot be."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
        except OSError as error:
            raise CaretakerError(f"{self._path} cannot be written: {error.strerror}", "mend produced_log") from None

    def write(self, readings: Iterable[Reading]) -> None:
        """Append them; they are out of this process when it returns."""
        if self._file is None:
            return
        for reading in readings:
            value = None if math.isnan(reading.value) else reading.value
            row = {"time": reading.time, "point": reading.point, "value": value, "quality": reading.quality.value}
            self._file.write(msgspec.json.encode(row) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
            self._file = None
