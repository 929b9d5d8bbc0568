"""The agent's MQTT connection: paho's thread behind a small interface that the agent's loop can poll.

Everything that arrives or happens becomes an event in a queue; nothing is decided here. Callbacks run in paho's thread
and never raise. Reconnecting is paho's, with back-off; a random wait before each try keeps a school's agents from
knocking at a restarted broker all at once.
"""

import random
import ssl
import sys
import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import Broker

KEEPALIVE_S = 30
INFLIGHT = 100  # QoS 1 messages that wait for the broker's acknowledgement; more than the window of packs
RECONNECT_FIRST_S = 1
RECONNECT_LAST_S = 60
JITTER_LAST_S = 15.0
EVENTS_KEPT = 1_000  # beyond it receipts are forgotten: the next one says the same and more

_log = structlog.get_logger("edge.link")


class EventKind(StrEnum):
    """What happened to the connection."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `payload` is that of a received message."""

    kind: EventKind
    payload: bytes = b""


class Link(Protocol):
    """What the agent asks of its connection."""

    @property
    def unacknowledged(self) -> int:
        """How many published messages the broker has not acknowledged."""

    def start(self) -> None:
        """Connect, now and whenever the connection is lost, until `stop`."""

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send with QoS 1."""

    def wait(self, seconds: float) -> None:
        """Return at the next event, or after that time."""

    def wake(self) -> None:
        """Make `wait` return."""

    def stop(self) -> None:
        """Disconnect in good order (the last will stays unsaid)."""


class MqttLink:
    """`Link` over paho-mqtt: MQTT 3.1.1, clean session, QoS 1, one subscription, a retained last will."""

    def __init__(self, broker: Broker, client_id: str, subscription: str, will: tuple[str, bytes]) -> None:
        self._broker = broker
        self._subscription = subscription
        self._events: deque[Event] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._tries = 0
        self._published = 0
        self._acknowledged = 0
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True, protocol=paho.MQTTv311
        )
        self._client.max_inflight_messages_set(INFLIGHT)
        self._client.reconnect_delay_set(RECONNECT_FIRST_S, RECONNECT_LAST_S)
        self._client.will_set(will[0], will[1], qos=1, retain=True)
        if broker.user:
            self._client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            authority = None if broker.ca_file is None else str(broker.ca_file)
            self._client.tls_set_context(ssl.create_default_context(cafile=authority))
        self._client.suppress_exceptions = True  # paho logs what a callback raises, its thread goes on
        self._client.on_pre_connect = self._on_pre_connect
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish

    @property
    def unacknowledged(self) -> int:
        """How many published messages the broker has not acknowledged."""
        return self._published - self._acknowledged

    def start(self) -> None:
        """Connect in paho's thread, now and whenever the connection is lost."""
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        found = []
        while self._events:
            found.append(self._events.popleft())
        return found

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send with QoS 1; paho keeps it over a reconnect."""
        self._published += 1
        self._client.publish(topic, payload, qos=1, retain=retain)

    def wait(self, seconds: float) -> None:
        """Return at the next event, or after that time."""
        self._wake.wait(seconds)
        self._wake.clear()

    def wake(self) -> None:
        """Make `wait` return; may be called from a signal handler."""
        self._wake.set()

    def stop(self) -> None:
        """Disconnect and end paho's thread."""
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()

    def _happened(self, event: Event) -> None:
        self._events.append(event)
        self._wake.set()

    def _on_pre_connect(self, client: paho.Client, userdata: object) -> None:
        if self._tries:
            longest = min(JITTER_LAST_S, 2.0 ** min(self._tries, 10) / 2)
            self._stopping.wait(random.uniform(0, longest))  # noqa: S311 - spreads load, guards nothing
        self._tries += 1

    def _on_connect(
        self, client: paho.Client, userdata: object, flags: paho.ConnectFlags, reason: ReasonCode,
        properties: Properties | None,
    ) -> None:  # fmt: skip
        if reason.is_failure:
            _log.error("the broker refused the connection", broker=repr(self._broker), reason=str(reason))
            return
        self._tries = 0
        client.subscribe(self._subscription, qos=1)
        _log.info("connected", broker=repr(self._broker))
        self._happened(Event(EventKind.CONNECTED))

    def _on_connect_fail(self, client: paho.Client, userdata: object) -> None:
        # paho calls this while it handles what went wrong, and does not say what.
        _log.warning("the broker cannot be reached; tried again", broker=repr(self._broker), error=str(sys.exception()))

    def _on_subscribe(
        self, client: paho.Client, userdata: object, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            _log.error("the broker refused the agent's receipts; check this user's rights", topic=self._subscription)

    def _on_disconnect(
        self, client: paho.Client, userdata: object, flags: paho.DisconnectFlags, reason: ReasonCode,
        properties: Properties | None,
    ) -> None:  # fmt: skip
        if not self._stopping.is_set():
            _log.warning("disconnected", broker=repr(self._broker), reason=str(reason))
        self._happened(Event(EventKind.DISCONNECTED))

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        if len(self._events) < EVENTS_KEPT:
            self._happened(Event(EventKind.RECEIVED, bytes(message.payload)))

    def _on_publish(
        self, client: paho.Client, userdata: object, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._acknowledged += 1
        self._wake.set()
