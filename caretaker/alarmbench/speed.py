"""How many readings a second a backtest judges on one core, and how many times faster than reading by reading.

Both are measured in the same run on the same readings, reading them in not counted: on another machine both change,
their ratio hardly. The scalar engine is the one meaning (`Engine(prefilter=False)`); it is given fewer readings, as it
is slow. A measurement, not a test: it never fails for being slow.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import process_time

import numpy as np

from domain.batch import ReadingBatch, Span
from rules.backtest import backtest
from rules.condition_file import DERIVED
from rules.engine import Engine
from rules.loading import load_rules
from rules.model import RuleSet
from rules.readings_csv import ReadingRows

POINT = "fridge/temperature"
OTHERS = ("fridge/door", "fridge/power")  # of rules on several points: one reading a minute each, always 0 and as POINT
READINGS, SCALAR_READINGS = 1_000_000, 20_000
DERIVED_SHARE = 10  # conditions on what readings amount to are judged one by one: fewer readings do
REPEATS = 3
_BATCH = 1_000
_STEP = 60_000

# name -> (the condition as a rule file has it, the values: a compressor's cycle around the mean, or states)
CONDITIONS: dict[str, tuple[str, float]] = {
    "limit": ("condition: {above: 8.0, deadband: 0.5}\n    on_delay: 30min", 4.0),
    "limit, often beyond": ("condition: {above: 4.5, deadband: 0.5}\n    on_delay: 10min", 4.0),
    "levels": (
        "levels:\n      - {above: 8.0, on_delay: 30min, priority: high}\n"
        "      - {above: 12.0, on_delay: 10min, priority: urgent}",
        4.0,
    ),
    "state": ("condition: {state: 2}\n    on_delay: 5min", 0.5),
    "no data": ("condition: {no_data: 30min}", 4.0),
    "rate": ("condition: {rate: {above: 6, per: 1h, over: 15min}}", 4.0),
    "stuck": ("condition: {stuck: {for: 2h}}", 4.0),
    "cumulative": ("condition: {cumulative: {above: 8, longer_than: 2h, in: 24h}}", 4.0),
    "duty": ("condition: {duty: {on_above: 4, over: 2h, above: 0.9}}", 4.0),
    "short cycles": ("condition: {short_cycles: {on_above: 4, shorter_than: 3min, count: 3, in: 1h}}", 4.0),
    "unreadable": ("condition: {unreadable: {over: 30min}}", 4.0),
    "mean": ("condition: {mean: {over: 1h, above: 8}}", 4.0),
    "defrost": ("condition: {defrost: {rise: 1, within: 30min}}", 4.0),
    "defrost missed": ("condition: {defrost_missed: {longer_than: 14h, rise: 1}}", 4.0),
    "defrost endless": ("condition: {defrost_endless: {longer_than: 60min, rise: 1}}", 4.0),
    "baseline": ("condition: {baseline: {above_percent: 40, of: hour_of_week, weeks: 4}}", 4.0),
    "base load": ("condition: {base_load: {above: 300, over: 1d}}", 4.0),
    "cooling": ("condition: {cooling: {from: 5, stages: [{to: 4, within: 30min}, {to: 3, within: 1h}]}}", 4.0),
    "rate, calm": ("condition: {rate: {above: 60, per: 1h, over: 15min}}", 4.0),
    "defrost endless, of a freezer": ("condition: {defrost_endless: {longer_than: 60min, rise: 5}}", 4.0),
}
SEVERAL: dict[str, str] = {
    "masked limit": "condition: {above: 8.0, deadband: 0.5}\n    on_delay: 30min\n"
    "    mask: {when: {metric: door, state: 1, on_delay: 10min}, for_at_most: 25min, tail: 10min}",
    "masked duty": "condition: {duty: {on_above: 3.5, over: 75min, below: 0.01}}\n"
    "    mask: {when: {all: [{metric: door, state: 1}, {metric: power, below: 1}], on_delay: 15min}, tail: 10min}",
    "all": "condition: {all: [{above: 8}, {metric: door, state: 1}]}",
    "any": "condition: {any: [{above: 8}, {metric: door, state: 1, on_delay: 10min}]}",
    "not": "condition: {not: {metric: power, above: 1}}",
    "unbalance": "condition: {unbalance: {of: [temperature, power], above_percent: 50}}",
}


@dataclass(frozen=True, slots=True)
class Speed:
    """Readings a second of the backtest and of the scalar engine, medians of some repeats."""

    condition: str
    backtest: float
    scalar: float

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.backtest / self.scalar


def measure_speed(readings: int = READINGS, scalar: int = SCALAR_READINGS, repeats: int = REPEATS) -> list[Speed]:
    """Measure every condition on one core, in processor time."""
    found = []
    for name, (condition, mean) in CONDITIONS.items():
        rules = _rules(condition)
        count = readings // DERIVED_SHARE if condition.partition("{")[2].partition(":")[0] in DERIVED else readings
        rows, few = rows_of(count, mean), rows_of(scalar, mean)
        fast = _median_rate(partial(backtest, rules, rows), count, repeats)
        slow = _median_rate(partial(_one_by_one, rules, few), scalar, repeats)
        found.append(Speed(name, fast, slow))
    for name, condition in SEVERAL.items():
        rules, count = _rules(condition), readings // DERIVED_SHARE
        rows, few = rows_of_several(count), rows_of_several(scalar)
        fast = _median_rate(partial(backtest, rules, rows), len(rows), repeats)
        found.append(Speed(name, fast, _median_rate(partial(_one_by_one, rules, few), len(few), repeats)))
    return found


def rows_of(count: int, mean: float) -> ReadingRows:
    """A point's readings, one a minute: states where the mean is below 1, else cycles of 30 min of ±1.2 °C."""
    time = np.arange(count, dtype=np.int64) * _STEP + 1_700_000_000_000
    if mean < 1.0:
        value = (np.arange(count) // 600 % 2).astype(np.float64)
    else:
        noise = np.random.default_rng(1).uniform(-0.1, 0.1, count)
        value = np.round(mean + 1.2 * np.sin(np.arange(count) * (2.0 * np.pi / 30.0)) + noise, 1)
    return ReadingRows((POINT,), np.zeros(count, np.int32), time, value, np.zeros(count, np.uint8), time + 200)


def rows_of_several(count: int) -> ReadingRows:
    """Readings of POINT and of OTHERS, about `count` in all, minute by minute."""
    points = (POINT, *OTHERS)
    own = rows_of(count // len(points), 4.0)
    value = np.stack((own.value, np.zeros(len(own)), own.value), axis=1).ravel()
    point = np.tile(np.arange(len(points), dtype=np.int32), len(own))
    time = np.repeat(own.time, len(points))
    return ReadingRows(points, point, time, value, np.zeros(len(value), np.uint8), time + 200)


def as_table(rows: Sequence[Speed]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| condition | backtest, readings/s | reading by reading, readings/s | ratio | to reach |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        goal = "≥ 5 million" if row.condition in ("limit", "state") else ""
        lines.append(f"| {row.condition} | {row.backtest:,.0f} | {row.scalar:,.0f} | {row.ratio:.0f} | {goal} |")
    return "\n".join(lines)


def as_json(rows: Sequence[Speed]) -> str:
    """The same for programs."""
    return json.dumps(
        {
            row.condition: {
                "readings_per_s": round(row.backtest),
                "scalar_per_s": round(row.scalar),
                "ratio": round(row.ratio, 1),
            }
            for row in rows
        },
        indent=2,
    )


def _rules(condition: str) -> RuleSet:
    priority = "" if condition.startswith("levels") else "\n    priority: high"
    return load_rules(
        f"rules:\n  - id: measured\n    applies_to: {{point: {POINT}}}\n    {condition}{priority}\n", "speed"
    )


def _one_by_one(rules: RuleSet, rows: ReadingRows) -> None:
    engine = Engine("speed", prefilter=False)
    engine.set_rules(None, rules, int(rows.time[0]))
    engine.clock(int(rows.time[0]), True)
    for first in range(0, len(rows), _BATCH):
        part = slice(first, first + _BATCH)
        upto = int(rows.time[part][-1])
        batch = ReadingBatch(
            "speed", upto + 200, rows.points, rows.point[part], rows.time[part],
            rows.value[part], rows.quality[part], (Span("probes", 0, len(rows.time[part]), upto),),
        )  # fmt: skip
        engine.feed(batch)


def _median_rate(work: Callable[[], object], readings: int, repeats: int) -> float:
    rates = []
    for _ in range(repeats):
        begin = process_time()
        work()
        rates.append(readings / max(process_time() - begin, 1e-9))
    return float(np.median(rates))
