"""What is said of a cold asset beside its alarms: how long until its limits, and why it is warm.

For the asset's page and for programs. It reads the asset's last days from the series store and asks `rules.insight`; it
decides nothing. An answer is kept for a minute, so that a page that refreshes itself costs no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.knowledge import SiteKnowledge
from api.operations import Operations
from domain.catalogue import Asset
from domain.readings import QualityCode
from domain.times import MINUTE
from rules.insight.causes import COLD, Judgement, judge_cause_on
from rules.insight.columns import LOOKBACK, AssetColumns, Column, grid_of
from rules.insight.features import degrees_of
from rules.insight.thermal import Outlook, Quantity, TimeLeft, time_left_on
from rules.model import Limit

KEPT_FOR = MINUTE
_MOST_KEPT = 256
MOST_NEIGHBOURS = 3
MOST_AT_ONCE = 20  # assets looked at for one page: each takes some hundredths of a second, once a minute
METRICS = {
    "air": "temperature", "product": "product_temperature", "power": "power", "door": "door", "humidity": "humidity",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AssetInsight:
    """At `at` (UTC ms): the times left that can be said, the air's first, and the cause while the asset is warm.

    `degrees` is what one "°C of a fridge" of the evidence is on this asset, in °C.
    """

    at: int
    times: tuple[TimeLeft, ...]
    judgement: Judgement | None
    degrees: float

    @property
    def act_within(self) -> float | None:
        """Minutes: the least of what the estimates allow; None when there is none."""
        return min((one.low for one in self.times if one.low is not None), default=None)


NOTHING = AssetInsight(0, (), None, 1.0)


class InsightDesk:
    """Answers for one asset at a time; safe to call from several threads."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._kept: dict[tuple[str, str], AssetInsight] = {}

    def of_asset(self, site: str, asset: str) -> AssetInsight:
        """What can be said now. NotFoundError for an unknown site or asset."""
        known, now = self._operations.site(site), self._operations.clock()
        about = known.asset(asset)
        kept = self._kept.get((site, asset))
        if kept is not None and 0 <= now - kept.at < KEPT_FOR:
            return kept
        found = NOTHING if about.type not in COLD else self._look(known, about, now)
        while len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[site, asset] = found
        return found

    def soonest(self, site: str, assets: Sequence[str]) -> dict[str, TimeLeft]:
        """Of the first `MOST_AT_ONCE` of these assets: the limit that each comes to first, where one can be said."""
        found: dict[str, TimeLeft] = {}
        for asset in assets[:MOST_AT_ONCE]:
            times = [one for one in self.of_asset(site, asset).times if one.minutes is not None]
            if times:
                found[asset] = min(times, key=lambda one: one.minutes or 0.0)
        return found

    def _look(self, known: SiteKnowledge, asset: Asset, now: int) -> AssetInsight:
        grid = grid_of(self._columns(known, asset, now), now)
        limits = _limits(known, asset)
        outlooks = [time_left_on(grid, limit, quantity) for quantity, limit in limits.items()]
        warm = any(one.outlook in (Outlook.HEADING, Outlook.BEYOND) for one in outlooks)
        said = tuple(one for one in outlooks if one.outlook is Outlook.HEADING)
        return AssetInsight(now, said, judge_cause_on(grid) if warm else None, degrees_of(grid))

    def _columns(self, known: SiteKnowledge, asset: Asset, now: int) -> AssetColumns:
        names = {metric: f"{asset.id}/{metric}" for metric in METRICS.values()}
        given = {
            name: self._column(known, names[metric], now)
            for name, metric in METRICS.items()
            if names[metric] in known.catalogue.by_name
        }
        beside = [
            f"{other.id}/power"
            for other in known.catalogue.assets
            if other.fed_by == asset.fed_by and other.id != asset.id and asset.fed_by is not None
        ]
        neighbours = [name for name in beside if name in known.catalogue.by_name][:MOST_NEIGHBOURS]
        return AssetColumns(
            asset.type,
            **given,
            supply=self._supply(known, asset, now),
            neighbours=tuple(self._column(known, name, now, 10 * MINUTE) for name in neighbours),
        )

    def _supply(self, known: SiteKnowledge, asset: Asset, now: int) -> Column | None:
        """Power or voltage of the nearest meter or board above the asset that has one."""
        above, seen = asset.fed_by, {asset.id}
        while above is not None and above not in seen:
            for metric in ("power", "voltage"):
                if f"{above}/{metric}" in known.catalogue.by_name:
                    return self._column(known, f"{above}/{metric}", now, 10 * MINUTE)
            seen.add(above)
            further = known.catalogue.assets_by_id.get(above)
            above = further.fed_by if further is not None else None
        return None

    def _column(self, known: SiteKnowledge, point: str, now: int, back: int = LOOKBACK) -> Column:
        # By the minute: the newest value of each, so that a sensor that speaks each second costs no more.
        start = (now - back) // MINUTE * MINUTE
        windows = self._operations.series.window(known.catalogue.site, point, start, now + 1, MINUTE)
        time = np.minimum(windows.start + (MINUTE - 1), now)
        bad = np.where(windows.count == 0, np.uint8(QualityCode.BAD), np.uint8(QualityCode.GOOD))
        return Column(time, windows.last, bad)


def _limits(known: SiteKnowledge, asset: Asset) -> dict[Quantity, float]:
    """The upper limit that each temperature is judged by; the food's, where it has no rule, is the air's."""
    found: dict[Quantity, float] = {}
    for quantity, metric in ((Quantity.AIR, "temperature"), (Quantity.PRODUCT, "product_temperature")):
        limits = [
            condition.above
            for rule in known.rules_of(f"{asset.id}/{metric}")
            for condition in [rule.levels[0].condition]
            if isinstance(condition, Limit) and condition.above is not None
        ]
        if limits:
            found[quantity] = min(limits)
    if Quantity.AIR in found:
        found.setdefault(Quantity.PRODUCT, found[Quantity.AIR])
    return found
