"""The example school for the stories: simulated readings by agent, and what a backtest says of what was produced."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np

from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.readings import Reading
from domain.times import MINUTE, parse_time
from rules.backtest import backtest
from rules.loading import load_documents
from rules.model import NoData, Rule, RuleSet
from rules.readings_csv import ReadingRows
from simulators.faults import Fault
from simulators.simulation import Simulation
from tests.said import Said, said_of
from tests.scenarios.path import SCHOOL

AGENTS = ("canteen", "plant")


def local(text: str) -> int:
    """UTC ms of a local time at the school, such as `2026-03-03T12:00`."""
    return parse_time(f"{text}+08:00")


@cache
def catalogue() -> Catalogue:
    return load_catalogue(SCHOOL.read_text(encoding="utf-8"), "site.yaml")


def simulated(start: int, end: int, faults: Iterable[Fault] = (), seed: int = 7) -> dict[str, list[Reading]]:
    """What the agents of the school read once a minute from `start` to `end` (UTC ms), in order of time."""
    simulation = Simulation(catalogue(), seed, start, tuple(faults))
    points = list(catalogue().points())
    found: dict[str, list[Reading]] = {agent: [] for agent in AGENTS}
    for time in range(start, end + 1, MINUTE):
        shown = simulation.show(time)
        special = simulation.sensors.samples(shown)
        for column, point in enumerate(points):
            if column not in special:
                reading = Reading(point.name, time, float(shown.value[column]))
            elif (sample := special[column]) is None:
                continue
            else:
                reading = Reading(point.name, time, sample.value, sample.quality, sample.text)
            found[point.agent or AGENTS[0]].append(reading)
    return found


def of(readings: Iterable[Reading], point: str) -> list[Reading]:
    return [reading for reading in readings if reading.point == point]


def first(readings: Iterable[Reading], point: str, since: int, is_it: Callable[[float], bool], lasting: int = 0) -> int:
    """The time of the first reading at or after `since` from which on every reading of `lasting` ms is as meant."""
    rows = [one for one in of(readings, point) if one.time >= since]
    return next(
        one.time
        for one in rows
        if all(is_it(other.value) for other in rows if one.time <= other.time <= one.time + lasting)
    )


def in_columns(readings: Sequence[Reading]) -> ReadingRows:
    """As a file of them would be read, each received at its own time."""
    points = tuple(dict.fromkeys(reading.point for reading in readings))
    index = {name: number for number, name in enumerate(points)}
    times = np.array([reading.time for reading in readings], np.int64)
    return ReadingRows(
        points,
        np.array([index[reading.point] for reading in readings], np.int32),
        times,
        np.array([math.nan if reading.text else reading.value for reading in readings], np.float64),
        np.array([reading.quality.code for reading in readings], np.uint8),
        times,
    )


def replayed(rules: Sequence[tuple[str, str]], readings: Sequence[Reading], site: Catalogue, end: int) -> list[Said]:
    """What `rules backtest` says of value rules (not of silence, which is judged by arrival) up to `end`."""
    loaded = load_documents(rules)
    valued = RuleSet({rule.id: rule for rule in loaded.rules.values() if not _silent(rule)})
    return [said_of(one) for one in backtest(valued, in_columns(readings), site, end).transitions]


def _silent(rule: Rule) -> bool:
    return any(isinstance(level.condition, NoData) for level in rule.levels)
