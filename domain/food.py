"""What a person decides about food that was out of its limit: the options, and the record of a decision."""

from dataclasses import dataclass
from enum import StrEnum

from domain.alarms import FoodFate


class FoodOption(StrEnum):
    """What can be done with food that was out of its limit; a person decides."""

    USE = "use"
    USE_NOW = "use_now"
    REHEAT = "reheat"
    ASSESS = "assess"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class FoodDecision:
    """Who decided what about the food of one excursion, and what became of it.

    `excursion` is its id, `at` UTC ms, `seen` the JSON text of the figures that the person was shown. A decision is
    never changed: a newer one of the same excursion supersedes it.
    """

    site: str
    excursion: int
    option: FoodOption
    fate: FoodFate
    by: str
    at: int
    note: str = ""
    seen: str = "{}"
    id: int = 0
