"""A robust line: least squares that gives less weight to what lies far off (Huber), with honest errors.

Doors, loads and error codes lie far off what the machine does by itself; they must not bend the line. Errors take into
account that overlapping spans say the same thing several times.
"""

from dataclasses import dataclass

import numpy as np

from domain.batch import Float64s

_ROUNDS = 8
_FAR = 1.5  # standard deviations; beyond, the weight falls


@dataclass(frozen=True, slots=True)
class Fit:
    """`level` + `slope` * x, each with its standard error."""

    level: float
    slope: float
    level_error: float
    slope_error: float


def fit_line(x: Float64s, y: Float64s, overlap: int = 1, *, through_zero: bool = False) -> Fit | None:
    """The robust line through (x, y), or None when fewer than 4 points or all x alike. `overlap`: how often each
    measurement is counted."""
    if len(x) < 4 or float(np.ptp(x)) <= 0.0:
        return None
    design = x[:, None] if through_zero else np.column_stack((x, np.ones(len(x))))
    weight = np.ones(len(x))
    for _ in range(_ROUNDS):
        weighted = design * weight[:, None]
        normal = weighted.T @ design
        if np.linalg.cond(normal) > 1e12:
            return None
        found = np.linalg.solve(normal, weighted.T @ y)
        residual = y - design @ found
        scale = max(1.4826 * float(np.median(np.abs(residual))), 1e-3)
        weight = np.minimum(1.0, _FAR * scale / np.maximum(np.abs(residual), 1e-12))
    spread = float(np.sum(weight * residual**2)) / max(float(weight.sum()) / overlap - design.shape[1], 1.0) / overlap
    errors = np.sqrt(np.diag(np.linalg.inv(normal)) * spread * overlap)
    if through_zero:
        return Fit(0.0, float(found[0]), 0.0, float(errors[0]))
    return Fit(float(found[1]), float(found[0]), float(errors[1]), float(errors[0]))
