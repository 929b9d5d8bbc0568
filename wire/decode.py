"""From the bytes of a pack to columns: SenML is resolved, units are converted, and what is wrong is named.

Decides what one pack says, for ingest. It never raises on hostile bytes: a pack that is structurally wrong is a
`Rejection`, one wrong record is listed in `DecodedPack.rejected` while the good ones are kept. It does not decide who
may write a point, and does not touch numbers that a device sends as error codes. Server only (numpy).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET

from domain.batch import Bytes8, Float64s, Int32s, Int64s
from domain.catalogue import Point
from domain.readings import QualityCode
from domain.reasons import DeadReason
from domain.times import EARLIEST, LATEST
from wire.records import SENML_VERSION, RejectedRecord, read_records
from wire.rejection import Rejection, quote
from wire.senml import LARGEST_VALUE, LONGEST_TEXT, GapOnWire, GapRecord, Record
from wire.slots import EARLIEST_SECONDS, LATEST_SECONDS, Slot, is_point, slot_of
from wire.topics import LAST_SEQ

__all__ = ["DecodedPack", "RejectedRecord", "decode_pack"]

# RFC 8428 section 4.5.3: a resolved time below 2**28 seconds is relative to now.
_RELATIVE_BELOW = 2.0**28
_LONGEST_REASON = 64
_GOOD, _BAD = int(QualityCode.GOOD), int(QualityCode.BAD)
_CODES = {code.quality.value: int(code) for code in QualityCode}


@dataclass(frozen=True, slots=True)
class DecodedPack:
    """What one pack says: columns of equal length n, in the pack's order.

    `names`: points that have a row, each once. `point`: (n,) int32 index into `names`; `time`: (n,) int64 UTC ms;
    `value`: (n,) float64, NaN where there is none; `quality`: (n,) uint8 of `QualityCode`. `texts`: row -> raw text.
    `units`: name -> code of the unit that its values are in now ("" when nobody said). `sent`, `upto` (UTC ms) and
    `low` are None where the pack does not say. `rejected`: records that were not taken, by index.
    """

    site: str
    names: tuple[str, ...]
    point: Int32s
    time: Int64s
    value: Float64s
    quality: Bytes8
    texts: Mapping[int, str]
    units: Mapping[str, str]
    gaps: tuple[GapRecord, ...]
    sent: int | None
    upto: int | None
    low: int | None
    rejected: tuple[RejectedRecord, ...]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def oldest(self) -> int:
        """The earliest time in it, UTC ms; ValueError without rows."""
        return int(min(self.time.tolist()))  # for a pack of one, a tenth of what the column's min() costs

    @property
    def newest(self) -> int:
        """The latest time in it, UTC ms; ValueError without rows."""
        return int(max(self.time.tolist()))


def decode_pack(
    payload: bytes, *, site: str, received: int, points: Mapping[str, Point], sequenced: bool
) -> DecodedPack | Rejection:
    """The pack in columns, in the canonical units of `points` (by `asset/metric`), or why nothing of it is taken.

    `received`: UTC ms at which ingest took the message; what an unsequenced pack's relative or missing times count
    from. In a sequenced pack only absolute times are taken, because it may have waited for days.
    """
    read = read_records(payload)
    if isinstance(read, Rejection):
        return read
    pack = _Pack(site, received, points, sequenced)
    for index, record in enumerate(read.records):
        if record.bver is not UNSET and record.bver > SENML_VERSION:
            return Rejection(DeadReason.NOT_SENML, f"SenML version {record.bver}; this program reads {SENML_VERSION}")
        pack.take_base(record)
        if index == 0:
            pack.take_header(record)
        if read.broken and index in read.broken:
            pack.rejected.append(read.broken[index])
            continue
        refused = pack.take(index, record)
        if refused is not None:
            pack.rejected.append(RejectedRecord(index, refused.reason, refused.detail))
    return pack.decoded()


_NO_VALUE = Rejection(DeadReason.BAD_VALUE, "there is no value: write v (number), vb (true or false) or vs (text)")
_TWO_VALUES = Rejection(DeadReason.BAD_VALUE, "v and vb in one record: write one of them")


class _Pack:
    """The columns while they grow, and the base fields that carry over from record to record."""

    def __init__(self, site: str, received: int, points: Mapping[str, Point], sequenced: bool) -> None:
        self.site, self.received, self.points, self.sequenced = site, received, points, sequenced
        self.base_name, self.base_unit, self.base_time, self.base_value = "", "", 0.0, 0.0
        self.slots: dict[tuple[str, str, str], Slot | Rejection] = {}
        self.names: dict[str, int] = {}
        self.units: dict[str, str] = {}
        self.point: list[int] = []
        self.time: list[int] = []
        self.value: list[float] = []
        self.quality: list[int] = []
        self.texts: dict[int, str] = {}
        self.gaps: list[GapRecord] = []
        self.sent: int | None = None
        self.upto: int | None = None
        self.low: int | None = None
        self.rejected: list[RejectedRecord] = []

    def take_base(self, record: Record) -> None:
        """Base fields hold from their record on, until others come."""
        if record.bn is not UNSET:
            self.base_name = record.bn
        if record.bt is not UNSET:
            self.base_time = record.bt
        if record.bu is not UNSET:
            self.base_unit = record.bu
        if record.bv is not UNSET:
            self.base_value = record.bv

    def take_header(self, record: Record) -> None:
        """`sent`, `upto` and `low` of the first record; one that makes no sense is refused alone."""
        if record.sent is not UNSET:
            self.sent = self._header_time("sent", record.sent)
        if record.upto is not UNSET:
            self.upto = self._header_time("upto", record.upto)
        if record.low is not UNSET:
            if 1 <= record.low <= LAST_SEQ:
                self.low = record.low
            else:
                self.rejected.append(
                    RejectedRecord(0, DeadReason.BAD_VALUE, f"low is {record.low}; packs count from 1")
                )

    def take(self, index: int, record: Record) -> Rejection | None:
        """Add the record's reading or gap, if it has one; a rejection when it cannot be taken."""
        if record.gap is not UNSET:
            return self._take_gap(record.gap)
        if not record.n and _is_header_only(index, record):
            return None
        # A base unit is meant for the numbers of the pack, not for the states among them.
        unit = record.u or ("" if record.v is UNSET else self.base_unit)
        key = (self.base_name, record.n, unit)
        slot = self.slots.get(key)
        if slot is None:
            slot = self.slots[key] = slot_of(self.base_name + record.n, unit, self.points)
        if isinstance(slot, Rejection):
            return slot
        seconds = self.base_time + record.t
        if EARLIEST_SECONDS <= seconds <= LATEST_SECONDS:
            time = int(1000.0 * seconds + 0.5)
        else:
            unusual = self._unusual_time(seconds)
            if isinstance(unusual, Rejection):
                return unusual
            time = unusual
        value, quality, text = record.v, _GOOD, ""
        if value is UNSET or record.vs is not UNSET or record.vb is not UNSET or record.q != "good":
            understood = _understand(record, slot, self.base_value)
            if isinstance(understood, Rejection):
                return understood
            value, quality, text = understood
        elif self.base_value or not slot.as_is:
            value = slot.stored(value, self.base_value)
        if value > LARGEST_VALUE or value < -LARGEST_VALUE:
            return Rejection(DeadReason.BAD_VALUE, f"{value!r} is beyond any measurement (±{LARGEST_VALUE:g})")
        if slot.index < 0:
            slot.index = self.names.setdefault(slot.name, len(self.names))
            self.units[slot.name] = slot.unit or self.units.get(slot.name, "")
        if text:
            self.texts[len(self.time)] = text
        self.point.append(slot.index)
        self.time.append(time)
        self.value.append(value)
        self.quality.append(quality)
        return None

    def decoded(self) -> DecodedPack:
        """The columns as arrays."""
        return DecodedPack(
            self.site,
            tuple(self.names),
            np.array(self.point, np.int32),
            np.array(self.time, np.int64),
            np.array(self.value, np.float64),
            np.array(self.quality, np.uint8),
            self.texts,
            self.units,
            tuple(self.gaps),
            self.sent,
            self.upto,
            self.low,
            tuple(self.rejected),
        )

    def _unusual_time(self, seconds: float) -> int | Rejection:
        """A time that is not plausible as it stands: relative, or wrong."""
        if abs(seconds) < _RELATIVE_BELOW:
            if self.sequenced:
                return Rejection(
                    DeadReason.BAD_TIME, f"t is {seconds!r}: a sequenced pack needs absolute times (seconds since 1970)"
                )
            time = self.received + math.floor(1000.0 * seconds + 0.5)
            if EARLIEST <= time <= LATEST:
                return time
        return Rejection(DeadReason.BAD_TIME, f"t is {seconds!r}: no time between 1990 and 2200 in seconds since 1970")

    def _header_time(self, label: str, seconds: float) -> int | None:
        time = self._absolute(seconds)
        if time is None:
            self.rejected.append(RejectedRecord(0, DeadReason.BAD_TIME, f"{label} is {seconds!r}: no absolute time"))
        return time

    def _absolute(self, seconds: float) -> int | None:
        return int(1000.0 * seconds + 0.5) if EARLIEST_SECONDS <= seconds <= LATEST_SECONDS else None

    def _take_gap(self, gap: GapOnWire) -> Rejection | None:
        start, end = self._absolute(gap.start), self._absolute(gap.end)
        if start is None or end is None or start > end:
            return Rejection(DeadReason.BAD_TIME, f"a gap from {gap.start!r} to {gap.end!r} is no span of time")
        if not 0 <= gap.count <= LAST_SEQ:
            return Rejection(DeadReason.BAD_VALUE, f"a gap of {gap.count} readings")
        if not gap.reason or len(gap.reason) > _LONGEST_REASON:
            return Rejection(DeadReason.BAD_VALUE, f"the reason of a gap has 1 to {_LONGEST_REASON} characters")
        for name in gap.points:
            if name not in self.points and not is_point(name):
                return Rejection(DeadReason.BAD_NAME, f"{quote(name)} is not a point: write asset/metric")
        self.gaps.append(GapRecord(start, end, gap.count, gap.reason, gap.points))
        return None


def _is_header_only(index: int, record: Record) -> bool:
    """Whether the record only carries base fields or the pack's header, and no reading."""
    if record.v is not UNSET or record.vs is not UNSET or record.vb is not UNSET or record.q != "good":
        return False
    if record.vd is not UNSET or record.s is not UNSET:
        return False
    has_base = any(field is not UNSET for field in (record.bn, record.bt, record.bu, record.bv, record.bs, record.bver))
    return index == 0 or has_base


def _understand(record: Record, slot: Slot, base_value: float) -> tuple[float, int, str] | Rejection:
    """Value, quality code and raw text of a record that is more than a good number."""
    quality = _CODES.get(record.q)
    if quality is None:
        return Rejection(DeadReason.BAD_VALUE, f"q is {quote(record.q)}: write {', '.join(_CODES)}, or leave it out")
    text = "" if record.vs is UNSET else record.vs.replace("\0", "\ufffd")  # no database keeps a NUL in a text
    if len(text) > LONGEST_TEXT:
        return Rejection(DeadReason.BAD_VALUE, f"a text of {len(text)} characters; at most {LONGEST_TEXT} are kept")
    if quality != _BAD and text in slot.states:
        # The name counts, also beside a number: the catalogue's numbers need not be the device's.
        return float(slot.states[text]), quality, text
    if record.v is not UNSET:
        if record.vb is not UNSET:
            return _TWO_VALUES
        return slot.stored(record.v, base_value), quality, text
    if record.vb is not UNSET:
        if not slot.two_valued:
            return Rejection(DeadReason.BAD_VALUE, f"vb is for states; {slot.name} is measured in {slot.unit}")
        return float(record.vb), quality, text
    if record.vs is not UNSET or (quality == _BAD and record.vd is UNSET and record.s is UNSET):
        return math.nan, _BAD, text
    return _NO_VALUE
