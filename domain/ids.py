"""Names of things on the wire and in files: what is a legal id, and how a point is written.

An id (site, area, asset, metric, agent, rule) matches `[a-z0-9][a-z0-9_-]{0,62}` in full, so that it can stand in an
MQTT topic, a URL and a file name without quoting. A point is written `asset/metric`.
"""

import re
from typing import NamedTuple

ID_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
_ID = re.compile(ID_PATTERN)


class PointName(NamedTuple):
    """The two halves of a point's name, e.g. `fridge-1` and `temperature`."""

    asset: str
    metric: str

    def __str__(self) -> str:
        return f"{self.asset}/{self.metric}"


def is_id(text: str) -> bool:
    """Whether the text is a legal id."""
    return _ID.fullmatch(text) is not None


def check_id(text: str, what: str) -> str:
    """The text itself, or ValueError that names `what` and the rule."""
    if not is_id(text):
        raise ValueError(
            f"{text!r} is not a valid {what} id: use 1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit"
        )
    return text


def parse_point(text: str) -> PointName:
    """`fridge-1/temperature` in its halves. ValueError when it is not two ids with one slash between them."""
    asset, slash, metric = text.partition("/")
    if not slash or not is_id(asset) or not is_id(metric):
        raise ValueError(f"{text!r} is not a point: write asset/metric, for example fridge-1/temperature")
    return PointName(asset, metric)
