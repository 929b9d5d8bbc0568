"""What the probes of a recorded stretch say: where they hang, how they fail, and what of it arrives when.

Real data are not the plant's truth: a probe lags behind the air and is some tenths off, about 6 % never comes, single
samples are error codes (85, −127, 327.67 … °C), a canteen's network is away for some minutes and its readings come
together afterwards. Everything hangs on seed, point and time. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.batch import Bytes8, Float64s, Int64s
from domain.catalogue import Asset, Point
from domain.readings import QualityCode
from domain.times import DAY, MINUTE
from simulators.faults import SENSOR_FAULTS, Fault, FaultKind
from simulators.parameters import Flags
from simulators.randomness import generator, noise_along, uniform_along
from simulators.recording import Recording, Singles
from simulators.sensors import NOMINAL_VOLTAGE, RESOLUTION, VOLTAGE_DROOP

ERROR_CODES = (85.0, -127.0, 327.67, 882.6, 999.0)
LATENCY = (80, 400)  # ms
_METRICS = ("temperature", "product_temperature", "power", "door", "voltage")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with data in normal life.

    `missing`: share lost one by one; `holes` of `hole_minutes` a day and point besides; `codes`: single error codes a
    day and point, half of them unnoticed (quality good); `outages` of `outage_minutes` a day and agent, whose readings
    come afterwards.
    """

    missing: float = 0.03
    holes: float = 4.5
    hole_minutes: tuple[float, float] = (3.0, 16.0)
    codes: float = 0.5
    outages: float = 0.1
    outage_minutes: tuple[float, float] = (5.0, 20.0)


CLEAN = Trouble(0.0, 0.0, (1.0, 1.0), 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class PointReadings:
    """One point's readings as they were taken: columns of equal length; `received` is when each one arrived."""

    point: str
    time: Int64s
    value: Float64s
    quality: Bytes8
    received: Int64s


def readings_of(
    recording: Recording, asset: Asset, faults: Sequence[Fault], trouble: Trouble = CLEAN
) -> list[PointReadings]:
    """The readings of the asset's points. ValueError for a metric that a recording does not have."""
    outages = _spans(recording, f"outages of {asset.area}", trouble.outages, trouble.outage_minutes)
    return [_of_point(recording, asset, point, faults, trouble, outages) for point in asset.points]


def _of_point(
    recording: Recording, asset: Asset, point: Point, faults: Sequence[Fault], trouble: Trouble, outages: Int64s
) -> PointReadings:
    times, seed = recording.times, recording.seed
    value, word = _shown(recording, asset, point.metric)
    decimals = RESOLUTION[point.metric][0]
    quality = np.where(word, np.uint8(QualityCode.BAD), np.uint8(QualityCode.GOOD)).astype(np.uint8)
    value = np.where(word, np.nan, np.rint(value * 10.0**decimals) / 10.0**decimals)
    here = np.ones(len(times), np.bool_)
    if trouble.codes and point.metric.endswith("temperature"):
        _sprinkle_codes(recording, point.name, trouble.codes, value, quality)
    mine = [fault for fault in faults if fault.target == point.name and fault.kind in SENSOR_FAULTS]
    for fault in sorted(mine, key=lambda one: one.start):
        _fail(fault, times, seed, decimals, value, quality, here)
    if trouble.missing:
        here &= uniform_along(f"loss of {point.name}", seed, times) >= trouble.missing
    for start, end in _spans(recording, f"holes of {point.name}", trouble.holes, trouble.hole_minutes):
        here[np.searchsorted(times, start) : np.searchsorted(times, end)] = False
    late = LATENCY[0] + (uniform_along(f"latency of {asset.id}", seed, times) * (LATENCY[1] - LATENCY[0]))
    received = times + np.rint(late).astype(np.int64)
    for start, end in outages:
        held = slice(int(np.searchsorted(times, start)), int(np.searchsorted(times, end)))
        received[held] = end + LATENCY[0]
    return PointReadings(point.name, times[here], value[here], quality[here], received[here])


def _shown(recording: Recording, asset: Asset, metric: str) -> tuple[Float64s, Flags]:
    """The undisturbed value at each sample, and where the device gives a word instead."""
    place, row = recording.catalogue.assets.index(asset), recording.row.get(asset.id)
    no_word = np.zeros(len(recording.times), np.bool_)
    noise = RESOLUTION[metric][1] * noise_along(f"{asset.id}/{metric}", recording.seed, recording.times)
    power = recording.power[:, place].astype(np.float64)
    if metric == "power":
        return power + noise * (power > 0.0), no_word
    if metric == "voltage":
        supplied = recording.supplied[:, place]
        return np.where(supplied, NOMINAL_VOLTAGE - VOLTAGE_DROOP * power + 2.0 * noise, 0.0), no_word
    if row is None or metric not in _METRICS:
        raise ValueError(f"a recording has no {asset.id}/{metric}; it has {', '.join(_METRICS)} of thermal assets")
    if metric == "door":
        return recording.door[:, row].astype(np.float64), no_word
    chance = generator(recording.seed, asset.id, metric, "probe")
    offset = float(chance.uniform(-0.4, 0.4))
    if metric == "product_temperature":
        return recording.product[:, row].astype(np.float64) + offset, no_word
    if asset.type == "hot_holding":  # its controller gives a word until it is hot
        return recording.air[:, row] + noise, ~recording.ready[:, row]
    # In the stream of cold air or behind the crates: placement decides how fast a probe follows.
    air = lagged(recording.air[:, row], recording.times, float(chance.uniform(20.0, 420.0)))
    return air + offset + noise * recording.stirred[:, row], no_word


def lagged(air: Singles, times: Int64s, seconds: float) -> Float64s:
    """What a probe of that first-order time constant shows of the air; ends of equal length."""
    share = 1.0 - float(np.exp(-(times[1] - times[0]) / 1000.0 / seconds)) if len(times) > 1 else 1.0
    shown, now = np.empty(len(air)), float(air[0]) if len(air) else 0.0
    for place, value in enumerate(air.tolist()):
        now += share * (value - now)
        shown[place] = now
    return shown


def _sprinkle_codes(recording: Recording, point: str, per_day: float, value: Float64s, quality: Bytes8) -> None:
    times, seed = recording.times, recording.seed
    share = per_day * (times[1] - times[0]) / DAY if len(times) > 1 else 0.0
    hit = np.flatnonzero(uniform_along(f"codes of {point}", seed, times) < share)
    which = uniform_along(f"which code of {point}", seed, times[hit])
    value[hit] = np.array(ERROR_CODES)[(which * len(ERROR_CODES)).astype(np.int64)]
    noticed = uniform_along(f"code noticed of {point}", seed, times[hit]) < 0.5
    quality[hit[noticed]] = QualityCode.BAD


def _fail(fault: Fault, times: Int64s, seed: int, decimals: int, value: Float64s, quality: Bytes8, here: Flags) -> None:
    """One sensor fault upon the columns, in place; the meaning is that of `simulators.sensors`."""
    span = slice(int(np.searchsorted(times, fault.start)), int(np.searchsorted(times, fault.end)))
    within = times[span]
    if not len(within):
        return
    parameters = fault.parameters
    if fault.kind is FaultKind.STUCK_SENSOR:
        good = np.flatnonzero((quality[span] == QualityCode.GOOD) & (np.abs(value[span]) < 80.0))
        first = span.start + (int(good[0]) if len(good) else 0)
        value[span], quality[span] = value[first], quality[first]
    elif fault.kind is FaultKind.DROP_OUT:
        here[span] &= uniform_along(f"fault {fault.id}", seed, within) >= parameters["share"]
    elif fault.kind is FaultKind.ERROR_CODE:
        hit = uniform_along(f"fault {fault.id}", seed, within) < parameters["share"]
        value[span][hit] = parameters["code"]
        if parameters["good"] < 0.5:
            quality[span][hit] = QualityCode.BAD
    else:
        away = parameters["per_hour"] * (within - fault.start) / 3_600_000
        value[span] = np.round(value[span] + np.clip(away, -parameters["most"], parameters["most"]), decimals)


def _spans(recording: Recording, name: str, per_day: float, minutes: tuple[float, float]) -> Int64s:
    """Spans (n, 2) in UTC ms of a Poisson process of so many a day."""
    if not per_day:
        return np.zeros((0, 2), np.int64)
    chance = generator(recording.seed, name)
    first, last = int(recording.times[0]), int(recording.times[-1])
    count = int(chance.poisson(per_day * (last - first) / DAY))
    starts = np.sort(chance.integers(first, last + 1, count))
    lengths = (chance.uniform(*minutes, count) * MINUTE).astype(np.int64)
    return np.stack((starts, starts + lengths), axis=1)
