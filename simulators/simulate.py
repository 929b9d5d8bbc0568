"""A simulated stretch of a site's life, written as files: `readings.csv` and the ground truth beside it.

The files are the same byte for byte whenever site, scenario, seed, start, length and interval are the same. They are
written under other names and renamed when complete.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from domain.catalogue import Catalogue
from domain.times import MINUTE, iso
from simulators.delivery import Delivery
from simulators.faults import SENSOR_FAULTS
from simulators.scenario import Scenario, faults_within
from simulators.sensors import Sample
from simulators.simulation import Simulation
from simulators.truth import Witness

HEADER = "time,point,value,quality,received\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate: `start` to `end` (UTC ms, end exclusive), a sample of every point each `interval` ms."""

    catalogue: Catalogue
    scenario: Scenario
    seed: int
    end: int
    interval: int = MINUTE


@dataclass(frozen=True, slots=True)
class Written:
    """Where the files are, and how many readings the first one has."""

    readings: Path
    truth: Path
    count: int


def simulate(plan: Plan, directory: Path, progress: Callable[[float], None] = lambda share: None) -> Written:
    """Write `readings.csv` and `truth.json` into the directory (made if need be); `progress` is told shares of 1."""
    directory.mkdir(parents=True, exist_ok=True)
    readings, truth = directory / "readings.csv", directory / "truth.json"
    run = _Run(plan)
    draft = directory / ".readings.csv.part"
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        count = run.write(file, progress)
    document = run.witness.document(plan.seed, plan.scenario.start, plan.end)
    truth_draft = directory / ".truth.json.part"
    truth_draft.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(readings)
    truth_draft.replace(truth)
    return Written(readings, truth, count)


class _Run:
    """One pass through the plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        start = plan.scenario.start
        self.faults = faults_within(plan.scenario.faults, start, plan.end)
        self.simulation = Simulation(plan.catalogue, plan.seed, start, plan.scenario.faults)
        self.witness = Witness(plan.catalogue, self.simulation.model.thermal, self.faults)
        self.delivery = Delivery(plan.catalogue, plan.seed, self.faults, plan.scenario.missing)
        points = self.simulation.sensors.points
        self._formats = [f"%s,{point.name},%.{decimals}f,good" for point, decimals in
                         zip(points, self.simulation.sensors.decimals, strict=True)]  # fmt: skip
        self._names = [point.name for point in points]
        column = {name: number for number, name in enumerate(self._names)}
        self._watched = [(fault, column[fault.target]) for fault in self.faults if fault.kind in SENSOR_FAULTS]

    def write(self, file: TextIO, progress: Callable[[float], None]) -> int:
        """All readings in order of arrival; returns how many."""
        plan, start, count = self.plan, self.plan.scenario.start, 0
        file.write(HEADER)
        for number, time in enumerate(range(start, plan.end, plan.interval)):
            for lines in self._arrivals(time):
                count += len(lines)
                file.writelines(lines)
            if number % 128 == 0:
                progress((time - start) / (plan.end - start))
        for lines in self.delivery.rest():
            count += len(lines)
            file.writelines(lines)
        progress(1.0)
        return count

    def _arrivals(self, time: int) -> Iterator[list[str]]:
        simulation = self.simulation
        shown = simulation.show(time)
        special = simulation.sensors.samples(shown)
        self.witness.see(time, *simulation.true(time), simulation.state)
        for fault, column in self._watched:
            if fault.active(time) and column in special:
                self.witness.notice_reading(fault, time)
        for fault in self.delivery.acting(time):
            self.witness.notice_reading(fault, time)
        values = shown.value.tolist()
        lost = self.delivery.lost(time)
        for agent in self.delivery.in_order(time):
            stamp = iso(self.delivery.stamped(agent, time))
            rows = [
                self._row(column, stamp, values[column], special)
                for column in self.delivery.columns[agent]
                if not lost[column] and special.get(column, True) is not None
            ]
            yield self.delivery.send(agent, time, rows)

    def _row(self, column: int, stamp: str, value: float, special: dict[int, Sample | None]) -> str:
        sample = special.get(column)
        if sample is None:
            return self._formats[column] % (stamp, value)
        text = sample.text if np.isnan(sample.value) else f"{sample.value:.10g}"
        return f"{stamp},{self._names[column]},{text},{sample.quality}"
