"""Readings in columns: what ingest accepts, the journal keeps, the engine judges and the series store appends.

A `ReadingBatch` is self-contained (it carries the names of its points), so a journal row can be read back without any
other table. The order of rows is the order of arrival. Server only: the edge never imports this module (numpy).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec
import numpy as np
import numpy.typing as npt

from domain.readings import QualityCode, Reading

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]
Bytes8 = npt.NDArray[np.uint8]

_FORMAT = 1


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """Readings that never came: event time span in UTC ms (`start` <= `end`), how many (0 = unknown), and why.

    `points` is empty when the gap concerns all of the agent's points.
    """

    agent: str
    start: int
    end: int
    count: int
    reason: str
    points: tuple[str, ...] = ()


class Span(msgspec.Struct, frozen=True, array_like=True):
    """One pack's part of a batch: rows `start` to `stop` (exclusive) came from `agent`.

    `upto` is the agent's promise in UTC ms that nothing of its earlier than this follows; 0 when it made none (foreign
    device): then the engine takes `received` - 60 s. `boot` and `seq` are empty and 0 for an unsequenced pack.
    """

    agent: str
    start: int
    stop: int
    upto: int
    boot: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Accepted readings of one site, in columns of equal length n.

    `points`: names (`asset/metric`), each at most once. `point`: (n,) int32 index into `points`. `time`: (n,) int64
    event time in UTC ms. `value`: (n,) float64, NaN when there is none. `quality`: (n,) uint8 of `QualityCode`.
    `texts`: row -> raw text, only where there is one. `received`: UTC ms at which ingest took the batch.
    """

    site: str
    received: int
    points: tuple[str, ...]
    point: Int32s
    time: Int64s
    value: Float64s
    quality: Bytes8
    spans: tuple[Span, ...] = ()
    gaps: tuple[Gap, ...] = ()
    texts: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        lengths = {len(self.point), len(self.time), len(self.value), len(self.quality)}
        if len(lengths) != 1:
            raise ValueError(f"the columns of a batch differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.time)

    def readings(self) -> list[Reading]:
        """The rows as objects, for tests and the API; never on the path of ingest."""
        return [
            Reading(
                self.points[self.point[row]],
                int(self.time[row]),
                float(self.value[row]),
                QualityCode(int(self.quality[row])).quality,
                self.texts.get(row, ""),
            )
            for row in range(len(self))
        ]


def batch_of(
    site: str, received: int, readings: Iterable[Reading], *, agent: str = "agent", upto: int | None = None
) -> ReadingBatch:
    """A batch of one pack from objects; `upto` defaults to the newest event time in it."""
    rows = list(readings)
    points = tuple(dict.fromkeys(reading.point for reading in rows))
    index = {name: number for number, name in enumerate(points)}
    newest = max((reading.time for reading in rows), default=0)
    return ReadingBatch(
        site,
        received,
        points,
        np.array([index[reading.point] for reading in rows], np.int32),
        np.array([reading.time for reading in rows], np.int64),
        np.array([reading.value for reading in rows], np.float64),
        np.array([reading.quality.code for reading in rows], np.uint8),
        (Span(agent, 0, len(rows), newest if upto is None else upto),),
        (),
        {row: reading.text for row, reading in enumerate(rows) if reading.text},
    )


class _Stored(msgspec.Struct, array_like=True):
    version: int
    site: str
    received: int
    points: tuple[str, ...]
    point: bytes
    time: bytes
    value: bytes
    quality: bytes
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]
    texts: dict[int, str]


def encode_batch(batch: ReadingBatch) -> bytes:
    """The journal's form of a batch: MessagePack with little-endian columns."""
    return msgspec.msgpack.encode(
        _Stored(
            _FORMAT,
            batch.site,
            batch.received,
            batch.points,
            batch.point.astype("<i4").tobytes(),
            batch.time.astype("<i8").tobytes(),
            batch.value.astype("<f8").tobytes(),
            batch.quality.tobytes(),
            batch.spans,
            batch.gaps,
            dict(batch.texts),
        )
    )


def decode_batch(blob: bytes) -> ReadingBatch:
    """The batch that `encode_batch` wrote. ValueError when the bytes are of another format."""
    try:
        stored = msgspec.msgpack.decode(blob, type=_Stored)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a journalled batch: {error}") from error
    if stored.version != _FORMAT:
        raise ValueError(f"journalled batch of format {stored.version}; this program reads {_FORMAT}")
    return ReadingBatch(
        stored.site,
        stored.received,
        stored.points,
        np.frombuffer(stored.point, "<i4").astype(np.int32, copy=False),
        np.frombuffer(stored.time, "<i8").astype(np.int64, copy=False),
        np.frombuffer(stored.value, "<f8").astype(np.float64, copy=False),
        np.frombuffer(stored.quality, np.uint8),
        stored.spans,
        stored.gaps,
        stored.texts,
    )
