"""The connection to the broker: one thread with a loop of its own that alone touches the socket and the client.

It decides nothing about messages: it reads their topic, queues them for the site's worker, publishes what lies in the
mailbox, and acknowledges. A sequenced pack is acknowledged at once, because its receipt makes it safe; everything else
when a worker says that it is committed, on the connection that brought it only (message ids are reused). When the
inbox is full the socket is not read: broker and agents hold. Callbacks never raise; a lost connection is made again
with growing, jittered delays, and what the broker kept for this session comes then.
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
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from domain.reasons import DeadReason
from domain.times import SECOND
from ingest.backoff import Backoff
from ingest.inbox import Ack, Inbound, Inbox
from ingest.mailbox import Mailbox
from ingest.metrics import Count, Counters
from ingest.settings import BrokerAddress, IngestSettings, broker_address
from ingest.tls import secure, unread
from wire.messages import MAX_MESSAGE_BYTES
from wire.rejection import Rejection
from wire.topics import Kind, Topic, ingest_filters, parse_topic

READS_PER_TURN = 64  # packets, before the mailbox and acknowledgements get their turn
PUBLISHED_PER_TURN = 100
MOST_UNCONFIRMED = 100  # QoS 1 messages of ours that the broker has not confirmed
TURN_SECONDS = 0.25
HANDSHAKE_SECONDS = 10.0
PAUSED_SECONDS = 5.0  # of a full inbox, before it counts as not hearing
KEPT_BYTES = MAX_MESSAGE_BYTES  # of a payload; a larger one is refused anyway

_log = structlog.get_logger()


class Consumer:
    """Meets `ingest.site_session.Link`. All but `run` may be called from any thread."""

    def __init__(self, settings: IngestSettings, inbox: Inbox, mailbox: Mailbox, counters: Counters) -> None:
        self._address = broker_address(settings)
        self._inbox, self._mailbox, self._counters = inbox, mailbox, counters
        self._client = _client(settings, self._address, self)
        self._keepalive = settings.keepalive // SECOND
        self._generation = 0
        self._subscribed = False
        self._subscribe_mid: int | None = None
        self._resubscribe = False
        self._broken = False
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

    def wake(self) -> None:
        """End the loop's wait."""
        with suppress(OSError):  # its buffer is full, so it will wake anyway; or it is closed, and nobody waits
            self._wake_writer.send(b"\0")

    def run(self, stop: threading.Event) -> None:
        """Keep connected and serve until `stop`; then publish what waits, and disconnect."""
        try:
            while not stop.is_set():
                if self._inbox.full:  # the handshake's answer could not be read
                    stop.wait(TURN_SECONDS)
                    continue
                try:
                    if self._connect():
                        self._serve(stop)
                except Exception:  # noqa: BLE001 - a defect must not leave the process deaf
                    _log.exception("the broker connection failed; it is made again")
                    self._drop()
                if not stop.is_set():
                    stop.wait(self._backoff.next() / SECOND)
            self._leave()
        finally:
            self._drop()
            self._wake_reader.close()
            self._wake_writer.close()

    def _connect(self) -> bool:
        host, port = self._address.host, self._address.port
        self._broken = False
        try:
            self._client.connect(host, port, self._keepalive)
        except (OSError, ValueError) as error:
            _log.warning("the broker cannot be reached; tried again", host=host, port=port, error=str(error))
            return False
        return True

    def _serve(self, stop: threading.Event) -> None:
        begun = time.monotonic()
        while not stop.is_set() and not self._broken and self._client.socket() is not None:
            self._turn(TURN_SECONDS)
            if not self._subscribed and time.monotonic() - begun > HANDSHAKE_SECONDS:
                _log.warning("the broker does not answer", host=self._address.host)
                break
        if not stop.is_set():
            self._drop()

    def _turn(self, seconds: float) -> None:
        """One turn of the loop: wait for the socket or a wake, read, acknowledge, publish, keep alive."""
        sock: Any = self._client.socket()
        full = self._watch_inbox()
        readers: list[Any] = [self._wake_reader] if full else [self._wake_reader, sock]
        writers: list[Any] = [sock] if self._client.want_write() else []
        try:
            waits = 0.0 if not full and unread(sock) else 0.02 if full else seconds
            readable, writable, _ = select.select(readers, writers, [], waits)
        except (OSError, ValueError) as error:
            _log.warning("the connection broke", error=str(error))
            self._broken = True
            return
        if self._wake_reader in readable:
            self._drain_wakes()
        if sock in readable or (not full and unread(sock)):
            self._read()
        self._send()
        if self._client.socket() is not None and (writable or self._client.want_write()):
            self._client.loop_write()
        if self._client.socket() is not None:
            self._client.loop_misc()

    def _read(self) -> None:
        """Read what has arrived, one packet at a time, so that the bound of the inbox is passed by one message."""
        for _ in range(READS_PER_TURN):
            sock: Any = self._client.socket()
            if sock is None or self._inbox.full or not (unread(sock) or select.select([sock], [], [], 0)[0]):
                return
            if self._client.loop_read():
                return

    def _drain_wakes(self) -> None:
        with suppress(BlockingIOError):
            while self._wake_reader.recv(4096):
                pass

    def _send(self) -> None:
        """Acknowledgements and what lies in the mailbox; both wait while the connection is not ready."""
        if not self._subscribed and not (self._acks and self._client.is_connected()):
            return
        while self._acks and self._client.is_connected():
            ack = self._acks.popleft()
            if ack.generation == self._generation:
                self._client.ack(ack.mid, ack.qos)
            else:
                self._counters.add(Count.LATE_ACKS)
        if self._resubscribe and self._subscribed:
            self._resubscribe = False
            self._client.subscribe([(name, 1) for name in ingest_filters()])
        if self._subscribed and len(self._unconfirmed) < MOST_UNCONFIRMED:
            for parcel in self._mailbox.collect(PUBLISHED_PER_TURN):
                sent = self._client.publish(parcel.topic, parcel.payload, parcel.qos, retain=True)
                if parcel.qos:
                    self._unconfirmed.add(sent.mid)
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
        until = time.monotonic() + 2
        while self._subscribed and not self._broken and time.monotonic() < until:
            if not (len(self._mailbox) or self._unconfirmed or self._acks or self._client.want_write()):
                break
            self._turn(0.05)
        self._subscribed = False
        self._client.disconnect()
        if self._client.socket() is not None:
            self._client.loop_write()

    def _drop(self) -> None:
        self._subscribed = False
        sock: Any = self._client.socket()
        if sock is not None:
            sock.close()

    def on_connect(self, client: Client, refused: bool, reason: str) -> None:
        """CONNACK: subscribe, also when the broker still knows the session (its retained messages come again)."""
        if refused:
            _log.error("the broker refused the connection", reason=reason)
            self._broken = True
            return
        self._generation += 1
        self._resubscribe = False
        _, self._subscribe_mid = client.subscribe([(name, 1) for name in ingest_filters()])

    def on_subscribe(self, mid: int, refused: bool) -> None:
        """SUBACK: from now on messages arrive."""
        if refused:
            _log.error("the broker refused the subscription; check this user's rights", topics=ingest_filters())
            self._broken = True
        elif mid == self._subscribe_mid:
            self._subscribed = True
            self._backoff.reset()
            self._counters.add(Count.CONNECTIONS)
            _log.info("connected to the broker", host=self._address.host, port=self._address.port)

    def on_disconnect(self, reason: str) -> None:
        """The connection is gone."""
        if self._subscribed:
            _log.warning("the connection to the broker is lost", reason=reason)
        self._subscribed = False

    def on_publish(self, mid: int) -> None:
        """The broker confirmed one of our messages (or it left, for QoS 0)."""
        self._unconfirmed.discard(mid)

    def on_message(self, client: Client, message: MQTTMessage) -> None:
        """Queue the message; acknowledge it now when a receipt stands for it."""
        try:
            text = message.topic
            topic = parse_topic(text)
        except UnicodeDecodeError as error:
            text, topic = "", Rejection(DeadReason.BAD_TOPIC, f"the topic is not UTF-8: {error.reason}")
        ack = Ack(self._generation, message.mid, message.qos) if message.qos else None
        if ack is not None and isinstance(topic, Topic) and topic.kind is Kind.READINGS:
            client.ack(ack.mid, ack.qos)
            ack = None
        payload = message.payload
        self._inbox.put(Inbound(text, topic, bytes(payload[:KEPT_BYTES]), len(payload), message.retain, ack))


def _client(settings: IngestSettings, address: BrokerAddress, owner: Consumer) -> Client:
    """A paho client with a persistent session, whose callbacks only hand over to `owner` and never raise."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"caretaker-{settings.worker}",
        clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    client.suppress_exceptions = True
    client.connect_timeout = 5.0
    client.max_inflight_messages_set(MOST_UNCONFIRMED + PUBLISHED_PER_TURN)
    if address.user:
        client.username_pw_set(address.user, address.password)
    secure(client, address)

    def on_connect(client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        owner.on_connect(client, reason.is_failure, str(reason))

    def on_subscribe(client: Client, data: Any, mid: int, reasons: Any, properties: Any) -> None:
        owner.on_subscribe(mid, any(reason.is_failure for reason in reasons))

    def on_disconnect(client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        owner.on_disconnect(str(reason))

    def on_publish(client: Client, data: Any, mid: int, reason: Any, properties: Any) -> None:
        owner.on_publish(mid)

    def on_message(client: Client, data: Any, message: MQTTMessage) -> None:
        owner.on_message(client, message)

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_disconnect = on_disconnect
    client.on_publish = on_publish
    client.on_message = on_message
    return client
