"""Why a topic, a message or a record is not taken: a value that is returned, never an exception.

Whoever reads from the network decides with it what to keep (a dead letter) and what to count. No numpy here: the edge
reads receipts with it.
"""

from dataclasses import dataclass

from domain.reasons import DeadReason

# A detail quotes hostile input; it must not be able to fill a log or a page.
_LONGEST_QUOTE = 80


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason in one word, and in full: what was found, and what would have been right."""

    reason: DeadReason
    detail: str


def quote(value: object) -> str:
    """The value as it may stand in a detail: printable, ASCII, and never longer than 80 characters."""
    text = ascii(value[: _LONGEST_QUOTE + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "~"
