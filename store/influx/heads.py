"""What a line of each point begins with, made once: measurement and tags, which are the same for all its readings."""

from collections.abc import Mapping, Sequence

from store.influx.lines import UnwritableError, point_tags, series_head

MOST_HEADS = 200_000  # of one site; beyond it they are all made anew


class Heads:
    """Remembers the heads of points; after an asset moved to another area those of its site are made anew."""

    def __init__(self) -> None:
        self._sites: dict[str, tuple[Mapping[str, str], dict[str, str | None]]] = {}

    def of(self, site: str, points: Sequence[str], areas: Mapping[str, str]) -> list[str | None]:
        """The head of each point; None for a name that cannot be written."""
        before, known = self._sites.get(site, (None, {}))
        if before is not areas:
            # Looked up anew or not, the areas are nearly always the same.
            known = known if before == areas else {}
            self._sites[site] = areas, known
        try:
            return [known[point] for point in points]
        except KeyError:
            if len(known) > MOST_HEADS:
                known.clear()
            return [known[point] if point in known else self._make(known, site, point, areas) for point in points]

    def _make(self, known: dict[str, str | None], site: str, point: str, areas: Mapping[str, str]) -> str | None:
        area = areas.get(point.partition("/")[0], "")
        try:
            head: str | None = series_head(point.partition("/")[2], point_tags(site, point, area))
        except UnwritableError:
            head = None
        known[point] = head
        return head
