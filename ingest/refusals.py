"""Readings that the series store cannot keep, as dead letters: packs of their own, with the store's words.

They were journalled and judged; only the series store refused them. Decides how many letters one batch may become.
"""

from collections.abc import Sequence

from domain.batch import ReadingBatch
from domain.readings import QualityCode, Reading
from domain.reasons import DeadReason
from domain.records import DeadLetter, Refused
from ingest.letters import LETTERS_PER_PACK
from wire.senml import encode_pack, split_packs
from wire.topics import unsequenced_topic


def refused_letters(batch: ReadingBatch, refused: Sequence[Refused]) -> tuple[DeadLetter, ...]:
    """One letter per refused row; beyond `LETTERS_PER_PACK` the others share letters, per agent."""
    letters = [_letter(batch, [one], one.detail) for one in refused[:LETTERS_PER_PACK]]
    by_agent: dict[str, list[Refused]] = {}
    for one in refused[LETTERS_PER_PACK:]:
        by_agent.setdefault(_agent(batch, one.row), []).append(one)
    for more in by_agent.values():
        taken = 0
        for pack in split_packs([_reading(batch, one.row) for one in more], units={}):
            part, taken = more[taken : taken + len(pack)], taken + len(pack)
            letters.append(_letter(batch, part, f"{len(part)} more readings: first {part[0].detail}"))
    return tuple(letters)


def _letter(batch: ReadingBatch, refused: Sequence[Refused], detail: str) -> DeadLetter:
    readings = [_reading(batch, one.row) for one in refused]
    first = min(reading.time for reading in readings)
    payload = encode_pack(readings, units={}, sent=batch.received, upto=first, low=1)
    topic = unsequenced_topic(batch.site, _agent(batch, refused[0].row))
    return DeadLetter(batch.site, batch.received, topic, payload, DeadReason.REFUSED_BY_STORE, detail)


def _agent(batch: ReadingBatch, row: int) -> str:
    return next((span.agent for span in batch.spans if span.start <= row < span.stop), "unknown")


def _reading(batch: ReadingBatch, row: int) -> Reading:
    quality = QualityCode(int(batch.quality[row])).quality
    name, text = batch.points[int(batch.point[row])], batch.texts.get(row, "")
    return Reading(name, int(batch.time[row]), float(batch.value[row]), quality, text)
