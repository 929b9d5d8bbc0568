"""The broker connection alone, against a real Mosquitto: acknowledgements, back-pressure, refusals."""

import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from ingest import consumer as module
from ingest.consumer import Consumer
from ingest.inbox import Ack, Inbound, Inbox
from ingest.mailbox import Mailbox
from ingest.metrics import Count, Counters
from ingest.settings import IngestSettings
from tests.support import free_port, listens, needs, wait_until
from tests.unit.ingest.ingest_fakes import SITE
from wire.topics import readings_topic, receipt_topic, unsequenced_topic

pytestmark = pytest.mark.integration


class Line:
    """A consumer with its inbox and mailbox."""

    def __init__(self, port: int, most: int = 1000) -> None:
        self.inbox, self.mailbox, self.counters = Inbox(most, 10_000_000), Mailbox(), Counters()
        self.inbox.open(SITE)
        settings = replace(IngestSettings(f"mqtt://127.0.0.1:{port}"), worker="line-test")
        self.consumer = Consumer(settings, self.inbox, self.mailbox, self.counters)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.consumer.run, args=(self.stop,))

    def take(self, count: int) -> list[Inbound]:
        """Messages until there are so many, or none came for a while."""
        taken: list[Inbound] = []
        until = time.monotonic() + 10
        while len(taken) < count and time.monotonic() < until:
            taken += self.inbox.take(SITE, count, 0.2)
        return taken


@contextmanager
def line(port: int, most: int = 1000) -> Iterator[Line]:
    made = Line(port, most)
    made.thread.start()
    try:
        wait_until(lambda: made.consumer.connected, 20, "connected")
        yield made
    finally:
        made.stop.set()
        made.consumer.wake()
        made.thread.join(20)
        assert not made.thread.is_alive()


@contextmanager
def sender(port: int) -> Iterator[Client]:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def send(client: Client, topic: str, payload: bytes) -> None:
    client.publish(topic, payload, 1).wait_for_publish(10)


def test_what_was_not_acknowledged_comes_again_and_a_late_acknowledgement_is_dropped(mosquitto: int) -> None:
    topic = unsequenced_topic(SITE, "esp")
    with line(mosquitto) as first, sender(mosquitto) as client:
        send(client, topic, b"one")
        send(client, topic, b"two")
        one, two = first.take(2)
        assert isinstance(one.ack, Ack)
        first.consumer.acknowledge([one.ack])
        time.sleep(0.3)  # the acknowledgement has to reach the broker; nothing tells when it did
    with line(mosquitto) as second:
        (again,) = second.take(1)
        assert again.payload == b"two"
        assert two.ack is not None
        second.consumer.acknowledge([Ack(two.ack.generation + 7, two.ack.mid, 1)])
        wait_until(lambda: second.counters.get(Count.LATE_ACKS) == 1, 10, "the late acknowledgement is counted")
    with line(mosquitto) as third:
        (again,) = third.take(1)
        assert again.payload == b"two", "a late acknowledgement settles nothing"
        assert again.ack is not None
        third.consumer.acknowledge([again.ack])


def test_sequenced_packs_are_acknowledged_at_once_because_receipts_make_them_safe(mosquitto: int) -> None:
    with line(mosquitto) as first, sender(mosquitto) as client:
        send(client, readings_topic(SITE, "a", "b1", 1), b"[]")
        (message,) = first.take(1)
        assert message.ack is None
        time.sleep(0.3)  # as above
    with line(mosquitto) as second:
        assert second.inbox.take(SITE, 1, 0.5) == []


def test_a_full_inbox_stops_reading_and_nothing_is_lost(mosquitto: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSED_SECONDS", 0.2)
    count = 300
    with line(mosquitto, most=10) as held, sender(mosquitto) as client:
        for seq in range(1, count + 1):
            client.publish(readings_topic(SITE, "a", "b1", seq), b"[]", 1)
        wait_until(lambda: not held.consumer.hearing, 10, "a full inbox counts as not hearing")
        assert held.inbox.depth == 10
        assert held.consumer.connected
        taken = held.take(count)
        assert [int(message.text.rsplit("/", 1)[1]) for message in taken] == list(range(1, count + 1))
        wait_until(lambda: held.consumer.hearing, 10, "hearing again")


def test_what_lies_in_the_mailbox_is_published_retained_also_before_a_stop(mosquitto: int) -> None:
    with line(mosquitto) as here:
        for agent in range(250):
            here.mailbox.post(receipt_topic(SITE, f"a{agent}"), b"{}", agent % 2)
    heard: set[str] = set()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: heard.add(message.topic)
    client.connect("127.0.0.1", mosquitto)
    client.subscribe(f"caretaker/1/{SITE}/agents/+/receipt")
    client.loop_start()
    try:
        wait_until(lambda: len(heard) == 250, 10, "all of them are retained")
    finally:
        client.disconnect()
        client.loop_stop()


def test_without_a_broker_it_waits_and_ends_when_told() -> None:
    made = Line(free_port())
    made.thread.start()
    assert not made.consumer.connected
    assert not made.consumer.hearing
    made.mailbox.post(receipt_topic(SITE, "a"), b"{}", 0)
    made.stop.set()
    made.thread.join(20)
    assert not made.thread.is_alive()
    assert len(made.mailbox) == 1


def test_a_message_that_is_too_large_is_cut_but_its_size_is_known(mosquitto: int) -> None:
    with line(mosquitto) as here, sender(mosquitto) as client:
        send(client, unsequenced_topic(SITE, "esp"), b"x" * 400_000)
        (message,) = here.take(1)
        assert message.size == 400_000
        assert len(message.payload) == module.KEPT_BYTES


@pytest.mark.parametrize("size", [module.KEPT_BYTES - 1, 600_000, 3_000_000])
def test_after_a_large_message_the_next_one_comes_whole(mosquitto: int, size: int) -> None:
    with line(mosquitto) as here, sender(mosquitto) as client:
        send(client, unsequenced_topic(SITE, "esp"), b"x" * size)
        send(client, unsequenced_topic(SITE, "esp"), b"next")
        large, following = here.take(2)
        assert (large.size, len(large.payload)) == (size, min(size, module.KEPT_BYTES))
        assert (following.payload, following.size) == (b"next", 4)


def test_an_idle_connection_is_kept_alive_beyond_the_broker_s_patience(mosquitto: int) -> None:
    """The broker drops a client that says nothing for one and a half keepalives (here 1.5 s)."""
    made = Line(mosquitto)
    made.consumer._keepalive = 1000
    made.thread.start()
    try:
        wait_until(lambda: made.consumer.connected, 20, "connected")
        time.sleep(3.5)  # the broker's own clock is what is tested
        assert made.consumer.connected
        assert made.consumer.connections == 1
    finally:
        made.stop.set()
        made.consumer.wake()
        made.thread.join(20)


class Chopper(threading.Thread):
    """A proxy that hands on what the broker says in pieces of a few bytes, all sizes in turn."""

    def __init__(self, broker: int) -> None:
        super().__init__(daemon=True)
        self._broker = broker
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.start()

    def run(self) -> None:
        client, _ = self._server.accept()
        broker = socket.create_connection(("127.0.0.1", self._broker))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        turns = 0
        try:
            while True:
                for source in select.select([client, broker], [], [])[0]:
                    data = source.recv(4096)
                    if not data:
                        return
                    while data:
                        turns += 1
                        size = len(data) if source is client else turns % 7 + 1
                        (broker if source is client else client).sendall(data[:size])
                        data = data[size:]
        except OSError:
            return
        finally:
            for each in (client, broker, self._server):
                each.close()


def test_packets_that_arrive_in_pieces_are_whole(mosquitto: int) -> None:
    with line(Chopper(mosquitto).port) as here, sender(mosquitto) as client:
        payloads = [b"x" * size for size in (0, 1, 100, 127, 128, 300, 2000)]
        for seq, payload in enumerate(payloads, 1):
            client.publish(readings_topic(SITE, "a", "b1", seq), payload, seq % 2)
        taken = here.take(len(payloads))
        assert sorted(message.payload for message in taken) == payloads
        assert here.consumer.connections == 1


def test_a_connection_that_breaks_is_made_again_and_what_was_not_acknowledged_comes_again(mosquitto: int) -> None:
    topic = unsequenced_topic(SITE, "esp")
    with line(mosquitto) as here, sender(mosquitto) as client:
        send(client, topic, b"one")
        (first,) = here.take(1)
        connection = here.consumer._connection
        assert connection is not None
        connection._socket.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: here.consumer.connections == 2, 20, "connected again")
        (again,) = here.take(1)
        assert first.ack is not None
        assert again.ack is not None
        assert again.payload == b"one"
        assert again.ack.generation > first.ack.generation
        here.consumer.acknowledge([first.ack, again.ack])
        wait_until(lambda: here.counters.get(Count.LATE_ACKS) == 1, 10, "the old one counts for nothing")


def test_a_broker_that_refuses_is_asked_again_later(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\n")
    broker = subprocess.Popen([needs("mosquitto", "mosquitto"), "-c", str(config)], stderr=subprocess.DEVNULL)
    made = Line(port)
    try:
        wait_until(lambda: listens(port), 10, "mosquitto listens")
        made.thread.start()
        wait_until(lambda: made.consumer._generation >= 2, 20, "tried again")
        assert not made.consumer.connected
    finally:
        made.stop.set()
        made.consumer.wake()
        made.thread.join(20)
        broker.terminate()
        broker.wait(10)
