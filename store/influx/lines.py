"""Line protocol: the only place that writes it. A reading, a gap, a summary and a purge each become one line.

Measurement = metric; tags area, asset, point, site (sorted, as the server likes them); every number is a float; times
are UTC ms. InfluxDB can store neither NaN nor infinity: a reading without a value has no `value` field, and an infinite
one is refused here. Names with a control character or a backslash cannot be written unambiguously and are refused too.
"""

import math
from collections.abc import Mapping

from domain.batch import Gap

Tags = tuple[tuple[str, str], ...]

_TAG = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ "})
_STRING = str.maketrans({"\\": "\\\\", '"': '\\"'})
LONGEST_TEXT = 65_535  # bytes in a string field


class UnwritableError(ValueError):
    """The reading cannot be put into a line; the message says why."""


def series_head(measurement: str, tags: Tags) -> str:
    """Measurement and tags up to the fields. Tags without a value are left out. UnwritableError for a hostile name."""
    for word in (measurement, *(value for _, value in tags)):
        if not word.isprintable() or "\\" in word:
            raise UnwritableError(f"the name {word!r} has a character that InfluxDB cannot keep")
    if not measurement:
        raise UnwritableError("a point without a metric cannot be stored")
    written = "".join(f",{key}={value.translate(_TAG)}" for key, value in sorted(tags) if value)
    return f"{measurement.translate(_MEASUREMENT)}{written} "


def point_tags(site: str, point: str, area: str) -> Tags:
    """The tags of a point's readings and summaries."""
    asset = point.partition("/")[0]
    return (("area", area), ("asset", asset), ("point", point), ("site", site))


def reading_fields(value: float, quality: int, received: int, text: str, asked: int | None, was: int) -> str:
    """A reading's fields; `asked` and `was` are the time and quality with which a moved reading came."""
    if math.isinf(value):
        raise UnwritableError("InfluxDB cannot store an infinite value")
    fields = "" if math.isnan(value) else f"value={value!r},"
    fields += f"quality={quality},received={received}"
    if text:
        if len(text.encode()) > LONGEST_TEXT:
            raise UnwritableError(f"the text is longer than {LONGEST_TEXT} bytes")
        fields += f',text="{text.translate(_STRING)}"'
    return fields if asked is None else f"{fields},asked={asked},was={was}"


def gap_line(site: str, gap: Gap, points: str, time: int) -> str:
    """A gap record at `time`; `points` is the JSON list of its points."""
    head = series_head("caretaker.gaps", (("agent", gap.agent), ("site", site)))
    return (
        f"{head}start={gap.start},end={gap.end},count={gap.count},"
        f'reason="{gap.reason.translate(_STRING)}",points="{points.translate(_STRING)}" {time}'
    )


def number_line(measurement: str, tags: Tags, fields: Mapping[str, float], time: int) -> str:
    """A row of numbers only; those that are NaN are left out."""
    written = ",".join(f"{key}={value!r}" for key, value in fields.items() if not math.isnan(value))
    return f"{series_head(measurement, tags)}{written} {time}"
