"""The quick way through acceptance: runs of packs about which there is nothing to decide.

Takes a message only where `ingest.accept.Acceptor` would take all of it and change nothing but rows, promise and
position: the next pack of the live boot of a known agent, plain (`wire.plain`), with nothing from the future. At the
first message of any other kind it stops, and the acceptor, which alone knows the rules, decides about that one; so
none of them is written twice but for the question whether it applies. A property test holds the two ways together.
Shares positions, owners and clocks with the acceptor. Pure, and never raises on what a sender wrote.
"""

from collections import deque
from collections.abc import Mapping

from domain.batch import Span
from domain.catalogue import Point
from domain.records import Position
from ingest.admission import Admission
from ingest.clocks import ClockNote, ClockWatch
from ingest.inbox import Inbound
from ingest.open_batch import OpenBatch
from ingest.positions import Positions
from wire.plain import PlainReader
from wire.topics import Kind, Topic

MOST_READERS = 10_000  # agents whose ways to name their points are remembered; then they are forgotten


class Express:
    """One site's quick way. `future`: ms that times may be ahead of ingest's."""

    def __init__(
        self,
        admission: Admission,
        positions: Positions,
        owners: Mapping[str, str],
        reached: dict[str, int],
        clocks: ClockWatch,
        future: int,
    ) -> None:
        self._admission, self._positions, self._owners = admission, positions, owners
        self._reached, self._clocks, self._future = reached, clocks, future
        self._points: Mapping[str, Point] = {}
        self._readers: dict[str, PlainReader] = {}

    def configure(self, points: Mapping[str, Point]) -> None:
        """The catalogue's points from now on."""
        self._points = points
        self._readers.clear()

    def take(self, waiting: deque[Inbound], received: int, batch: OpenBatch, most: int) -> list[ClockNote]:
        """Move the messages that can go this way from the front of `waiting` into `batch`, until it has `most` rows;
        what was learned of agents' clocks. `received`: UTC ms at which they are taken."""
        lanes: dict[str, _Lane] = {}
        rows, spans, messages, last = batch.rows, batch.spans, batch.messages, received + self._future
        start = len(rows)
        while waiting and start < most:
            message = waiting[0]
            topic = message.topic
            if not isinstance(topic, Topic) or topic.kind is not Kind.READINGS or message.retained or message.letter:
                break
            lane = lanes.get(topic.agent)
            if lane is None:
                lane = self._lane(topic.agent)
                if lane is None:
                    break
                lanes[topic.agent] = lane
            if topic.boot != lane.boot or topic.seq != lane.through + 1 or message.size != len(message.payload):
                break
            names = len(rows.names)
            pack = lane.reader.read(message.payload, rows)
            if pack is None:
                break
            if pack.newest > last or pack.upto > last:
                rows.cut(start, names)
                break
            lane.through, stop = topic.seq, len(rows)
            lane.upto = max(lane.upto, pack.upto)
            if pack.sent is not None:
                lane.ahead = pack.sent if lane.ahead is None else max(lane.ahead, pack.sent)
            spans.append(Span(topic.agent, start, stop, pack.upto, topic.boot, topic.seq))
            messages.append(waiting.popleft())
            start = stop
        return self._settle(lanes, received, batch)

    def _lane(self, agent: str) -> "_Lane | None":
        """How the agent stands; None for one that is not known, or has no position yet."""
        position = self._positions.current(agent)
        if position is None or not self._admission.knows(agent):
            return None
        reader = self._readers.get(agent)
        if reader is None:
            if len(self._readers) >= MOST_READERS:
                self._readers.clear()
            reader = self._readers[agent] = PlainReader(self._points, agent, self._owners)
        return _Lane(position.boot, self._positions.through(agent, position.boot), reader)

    def _settle(self, lanes: Mapping[str, "_Lane"], received: int, batch: OpenBatch) -> list[ClockNote]:
        """What the run changed besides its rows, once per agent."""
        notes = []
        for agent, lane in lanes.items():
            if lane.through == lane.before:
                continue
            position = self._positions.advance(Position(agent, lane.boot, lane.through))
            batch.positions[agent] = batch.answers[agent] = position
            self._reached[agent] = max(lane.upto, self._reached.get(agent, 0))
            # Of packs that came together the freshest tells the clock: a queue makes the others seem late.
            note = None if lane.ahead is None else self._clocks.note(agent, received, lane.ahead)
            if note is not None:
                notes.append(note)
        return notes


class _Lane:
    """One agent during a run: its live boot, how far that came (and had come), its greatest promise and `sent`."""

    __slots__ = ("ahead", "before", "boot", "reader", "through", "upto")

    def __init__(self, boot: str, through: int, reader: PlainReader) -> None:
        self.boot, self.reader = boot, reader
        self.through = self.before = through
        self.upto = 0
        self.ahead: int | None = None
