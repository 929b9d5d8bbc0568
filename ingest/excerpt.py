"""Parts of a pack that are packs themselves: some of its records, with the base fields that they count on.

Decides nothing. What is cut out of a pack that was read once can be read again by itself, so that a dead letter of one
record can be put through acceptance later. The records' own bytes are kept as they came.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

_RELATIVE_BELOW = 2.0**28  # RFC 8428 section 4.5.3, as in wire.decode
_BASES = ("bn", "bt", "bu", "bv")

_raws = msgspec.json.Decoder(list[msgspec.Raw])
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Part:
    """One record as a choice sees it: its place in the pack, its full name, its time in UTC ms (0: unreadable)."""

    index: int
    name: str
    time: int


class Anatomy:
    """A pack taken apart. One that cannot be (it never is, once it was decoded) stays whole."""

    def __init__(self, payload: bytes, received: int) -> None:
        self._payload = payload
        self._raws: list[bytes] = []
        self._bases: list[dict[str, Any]] = []  # before each record
        self.parts: list[Part] = []
        try:
            raws = [bytes(raw) for raw in _raws.decode(payload)]
            records = [msgspec.json.decode(raw) for raw in raws]
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return
        self._raws = raws
        base: dict[str, Any] = {}
        for index, record in enumerate(records):
            members: dict[str, Any] = record if isinstance(record, dict) else {}
            self._bases.append(base)
            own = {key: members[key] for key in _BASES if key in members}
            base = base | own if own else base
            self.parts.append(Part(index, _name(base, members), _time(base, members, received)))

    def pack(self, wanted: Callable[[Part], bool]) -> bytes:
        """A pack of the wanted records; the whole payload when there is none."""
        written: dict[str, Any] = {}
        kept: list[bytes] = []
        for part in self.parts:
            if not wanted(part):
                continue
            before = self._bases[part.index]
            if before != written:
                kept.append(_encoder.encode(before))
            kept.append(self._raws[part.index])
            written = self._bases[part.index + 1] if part.index + 1 < len(self._bases) else {}
        return b"[" + b",".join(kept) + b"]" if kept else self._payload


def _name(base: dict[str, Any], record: dict[str, Any]) -> str:
    return f"{base.get('bn', '')}{record.get('n', '')}"


def _time(base: dict[str, Any], record: dict[str, Any], received: int) -> int:
    try:
        seconds = float(base.get("bt", 0)) + float(record.get("t", 0))
        return math.floor(1000 * seconds + 0.5) + (received if abs(seconds) < _RELATIVE_BELOW else 0)
    except (TypeError, ValueError, OverflowError):
        return 0
