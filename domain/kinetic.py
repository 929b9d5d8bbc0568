"""Mean kinetic temperature: the one steady temperature that would have aged a product as much as the true course did.

A figure for information, never a food pass: it is an average, and bacteria do not average.
"""

import math
from collections.abc import Sequence

ACTIVATION = 10_000.0  # K: activation energy over the gas constant, the customary 83.144 kJ/mol
ZERO = 273.15


def mean_kinetic_temperature(celsius: Sequence[float], weights: Sequence[float]) -> float | None:
    """The mean kinetic temperature in °C of temperatures (°C) that held for so long each (`weights`, any unit of time).

    None when nothing held for any time. 20 h at 5 °C and 4 h at 15 °C give 7.7046 °C. ValueError for sequences of
    unequal length, a negative weight, or a temperature that is none.
    """
    if len(celsius) != len(weights):
        raise ValueError(f"{len(celsius)} temperatures, but {len(weights)} weights")
    if any(not weight >= 0.0 for weight in weights):
        raise ValueError("a weight is negative")
    held = [(value, weight) for value, weight in zip(celsius, weights, strict=True) if weight > 0.0]
    if any(not math.isfinite(value) or value <= -ZERO for value, _ in held):
        raise ValueError("a temperature is below absolute zero or not a number")
    total = sum(weight for _, weight in held)
    if total <= 0.0:
        return None
    # Relative to the warmest, so that nothing underflows.
    warmest = max(value for value, _ in held) + ZERO
    ageing = sum(weight * math.exp(ACTIVATION * (1.0 / warmest - 1.0 / (value + ZERO))) for value, weight in held)
    return ACTIVATION / (ACTIVATION / warmest - math.log(ageing / total)) - ZERO
