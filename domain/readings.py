"""One reading, as the edge and the API see it; the server moves readings in columns (`domain.batch`).

A raw value is never altered or capped: what cannot be believed is marked by its quality, and its text is kept.
"""

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Quality(StrEnum):
    """How far a reading can be believed."""

    GOOD = "good"
    UNCERTAIN = "uncertain"  # e.g. the agent's clock is not synchronised; judged like good, shown as uncertain
    BAD = "bad"  # e.g. a sensor's error code, with the raw text; time under a bad reading is unknown time

    @property
    def code(self) -> "QualityCode":
        """The number that stands for it in columns and stores."""
        return QualityCode[self.name]


class QualityCode(IntEnum):
    """Quality in one byte of a column; never renumber: stored readings carry these."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2

    @property
    def quality(self) -> Quality:
        """The word for it."""
        return Quality[self.name]


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one point at one time.

    `point` is `asset/metric`; `time` is the event's UTC millisecond; `value` is in the point's canonical unit
    (NaN when there is none: then the quality is bad); `text` is the raw text of a bad or text-valued reading.
    """

    point: str
    time: int
    value: float
    quality: Quality = Quality.GOOD
    text: str = ""

    def __post_init__(self) -> None:
        if math.isnan(self.value) and self.quality is not Quality.BAD:
            raise ValueError(f"reading of {self.point} has no value: its quality must be bad, not {self.quality}")
