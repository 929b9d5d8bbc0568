"""Promise: whatever a broker loses, copies or swaps, and however often ingest dies, each reading is journalled once.

A model of the agent (go-back-N, window, `low`) talks to a real `SiteSession` over a channel that Hypothesis drives.
"""

from collections import deque
from dataclasses import dataclass, field

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.inbox import Inbound
from ingest.site_session import SiteSession
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, pack
from wire.messages import Receipt, decode_receipt
from wire.topics import receipt_topic

WINDOW = 4


@dataclass
class ModelAgent:
    """Publishes packs 1..`packs`, one reading each, at most `WINDOW` ahead of the receipt."""

    name: str
    packs: int
    through: int = 0
    next: int = 1
    sent: set[int] = field(default_factory=set)

    def publish(self) -> Inbound | None:
        if self.next > min(self.packs, self.through + WINDOW):
            return None
        seq, self.next = self.next, self.next + 1
        self.sent.add(seq)
        return self.message(seq)

    def message(self, seq: int) -> Inbound:
        point = f"{self.name}-fridge/temperature"
        moment = NOW - 1_000_000 + 1000 * seq
        return pack(seq, float(seq), agent=self.name, point=point, start=moment, low=self.through + 1)

    def hear(self, receipt: Receipt) -> None:
        assert receipt.through <= max(self.sent, default=0), "no receipt for what was never published"
        self.through = max(self.through, receipt.through)
        self.next = max(self.next, self.through + 1)

    def go_back(self) -> None:
        self.next = self.through + 1


class World:
    def __init__(self, packs: int) -> None:
        self.bench = Bench(batch_readings=3)
        self.agents = [ModelAgent("a", packs), ModelAgent("b", packs)]
        self.channel: deque[Inbound] = deque()
        self.session = self.begin()

    def begin(self) -> SiteSession:
        epoch = self.bench.ledger.acquire(SITE, "ingest", self.bench.time, 15_000)
        assert epoch is not None
        session = SiteSession(SITE, epoch, self.bench.parts)
        session.tick()
        return session

    def deliver_receipts(self) -> None:
        for topic, payload in self.bench.published().items():
            for agent in self.agents:
                if topic == receipt_topic(SITE, agent.name):
                    receipt = decode_receipt(payload)
                    assert isinstance(receipt, Receipt)
                    agent.hear(receipt)

    def settle(self) -> None:
        self.bench.time += 200
        self.session.tick()

    def step(self, action: str, index: int) -> None:
        agent = self.agents[index % 2]
        match action:
            case "publish":
                message = agent.publish()
                if message is not None:
                    self.channel.append(message)
            case "lose" if self.channel:
                del self.channel[index % len(self.channel)]
            case "copy" if self.channel:
                self.channel.append(self.channel[index % len(self.channel)])
            case "swap":
                self.channel.rotate(index)
            case "arrive" if self.channel:
                self.session.take([self.channel.popleft()])
            case "settle":
                self.settle()
            case "receipts":
                self.deliver_receipts()
            case "lose receipts":
                self.bench.published()
            case "go back":
                agent.go_back()
            case "fail":
                self.bench.ledger.refuse = 2
            case "unclear":
                self.bench.ledger.refuse_after_writing = 1
            case "kill":
                self.session = self.begin()

    def finish(self) -> None:
        """The channel works again: everything must come through."""
        for _ in range(60):
            self.deliver_receipts()
            for agent in self.agents:
                agent.go_back()
                while (message := agent.publish()) is not None:
                    self.channel.append(message)
            while self.channel:
                self.session.take([self.channel.popleft()])
            self.settle()
            if all(agent.through == agent.packs for agent in self.agents):
                return


ACTIONS = ("publish", "publish", "publish", "lose", "copy", "swap", "arrive", "arrive", "settle", "receipts",
           "lose receipts", "go back", "fail", "unclear", "kill")  # fmt: skip


@given(
    packs=st.integers(0, 12),
    steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 20)), max_size=80),
)
def test_each_reading_is_journalled_exactly_once_and_in_order(packs: int, steps: list[tuple[str, int]]) -> None:
    world = World(packs)
    for action, index in steps:
        world.step(action, index)
    world.finish()
    journalled = world.bench.ledger.readings()
    for agent in world.agents:
        assert agent.through == packs
        own = [value for point, _, value in journalled if point.startswith(f"{agent.name}-")]
        assert own == [float(seq) for seq in range(1, packs + 1)]


@given(
    packs=st.integers(1, 8),
    steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 20)), max_size=60),
)
def test_a_receipt_never_runs_ahead_of_the_journal(packs: int, steps: list[tuple[str, int]]) -> None:
    world = World(packs)
    for action, index in steps:
        world.step(action, index)
        waiting = world.bench.mailbox.collect(100)
        for parcel in waiting:
            world.bench.mailbox.post(*parcel)
        for agent in world.agents:
            for parcel in waiting:
                if parcel.topic == receipt_topic(SITE, agent.name):
                    through = msgspec.json.decode(parcel.payload)["through"]
                    own = [r for r in world.bench.ledger.readings() if r[0].startswith(f"{agent.name}-")]
                    assert len(own) >= through
