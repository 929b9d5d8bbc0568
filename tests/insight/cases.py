"""When each simulated fault would be asked about, and what is then answered: the cases of fitting and of measuring.

A fault is asked about at its first alarm by the shipped limits and delays of the Chinese pack. What raises no alarm by
limits is asked about when a rule made for it would: a stuck or silent sensor after 45 minutes to 3 hours, a drift when
it has come to 2.5 °C, a missed defrost after 26 hours, a weakening machine at four fifths of its decline.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from domain.readings import QualityCode
from domain.times import MINUTE
from rules.insight.columns import grid_of
from rules.insight.features import Feature, observe
from rules.insight.thermal import Quantity, TimeLeft, time_left
from simulators.faults import FaultKind
from simulators.truth import LIMITS
from tests.insight.fleet import START, WARM_LOAD, Run, crossing

DELAY = {"refrigerator": 30, "sample_fridge": 30, "cold_room": 45, "freezer": 75}  # minutes, as in cn-canteen
DEADBAND = 0.5
EARLY = 40  # minutes after a sudden fault
_SUDDEN = (
    FaultKind.COMPRESSOR_FAILURE, FaultKind.POWER_CUT, FaultKind.DOOR_LEFT_OPEN, FaultKind.FAN_FAILURE,
    FaultKind.ENDLESS_DEFROST,
)  # fmt: skip
_SLOW = (FaultKind.REFRIGERANT_LOSS, FaultKind.ICED_EVAPORATOR, FaultKind.CONDENSER_FOULING)


@dataclass(frozen=True, slots=True)
class CauseCase:
    """One moment at which the cause is asked: the simulators' word for the truth, and what is observed."""

    asset: str
    kind: str
    observed: dict[Feature, float]


@dataclass(frozen=True, slots=True)
class TimeCase:
    """One estimate beside the truth, in minutes; `at_alarm`: asked at the first alarm, else early."""

    asset: str
    asset_type: str
    quantity: Quantity
    at_alarm: bool
    probe: bool
    true: int
    said: TimeLeft


def alarm_row(run: Run, asset: str, begin: int) -> int | None:
    """The first row from `begin` on at which the air has been above its limit for the delay; None when never."""
    kind = run.catalogue.assets_by_id[asset].type
    place = [one.name for one in run.catalogue.points()].index(f"{asset}/temperature")
    since: int | None = None
    for row in range(begin, len(run.value)):
        value = run.value[row, place]
        if np.isnan(value) or run.quality[row, place] == QualityCode.BAD:
            continue
        if value > LIMITS[kind][1]:
            since = row if since is None else since
            if row - since >= DELAY[kind]:
                return row
        elif value <= LIMITS[kind][1] - DEADBAND:
            since = None
    return None


def asked_row(run: Run, asset: str) -> int | None:
    """The row at which the asset's fault is asked about; None when nothing would ask within the run."""
    kind, begin = run.kinds[asset], (run.begun[asset] - START) // MINUTE
    alarm = alarm_row(run, asset, begin)
    fault = next((one for one in run.faults if one.target in (asset, f"{asset}/temperature")), None)
    row = alarm
    if kind == WARM_LOAD:
        about = run.catalogue.assets_by_id[asset]
        probe = any(point.metric == "product_temperature" for point in about.points)
        warm = begin + 5 < len(run.value) and run.true_product[begin + 5, run.row[asset]] > LIMITS[about.type][1]
        row = begin + 20 if probe and warm else None
    elif kind in (FaultKind.ERROR_CODE, FaultKind.DROP_OUT):
        row = begin + 45
    elif fault is not None:
        waited = {
            FaultKind.STUCK_SENSOR: 180.0,
            FaultKind.MISSED_DEFROST: 26 * 60.0,
            FaultKind.SENSOR_DRIFT: 150.0 / abs(fault.parameters.get("per_hour", 1.0)),
        }.get(fault.kind)
        if fault.kind in _SLOW and alarm is None:
            waited = fault.parameters["ramp"] * 0.8 / MINUTE
        row = alarm if waited is None else min(begin + int(waited), alarm or len(run.value))
    return row if row is not None and row < len(run.value) else None


def cause_cases(run: Run, later: int = 0) -> Iterator[CauseCase]:
    """Each fault of the run, asked about `later` minutes after its moment."""
    for asset, kind in run.kinds.items():
        row = asked_row(run, asset)
        if row is not None and row + later < len(run.value):
            row += later
            yield CauseCase(asset, kind, observe(grid_of(run.columns(asset, row + 1), int(run.times[row]))))


def early_cases(run: Run, after: int = EARLY) -> Iterator[CauseCase]:
    """What strikes at once, asked about `after` minutes later, mostly before any limit is passed."""
    for asset, kind in run.kinds.items():
        row = (run.begun[asset] - START) // MINUTE + after
        if kind in _SUDDEN and row < len(run.value):
            yield CauseCase(asset, kind, observe(grid_of(run.columns(asset, row + 1), int(run.times[row]))))


def time_cases(run: Run) -> Iterator[TimeCase]:
    """Failed compressors and cut supplies: the air 20 and 35 minutes after, the food at the first alarm."""
    for asset, kind in run.kinds.items():
        if kind not in (FaultKind.COMPRESSOR_FAILURE, FaultKind.POWER_CUT):
            continue
        begin = (run.begun[asset] - START) // MINUTE
        about = run.catalogue.assets_by_id[asset]
        alarm = alarm_row(run, asset, begin)
        asked = [(Quantity.AIR, begin + 20), (Quantity.AIR, begin + 35)]
        asked += [] if alarm is None else [(Quantity.PRODUCT, alarm)]
        for quantity, row in asked:
            true = crossing(run, asset, quantity, row)
            if true is None or true <= row:
                continue
            columns = run.columns(asset, row + 1)
            said = time_left(columns, int(run.times[row]), LIMITS[about.type][1], quantity)
            probe = columns.product is not None
            yield TimeCase(asset, about.type, quantity, quantity is Quantity.PRODUCT, probe, true - row, said)
