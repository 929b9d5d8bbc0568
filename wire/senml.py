"""Packs as the agent writes them: SenML JSON (RFC 8428) with the additional labels of the contract.

Decides how readings become bytes, and where a long run of them is cut into packs. Reading packs is `wire.decode`, on
the server. In a pack all times are seconds (SenML's unit) with a fraction; in every argument here they are UTC ms.
No numpy here: this runs on the edge box.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from domain.readings import Quality, Reading

MAX_PACK_BYTES = 256 * 1024  # larger ones are refused by ingest
MAX_RECORDS = 5_000
AGENT_PACK_BYTES = 64 * 1024  # agents split here: a broker's default limit is often 256 KiB, a slow link likes less
LONGEST_TEXT = 1_024  # characters of a raw text; the rest is cut off by the encoder, refused by the decoder
LARGEST_VALUE = 1e18  # beyond it, and for infinities, a number is no measurement: it travels as text with quality bad
MAX_GAPS = 100  # per pack

_HEADER_BYTES = 256  # room for base time, sent, upto, low and the brackets


class GapRecord(msgspec.Struct, frozen=True):
    """Readings that never came, as the agent tells it: event times `start` <= `end` in UTC ms; `count` 0 = unknown.

    `reason` is an id such as `outbox_full`; `points` is empty when all of the agent's points are concerned.
    """

    start: int
    end: int
    count: int
    reason: str
    points: tuple[str, ...] = ()


class GapOnWire(msgspec.Struct, omit_defaults=True):
    """A gap as it stands in a record; times in seconds."""

    start: float = msgspec.field(name="from")
    end: float = msgspec.field(name="to")
    count: int
    reason: str
    points: tuple[str, ...] = ()


class Record(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One SenML record, exactly as it stands in the pack: RFC 8428 section 4, then the contract's own labels."""

    bn: str | UnsetType = UNSET
    bt: float | UnsetType = UNSET
    bu: str | UnsetType = UNSET
    bv: float | UnsetType = UNSET
    bs: float | UnsetType = UNSET
    bver: int | UnsetType = UNSET
    n: str = ""
    u: str = ""
    t: float = 0.0
    v: float | UnsetType = UNSET
    vb: bool | UnsetType = UNSET
    vs: str | UnsetType = UNSET
    vd: str | UnsetType = UNSET
    s: float | UnsetType = UNSET
    ut: float | UnsetType = UNSET
    q: str = "good"
    sent: float | UnsetType = UNSET
    upto: float | UnsetType = UNSET
    low: int | UnsetType = UNSET
    gap: GapOnWire | UnsetType = UNSET


_encoder = msgspec.json.Encoder()


def encode_pack(
    readings: Iterable[Reading],
    *,
    units: Mapping[str, str],
    sent: int,
    upto: int,
    low: int,
    gaps: Sequence[GapRecord] = (),
) -> bytes:
    """One pack in the order given; without readings it only says `sent`, `upto` and `low` (an idle agent's word).

    `units`: unit code by point name; a point that it lacks is sent without one. `sent`: the agent's clock in UTC ms.
    `upto`: nothing of the agent's earlier than this (UTC ms) follows. `low`: the oldest pack number it still holds.
    The size is not checked: see `split_packs`.
    """
    rows = list(readings)
    base = rows[0].time // 1000 if rows else 0
    records = [Record(sent=sent / 1000, upto=upto / 1000, low=low)]
    records.extend(Record(gap=_gap_on_wire(gap)) for gap in gaps[:MAX_GAPS])
    prefix = ""
    for reading in rows:
        record, asset = _record(reading, units, base)
        if asset != prefix:
            prefix = record.bn = asset
        records.append(record)
    if rows:
        _join_header(records, base, len(gaps[:MAX_GAPS]))
    return _encode(records)


def split_packs(
    readings: Iterable[Reading],
    *,
    units: Mapping[str, str],
    limit: int = AGENT_PACK_BYTES,
    gaps: Sequence[GapRecord] = (),
) -> Iterator[list[Reading]]:
    """The readings in runs that `encode_pack` turns into at most `limit` bytes and 5,000 records each, in order.

    The first run leaves room for `gaps`. Lazy; nothing for no readings. A single reading always fits in 16 KiB.
    """
    reserve = _HEADER_BYTES + sum(len(_encoder.encode(_gap_on_wire(gap))) + 16 for gap in gaps[:MAX_GAPS])
    most = MAX_RECORDS - 1 - len(gaps[:MAX_GAPS])
    run: list[Reading] = []
    size = reserve
    for reading in readings:
        # Measured with its base name and against its own run's base time: never less than it will take.
        record, asset = _record(reading, units, (run[0] if run else reading).time // 1000)
        record.bn = asset
        cost = len(_encode([record])) + 1
        if run and (size + cost > limit or len(run) >= most):
            yield run
            run, size, most = [], _HEADER_BYTES, MAX_RECORDS - 1
        run.append(reading)
        size += cost
    if run:
        yield run


def _record(reading: Reading, units: Mapping[str, str], base: int) -> tuple[Record, str]:
    """The record without base name, and the base name that it needs (`asset/`)."""
    asset, slash, metric = reading.point.partition("/")
    record = Record(n=metric, u=units.get(reading.point, ""))
    if offset := reading.time - base * 1000:
        record.t = offset / 1000
    value, text, quality = reading.value, reading.text, reading.quality
    if not abs(value) <= LARGEST_VALUE:
        # Also NaN. Registers read in the wrong word order give such numbers: evidence of a fault, not a measurement.
        text, quality = text or ("" if math.isnan(value) else repr(value)), Quality.BAD
        record.vs = text[:LONGEST_TEXT]
    else:
        record.v = value
        if text:
            record.vs = text[:LONGEST_TEXT]
    if quality is not Quality.GOOD:
        record.q = quality.value
    return record, asset + slash


def _join_header(records: list[Record], base: int, gaps: int) -> None:
    """Base time goes to the first record of all."""
    records[0].bt = float(base)
    if gaps == 0:
        header, first = records[0], records.pop(1)
        first.bt, first.sent, first.upto, first.low = header.bt, header.sent, header.upto, header.low
        records[0] = first


def _gap_on_wire(gap: GapRecord) -> GapOnWire:
    return GapOnWire(gap.start / 1000, gap.end / 1000, gap.count, gap.reason, gap.points)


def _encode(records: list[Record]) -> bytes:
    try:
        return _encoder.encode(records)
    except UnicodeEncodeError:
        # A text read from a broken file may hold half characters, which UTF-8 has no bytes for.
        for record in records:
            if isinstance(record.vs, str):
                record.vs = record.vs.encode("utf-8", "replace").decode("utf-8")
        return _encoder.encode(records)
