"""An agent's loop with fake time, a fake connection and scripted sources; the outbox is real."""

import json
from collections.abc import Iterable
from pathlib import Path

from domain.readings import Reading
from domain.source import PointDescription
from edge.agent import Agent
from edge.config import AgentConfig, Broker
from edge.link import Event, EventKind
from edge.outbox import Outbox
from edge.sampling import Feed, Sampler
from wire.messages import ClockState

T0 = 1_700_000_000_000
AGENT = "caretaker/1/hillside/agents/kitchen"


class FakeClock:
    def __init__(self) -> None:
        self.now = T0
        self.ticks = 0
        self.clock_state = ClockState.SYNCHRONISED

    def wall(self) -> int:
        return self.now

    def tick(self) -> int:
        return self.ticks

    def state(self) -> ClockState:
        return self.clock_state

    def advance(self, ms: int) -> None:
        self.now += ms
        self.ticks += ms


class FakeLink:
    """A broker that acknowledges at once and ingest's receipts on demand."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.sent: list[tuple[str, bytes, bool]] = []
        self.waiting: list[Event] = []
        self.unacknowledged = 0
        self.running = False
        self.waits: list[float] = []
        self.answering = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def events(self) -> list[Event]:
        found, self.waiting = self.waiting, []
        return found

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.sent.append((topic, payload, retain))
        if self.answering and "/readings/" in topic:
            self.receipt(topic.split("/")[-2], int(topic.split("/")[-1]))

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(int(seconds * 1000))

    def wake(self) -> None:
        pass

    def connect(self) -> None:
        self.waiting.append(Event(EventKind.CONNECTED))

    def receipt(self, boot: str, through: int) -> None:
        self.waiting.append(Event(EventKind.RECEIVED, json.dumps({"boot": boot, "through": through}).encode()))

    def packs(self) -> list[list[dict]]:
        return [json.loads(payload) for topic, payload, _ in self.sent if "/readings/" in topic]

    def on(self, word: str) -> list[dict]:
        return [json.loads(payload) for topic, payload, _ in self.sent if topic == f"{AGENT}/{word}"]


class Sensor:
    """A live source; `down` makes it give nothing."""

    def __init__(self) -> None:
        self.count = 0
        self.names = ["fridge-1/temperature"]
        self.open_ = False

    def open(self) -> None:
        self.open_ = True

    def points(self) -> list[PointDescription]:
        return [PointDescription(name, "Cel") for name in self.names]

    def read(self, now: int) -> list[Reading]:
        self.count += 1
        return [Reading(name, now, float(self.count)) for name in self.names]

    @property
    def exhausted(self) -> bool:
        return False

    def close(self) -> None:
        self.open_ = False


class History(Sensor):
    """A lazy source of `size` readings before T0."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.given = 0

    def read(self, now: int) -> Iterable[Reading]:
        while self.given < self.size:
            self.given += 1
            yield Reading("fridge-1/temperature", T0 - self.size + self.given, float(self.given))

    @property
    def exhausted(self) -> bool:
        return self.given >= self.size


class Rig:
    """An agent with everything around it."""

    def __init__(self, folder: Path, *sources: Sensor, stamped: bool = True, **more) -> None:
        self.clock = FakeClock()
        self.link = FakeLink(self.clock)
        self.config = AgentConfig(
            site="hillside", agent="kitchen", broker=Broker("h", 1), data_dir=folder, sample_interval=10_000,
            outbox_bytes=10**9, outbox_age=10**12, sources=(), **more,
        )  # fmt: skip
        self.outbox = Outbox(folder / "outbox.db", self.config.outbox_bytes, self.config.outbox_age)
        self.sources = sources or (Sensor(),)
        sampler = Sampler([Feed(source, stamped) for source in self.sources], self.config.sample_interval)
        boots = iter(("boot-1", "boot-2", "boot-3"))
        self.agent = Agent(self.config, sampler, self.outbox, self.link, self.clock, lambda: next(boots), "1.2.3")
        self.agent.start()

    def step(self, ms: int = 0) -> int:
        self.clock.advance(ms)
        return self.agent.step()
