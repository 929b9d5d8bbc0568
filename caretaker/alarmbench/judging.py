"""One chunk of a fleet from its simulation to verdicts: what a worker process does.

The rules are run by `rules.backtest`, canteen by canteen, on what the probes said; nothing but readings reaches them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from caretaker.alarmbench.advice import Adviser
from caretaker.alarmbench.measure import Advice, Judged, Raised, judge
from caretaker.alarmbench.truth import Truth, truth_of
from domain.alarms import ACTIVE_STATES, Transition
from domain.catalogue import Catalogue
from rules.backtest import backtest
from rules.model import Rule, RuleSet
from rules.readings_csv import ReadingRows
from simulators.fleet import Fleet
from simulators.probes import PointReadings, Trouble, readings_of
from simulators.recording import record


@dataclass(frozen=True)
class ChunkResult:
    """Verdicts of each rule set, in the order given, and how many readings were judged."""

    judged: tuple[Judged, ...]
    readings: int


def judge_chunk(fleet: Fleet, rule_sets: Sequence[RuleSet], adviser: Adviser | None) -> ChunkResult:
    """Simulate the chunk and judge it under every rule set; the adviser speaks beside the alarms of the first."""
    recording = record(fleet.catalogue, fleet.seed, fleet.start, fleet.end, fleet.faults, fleet.life)
    truth = truth_of(fleet, recording)
    alarms: list[list[Raised]] = [[] for _ in rule_sets]
    advice: dict[str, Advice] = {}
    readings = 0
    for area in fleet.catalogue.areas:
        canteen = fleet.part([area.id]).catalogue
        points = [each for asset in canteen.assets for each in readings_of(recording, asset, fleet.faults, Trouble())]
        rows = rows_of(points)
        readings += len(rows)
        raised = raised_by_each(rule_sets, rows, canteen, fleet.end)
        for total, new in zip(alarms, raised, strict=True):
            total += new
        if adviser is not None:
            judged = judge(only(truth, canteen), raised[0])
            advice |= adviser(canteen, points, judged.truth.faults, judged.found)
    first, *others = (judge(truth, raised) for raised in alarms)
    return ChunkResult((replace(first, advice=advice), *others), readings)


def raised_by_each(
    rule_sets: Sequence[RuleSet], rows: ReadingRows, catalogue: Catalogue, end: int
) -> list[list[Raised]]:
    """The alarms of each rule set; a rule that several sets have alike is run once, as no rule knows of another."""
    known: list[tuple[Rule, list[Raised]]] = []
    for rules in rule_sets:
        fresh = {name: rule for name, rule in rules.rules.items() if all(rule != other for other, _ in known)}
        if fresh:
            raised = raised_by(backtest(RuleSet(fresh), rows, catalogue, end).transitions)
            known += [(rule, [one for one in raised if one.rule == name]) for name, rule in fresh.items()]
    return [
        [one for rule in rules.rules.values() for other, raised in known if other == rule for one in raised]
        for rules in rule_sets
    ]


def only(truth: Truth, catalogue: Catalogue) -> Truth:
    """The truth about the assets of that catalogue."""
    assets = tuple(asset.id for asset in catalogue.assets)
    faults = tuple(fault for fault in truth.faults if fault.assets & set(assets))
    return replace(truth, assets=assets, faults=faults)


def raised_by(transitions: Sequence[Transition]) -> list[Raised]:
    """The alarms that the transitions raise; a step to a higher priority is no new alarm."""
    return [
        Raised(one.key.rule, one.key.point, one.at, one.detected_at)
        for one in transitions
        if one.target in ACTIVE_STATES and one.source not in ACTIVE_STATES
    ]


def rows_of(points: Sequence[PointReadings]) -> ReadingRows:
    """The readings of several points in order of arrival."""
    number = np.concatenate([np.full(len(each.time), place, np.int32) for place, each in enumerate(points)])
    columns = [np.concatenate([getattr(each, name) for each in points]) for name in ("time", "value", "quality")]
    received = np.concatenate([each.received for each in points])
    order = np.lexsort((columns[0], received))
    return ReadingRows(
        tuple(each.point for each in points), number[order], columns[0][order], columns[1][order], columns[2][order],
        received[order],
    )  # fmt: skip
