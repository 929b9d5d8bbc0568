"""Which cold unit to empty first when the power is gone: the one whose food passes its limit soonest.

For the kitchen, in an incident. It ranks by the time left: how far the newest temperature is from the limit, over how
fast such a unit warms without refrigeration; a better estimate of the unit itself takes the place of the typical rate
where one is given. What is not known comes first, with its reason: unknown is never safe. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from domain.catalogue import Asset
from domain.readings import Quality
from domain.records import Latest
from domain.times import HOUR, MINUTE

STALE = 15 * MINUTE  # a temperature older than this says nothing of now

# °C per hour with refrigeration off, the upper end of what was measured in a real cold store (DOMAIN: coolers 0.3 to
# 1.7, freezers while loading 2.9 to 3.9): the pessimistic side, because food is at stake.
DRIFT: Mapping[str, float] = MappingProxyType(
    {"refrigerator": 1.7, "sample_fridge": 1.7, "cold_room": 1.7, "freezer": 3.9}
)
# Where no rule of the site says otherwise: 冷藏 0 to 8 °C, 冷冻 at most -12 °C (餐饮服务食品安全操作规范, 2018 No. 12).
LIMITS: Mapping[str, float] = MappingProxyType(
    {"refrigerator": 8.0, "sample_fridge": 8.0, "cold_room": 8.0, "freezer": -12.0}
)
_METRICS = ("product_temperature", "temperature")  # the food's own temperature counts where it is measured


@dataclass(frozen=True, slots=True)
class Unit:
    """One cold unit: `left` ms until the limit (0: passed already, None: not known), `temperature` °C, `limit` °C.

    `learned`: the time was figured from the unit's own past, else from the typical rate of its kind.
    """

    asset: Asset
    left: int | None
    temperature: float | None
    limit: float
    learned: bool = False


def empty_first(
    assets: Iterable[Asset],
    latest: Mapping[str, Latest],
    now: int,
    limits: Mapping[str, float] = MappingProxyType({}),
    left: Mapping[str, int] = MappingProxyType({}),
) -> list[Unit]:
    """The cold units among the assets, most urgent first.

    `latest`: point -> newest reading; `limits`: asset -> the site's own limit (°C); `left`: asset -> a better estimate
    of the time left (ms). Not known comes first, then by time left, then in the order given.
    """
    units = [_unit(asset, latest, now, limits, left) for asset in assets if asset.type in DRIFT]
    return sorted(units, key=lambda one: -1 if one.left is None else one.left)


def _unit(
    asset: Asset, latest: Mapping[str, Latest], now: int, limits: Mapping[str, float], left: Mapping[str, int]
) -> Unit:
    limit = limits.get(asset.id, LIMITS[asset.type])
    temperature = _temperature(asset, latest, now)
    if temperature is not None and temperature > limit:
        return Unit(asset, 0, temperature, limit)
    if asset.id in left:
        return Unit(asset, max(0, left[asset.id]), temperature, limit, learned=True)
    if temperature is None:
        return Unit(asset, None, None, limit)
    return Unit(asset, int((limit - temperature) / DRIFT[asset.type] * HOUR), temperature, limit)


def _temperature(asset: Asset, latest: Mapping[str, Latest], now: int) -> float | None:
    for metric in _METRICS:
        newest = latest.get(f"{asset.id}/{metric}")
        if newest is not None and newest.quality is not Quality.BAD and now - newest.time <= STALE:
            return newest.value
    return None
