"""The bytes of a pack as typed records: one strict pass for what is right, a forgiving one that names what is wrong.

A record with a member of the wrong type is refused alone, unless it also carried base fields that cannot be read: then
nobody knows what the records after it mean, and the whole pack is refused. Members that nobody knows are ignored,
except names that end in `_`, which RFC 8428 (section 4.4) forbids to ignore. A repeated member counts as its last.
"""

from dataclasses import dataclass

import msgspec

from domain.reasons import DeadReason
from wire.rejection import Rejection, quote
from wire.senml import MAX_PACK_BYTES, MAX_RECORDS, Record

SENML_VERSION = 10  # RFC 8428 section 4.4: the version that it describes

_KNOWN = frozenset(field.encode_name for field in msgspec.structs.fields(Record))
_BASE = ("bn", "bt", "bu", "bv", "bs", "bver")
_HEADER = ("sent", "upto", "low")
_REASONS = {"n": DeadReason.BAD_NAME, "u": DeadReason.BAD_UNIT, "t": DeadReason.BAD_TIME}

_packs = msgspec.json.Decoder(list[Record])
_record = msgspec.json.Decoder(Record)
_raw_packs = msgspec.json.Decoder(list[msgspec.Raw])
_raw_record = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """One record (or the named member of it) that was not taken; `index` counts from 0 in the pack."""

    index: int
    reason: DeadReason
    detail: str


@dataclass(frozen=True, slots=True)
class ReadRecords:
    """The records of a pack in order; of those that `broken` names by index, only base fields and header are left."""

    records: list[Record]
    broken: dict[int, RejectedRecord]


def read_records(payload: bytes) -> ReadRecords | Rejection:
    """The records of the pack, or why it is none. Never raises."""
    if len(payload) > MAX_PACK_BYTES:
        return Rejection(DeadReason.TOO_LARGE, f"{len(payload)} bytes; a pack has at most {MAX_PACK_BYTES}")
    try:
        str(payload, "utf-8")
        read = ReadRecords(_packs.decode(payload), {})
    except msgspec.ValidationError:
        return _read_one_by_one(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return Rejection(DeadReason.NOT_JSON, str(error))
    return _too_many(len(read.records)) or read


def _too_many(count: int) -> Rejection | None:
    if count <= MAX_RECORDS:
        return None
    return Rejection(DeadReason.TOO_MANY_RECORDS, f"{count} records; a pack has at most {MAX_RECORDS}")


def _read_one_by_one(payload: bytes) -> ReadRecords | Rejection:
    try:
        raws = _raw_packs.decode(payload)
    except msgspec.ValidationError:
        return Rejection(DeadReason.NOT_SENML, "a pack is a JSON array of records: write [{…}], also for one record")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return Rejection(DeadReason.NOT_JSON, str(error))
    if refused := _too_many(len(raws)):
        return refused
    read = ReadRecords([], {})
    for index, raw in enumerate(raws):
        try:
            read.records.append(_record.decode(raw))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            if refused := _salvage(index, raw, read):
                return refused
    return read


def _salvage(index: int, raw: msgspec.Raw, read: ReadRecords) -> Rejection | None:
    """Add what can be kept of a record that is not right; a rejection when the whole pack must go."""
    try:
        members = _raw_record.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return Rejection(DeadReason.NOT_SENML, f"record {index} is not an object: {error}")
    for name in members:
        if name.endswith("_"):
            return Rejection(DeadReason.NOT_SENML, f"record {index}: {quote(name)} must be understood, and is not")
    kept: dict[str, msgspec.Raw] = {}
    for name, value in members.items():
        if name not in _KNOWN:
            continue
        fault = _fault(name, value)
        if not fault:
            kept[name] = value
        elif name in _BASE:
            return Rejection(DeadReason.NOT_SENML, f"record {index}: {fault}; the records after it depend on it")
        else:
            reason = _REASONS.get(name, DeadReason.BAD_TIME if name in _HEADER else DeadReason.BAD_VALUE)
            read.broken.setdefault(index, RejectedRecord(index, reason, fault))
    if index in read.broken:
        kept = {name: value for name, value in kept.items() if name in _BASE or name in _HEADER}
    read.records.append(_record.decode(_object(kept)))
    return None


def _fault(name: str, value: msgspec.Raw) -> str:
    """What is wrong with the member; empty when nothing is."""
    try:
        _record.decode(_object({name: value}))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return str(error)
    return ""


def _object(members: dict[str, msgspec.Raw]) -> bytes:
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), bytes(value)) for name, value in members.items()) + b"}"
