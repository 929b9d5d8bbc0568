"""The search for the highest rate that a consumer holds: which rate to try next, given what was held before.

Decides without a clock or a process: `held` tries a rate and answers. Bounded in the number of trials. A short trial
that fails is repeated once: something else on the machine may have been in the way.
"""

from collections.abc import Callable

GROWTH = 1.1  # between the first two trials; then its square, its fourth power …
MOST_GROWTH = 2.0
CLOSE = 1.1  # between a rate that was held and one that was not: then the search has come close
MOST_TRIALS = 20  # of each half of the search
MOST_STEPS = 12

Held = Callable[[float], bool]


def find(held: Held, first: float) -> float:
    """About the highest rate that is held, by short trials: to begin `settle` with. Few trials when `first` is near;
    never more than `first`·2^20."""
    good, bad = 0.0, 0.0
    rate, growth = first, GROWTH

    def passes(rate: float) -> bool:
        return held(rate) or held(rate)

    for _ in range(MOST_TRIALS):
        if passes(rate):
            good = rate
            rate *= growth
        else:
            bad = rate
            rate /= growth
        if good and bad:
            break
        growth = min(growth * growth, MOST_GROWTH)
    for _ in range(MOST_TRIALS if good else 0):
        if not bad or bad <= good * CLOSE:
            break
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
