"""How the table of causes is fitted: counts of what was observed under each known fault, smoothed, as logarithms.

The edges of the ranges are set by hand from what a technician would call little, usual and much; only the frequencies
are counted.
"""

import math
from collections.abc import Iterable, Mapping

from rules.insight.causes import Cause
from rules.insight.features import Feature

EDGES: Mapping[Feature, tuple[float, ...]] = {
    Feature.SUPPLY: (0.5,),
    Feature.STOOD: (1.2, 2.0),
    Feature.RUN_SHARE: (0.05, 0.8, 0.97),
    Feature.DUTY: (0.3, 0.75, 1.25, 1.7),
    Feature.DUTY_BEFORE: (1.15, 1.35),
    Feature.RUN_POWER: (0.95, 0.98, 1.02, 1.08),
    Feature.DRAW: (0.005, 0.3, 0.93, 1.07),
    Feature.HEATING: (0.1, 1.6),
    Feature.OVERDUE: (1.3,),
    Feature.RISE: (3.0, 6.0),
    Feature.SLOPE: (-1.0, 1.0),
    Feature.OFFSET: (-1.0, 1.0, 2.5),
    Feature.WARM_FOR: (1.0, 3.5, 8.0),
    Feature.FLAT: (20.0, 60.0),
    Feature.STIR: (0.1, 0.35, 0.7),
    Feature.RUN_STIR: (0.1, 0.4, 0.7),
    Feature.UNUSABLE: (0.3, 0.6),
    Feature.DOOR: (0.1, 0.6),
    Feature.DAMP: (-4.0, 3.0),
    Feature.FOOD_FOLLOWS: (0.25, 0.7),
    Feature.FOOD_JUMP: (1.5,),
}
SMOOTHING = 0.5  # added to every count: what was never seen is unlikely, not impossible

# The faults of the simulators, and what they are called here.
CAUSES: Mapping[str, Cause] = {
    "compressor_failure": Cause.COMPRESSOR,
    "power_cut": Cause.POWER_CUT,
    "door_left_open": Cause.DOOR,
    "fan_failure": Cause.FAN,
    "iced_evaporator": Cause.ICING,
    "missed_defrost": Cause.ICING,
    "refrigerant_loss": Cause.REFRIGERANT_OR_CONDENSER,
    "condenser_fouling": Cause.REFRIGERANT_OR_CONDENSER,
    "endless_defrost": Cause.DEFROST,
    "warm_load": Cause.WARM_LOAD,
    "stuck_sensor": Cause.SENSOR,
    "sensor_drift": Cause.SENSOR,
    "error_code": Cause.SENSOR,
    "drop_out": Cause.SENSOR,
}


def fitted(cases: Iterable[tuple[Cause, Mapping[Feature, float]]]) -> dict[Cause, dict[Feature, tuple[float, ...]]]:
    """Logarithms of the smoothed frequencies of each range under each cause."""
    counts = {
        cause: {feature: [SMOOTHING] * (len(edges) + 1) for feature, edges in EDGES.items()}
        for cause in Cause
        if cause is not Cause.NOT_SURE
    }
    for cause, observed in cases:
        for feature, value in observed.items():
            if not math.isnan(value):
                place = sum(value >= edge for edge in EDGES[feature])
                counts[cause][feature][place] += 1.0
    return {
        cause: {
            feature: tuple(round(math.log(count / sum(row)), 2) for count in row) for feature, row in features.items()
        }
        for cause, features in counts.items()
    }


def as_module(table: Mapping[Cause, Mapping[Feature, tuple[float, ...]]], command: str, cases: int) -> str:
    """The text of `rules/insight/table.py`."""
    lines = [
        '"""How often each range of each feature was seen under each cause: the whole of what `causes` has learned.',
        "",
        f"Made by `{command}` from {cases} simulated cases; not written by hand.",
        "Edges as in `tests/insight/fit.py`; numbers are logarithms of frequencies, each range given half a case more.",
        '"""',
        "",
        "EDGES: dict[str, tuple[float, ...]] = {",
        *(f'    "{feature}": {_numbers(edges)},' for feature, edges in EDGES.items()),
        "}",
        "",
        "LIKELIHOOD: dict[str, dict[str, tuple[float, ...]]] = {",
    ]
    for cause, features in table.items():
        lines += [f'    "{cause}": {{']
        lines += [f'        "{feature}": {_numbers(row)},' for feature, row in features.items()]
        lines += ["    },"]
    return "\n".join([*lines, "}", ""])


def _numbers(row: tuple[float, ...]) -> str:
    return "(" + ", ".join(str(number) for number in row) + ("," if len(row) == 1 else "") + ")"
