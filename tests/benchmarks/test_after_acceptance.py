"""What a reading costs after it was accepted, at a small and at a big site: judging, the board, a snapshot, lines.

Run `pytest tests/benchmarks/test_after_acceptance.py -s`. Batches are those of packs of 60 readings: of every agent in
turn, a hundred milliseconds of 10,000 readings a second each. What is asserted are results; figures are printed.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as moved

from caretaker.bench import site
from caretaker.bench.packets import METRICS, WITHIN, points_of
from domain.batch import ReadingBatch, Span
from domain.catalogue import Asset, Catalogue, Label, Point
from domain.times import MINUTE
from domain.units import unit_of
from ingest.latest import LatestBoard
from rules.engine import Engine
from rules.loading import load_rules
from store.influx.address import parse_address
from store.influx.store import InfluxSeriesStore
from store.operational.store import OperationalStore
from tests.benchmarks.timing import ROUNDS, best, best_with, show

T0 = 1_760_000_000_000
SITES = (1_200, 6_000)
PACK, PACKS, BATCHES = 60, 17, 20


@functools.cache
def names(points: int) -> tuple[str, ...]:
    return tuple(f"{asset}/{metric}" for asset, metric, _ in points_of(0, points))


@functools.cache
def catalogue(points: int) -> Catalogue:
    assets = [
        Asset(f"f{number}", "refrigerator", site.AREA, Label(""), tuple(
            Point(f"f{number}", metric, unit_of(unit)) for metric, unit in METRICS
        ))
        for number in range(points // len(METRICS))
    ]  # fmt: skip
    return Catalogue(site.SITE, Label(site.SITE), assets=tuple(assets))


def batches(points: int, packs: int = PACKS) -> list[ReadingBatch]:
    """Batches of `packs` packs, the agents in turn."""
    known, agents = names(points), points // PACK
    made, number = [], 0
    for batch in range(BATCHES):
        at = T0 + batch * 100
        spans, rows = [], []
        for pack in range(packs):
            agent = number % agents
            number += 1
            rows.append(np.arange(agent * PACK, (agent + 1) * PACK))
            # Each turn of an agent is later than the one before.
            spans.append(Span(f"a{agent}", pack * PACK, (pack + 1) * PACK, at + pack, "b1", number // agents + 1))
        row = np.concatenate(rows)
        used, point = np.unique(row, return_inverse=True)
        value = np.array(WITHIN)[row % len(METRICS)] + batch % 4 / 8
        time = np.repeat(at + np.arange(packs), PACK)
        quality = np.zeros(len(row), np.uint8)
        here = tuple(known[index] for index in used.tolist())
        made.append(ReadingBatch(site.SITE, at + 50, here, point.astype(np.int32), time, value, quality, tuple(spans)))
    return made


def readings(given: Sequence[ReadingBatch]) -> int:
    return sum(len(batch) for batch in given)


def engine_of(points: int) -> Engine:
    engine = Engine(site.SITE)
    engine.set_rules(catalogue(points), load_rules(site.rules_text(instant=False), "rules.yaml"), T0)
    return engine


def later(given: Sequence[ReadingBatch], by: int) -> list[ReadingBatch]:
    """The same batches, `by` ms later."""
    return [
        replace(
            batch,
            time=batch.time + by,
            received=batch.received + by,
            spans=tuple(moved(span, upto=span.upto + by) for span in batch.spans),
        )
        for batch in given
    ]


def per_round(given: Sequence[ReadingBatch]) -> Callable[[], list[ReadingBatch]]:
    """The batches again for each round of a measurement, each round a minute after the one before."""
    rounds = count(1)
    return lambda: later(given, next(rounds) * MINUTE)


@pytest.mark.parametrize("points", SITES)
def test_judging(points: int) -> None:
    engine, given, said = engine_of(points), batches(points), []

    def work(some: list[ReadingBatch]) -> None:
        for batch in some:
            said.extend(engine.feed(batch))

    show(f"judging, {points} points, per reading", best_with(per_round(given), work), readings(given))
    assert said == []


@pytest.mark.parametrize("points", SITES)
def test_the_board(tmp_path: Path, points: int) -> None:
    store, given, board = (
        OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite"),
        batches(points),
        LatestBoard("s"),
    )

    def work(some: list[ReadingBatch]) -> None:
        for number, batch in enumerate(some, 1):
            board.take(batch)
            if number % 10 == 0:
                board.flush(store)

    seconds = best_with(per_round(given), work)
    show(f"the board, written each second, {points} points, per reading", seconds, readings(given))
    found = store.latest("s")
    store.close()
    assert len(found) == len({name for batch in given for name in batch.points})
    assert all(row.time > T0 + 5 * MINUTE for row in found)


@pytest.mark.parametrize("points", SITES)
def test_a_snapshot(points: int) -> None:
    engine = engine_of(points)
    for batch in batches(points):
        engine.feed(batch)
    show(f"a snapshot, {points} points, per point", best(engine.snapshot), points)
    blob, again = engine.snapshot(), Engine(site.SITE)
    again.restore(blob)
    assert again.snapshot() == blob


@pytest.mark.parametrize("points", SITES)
def test_lines(monkeypatch: pytest.MonkeyPatch, points: int) -> None:
    written: list[int] = []
    store = InfluxSeriesStore(parse_address("http://127.0.0.1:1/bench"))
    monkeypatch.setattr(store._connection, "query", lambda text: [])
    monkeypatch.setattr(store._connection, "_post_lines", lambda body: written.append(body.count(b"\n") + 1))
    given = batches(points, packs=66)

    def work(some: list[ReadingBatch]) -> None:
        for batch in some:
            store.append(batch)

    show(f"lines for InfluxDB, {points} points, per reading", best_with(per_round(given), work), readings(given))
    store.close()
    assert sum(written) == (1 + ROUNDS) * readings(given)
