"""Tells a condition a story in the short notation of rule tests, and says what it says of it."""

from domain.batch import batch_of
from domain.readings import Quality, Reading
from domain.times import MINUTE
from rules.engine import Engine
from rules.loading import load_rules
from rules.series_notation import parse_series

T0 = 1_767_225_600_000
POINT = "unit/metric"


def told(condition: str, values: str, *, until: float | None = None, more: str = "") -> list[tuple[float, str, str]]:
    """(minute, event, reason) of a rule with that condition and those readings, one a minute."""
    return lived(f"condition: {condition}, priority: high{more}", values, until)


def lived(lines: str, values: str, until: float | None = None) -> list[tuple[float, str, str]]:
    """As `told`, of a rule with these lines."""
    engine = Engine("s")
    engine.set_rules(None, load_rules(f"rules: [{{id: r, applies_to: {{metric: metric}}, {lines}}}]", "r.yaml"), T0)
    rows = readings(values)
    end = rows[-1].time if until is None else T0 + round(until * MINUTE)
    events = engine.feed(batch_of("s", end, rows, agent="a", upto=rows[-1].time)) + engine.advance("a", end + 1)
    return [((event.at - T0) / MINUTE, event.kind.value, event.reason.value) for event in events]


def readings(values: str) -> list[Reading]:
    """The series as readings, one a minute."""
    rows = []
    for number, sample in enumerate(parse_series(values)):
        if sample is not None:
            quality = Quality.BAD if sample.bad else Quality.GOOD
            rows.append(Reading(POINT, T0 + number * MINUTE, sample.value, quality))
    return rows
