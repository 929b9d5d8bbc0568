"""The run: a fleet of its seed, judged in worker processes chunk by chunk, into the figures of two rule sets.

Nothing of the outcome depends on how many processes work: a chunk is a fixed part of the fleet.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from caretaker.alarmbench.advice import CAUSE_OF, Adviser
from caretaker.alarmbench.curve import FACTORS, Mark, mark, stretched
from caretaker.alarmbench.judging import ChunkResult, judge_chunk
from caretaker.alarmbench.measure import Figures, Judged, figures
from caretaker.process import end_with_parent
from caretaker.rule_files import load_rule_files
from rules.model import RuleSet
from simulators.fleet import make_fleet

# Packs were tuned on the first (and on 12), figures are told of the second; never the other way round.
TUNING_SEED, REPORTING_SEED = 11, 2026
PACKS = ("pack:cn-canteen", "pack:facility-basic", "pack:cold-machines")
PLAIN = Path(__file__).parents[2] / "examples" / "rules" / "plain-threshold.yaml"


@dataclass(frozen=True)
class Outcome:
    """Figures of the tested and the plain rules with what they came from; `marks` of the curve, when it was asked."""

    seed: int
    assets: int
    days: int
    readings: int
    tested: Figures
    plain: Figures
    tested_parts: tuple[Judged, ...]
    plain_parts: tuple[Judged, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleSource:
    """A rule set by the files it comes from (or pack:NAME), its delays multiplied: what a worker is told."""

    name: str
    files: tuple[str, ...]
    factor: float = 1.0

    def load(self) -> RuleSet:
        """The rules. InputError or CaretakerError as `load_rule_files`."""
        rules = load_rule_files(list(self.files))
        return rules if self.factor == 1.0 else stretched(rules, self.factor)


@dataclass(frozen=True, slots=True)
class Part:
    """One chunk of the fleet of that seed and size, and what to judge it with."""

    seed: int
    assets: int
    days: int
    number: int
    sources: tuple[RuleSource, ...]
    adviser: Adviser | None


def measure(
    seed: int,
    assets: int,
    days: int,
    rules: Sequence[str] = PACKS,
    *,
    adviser: Adviser | None = None,
    curve: bool = False,
    processes: int = 2,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Outcome:
    """Simulate and judge; `rules` are files or pack:NAME. CaretakerError for a fleet that is too small."""
    sources = [RuleSource("packs", tuple(rules)), RuleSource("plain", (str(PLAIN),))]
    if curve:
        sources += [replace(one, factor=factor) for one in sources for factor in FACTORS]
    for one in sources[:2]:
        one.load()  # a mistake in a rule file is said before the simulation
    count = len(make_fleet(seed, assets, days).chunks())
    parts = [Part(seed, assets, days, number, tuple(sources), adviser) for number in range(count)]
    results: list[ChunkResult] = []
    for result in _judged(parts, processes):
        results.append(result)
        progress(len(results), count)
    judged = [tuple(result.judged[number] for result in results) for number in range(len(sources))]
    found = [figures(each, CAUSE_OF) for each in judged]
    marks = tuple(mark(one.name, one.factor, each) for one, each in zip(sources, found, strict=True))
    return Outcome(
        seed, assets, days, sum(one.readings for one in results), found[0], found[1], judged[0], judged[1],
        marks if curve else (),
    )  # fmt: skip


def _judged(parts: Sequence[Part], processes: int) -> Iterator[ChunkResult]:
    if processes <= 1 or len(parts) == 1:
        yield from map(_judge_part, parts)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), end_with_parent, (os.getpid(),)) as pool:
        yield from pool.map(_judge_part, parts)


def _judge_part(part: Part) -> ChunkResult:
    chunk = make_fleet(part.seed, part.assets, part.days).chunks()[part.number]
    return judge_chunk(chunk, [source.load() for source in part.sources], part.adviser)
