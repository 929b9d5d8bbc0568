"""What a line of each point begins with, made once: measurement and tags, which are the same for all its readings."""

from collections.abc import Mapping, Sequence

from store.influx.lines import UnwritableError, point_tags, series_head

MOST_HEADS = 200_000  # beyond it they are all made anew


class Heads:
    """Remembers the heads of points; those of an asset that moved to another area are made anew."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[str, str | None]] = {}

    def of(self, site: str, points: Sequence[str], areas: Mapping[str, str]) -> list[str | None]:
        """The head of each point; None for a name that cannot be written."""
        if len(self._known) > MOST_HEADS:
            self._known.clear()
        return [self._head(site, point, areas.get(point.partition("/")[0], "")) for point in points]

    def _head(self, site: str, point: str, area: str) -> str | None:
        known = self._known.get((site, point))
        if known is None or known[0] != area:
            try:
                head: str | None = series_head(point.partition("/")[2], point_tags(site, point, area))
            except UnwritableError:
                head = None
            known = self._known[(site, point)] = (area, head)
        return known[1]
