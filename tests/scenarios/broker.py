"""A broker in memory and in virtual time: retained messages, last wills, and everything that a network does to them.

Decides nothing about content. What passes through it may be lost, copied or overtaken, as the given fates say; every
connection may be cut. It acknowledges to the agents at once, so that nothing but receipts protects a reading.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import repeat

from edge.link import Event, EventKind
from ingest.inbox import Ack, Inbound
from ingest.mailbox import Parcel
from wire.topics import Kind, Topic, parse_topic


class Fate(IntEnum):
    """What becomes of one message on its way."""

    PASS = 0
    LOSE = 1
    COPY = 2
    OVERTAKE = 3


@dataclass(frozen=True)
class Packet:
    topic: str
    payload: bytes
    retained: bool = False


class AgentLink:
    """An agent's connection (`edge.link.Link`); while it is cut, what is published waits as paho keeps it."""

    def __init__(self, broker: "Broker", receipts: str, will: Packet) -> None:
        self._broker, self._receipts, self._will = broker, receipts, will
        self._waiting: deque[Packet] = deque()
        self._events: deque[Event] = deque()
        self._started = self.connected = False
        self.network = True

    @property
    def unacknowledged(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        self._started = True
        self.connect()

    def connect(self) -> None:
        """Connect if anything can: the broker sends the retained receipt, and what waited goes out."""
        if self.connected or not (self._started and self.network and self._broker.up):
            return
        self.connected = True
        self._events.append(Event(EventKind.CONNECTED))
        if self._receipts in self._broker.retained:
            self.receive(Packet(self._receipts, self._broker.retained[self._receipts]))
        while self._waiting:
            self._broker.from_agent(self._waiting.popleft())

    def cut(self) -> None:
        """The connection breaks: the broker publishes the last will, if it still runs."""
        if not self.connected:
            return
        self.connected = False
        self._events.append(Event(EventKind.DISCONNECTED))
        if self._broker.up:
            self._broker.from_agent(self._will, certain=True)

    def receive(self, packet: Packet) -> None:
        if self.connected and packet.topic == self._receipts:
            self._events.append(Event(EventKind.RECEIVED, packet.payload))

    def events(self) -> list[Event]:
        found = list(self._events)
        self._events.clear()
        return found

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        packet = Packet(topic, payload, retain)
        if self.connected:
            self._broker.from_agent(packet)
        else:
            self._waiting.append(packet)

    def wait(self, seconds: float) -> None:
        """Nothing can happen meanwhile: everything runs in one thread."""

    def wake(self) -> None:
        """Nobody waits."""

    def stop(self) -> None:
        self._started = self.connected = False


class Broker:
    """The broker, and ingest's connection to it: `hearing`, `connections` and `acknowledge`."""

    def __init__(self, fates: Iterator[Fate] | None = None) -> None:
        self.fates = fates or repeat(Fate.PASS)
        self.up = True
        self.listening = False
        self.connections = 0
        self.retained: dict[str, bytes] = {}
        self.links: list[AgentLink] = []
        self._to_ingest: deque[Packet] = deque()
        self._unacknowledged: dict[int, Packet] = {}
        self._mid = 0

    @property
    def connected(self) -> bool:
        return self.hearing

    @property
    def hearing(self) -> bool:
        return self.up and self.listening

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        for ack in acks:
            self._unacknowledged.pop(ack.mid, None)

    def listen(self) -> None:
        """Ingest (or its connection) is back: what it never acknowledged and what is retained comes again."""
        self.listening = True
        self.connections += 1
        self._to_ingest.extendleft(reversed(self._unacknowledged.values()))
        self._unacknowledged.clear()
        for topic, payload in self.retained.items():
            found = parse_topic(topic)
            if isinstance(found, Topic) and found.kind in (Kind.BIRTH, Kind.STATUS):
                self._to_ingest.append(Packet(topic, payload, True))

    def stop(self, *, forgetful: bool = False) -> None:
        """The broker ends; `forgetful`: without a file of its own, so that it forgets what it held."""
        self.up = False
        for link in self.links:
            link.cut()
        if forgetful:
            self.retained.clear()
            self._to_ingest.clear()
            self._unacknowledged.clear()

    def start(self) -> None:
        self.up = True
        for link in self.links:
            link.connect()
        if self.listening:
            self.listen()

    def lose_everything_on_its_way(self) -> None:
        """The connections are reset: what was neither acknowledged nor delivered is gone."""
        self._to_ingest.clear()

    def from_agent(self, packet: Packet, *, certain: bool = False) -> None:
        if packet.retained:
            self.retained[packet.topic] = packet.payload
        self._pass(self._to_ingest, Packet(packet.topic, packet.payload), Fate.PASS if certain else next(self.fates))

    def from_ingest(self, parcels: Sequence[Parcel]) -> None:
        """Receipts and alarms; both are retained, and an empty payload forgets."""
        outgoing: deque[Packet] = deque()
        for parcel in parcels:
            self.retained.pop(parcel.topic, None)
            if parcel.payload:
                self.retained[parcel.topic] = parcel.payload
            self._pass(outgoing, Packet(parcel.topic, parcel.payload), next(self.fates))
        for packet in outgoing:
            for link in self.links:
                link.receive(packet)

    def to_ingest(self) -> list[Inbound]:
        """What arrives now. Sequenced packs are acknowledged on arrival, as the consumer does it."""
        found = []
        while self.hearing and self._to_ingest:
            packet = self._to_ingest.popleft()
            topic = parse_topic(packet.topic)
            ack = None
            if not (isinstance(topic, Topic) and topic.kind is Kind.READINGS):
                self._mid += 1
                ack = Ack(self.connections, self._mid, 1)
                self._unacknowledged[self._mid] = packet
            found.append(Inbound(packet.topic, topic, packet.payload, len(packet.payload), packet.retained, ack))
        return found

    @staticmethod
    def _pass(queue: deque[Packet], packet: Packet, fate: Fate) -> None:
        if fate is Fate.LOSE:
            return
        if fate is Fate.OVERTAKE and queue:
            queue.insert(len(queue) - 1, packet)
            return
        queue.append(packet)
        if fate is Fate.COPY:
            queue.append(packet)
