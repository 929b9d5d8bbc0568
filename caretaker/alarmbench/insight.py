"""The adviser that is measured: what `rules.insight` says of a cold asset at the moment of a detection.

It is given what the probes said, nothing later than the alarm, and nothing of the truth but which asset the alarm was
about; of a power cut that is seen at the board it is asked about the first cold asset on it.
"""

from collections.abc import Mapping, Sequence

from caretaker.alarmbench.measure import Advice, Raised
from caretaker.alarmbench.truth import FaultTruth
from domain.catalogue import Asset, Catalogue
from rules.insight.causes import Cause, judge_cause
from rules.insight.columns import LOOKBACK, AssetColumns, Column
from rules.insight.thermal import Quantity, time_left
from simulators.parameters import COOLED
from simulators.probes import PointReadings
from simulators.truth import LIMITS

_NEIGHBOURS = 3


def advise(
    canteen: Catalogue, points: Sequence[PointReadings], faults: Sequence[FaultTruth], found: Mapping[str, Raised]
) -> dict[str, Advice]:
    """Advice by fault id; nothing for a detection that concerns no cold asset."""
    readings = {each.point: each for each in points}
    said: dict[str, Advice] = {}
    for fault in faults:
        alarm = found.get(fault.id)
        asset = None if alarm is None else _concerned(canteen, alarm.asset)
        if alarm is not None and asset is not None:
            columns = _columns(canteen, asset, readings, alarm.detected_at)
            cause = judge_cause(columns, alarm.detected_at).cause
            left = time_left(columns, alarm.detected_at, LIMITS[asset.type][1], Quantity.PRODUCT).minutes
            said[fault.id] = Advice(None if cause is Cause.NOT_SURE else str(cause), left)
    return said


def _concerned(canteen: Catalogue, name: str) -> Asset | None:
    """The asset of the alarm if it is cold, else the first cold one that hangs on it."""
    cold = [asset for asset in canteen.assets if asset.type in COOLED]
    own = [asset for asset in cold if asset.id == name]
    fed = [asset for asset in cold if asset.fed_by == name]
    return next(iter(own + fed), None)


def _columns(canteen: Catalogue, asset: Asset, readings: Mapping[str, PointReadings], now: int) -> AssetColumns:
    def column(name: str) -> Column | None:
        each = readings.get(name)
        if each is None:
            return None
        known = (each.received <= now) & (each.time > now - LOOKBACK)
        return Column(each.time[known], each.value[known], each.quality[known])

    beside = [one.id for one in canteen.assets if one.fed_by == asset.fed_by and one.id != asset.id]
    neighbours = [column(f"{one}/power") for one in beside[:_NEIGHBOURS]]
    return AssetColumns(
        asset.type,
        air=column(f"{asset.id}/temperature"),
        product=column(f"{asset.id}/product_temperature"),
        power=column(f"{asset.id}/power"),
        door=column(f"{asset.id}/door"),
        supply=column(f"{asset.fed_by}/voltage"),
        neighbours=tuple(each for each in neighbours if each is not None),
    )
