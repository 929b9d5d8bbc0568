"""The quick way for the packs that nearly all agents send nearly always: good numbers of points that are theirs.

Decides nothing of its own. `PlainReader` takes a pack only where `wire.decode.decode_pack` would take all of it as it
stands, adds the same rows, and in every other case does nothing and says so: then that one is asked, which alone knows
what is wrong with a pack and what of it can be kept. A property test holds the two together. Pure; no numpy here.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import UNSET, UnsetType

from domain.catalogue import Point
from wire.senml import LARGEST_VALUE, MAX_PACK_BYTES, MAX_RECORDS
from wire.slots import EARLIEST_SECONDS, LATEST_SECONDS, Slot, slot_of
from wire.topics import LAST_SEQ

MOST_SLOTS = 20_000  # ways to name points that are remembered per agent; then they are forgotten


class _PlainRecord(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The members of `wire.senml.Record` that a good number needs; a record with any other is not plain."""

    n: str
    v: float
    t: float = 0.0
    u: str = ""
    bn: str | UnsetType = UNSET
    bt: float | UnsetType = UNSET
    sent: float | UnsetType = UNSET
    upto: float | UnsetType = UNSET
    low: int | UnsetType = UNSET


class PlainPack(msgspec.Struct, frozen=True, gc=False):
    """What a pack says beside its rows. UTC ms: `sent` (None: not said), `upto` (0: no promise), the `newest` row."""

    sent: int | None
    upto: int
    newest: int


class Rows:
    """Columns of good numbers while they grow: index into `names`, event time in UTC ms, value."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.point: list[int] = []
        self.time: list[int] = []
        self.value: list[float] = []

    def __len__(self) -> int:
        return len(self.time)

    def add(self, names: Iterable[str], point: Iterable[int], time: Iterable[int], value: Iterable[float]) -> None:
        """Add columns whose points are numbered by their own `names`."""
        known = self.names
        index = [known.setdefault(name, len(known)) for name in names]
        self.point += [index[number] for number in point]
        self.time += time
        self.value += value

    def cut(self, rows: int, names: int) -> None:
        """Keep the first so many rows and names."""
        del self.point[rows:], self.time[rows:], self.value[rows:]
        while len(self.names) > names:
            self.names.popitem()


_records = msgspec.json.Decoder(list[_PlainRecord])
_Slots = dict[tuple[str, str, str], Slot]


class PlainReader:
    """Reads the packs of one agent into rows, in the canonical units of `points` (by `asset/metric`), as far as they
    are plain and every point is one of `own`: what the catalogue knows and this agent may write. Both may be changed
    only together with the reader."""

    def __init__(self, points: Mapping[str, Point], agent: str, owners: Mapping[str, str]) -> None:
        self._points, self._agent, self._owners = points, agent, owners
        self._slots: _Slots = {}

    def read(self, payload: bytes, rows: Rows) -> PlainPack | None:
        """Add the rows of a sequenced pack; None, and no row, when the pack is not plain. Never raises."""
        records = _read(payload)
        if not records:
            return None
        known, names, slots = rows.names, len(rows.names), self._slots
        point, time, value = rows.point, rows.time, rows.value
        begin, base_name, base_time = len(time), "", 0.0
        for record in records:
            if record.bn is not UNSET:
                base_name = record.bn
            if record.bt is not UNSET:
                base_time = record.bt
            slot = slots.get((base_name, record.n, record.u)) or self._slot(base_name, record)
            seconds = base_time + record.t
            if slot is None or not EARLIEST_SECONDS <= seconds <= LATEST_SECONDS:
                break
            number = record.v if slot.as_is else slot.stored(record.v, 0.0)
            if not -LARGEST_VALUE <= number <= LARGEST_VALUE:
                break
            point.append(known.setdefault(slot.name, len(known)))
            time.append(int(1000.0 * seconds + 0.5))
            value.append(number)
        else:
            header = _header(records[0], time[begin] if len(time) - begin == 1 else max(time[begin:]))
            if header is not None:
                return header
        rows.cut(begin, names)
        return None

    def _slot(self, base_name: str, record: _PlainRecord) -> Slot | None:
        """The slot, remembered; None for a point that is not the agent's, or a unit that does not fit."""
        name = base_name + record.n
        point = self._points.get(name)
        if point is None or point.agent not in (None, self._agent) or self._owners.get(name) != self._agent:
            return None
        slot = slot_of(name, record.u, self._points)
        if not isinstance(slot, Slot):
            return None
        if len(self._slots) >= MOST_SLOTS:
            self._slots.clear()
        self._slots[base_name, record.n, record.u] = slot
        return slot


def _read(payload: bytes) -> list[_PlainRecord]:
    """The records; none when they are not all plain. Every text of a plain record is decoded, so UTF-8 is checked."""
    if len(payload) > MAX_PACK_BYTES:
        return []
    try:
        records = _records.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return []
    return records if len(records) <= MAX_RECORDS else []


def _header(first: _PlainRecord, newest: int) -> PlainPack | None:
    """None when a label of the pack makes no sense."""
    sent, upto, low = first.sent, first.upto, first.low
    if low is not UNSET and not 1 <= low <= LAST_SEQ:
        return None
    at: int | None = None
    if sent is not UNSET:
        if not EARLIEST_SECONDS <= sent <= LATEST_SECONDS:
            return None
        at = int(1000.0 * sent + 0.5)
    if upto is UNSET:
        return PlainPack(at, 0, newest)
    if not EARLIEST_SECONDS <= upto <= LATEST_SECONDS:
        return None
    return PlainPack(at, int(1000.0 * upto + 0.5), newest)
