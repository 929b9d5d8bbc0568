"""The YAML form of a catalogue (`site.yaml`): text in, `Catalogue` or `InputError` with file and line out.

The database keeps this text as the revision's document, so reading it back is the same code.
"""

from collections.abc import Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.calendar_file import read_schedules
from domain.catalogue import ASSET_TYPES, Area, Asset, Catalogue, Label, Point
from domain.documents import Node, load_document
from domain.ids import check_id
from domain.units import CANONICAL, Quantity, Unit, unit_of

# The quantity that a metric's name implies when the file names no unit.
_QUANTITY_OF_METRIC = {
    "temperature": Quantity.TEMPERATURE,
    "product_temperature": Quantity.TEMPERATURE,
    "power": Quantity.POWER,
    "energy": Quantity.ENERGY,
    "humidity": Quantity.HUMIDITY,
    "voltage": Quantity.VOLTAGE,
    "current": Quantity.CURRENT,
    "pressure": Quantity.PRESSURE,
    "door": Quantity.STATE,
    "status": Quantity.STATE,
}
_DOOR_STATES: Mapping[str, int] = MappingProxyType({"closed": 0, "open": 1})


def load_catalogue(text: str, file: str) -> Catalogue:
    """The catalogue that the YAML text describes. InputError says file, line and remedy."""
    root = load_document(text, file).fields(("site",), ("areas", "assets", "calendars", "schedules"))
    head = root["site"].fields(("id",), ("title", "timezone", "commissioned_at"))
    areas = tuple(_area(node) for node in root["areas"].items()) if "areas" in root else ()
    _refuse_repeats(root.get("areas"), [area.id for area in areas], "area")
    known = {area.id for area in areas}
    assets = tuple(_asset(node, known) for node in root["assets"].items()) if "assets" in root else ()
    _refuse_repeats(root.get("assets"), [asset.id for asset in assets], "asset")
    _check_feeds(root.get("assets"), assets)
    site = _id(head["id"], "site")
    return Catalogue(
        site,
        read_label(head.get("title"), site),
        _timezone(head.get("timezone")),
        _commissioned(head.get("commissioned_at")),
        areas,
        assets,
        read_schedules(root.get("schedules"), root.get("calendars")),
    )


def read_label(node: Node | None, default: str) -> Label:
    """A title: one text, or `{en: …, zh: …}`; `default` when the file has none."""
    if node is None:
        return Label(default)
    if not node.is_mapping:
        return Label(node.text())
    parts = node.fields(("en",), ("zh",))
    return Label(parts["en"].text(), parts["zh"].text() if "zh" in parts else "")


def _id(node: Node, what: str) -> str:
    try:
        return check_id(node.text(), what)
    except ValueError as error:
        raise node.error(str(error)) from None


def _refuse_repeats(node: Node | None, ids: list[str], what: str) -> None:
    if node is None:
        return
    seen: set[str] = set()
    for entry, name in zip(node.items(), ids, strict=True):
        if name in seen:
            raise entry.error(f"the {what} {name!r} is here twice", "give each its own id")
        seen.add(name)


def _check_feeds(node: Node | None, assets: tuple[Asset, ...]) -> None:
    if node is None:
        return
    feeder = {asset.id: asset.fed_by for asset in assets}
    for entry, asset in zip(node.items(), assets, strict=True):
        seen, above = {asset.id}, asset.fed_by
        while above is not None:
            if above not in feeder:
                if above != asset.fed_by:
                    break  # a broken link further up is that asset's own error
                place = entry.entries()["fed_by"]
                raise place.error(f"there is no asset {above!r}", "name the meter or board of this file that feeds it")
            if above in seen:
                place = entry.entries()["fed_by"]
                raise place.error(f"{asset.id!r} would feed itself", "leave fed_by out at the topmost meter")
            seen.add(above)
            above = feeder[above]


def _area(node: Node) -> Area:
    parts = node.fields(("id",), ("title",))
    area = _id(parts["id"], "area")
    return Area(area, read_label(parts.get("title"), area))


def _asset(node: Node, areas: set[str]) -> Asset:
    parts = node.fields(("id", "type", "area"), ("title", "content", "agent", "points", "fed_by"))
    asset = _id(parts["id"], "asset")
    area = parts["area"].text()
    if area not in areas:
        raise parts["area"].error(f"there is no area {area!r}", f"known areas: {', '.join(sorted(areas)) or 'none'}")
    agent = _id(parts["agent"], "agent") if "agent" in parts else None
    points: tuple[Point, ...] = ()
    if "points" in parts:
        points = tuple(_point(asset, metric, body, agent) for metric, body in parts["points"].entries().items())
    return Asset(
        asset,
        parts["type"].text(one_of=ASSET_TYPES),
        area,
        read_label(parts.get("title"), asset),
        points,
        read_label(parts.get("content"), ""),
        _id(parts["fed_by"], "asset") if "fed_by" in parts else None,
    )


def _point(asset: str, metric: str, node: Node, agent: str | None) -> Point:
    try:
        check_id(metric, "metric")
    except ValueError as error:
        raise node.error(str(error)) from None
    parts = node.fields((), ("unit", "interval", "title", "states", "agent"))
    interval = parts["interval"].duration() if "interval" in parts else None
    if interval is not None and interval <= 0:
        raise parts["interval"].error("the interval must be longer than zero", "leave it out for irregular points")
    return Point(
        asset,
        metric,
        _unit(metric, node, parts),
        interval,
        read_label(parts.get("title"), metric),
        _states(metric, parts.get("states")),
        _id(parts["agent"], "agent") if "agent" in parts else agent,
    )


def _unit(metric: str, node: Node, parts: Mapping[str, Node]) -> Unit:
    if "unit" in parts:
        try:
            unit = unit_of(parts["unit"].text())
        except ValueError as error:
            raise parts["unit"].error(str(error)) from None
        canonical = CANONICAL[unit.quantity]
        if unit is not canonical:
            raise parts["unit"].error(
                f"points are stored in the canonical unit {canonical.code}, not {unit.code}",
                f"write unit: {canonical.code}; what a device sends in {unit.code} is converted on arrival",
            )
        return unit
    if "states" in parts:
        return CANONICAL[Quantity.STATE]
    if metric in _QUANTITY_OF_METRIC:
        return CANONICAL[_QUANTITY_OF_METRIC[metric]]
    raise node.error(f"the metric {metric!r} needs a unit", "add for example unit: Cel")


def _states(metric: str, node: Node | None) -> Mapping[str, int]:
    if node is None:
        return _DOOR_STATES if metric == "door" else MappingProxyType({})
    states = {name: entry.integer() for name, entry in node.entries().items()}
    if len(set(states.values())) != len(states):
        raise node.error("two states have the same number", "give each state its own number")
    return MappingProxyType(states)


def _timezone(node: Node | None) -> str:
    if node is None:
        return "UTC"
    name = node.text()
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise node.error(f"{name!r} is not a time zone", "use an IANA name such as Asia/Shanghai") from None
    return name


def _commissioned(node: Node | None) -> int | None:
    if node is None or node.scalar() is None:
        return None
    return node.moment()
