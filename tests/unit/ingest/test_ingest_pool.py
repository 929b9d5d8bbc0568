"""How sites change hands between processes: queues, leases and subscriptions, in their order."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from ingest.inbox import Ack, Inbox
from ingest.shares import Plan, filters, presence
from ingest.site_pool import GIVE_EVERY, SitePool
from tests.support import wait_until
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, FakeSeries, raw
from wire.topics import ingest_filters, watch_filters

OTHERS = ("annex", "sports")


class FakeBroker:
    """Remembers what it was told to hear."""

    def __init__(self) -> None:
        self.wanted: Sequence[str] | None = ()
        self.unwanted: Sequence[str] = ()
        self.acks: list[Ack] = []
        self.again = 0

    def listen(self, wanted: Sequence[str] | None, unwanted: Sequence[str] = ()) -> None:
        self.wanted, self.unwanted = wanted, unwanted

    def resubscribe(self) -> None:
        self.again += 1

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        self.acks += acks

    def hears(self) -> set[str]:
        """The sites that it hears in full; `+` is all."""
        return {name.split("/")[2] for name in self.wanted or () if name.endswith("readings/#")}


class Process:
    """A pool with its fakes on a shared ledger."""

    def __init__(self, bench: Bench, worker: str) -> None:
        self.bench, self.broker, self.stop = bench, FakeBroker(), threading.Event()
        self.inbox = Inbox(100, 1_000_000)
        parts = replace(bench.parts, settings=replace(bench.settings, worker=worker), clock=lambda: NOW)
        self.pool = SitePool(parts, self.inbox, FakeSeries(), self.broker, self.stop)

    def settle(self) -> None:
        """Until every site that was taken is led or lost, and every one that was given up has ended."""
        wait_until(lambda: all(w.leading or w.ended for w in self.pool.workers.values()), 10, "the workers begin")

    def end(self) -> None:
        self.stop.set()
        self.pool.end(10)


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    for site in OTHERS:
        made.ledger.site_documents[site] = [SITE_YAML.replace("id: school}", f"id: {site}}}")]
    return made


@pytest.fixture
def alone(bench: Bench) -> Iterator[Process]:
    process = Process(bench, "a")
    process.pool.step(NOW)
    process.settle()
    yield process
    process.end()


def test_before_the_first_plan_the_broker_is_left_alone(bench: Bench) -> None:
    assert Process(bench, "a").broker.wanted is None


def test_alone_it_serves_and_hears_everything(alone: Process) -> None:
    assert sorted(alone.pool.workers) == sorted((SITE, *OTHERS))
    assert list(alone.broker.wanted or ()) == list(ingest_filters())
    assert len(alone.pool.leading_feeds()) == 3
    assert alone.broker.again == 3, "retained births and statuses are asked for again"


def test_at_its_end_every_lease_is_free_at_once(alone: Process, bench: Bench) -> None:
    alone.end()
    assert {until for _, _, until in bench.ledger.held.values()} == {0}
    assert set(bench.ledger.held) >= {SITE, *OTHERS, presence("a")}


def test_one_that_joins_gets_one_site_at_a_time_and_each_hears_only_its_own(alone: Process, bench: Bench) -> None:
    joined = Process(bench, "b")
    joined.pool.step(NOW)
    assert joined.pool.workers == {}
    assert joined.broker.hears() == set()
    alone.pool.step(NOW + 10)
    (given,) = [site for site, worker in alone.pool.workers.items() if worker._leaving.is_set()]
    wait_until(lambda: alone.pool.workers[given].ended, 10, "the site is given up")
    alone.pool.step(NOW + GIVE_EVERY)
    joined.pool.step(NOW + GIVE_EVERY)
    joined.settle()
    assert list(joined.pool.workers) == [given]
    assert joined.broker.hears() == {given}
    assert alone.broker.hears() == {SITE, *OTHERS} - {given}
    assert (alone.pool.watching, joined.pool.watching) == (True, False)
    joined.end()


def test_messages_of_a_site_that_another_serves_are_acknowledged_and_gone(alone: Process, bench: Bench) -> None:
    ack = Ack(1, 7, 1)
    joined = Process(bench, "b")
    joined.inbox.open(SITE)
    joined.inbox.put(raw(f"caretaker/1/{SITE}/agents/a/birth", b"{}", ack=ack))
    joined.pool.step(NOW)
    assert (joined.inbox.depth, joined.broker.acks) == (0, [ack])
    joined.inbox.put(raw("caretaker/1/unheard-of/agents/a/birth", b"{}", ack=Ack(1, 8, 1)))
    joined.pool.settle_strays(NOW, 0)
    assert joined.inbox.depth == 0
    assert bench.ledger.letters == []
    joined.end()


def test_a_namesake_that_is_younger_takes_over_and_this_one_stays_away(alone: Process, bench: Bench) -> None:
    younger = Process(bench, "a")
    younger.pool.step(NOW + 1)
    alone.pool.step(NOW + 5_000)
    assert alone.broker.wanted is None
    wait_until(lambda: all(worker.ended for worker in alone.pool.workers.values()), 10, "every site is left")
    alone.pool.step(NOW + 5_001)
    assert alone.pool.workers == {}
    younger.end()


def test_a_store_that_does_not_answer_changes_nothing(alone: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone.bench.ledger, "sites", lambda: 1 / 0)
    alone.pool.step(NOW + 1)
    assert len(alone.pool.workers) == 3


def test_a_site_that_is_applied_later_is_served(alone: Process, bench: Bench) -> None:
    bench.ledger.site_documents["new"] = [SITE_YAML.replace("id: school}", "id: new}")]
    alone.pool.step(NOW + 1)
    assert "new" in alone.pool.workers


@pytest.mark.parametrize("watching", [False, True])
def test_nobody_hears_a_simple_device_twice(watching: bool) -> None:
    sites = [SITE, *OTHERS]
    for plan in (Plan(("a",), 3), Plan(("a", "b"), 2)):
        wanted, unwanted = filters(plan, sites, [SITE], watching)
        hears = [name for name in wanted if name.endswith("readings/#")]
        assert len(hears) == 1
        assert not set(wanted) & set(unwanted)
        assert set(wanted) | set(unwanted) >= {*ingest_filters(), *(n for s in sites for n in ingest_filters(s))}
    assert (watch_filters()[2] in wanted) == watching
