"""What a run of the benchmark measures, how long and how often: a full form and a short one.

Decides sizes only. A figure of the short form says whether the machinery works, not how fast the machine is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import CaretakerError


class Part(StrEnum):
    """A measurement, in the order in which they are run."""

    SINGLE = "single"
    PACKS = "packs"
    LATENCY = "latency"
    JUDGING = "judging"
    GROWTH = "growth"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Plan:
    """Durations in seconds, rates per second. Each figure is the median of `runs`."""

    runs: int
    hold: float  # how long a live rate must be held
    hold_beside: float  # the same for a consumer that no figure is to be reached beside
    probe: float  # how long a rate is tried while the highest is searched
    warm_up: float
    first_rate: float  # of the warm-up
    burst: int  # messages at full speed, from which the search's first rate is estimated
    step: float  # between two rates of full duration
    single_points: int = 1_000
    pack_readings: int = 60
    packs: int = 20_000
    latency_rate: float = 2_000.0
    latency: float = 20.0
    growth_points: tuple[int, ...] = (1_000, 10_000, 100_000)
    growth_rate: float = 10_000.0
    growth: float = 30.0
    growth_runs: int = 5
    growth_warm_up: float = 15.0
    agent_points: int = 50
    agent: float = 60.0
    outbox_hours: int = 72


FULL = Plan(runs=5, hold=30.0, hold_beside=10.0, probe=4.0, warm_up=3.0, first_rate=2_000.0, burst=60_000, step=1.04)
QUICK = Plan(
    runs=1,
    hold=5.0,
    hold_beside=5.0,
    probe=2.0,
    warm_up=1.0,
    first_rate=1_500.0,
    burst=20_000,
    step=1.1,
    packs=3_000,
    latency=5.0,
    growth=5.0,
    growth_runs=1,
    growth_warm_up=3.0,
    growth_points=(1_000, 4_000),
    agent=8.0,
    outbox_hours=6,
)


def parts_of(text: str) -> tuple[Part, ...]:
    """The parts that `single,packs` names, all of them for an empty text, in order. CaretakerError for another word."""
    words = {word.strip() for word in text.split(",") if word.strip()}
    unknown = sorted(words - {part.value for part in Part})
    if unknown:
        raise CaretakerError(f"--only: there is no part {', '.join(unknown)}", f"the parts are {', '.join(Part)}")
    return tuple(part for part in Part if not words or part.value in words)


def median(figures: Sequence[float]) -> float:
    """The middle figure; of an even number the mean of the middle two. ValueError for none."""
    if not figures:
        raise ValueError("no figure was measured")
    ordered, middle = sorted(figures), len(figures) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(figures: Sequence[float], share: float) -> float:
    """The smallest figure that at least `share` (0 to 1) of them do not exceed. ValueError for none."""
    if not figures:
        raise ValueError("no figure was measured")
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1_000_000) * len(ordered) // 1_000_000) - 1))]
