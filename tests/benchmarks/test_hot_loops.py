"""What each step of a reading costs: decode, accept, put together, judge, encode for the journal, commit, append.

Run `pytest tests/benchmarks -s`. The figures are for comparison within one run; what is asserted are results.
"""

import dataclasses
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from caretaker.bench import site
from domain.alarms import AlarmEvent
from domain.batch import ReadingBatch, decode_batch, encode_batch
from domain.catalogue import Catalogue
from domain.records import Commit, EntryKind, Position
from domain.times import MINUTE
from ingest.accept import Acceptor
from ingest.batcher import Batcher
from ingest.inbox import Inbound
from rules.engine import Engine
from rules.loading import load_rules
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.benchmarks.timing import best, best_with, show
from wire.decode import DecodedPack, decode_pack

T0 = 1_760_000_000_000
NOW = T0 + 600_000
SIZES = ((600, 1), (100, 60))  # messages of a batch, readings a message
EVERY_POINT = 1_200  # messages until each point of the site was sent once

Make = Callable[[int, int], list[Inbound]]


def doors(catalogue: Catalogue) -> tuple[Acceptor, Batcher]:
    """An acceptor that knows the site's agents, and an empty batch."""
    owners = {name: point.agent or "" for name, point in catalogue.by_name.items()}
    positions = {agent: Position(agent, "b1", 0) for agent in owners.values()}
    acceptor = Acceptor(site.SITE, positions, owners)
    acceptor.configure(catalogue.by_name)
    return acceptor, Batcher(site.SITE, 1_000_000, 1_000_000)


def take(made: tuple[Acceptor, Batcher], messages: list[Inbound], *, quick: bool) -> ReadingBatch:
    """The batch of these messages; `quick`: the quick way first, as ingest goes."""
    acceptor, batcher = made
    waiting = deque(messages)
    while waiting:
        if quick:
            batcher.take(acceptor.express, waiting, NOW)
        if waiting:
            message = waiting.popleft()
            batcher.add(message, acceptor.accept(message, NOW), NOW)
    batch = batcher.seal(NOW).batch
    assert batch is not None
    return batch


def taken(catalogue: Catalogue, messages: list[Inbound]) -> ReadingBatch:
    return take(doors(catalogue), messages, quick=True)


@pytest.mark.parametrize(("count", "readings"), SIZES)
def test_decode(catalogue: Catalogue, messages: Make, count: int, readings: int) -> None:
    made, packs = messages(count, readings), []

    def work() -> None:
        packs.clear()
        for message in made:
            packs.append(
                decode_pack(message.payload, site=site.SITE, received=NOW, points=catalogue.by_name, sequenced=True)
            )

    show(f"decode, {readings} readings a message, per reading", best(work), count * readings)
    assert sum(len(pack) for pack in packs if isinstance(pack, DecodedPack)) == count * readings


@pytest.mark.parametrize(("count", "readings"), SIZES)
def test_accept(catalogue: Catalogue, messages: Make, count: int, readings: int) -> None:
    made = messages(EVERY_POINT + count, readings)
    batches: list[ReadingBatch] = []
    times: dict[bool, float] = {}
    for quick in (False, True):

        def prepare(quick: bool = quick) -> tuple[Acceptor, Batcher]:
            before = doors(catalogue)
            take(before, made[:EVERY_POINT], quick=quick)
            return before

        def work(before: tuple[Acceptor, Batcher], quick: bool = quick) -> None:
            batches.append(take(before, made[EVERY_POINT:], quick=quick))

        times[quick] = best_with(prepare, work)
        way = "the same the quick way" if quick else "decode, accept and put together"
        show(
            f"{way}, {readings} a message, per reading", times[quick], count * readings, times[False] if quick else None
        )
    assert encode_batch(batches[0]) == encode_batch(batches[-1])
    assert len(batches[0]) == count * readings


@pytest.mark.parametrize(("count", "readings"), SIZES)
def test_encode(catalogue: Catalogue, messages: Make, count: int, readings: int) -> None:
    batch = taken(catalogue, messages(count, readings))
    show(f"encode for the journal, {readings} a message, per reading", best(lambda: encode_batch(batch)), len(batch))
    blob = encode_batch(batch)
    show(f"decode from the journal, {readings} a message, per reading", best(lambda: decode_batch(blob)), len(batch))
    assert decode_batch(blob).time.tolist() == batch.time.tolist()


@pytest.mark.parametrize(("count", "readings"), SIZES)
def test_journal(tmp_path: Path, catalogue: Catalogue, messages: Make, count: int, readings: int) -> None:
    batch = taken(catalogue, messages(count, readings))
    store = OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite")
    epoch = store.acquire(site.SITE, "bench", NOW, 600_000)
    assert epoch is not None
    ends = []

    def work() -> None:
        entry = ((EntryKind.BATCH, batch),)
        ends.append(store.commit(Commit(site.SITE, "bench", epoch, NOW, entries=entry)).n)

    show(f"one commit to the journal, {readings} a message, per reading", best(work), len(batch))
    store.close()
    assert ends == list(range(1, len(ends) + 1))


@pytest.mark.parametrize(("count", "readings"), SIZES)
def test_append(tmp_path: Path, catalogue: Catalogue, messages: Make, count: int, readings: int) -> None:
    batch = taken(catalogue, messages(count, readings))
    stores: list[SqliteSeriesStore] = []

    def work() -> None:
        stores.append(SqliteSeriesStore(tmp_path / f"series-{len(stores)}.sqlite"))
        assert stores[-1].append(batch).stored == len(batch)

    show(f"append to SQLite (a new file), {readings} a message, per reading", best(work), len(batch))
    for store in stores:
        store.close()


@pytest.mark.parametrize(("count", "readings"), SIZES)
def test_engine(catalogue: Catalogue, messages: Make, count: int, readings: int) -> None:
    batch, rules = taken(catalogue, messages(count, readings)), load_rules(site.rules_text(instant=False), "rules.yaml")
    spans = tuple(replace(span, upto=span.upto + MINUTE) for span in batch.spans)
    later = dataclasses.replace(batch, time=batch.time + MINUTE, received=batch.received + MINUTE, spans=spans)
    times: dict[bool, float] = {}
    for prefilter in (False, True):

        def prepare(prefilter: bool = prefilter) -> Engine:
            engine = Engine(site.SITE, prefilter=prefilter)
            engine.set_rules(catalogue, rules, T0)
            engine.feed(batch)
            return engine

        events: list[AlarmEvent] = []
        times[prefilter] = best_with(prepare, lambda engine, said=events: said.extend(engine.feed(later)))
        name = "with the pre-filter" if prefilter else "reading by reading"
        beside = times[False] if prefilter else None
        show(f"engine {name}, {readings} a message, per reading", times[prefilter], len(batch), beside)
        assert events == []
