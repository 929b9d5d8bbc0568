"""One connection against a broker that the test plays itself, on a socket of its own, with time moved by hand."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from ingest.connection import Connection, LostError
from ingest.packets import PINGREQ, Type, publish, published
from ingest.settings import BrokerAddress
from tests.support import free_port


@dataclass
class Ends:
    """Both ends of the connection."""

    connection: Connection
    broker: socket.socket
    time: list[float]

    def hear(self) -> bytes:
        """What the client sent."""
        self.connection.flush()
        select.select([self.broker], [], [], 0.2)
        self.broker.setblocking(False)
        try:
            return self.broker.recv(1_000_000)
        except BlockingIOError:
            return b""

    def say(self, data: bytes) -> None:
        self.broker.setblocking(True)
        self.broker.sendall(data)
        select.select([self.connection], [], [], 5)
        self.connection.receive()


@contextmanager
def ends(keepalive: int = 30_000) -> Iterator[Ends]:
    time = [1000.0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = BrokerAddress("127.0.0.1", server.getsockname()[1])
        connection = Connection(address, "caretaker-test", keepalive, lambda: time[0])
        broker, _ = server.accept()
        try:
            yield Ends(connection, broker, time)
        finally:
            connection.close()
            broker.close()


@pytest.fixture
def both() -> Iterator[Ends]:
    with ends() as made:
        assert made.hear()[:1] == b"\x10", "CONNECT comes first"
        yield made


def test_a_packet_in_pieces_is_one_packet(both: Ends) -> None:
    data = publish("a/b", b"hello", 1, 7, retain=False)
    both.say(data[:3])
    assert both.connection.next() is None
    both.say(data[3:] + data)
    first = both.connection.next()
    assert first is not None
    assert published(first).payload == b"hello"
    assert not both.connection.drained, "another packet waits in the buffer, where select does not see it"
    assert both.connection.next() is not None
    assert both.connection.next() is None
    assert both.connection.drained


def test_what_is_sent_gathers_until_it_is_flushed(both: Ends) -> None:
    for _ in range(3):
        both.connection.send(b"\x40\x02\x00\x01")
    assert both.connection.wants_write
    assert both.hear() == b"\x40\x02\x00\x01" * 3
    assert not both.connection.wants_write


def test_a_broker_that_does_not_read_makes_what_is_sent_wait_and_loses_nothing(both: Ends) -> None:
    total = 20_000_000
    both.connection.send(b"x" * total)
    both.connection.flush()
    assert both.connection.wants_write
    heard = 0
    while heard < total:
        heard += len(both.hear())
    assert heard == total
    assert not both.connection.wants_write


def test_when_nothing_was_said_for_long_it_pings_and_an_answer_is_enough(both: Ends) -> None:
    both.time[0] += 29
    both.connection.keep_alive(reading=True)
    assert both.hear() == b""
    both.time[0] += 1
    both.connection.keep_alive(reading=True)
    assert both.hear() == PINGREQ
    both.time[0] += 29
    both.say(bytes((Type.PINGRESP << 4, 0)))
    both.time[0] += 2
    both.connection.keep_alive(reading=True)
    assert both.hear() == PINGREQ, "the broker must hear from us in every keepalive"


def test_it_pings_also_when_only_the_broker_is_silent(both: Ends) -> None:
    for _ in range(3):
        both.time[0] += 15
        both.connection.send(b"\x40\x02\x00\x01")
        both.connection.flush()
        both.connection.keep_alive(reading=True)
    assert PINGREQ in both.hear()


def test_a_broker_that_does_not_answer_a_ping_is_lost(both: Ends) -> None:
    for _ in range(2):
        both.time[0] += 30
        if both.time[0] < 1060:
            both.connection.keep_alive(reading=True)
    with pytest.raises(LostError, match="does not answer"):
        both.connection.keep_alive(reading=True)


def test_while_nothing_is_read_a_missing_answer_is_not_the_broker_s_fault(both: Ends) -> None:
    for _ in range(5):
        both.time[0] += 30
        both.connection.keep_alive(reading=False)
    assert both.hear().count(PINGREQ) == 5, "the broker hears that we live"
    both.connection.keep_alive(reading=True)


def test_a_closed_connection_and_bytes_that_are_no_mqtt_are_said(both: Ends) -> None:
    both.say(b"\x30\xff\xff\xff\xff\x01")
    with pytest.raises(LostError, match=r"does not speak MQTT 3\.1\.1"):
        both.connection.next()
    both.broker.close()
    select.select([both.connection], [], [], 5)
    with pytest.raises(LostError):
        both.connection.receive()


def test_where_nobody_listens_it_says_so() -> None:
    with pytest.raises(LostError):
        Connection(BrokerAddress("127.0.0.1", free_port()), "caretaker-test", 30_000)
