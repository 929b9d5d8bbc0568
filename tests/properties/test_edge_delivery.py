"""Whatever the broker does, everything produced is taken exactly once and in order, or lies in a gap record.

A broker in memory drops, copies and swaps packs and receipts, forgets them at restarts, and cuts the connection; the
agent's side is the real outbox and publisher, the other side the go-back-N receiver of the contract.
"""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.readings import Reading
from edge.outbox import Outbox
from edge.publisher import Pack, Publisher

T0 = 1_700_000_000_000
MEMORY = Path("/dev/shm")  # syncing to a real disk is another test's business
UNITS = {f"fridge-{n}/temperature": "Cel" for n in range(5)}


class Receiver:
    """Ingest, as far as an agent can see it: takes only `through + 1`, answers everything with its receipt."""

    def __init__(self) -> None:
        self.boot, self.through, self.frontier = "", 0, 0
        self.taken: list[tuple[int, str]] = []
        self.gaps: list[tuple[int, int, int]] = []
        self.broken_promises: list[tuple[int, int]] = []

    def take(self, boot: str, pack: Pack) -> tuple[str, int]:
        if boot != self.boot:
            self.boot, self.through = boot, 0
        assert pack.low <= self.through + 1, "the agent forgot what was never receipted"
        if pack.seq == self.through + 1:
            self.through = pack.seq
            for reading in pack.readings:
                self.taken.append((reading.time, reading.point))
                if reading.time < self.frontier:
                    self.broken_promises.append((reading.time, self.frontier))
            self.gaps.extend((gap.start, gap.end, gap.count) for gap in pack.gaps)
            self.frontier = max(self.frontier, pack.upto)
        return (self.boot, self.through)


class World:
    """Agent, hostile broker and receiver under one fake clock."""

    def __init__(self, folder: Path, seed: int, hostility: float, max_bytes: int) -> None:
        self.random = random.Random(seed)
        self.hostility = hostility
        self.box = Outbox(folder / "outbox.db", max_bytes, 10**12)
        self.box.open(T0)
        self.receiver = Receiver()
        self.to_ingest: list[tuple[str, Pack]] = []
        self.to_agent: list[tuple[str, int]] = []
        self.boots = 0
        self.tick = 0
        self.produced: list[tuple[int, str]] = []
        self.restart()

    def restart(self) -> None:
        self.boots += 1
        self.publisher = Publisher(self.box, f"boot-{self.boots}")
        self.box.protect(0)
        self.box._sealed_gaps.clear()
        self.promise: int | None = None
        self.connected = False

    def cycle(self, count: int) -> None:
        """A cycle of `count` readings at this moment; the last one promises the moment, as the sampler does."""
        now = T0 + self.tick
        readings = [Reading(f"fridge-{n}/temperature", now, float(n)) for n in range(count)]
        self.box.append([(reading, now) for reading in readings], now)
        self.produced.extend((reading.time, reading.point) for reading in readings)
        self.promise = now
        self.box.trim(now)

    def happens(self, factor: float = 1.0) -> bool:
        return self.random.random() < self.hostility * factor

    def step(self) -> None:
        self.tick += self.random.choice((10, 200, 1000, 4000))
        if not self.connected and self.random.random() < 0.5:
            self.publisher.on_connect(self.tick)
            self.connected = True
            if self.receiver.boot and not self.happens():  # the retained receipt, unless the broker forgot it
                self.to_agent.append((self.receiver.boot, self.receiver.through))
        elif self.connected and self.happens(0.3):
            self.publisher.on_disconnect()
            self.connected = False
            if self.happens(2):
                self.to_ingest.clear()
                self.to_agent.clear()
        self.publish()
        self.deliver()

    def publish(self) -> None:
        while (pack := self.publisher.next_pack(self.tick, self.promise, UNITS)) is not None:
            self.to_ingest.extend([(self.publisher.boot, pack)] * self.copies())

    def deliver(self) -> None:
        if len(self.to_ingest) > 1 and self.happens():
            self.random.shuffle(self.to_ingest)
        delivered, self.to_ingest = self.to_ingest, []
        for boot, pack in delivered:
            if boot == self.receiver.boot or boot == self.publisher.boot:
                self.to_agent.extend([self.receiver.take(boot, pack)] * self.copies())
        if self.happens():
            self.random.shuffle(self.to_agent)
        receipts, self.to_agent = self.to_agent, []
        for boot, through in receipts if self.connected else []:
            self.publisher.on_receipt(boot, through, self.tick)

    def copies(self) -> int:
        return 0 if self.happens() else 2 if self.happens(0.5) else 1

    def settle(self) -> None:
        """A calm broker at the end: everything arrives."""
        self.hostility = 0.0
        for _ in range(400):
            self.step()
            if self.publisher.settled and not self.box.gaps():
                return
        raise AssertionError("no rest although the broker is calm")


@contextmanager
def world(seed: int, hostility: float, max_bytes: int = 10**9) -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        made = World(Path(folder), seed, hostility, max_bytes)
        yield made
        made.box.close()


CYCLES = st.lists(st.integers(0, 5), min_size=1, max_size=25)
HOSTILITY = st.sampled_from([0.0, 0.1, 0.3, 0.6])


@settings(max_examples=100, deadline=None)
@given(CYCLES, HOSTILITY, st.integers(0, 2**32))
def test_everything_is_taken_exactly_once_in_order_and_no_promise_is_broken(cycles, hostility, seed) -> None:
    with world(seed, hostility) as here:
        for count in cycles:
            here.step()
            here.cycle(count)
        here.settle()
        assert here.receiver.taken == here.produced
        assert here.receiver.broken_promises == []
        assert here.receiver.gaps == []


@settings(max_examples=100, deadline=None)
@given(CYCLES, HOSTILITY, st.integers(0, 2**32))
def test_with_an_outbox_too_small_every_reading_is_taken_once_or_counted_in_a_gap(cycles, hostility, seed) -> None:
    with world(seed, hostility, max_bytes=800) as here:
        for count in cycles:
            here.step()
            here.cycle(count)
        here.settle()
        taken, produced = here.receiver.taken, here.produced
        assert len(set(taken)) == len(taken)
        remaining = iter(produced)
        assert all(row in remaining for row in taken), "in order"
        assert len(taken) + sum(count for _, _, count in here.receiver.gaps) == len(produced)
        missing = list(produced)
        for row in taken:
            missing.remove(row)
        assert all(any(start <= time <= end for start, end, _ in here.receiver.gaps) for time, _ in missing)


@settings(max_examples=100, deadline=None)
@given(CYCLES, HOSTILITY, st.integers(0, 2**32))
def test_restarts_of_the_agent_lose_nothing(cycles, hostility, seed) -> None:
    with world(seed, hostility) as here:
        for count in cycles:
            here.step()
            here.cycle(count)
            if here.random.random() < 0.2:
                here.to_ingest.clear()  # what an older boot has under way comes before the newer one's, or never
                here.restart()
        here.settle()
        # Storing is idempotent: what was taken under the old boot and not receipted comes again under the new one.
        assert set(here.receiver.taken) == set(here.produced)
        assert list(dict.fromkeys(here.receiver.taken)) == list(dict.fromkeys(here.produced))
