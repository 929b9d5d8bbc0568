"""The search for the highest rate that a consumer holds: which rate to try next, given what was held before.

Decides without a clock or a process: `held` tries a rate and answers. Bounded in the number of trials. A short trial
that fails is repeated once: something else on the machine may have been in the way.
"""

from collections.abc import Callable

GROWTH = 1.5  # between two trials while nothing failed yet
REFINEMENTS = 3  # halvings (in the logarithm) between what was held and what was not
MOST_STEPS = 12
MOST_GROWTHS = 20

Held = Callable[[float], bool]


def find(held: Held, first: float) -> float:
    """About the highest rate that is held, by short trials: to begin `settle` with. Never more than `first`·1.5^20."""
    good, bad = 0.0, 0.0
    rate = first

    def passes(rate: float) -> bool:
        return held(rate) or held(rate)

    for _ in range(MOST_GROWTHS):
        if passes(rate):
            good = rate
            if bad:
                break
            rate *= GROWTH
        else:
            bad = rate
            if good:
                break
            rate /= GROWTH
    for _ in range(REFINEMENTS if good and bad else 0):
        middle = (good * bad) ** 0.5
        if passes(middle):
            good = middle
        else:
            bad = middle
    return good or rate


def settle(held: Held, first: float, step: float) -> float:
    """The highest rate on a ladder around `first` that is held for the full duration; 0 when none was.

    `step`: factor between two rungs, e.g. 1.04; at most twelve rungs up or down.
    """
    rate = first
    if held(rate):
        for _ in range(MOST_STEPS):
            if not held(rate * step):
                return rate
            rate *= step
        return rate
    for _ in range(MOST_STEPS):
        rate /= step
        if held(rate):
            return rate
    return 0.0
