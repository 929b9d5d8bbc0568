"""The short notation of series in rule tests: `4x10 9+0.1x30 _x5 !85 fault`, one word for one or more readings.

Modelled on promtool's, with one difference that is meant: `x10` is *how many readings there are*, not how many follow
the first one.
"""

import re
from typing import NamedTuple

MOST_READINGS = 1_000_000  # of one series; more is surely a slip of the keyboard

_NUMBER = r"-?\d+(?:\.\d+)?"
_WORD = re.compile(
    rf"(?:(?P<missing>_)|(?P<bad>!.*?)|(?P<value>{_NUMBER})(?P<step>[+-]\d+(?:\.\d+)?)?|(?P<state>[a-z][a-z0-9_-]*?))"
    r"(?:x(?P<count>\d+))?"
)


class Sample(NamedTuple):
    """One reading: a number, or a `text` that is a state's name, or (with `bad`) what a sensor said instead."""

    value: float = float("nan")
    text: str = ""
    bad: bool = False


def parse_series(notation: str) -> list[Sample | None]:
    """The samples in order, one per interval; None where nothing is measured. ValueError names the word that is wrong.

    `4` one reading; `4x10` ten of 4; `9+0.1x30` thirty, each 0.1 more than the one before; `9-1x3`; `_` none (`_x5` for
    five intervals); `!text` a bad reading with that text (`!` without any); a word such as `fault` a state.
    """
    samples: list[Sample | None] = []
    for word in notation.split():
        found = _WORD.fullmatch(word)
        if found is None:
            raise ValueError(f"{word!r} is no reading: write for example 4, 4x10, 9+0.1x30, _, !text or fault")
        count = 1 if found["count"] is None else int(found["count"])
        if count == 0:
            raise ValueError(f"{word!r} gives no reading: x counts readings, so write x1 or more")
        if len(samples) + count > MOST_READINGS:
            raise ValueError(f"{word!r} makes the series longer than {MOST_READINGS:,} readings")
        samples += _samples(found, count)
    return samples


def _samples(found: re.Match[str], count: int) -> list[Sample | None]:
    if found["missing"]:
        return [None] * count
    if found["bad"]:
        return [Sample(text=found["bad"][1:], bad=True)] * count
    if found["state"]:
        return [Sample(text=found["state"])] * count
    first, step = float(found["value"]), float(found["step"] or 0)
    # Rounded, so that 9+0.1x3 is 9, 9.1, 9.2 and not 9.299999999999999.
    return [Sample(round(first + step * number, 9)) for number in range(count)]
