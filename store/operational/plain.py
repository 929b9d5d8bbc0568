"""What both databases can keep as it is: PostgreSQL refuses NUL in a text, SQLite turns NaN into nothing.

Hostile bytes reach texts (a sensor's error, a birth, a topic): a commit that one database refuses for ever would hold
up a site. What is sealed by the audit must be plain before it is hashed.
"""

import math

NUL, SIGN_FOR_NUL = "\x00", "\u2400"


def plain_text(text: str) -> str:
    """The text with the visible sign ␀ for every NUL."""
    return text.replace(NUL, SIGN_FOR_NUL)


def plain_number(value: float | None) -> float | None:
    """The number as a float, no negative zero; None for NaN."""
    return None if value is None or math.isnan(value) else float(value) + 0.0
