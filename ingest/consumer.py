"""The connection to the broker: one thread with a loop of its own that alone touches the socket.

It decides nothing about messages: it reads their topic, queues them for the site's worker, publishes what lies in the
mailbox, and acknowledges. A sequenced pack is acknowledged at once, because its receipt makes it safe; everything else
when a worker says that it is committed, on the connection that brought it only (message ids are reused). When the
inbox is full the socket is not read: broker and agents hold. A lost connection is made again with growing, jittered
delays, and what the broker kept for this session comes then.
"""

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from domain.times import SECOND
from ingest.backoff import Backoff
from ingest.connection import Connection, LostError
from ingest.inbox import Ack, Inbound, Inbox
from ingest.mailbox import Mailbox
from ingest.metrics import Count, Counters
from ingest.packets import (
    PUBLISH,
    Packet,
    ProtocolError,
    Published,
    Type,
    number,
    puback,
    publish,
    published,
    subscribe,
    unsubscribe,
)
from ingest.settings import IngestSettings, broker_address
from ingest.tls import context_of
from wire.messages import MAX_MESSAGE_BYTES
from wire.topics import Kind, Topic, TopicReader, ingest_filters

READS_PER_TURN = 512  # packets, before the mailbox and acknowledgements get their turn
PUBLISHED_PER_TURN = 100
MOST_UNCONFIRMED = 100  # QoS 1 messages of ours that the broker has not confirmed
TURN_SECONDS = 0.25
HANDSHAKE_SECONDS = 10.0
PAUSED_SECONDS = 5.0  # of a full inbox, before it counts as not hearing
KEPT_BYTES = MAX_MESSAGE_BYTES  # of a payload; a larger one is refused anyway
REFUSED = 0x80  # a subscription, MQTT 3.1.1 section 3.9.3

_REFUSALS = {  # MQTT 3.1.1 section 3.2.2.3
    1: "it does not speak MQTT 3.1.1",
    2: "it does not take this client id",
    3: "it is not available",
    4: "user or password are wrong",
    5: "this user has no right to connect",
}

_log = structlog.get_logger()


class Consumer:
    """Meets `ingest.link.Link`. All but `run` may be called from any thread."""

    def __init__(self, settings: IngestSettings, inbox: Inbox, mailbox: Mailbox, counters: Counters) -> None:
        self._address = broker_address(settings)
        context_of(self._address)  # a file that cannot be used is told before anything runs
        self._inbox, self._mailbox, self._counters = inbox, mailbox, counters
        self._client_id, self._keepalive = f"caretaker-{settings.worker}", settings.keepalive
        self._topics = TopicReader()
        self._connection: Connection | None = None
        self._generation = 0
        self._accepted = self._subscribed = False
        self._subscribe_mid = self._last_mid = 0
        self._resubscribe = False
        self._wanted: tuple[str, ...] | None = ingest_filters()
        self._unwanted: tuple[str, ...] = ()
        self._asked: frozenset[str] = frozenset()  # what this connection is subscribed to
        self._unconfirmed: set[int] = set()
        self._paused_since: float | None = None
        self._acks: deque[Ack] = deque()
        self._backoff = Backoff(SECOND // 2, 30 * SECOND)
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        mailbox.wake = self.wake

    @property
    def connected(self) -> bool:
        """Whether the connection stands and is subscribed."""
        return self._subscribed

    @property
    def hearing(self) -> bool:
        """Whether messages can arrive: connected, and the inbox not full for long."""
        paused = self._paused_since
        return self._subscribed and (paused is None or time.monotonic() - paused < PAUSED_SECONDS)

    @property
    def connections(self) -> int:
        """How many times it connected."""
        return self._counters.get(Count.CONNECTIONS)

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Tell the broker that these messages are safe; late ones of a former connection are dropped."""
        if acks:
            self._acks.extend(acks)
            self.wake()

    def resubscribe(self) -> None:
        """Ask for the retained births and statuses again, e.g. for a site that was unknown when they came."""
        self._resubscribe = True
        self.wake()

    def listen(self, wanted: Sequence[str] | None, unwanted: Sequence[str] = ()) -> None:
        """Be subscribed to `wanted`, and not to `unwanted`, which a former run may have left in the session; with None
        stay away from the broker."""
        self._wanted, self._unwanted = None if wanted is None else tuple(wanted), tuple(unwanted)
        self.wake()

    def wake(self) -> None:
        """End the loop's wait."""
        with suppress(OSError):  # its buffer is full, so it will wake anyway; or it is closed, and nobody waits
            self._wake_writer.send(b"\0")

    def run(self, stop: threading.Event) -> None:
        """Keep connected and serve until `stop`; then publish what waits, and disconnect."""
        try:
            while not stop.is_set():
                if self._wanted is None:
                    stop.wait(TURN_SECONDS)
                    continue
                try:
                    self._session(stop)
                except LostError as error:
                    said = "lost" if self._subscribed else "not made"
                    _log.warning(f"the connection to the broker is {said}", broker=self._broker, reason=str(error))
                except Exception:  # noqa: BLE001 - a defect must not leave the process deaf
                    _log.exception("the broker connection failed; it is made again")
                if not stop.is_set():
                    self._drop()
                    stop.wait(self._backoff.next() / SECOND)
            with suppress(LostError):
                self._leave()
        finally:
            self._drop()
            self._wake_reader.close()
            self._wake_writer.close()

    @property
    def _broker(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    def _session(self, stop: threading.Event) -> None:
        """One connection, from its beginning until it is lost or `stop`."""
        self._generation += 1
        self._unconfirmed.clear()
        connection = self._connection = Connection(self._address, self._client_id, self._keepalive)
        begun = time.monotonic()
        while not stop.is_set():
            if self._wanted is None:
                raise LostError("this process is to stay away")
            self._turn(connection, TURN_SECONDS)
            if self._paused_since is not None:  # the answer may wait behind messages
                begun = time.monotonic()
            if not self._subscribed and time.monotonic() - begun > HANDSHAKE_SECONDS:
                raise LostError("the broker does not answer")

    def _turn(self, connection: Connection, seconds: float) -> None:
        """One turn of the loop: wait for the socket or a wake, read, acknowledge, publish, keep alive. LostError."""
        # Before CONNACK no messages come, so that is read in any case.
        reading = not self._watch_inbox() or not self._accepted
        listening = reading and connection.drained  # else what was read already comes first: the buffer is bounded
        readers: list[Any] = [self._wake_reader, connection] if listening else [self._wake_reader]
        writers: list[Any] = [connection] if connection.wants_write else []
        waits = 0.02 if not reading else 0.0 if connection.unread or not listening else seconds
        readable, _, _ = select.select(readers, writers, [], waits)
        if self._wake_reader in readable:
            self._drain_wakes()
        if listening and (connection in readable or connection.unread):
            connection.receive()
        if reading:
            self._take(connection)
        self._send(connection)
        connection.keep_alive(reading=reading)
        connection.flush()

    def _take(self, connection: Connection) -> None:
        """What has arrived, as far as the inbox has room."""
        messages: list[Inbound] = []
        room = self._inbox.room
        try:
            for _ in range(READS_PER_TURN):
                most = (min(room, READS_PER_TURN) if self._accepted else READS_PER_TURN) - len(messages)
                if most <= 0:
                    return
                arrived = connection.publishes(most)
                self._hear(connection, arrived, messages)
                if len(arrived) == most:
                    return
                packet = connection.next()
                if packet is None:
                    return
                if packet.type == PUBLISH:  # one with a fault
                    self._hear(connection, (published(packet),), messages)
                else:
                    self._answer(connection, packet)
        except ProtocolError as error:
            raise LostError(f"the broker does not speak MQTT 3.1.1: {error}") from error
        finally:
            if messages and (refused := self._inbox.put_all(messages)):
                self._counters.add(Count.ELSEWHERE, len(refused))
                self.acknowledge([message.ack for message in refused if message.ack is not None])

    def _hear(self, connection: Connection, arrived: Sequence[Published], messages: list[Inbound]) -> None:
        """Add the messages for the inbox; what a receipt stands for is acknowledged now."""
        read, generation, acks = self._topics.read, self._generation, []
        for message in arrived:
            text, topic = read(message.topic)
            ack = None
            if message.qos:
                if isinstance(topic, Topic) and topic.kind is Kind.READINGS:
                    acks.append(puback(message.mid))
                else:
                    ack = Ack(generation, message.mid, message.qos)
            messages.append(Inbound(text, topic, message.payload[:KEPT_BYTES], message.size, message.retained, ack))
        if acks:
            connection.send(b"".join(acks))

    def _answer(self, connection: Connection, packet: Packet) -> None:
        """Everything but messages. LostError when the broker refuses."""
        match packet.type:
            case Type.CONNACK:
                code = packet.body[1] if len(packet.body) == 2 else 0
                if code:
                    raise LostError(f"the broker refuses: {_REFUSALS.get(code, f'code {code}')}")
                # Subscribe also when the broker still knows the session: its retained messages come again.
                self._accepted, self._resubscribe = True, False
                self._begin(connection)
            case Type.SUBACK:
                if REFUSED in packet.body[2:]:
                    raise LostError(f"the broker refuses the subscription to {', '.join(self._asked)}: check "
                                    "this user's rights")  # fmt: skip
                if number(packet) == self._subscribe_mid and not self._subscribed:
                    self._begun()
            case Type.PUBACK:
                self._unconfirmed.discard(number(packet))
            case Type.PINGRESP | Type.UNSUBACK:
                pass
            case _:
                raise ProtocolError(f"a packet of type {packet.type}, which no broker sends here")

    def _begin(self, connection: Connection) -> None:
        """Subscribe; with nothing to hear the handshake is over."""
        if self._unwanted:
            connection.send(unsubscribe(self._next_mid(), self._unwanted))
        self._asked = frozenset()
        self._subscribe_mid = self._subscribe(connection, self._wanted or ())
        if not self._subscribe_mid:
            self._begun()

    def _begun(self) -> None:
        self._subscribed = True
        self._backoff.reset()
        self._counters.add(Count.CONNECTIONS)
        _log.info("connected to the broker", broker=self._broker)

    def _follow(self, connection: Connection) -> None:
        """Subscribe to what is wanted by now, and to nothing else."""
        wanted = self._wanted or ()
        gone = self._asked.difference(wanted)
        if gone:
            connection.send(unsubscribe(self._next_mid(), tuple(gone)))
            self._asked -= gone
        again, self._resubscribe = self._resubscribe, False
        self._subscribe(connection, wanted if again else [name for name in wanted if name not in self._asked])

    def _subscribe(self, connection: Connection, filters: Sequence[str]) -> int:
        """The packet's number; 0 when there was nothing to subscribe to."""
        if not filters:
            return 0
        mid = self._next_mid()
        connection.send(subscribe(mid, filters, 1))
        self._asked |= frozenset(filters)
        return mid

    def _next_mid(self) -> int:
        mid = self._last_mid % 65_535 + 1
        while mid in self._unconfirmed:
            mid = mid % 65_535 + 1
        self._last_mid = mid
        return mid

    def _drain_wakes(self) -> None:
        with suppress(BlockingIOError):
            while self._wake_reader.recv(4096):
                pass

    def _send(self, connection: Connection) -> None:
        """Acknowledgements and what lies in the mailbox; both wait while the connection is not ready."""
        if not self._accepted:
            return
        while self._acks:
            ack = self._acks.popleft()
            if ack.generation == self._generation:
                connection.send(puback(ack.mid))
            else:
                self._counters.add(Count.LATE_ACKS)
        if not self._subscribed:
            return
        self._follow(connection)
        if len(self._unconfirmed) < MOST_UNCONFIRMED:
            for parcel in self._mailbox.collect(PUBLISHED_PER_TURN):
                mid = self._next_mid() if parcel.qos else 0
                connection.send(publish(parcel.topic, parcel.payload, parcel.qos, mid, retain=True))
                if parcel.qos:
                    self._unconfirmed.add(mid)
            if len(self._mailbox) and len(self._unconfirmed) < MOST_UNCONFIRMED:
                self.wake()

    def _watch_inbox(self) -> bool:
        full = self._inbox.full
        if full and self._paused_since is None:
            self._paused_since = time.monotonic()
            _log.info("the inbox is full: the broker holds further messages")
        elif not full:
            self._paused_since = None
        return full

    def _leave(self) -> None:
        """Give the last receipts to the broker, for at most two seconds, and say good-bye."""
        connection, until = self._connection, time.monotonic() + 2
        if connection is None:
            return
        while self._subscribed and time.monotonic() < until:
            if not (len(self._mailbox) or self._unconfirmed or self._acks or connection.wants_write):
                break
            self._turn(connection, 0.05)
        connection.leave()

    def _drop(self) -> None:
        self._accepted = self._subscribed = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
