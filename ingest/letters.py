"""Dead letters: what of a refused message is kept, so that a person can see what was sent and why it was refused."""

from collections.abc import Callable, Sequence

from domain.reasons import DeadReason
from domain.records import DeadLetter
from ingest.excerpt import Anatomy, Part
from ingest.inbox import Inbound
from wire.records import RejectedRecord
from wire.senml import MAX_PACK_BYTES
from wire.topics import parse_topic

KEPT_BYTES = MAX_PACK_BYTES  # of a larger message the beginning is kept
LETTERS_PER_PACK = 50  # further bad records of one pack share a last letter


def letter(site: str, message: Inbound, received: int, reason: DeadReason, detail: str) -> DeadLetter:
    """The whole message as a dead letter; a payload beyond `KEPT_BYTES` is cut, and the detail says so."""
    if message.size > KEPT_BYTES:
        detail = f"{detail} (kept: the first {KEPT_BYTES} of {message.size} bytes)"
    return DeadLetter(site, received, message.text, message.payload[:KEPT_BYTES], reason, detail)


def part_letter(
    site: str, message: Inbound, received: int, reason: DeadReason, detail: str, wanted: Callable[[Part], bool]
) -> DeadLetter:
    """Those records of a readable pack as one dead letter."""
    return DeadLetter(site, received, message.text, Anatomy(message.payload, received).pack(wanted), reason, detail)


def replayed(dead: DeadLetter) -> Inbound:
    """The dead letter as a message that is put through acceptance again."""
    text, payload = dead.topic, dead.payload
    return Inbound(text, parse_topic(text), payload, len(payload), letter=dead.id, first_received=dead.received)


def record_letters(
    site: str, message: Inbound, received: int, rejected: Sequence[RejectedRecord]
) -> tuple[DeadLetter, ...]:
    """One letter per bad record, as a pack of that record alone; beyond `LETTERS_PER_PACK` one for all the others."""
    if not rejected:
        return ()
    anatomy = Anatomy(message.payload, received)
    letters = [
        DeadLetter(
            site,
            received,
            message.text,
            _record(anatomy, bad.index),
            bad.reason,
            f"record {bad.index}: {bad.detail}",
        )
        for bad in rejected[:LETTERS_PER_PACK]
    ]
    more = len(rejected) - LETTERS_PER_PACK
    if more > 0:
        bad = rejected[LETTERS_PER_PACK]
        letters.append(letter(site, message, received, bad.reason, f"{more} more bad records: first {bad.detail}"))
    return tuple(letters)


def _record(anatomy: Anatomy, index: int) -> bytes:
    return anatomy.pack(lambda part: part.index == index)
