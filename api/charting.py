"""The chart of one point over one range: fetches what `api.charts` draws, and words it in the visitor's language."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from api import charts, wording
from api.i18n import Language
from api.i18n import mark as _
from api.knowledge import SiteKnowledge
from api.operations import Operations, Span
from domain.catalogue import Point
from domain.times import MINUTE, from_ms
from domain.units import Quantity
from rules.model import Limit, Rule

_WORDS = {
    "time": _("Time"), "value": _("Value"), "low": _("Lowest"), "high": _("Highest"),
    "none": _("No readings in this time"),
}  # fmt: skip
_ABOVE, _BELOW = _("Limit: at most {value}"), _("Limit: at least {value}")


def draw(
    operations: Operations, site: str, name: str, range_name: str, theme: charts.Theme, language: Language
) -> dict[str, Any]:
    """The Vega-Lite document of the point's last hours or days. NotFoundError when the catalogue has no such point."""
    known = operations.site(site)
    point = known.point(name)
    length, step = charts.RANGES[range_name]
    end = operations.clock() // MINUTE * MINUTE + MINUTE
    span = Span(end - length, end)
    is_state = point.unit.quantity is Quantity.STATE
    step = None if is_state and length <= charts.RANGES["24h"][0] else step
    if step is None:
        rows = charts.rows_of_series(operations.readings(site, name, span, charts.MOST_RAW))
    else:
        rows = charts.rows_of_windows(operations.windows(site, name, span, step), step, last=is_state)
    rules = known.rules_of(name)
    chart = charts.Chart(
        point=point,
        start=span.start,
        end=span.end,
        rows=rows,
        widest=charts.widest_gap(point, step),
        limits=charts.limit_lines(rules, _limit_texts(language, point, rules)),
        out=charts.clipped(operations.excursions(site, name, span), span.start, span.end),
        state_names={float(n): wording.state_name(language, text) for text, n in point.states.items()},
        title=_title(known, point, language),
        banded=step is not None and not is_state,
    )
    words = {name: language.gettext(text) for name, text in _WORDS.items()}
    return charts.document(chart, theme, words, _offset(known, end))


def _title(known: SiteKnowledge, point: Point, language: Language) -> str:
    asset = known.asset(point.asset)
    unit = f" ({point.unit.symbol})" if point.unit.symbol else ""
    return f"{asset.label.in_language(language.code)}: {point.label.in_language(language.code)}{unit}"


def _limit_texts(language: Language, point: Point, rules: Sequence[Rule]) -> dict[tuple[str, int], str]:
    texts = {}
    for rule in rules:
        for index, level in enumerate(rule.levels):
            if isinstance(level.condition, Limit):
                upper = level.condition.above is not None
                height = level.condition.above if upper else level.condition.below
                shown = wording.joined(wording.value(language, point, height))
                texts[rule.id, index] = language.gettext(_ABOVE if upper else _BELOW).format(value=shown)
    return texts


def _offset(known: SiteKnowledge, at: int) -> int:
    distance = from_ms(at).astimezone(ZoneInfo(known.catalogue.timezone)).utcoffset() or timedelta()
    return distance // timedelta(milliseconds=1)
