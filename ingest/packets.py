"""MQTT 3.1.1 in bytes, as far as a subscriber with QoS 0 and 1 needs it: packets out, and packets cut from a stream.

Pure. Decides only what is a packet; a stream that is none raises `ProtocolError`, after which nothing in it can be
believed. A packet that is too large to keep is cut while it arrives, so memory stays bounded whatever a broker sends.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import msgspec

MOST_KEPT = 512 * 1024  # bytes of one packet; of a larger one the beginning is kept
LARGEST = 268_435_455  # MQTT 3.1.1 section 2.2.3


class ProtocolError(Exception):
    """The bytes are no MQTT 3.1.1 of a broker."""


class Type(IntEnum):
    """The types of packets that are spoken here (section 2.2.1)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


_QOS_1 = 2  # in the flags of a PUBLISH (section 3.3.1.2)
_QOS = 6  # both bits of it
PUBLISH = 3  # as a plain number, for the path that every message takes
PINGREQ = bytes((Type.PINGREQ << 4, 0))
DISCONNECT = bytes((Type.DISCONNECT << 4, 0))


class Packet(NamedTuple):
    """One packet: its type, the flags beside it, what follows its length, and how long that was before it was cut."""

    type: int
    flags: int
    body: bytes
    size: int


class Published(msgspec.Struct, frozen=True, gc=False):
    """A PUBLISH: `topic` in its raw bytes, `mid` 0 for QoS 0, `size` the payload's length before it was cut."""

    topic: bytes
    payload: bytes
    size: int
    qos: int
    retained: bool
    mid: int


class Reader:
    """Cuts a stream of bytes into packets, however it is chopped."""

    def __init__(self) -> None:
        self._rest = b""
        self._at = 0
        self._skip = 0

    def feed(self, data: bytes) -> None:
        """Bytes that arrived; not more than some reads' worth should wait here."""
        if self._skip:
            dropped = min(self._skip, len(data))
            self._skip -= dropped
            data = data[dropped:]
        if data:
            self._rest = self._rest[self._at :] + data if self._at < len(self._rest) else data
            self._at = 0

    def next(self) -> Packet | None:
        """The next packet that is complete, or None. ProtocolError."""
        rest, start = self._rest, self._at
        have = len(rest) - start
        if have < 2:
            return None
        size = rest[start + 1]
        at = start + 2
        if size > 127:
            length = _length(rest, start + 1)
            if length is None:
                return None
            size, at = length
        end = at + size
        head = rest[start]
        if end <= len(rest):
            self._at = end
            return Packet(head >> 4, head & 15, rest[at:end], size)
        if size <= MOST_KEPT or len(rest) - at < MOST_KEPT:
            return None
        self._skip = end - len(rest)
        self._at = len(rest)
        return Packet(head >> 4, head & 15, rest[at : at + MOST_KEPT], size)

    def publishes(self, most: int) -> list[Published]:
        """The messages of QoS 0 and 1 that come next, at most `most`: up to a packet that is something else, is not
        complete, or has a fault, all of which are left to `next` and `published`."""
        rest, at, have = self._rest, self._at, len(self._rest)
        found: list[Published] = []
        while len(found) < most and have - at > 1 and rest[at] >> 4 == PUBLISH:
            head, size, body = rest[at], rest[at + 1], at + 2
            if size > 127:
                length = _length(rest, at + 1)
                if length is None:
                    break
                size, body = length
            end = body + size
            payload = body + 2
            if end > have or payload > end:
                break
            topic = payload
            payload = end_of_topic = payload + (rest[body] << 8 | rest[body + 1])
            mid, qos = 0, head & _QOS
            if qos:
                payload += 2
                if qos != _QOS_1 or payload > end:
                    break
                mid = rest[payload - 2] << 8 | rest[payload - 1]
            elif payload > end:
                break
            found.append(
                Published(rest[topic:end_of_topic], rest[payload:end], end - payload, qos >> 1, head & 1 == 1, mid)
            )
            at = end
        self._at = at
        return found


def published(packet: Packet) -> Published:
    """What a PUBLISH says. ProtocolError."""
    body, flags = packet.body, packet.flags
    qos = flags >> 1 & 3
    if len(body) < 2:
        raise ProtocolError("a PUBLISH without a topic")
    at = 2 + (body[0] << 8 | body[1])
    topic = body[2:at]
    mid = 0
    if qos:
        if qos > 1:
            raise ProtocolError(f"QoS {qos}, which nobody asked for")
        at += 2
        if len(body) < at:
            raise ProtocolError("a PUBLISH that ends in its head")
        mid = body[at - 2] << 8 | body[at - 1]
    elif len(body) < at:
        raise ProtocolError("a PUBLISH that ends in its head")
    return Published(topic, body[at:], packet.size - at, qos, bool(flags & 1), mid)


def number(packet: Packet) -> int:
    """The packet identifier of a PUBACK or SUBACK. ProtocolError."""
    if len(packet.body) < 2:
        raise ProtocolError("a packet without its identifier")
    return packet.body[0] << 8 | packet.body[1]


def connect(client_id: str, keepalive: int, user: str, password: str) -> bytes:
    """A CONNECT that keeps its session; `keepalive` in seconds; no credentials when `user` is empty."""
    flags = 0xC0 if user else 0
    body = _text("MQTT") + bytes((4, flags)) + struct.pack("!H", keepalive) + _text(client_id)
    if user:
        body += _text(user) + _text(password)
    return _packet(Type.CONNECT << 4, body)


def subscribe(mid: int, filters: Sequence[str], qos: int) -> bytes:
    """A SUBSCRIBE."""
    topics = b"".join(_text(name) + bytes((qos,)) for name in filters)
    return _packet(Type.SUBSCRIBE << 4 | 2, struct.pack("!H", mid) + topics)


def unsubscribe(mid: int, filters: Sequence[str]) -> bytes:
    """An UNSUBSCRIBE."""
    return _packet(Type.UNSUBSCRIBE << 4 | 2, struct.pack("!H", mid) + b"".join(_text(name) for name in filters))


def publish(topic: str, payload: bytes, qos: int, mid: int, *, retain: bool) -> bytes:
    """A PUBLISH; `mid` counts with QoS 1 only."""
    head = _text(topic) + (struct.pack("!H", mid) if qos else b"")
    return _packet(Type.PUBLISH << 4 | qos << 1 | retain, head + payload)


def puback(mid: int) -> bytes:
    """A PUBACK."""
    return bytes((0x40, 2, mid >> 8, mid & 255))


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Length and the place after it; None when it is not complete."""
    value = 0
    for place in range(4):
        if at + place >= len(data):
            return None
        byte = data[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise ProtocolError("a length of more than four bytes")


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) > 65_535:
        raise ValueError(f"a text of {len(data)} bytes; MQTT has room for 65,535")
    return struct.pack("!H", len(data)) + data


def _packet(head: int, body: bytes) -> bytes:
    if len(body) > LARGEST:
        raise ValueError(f"a packet of {len(body)} bytes; MQTT has room for {LARGEST}")
    size, rest = bytearray(), len(body)
    while True:
        rest, low = rest >> 7, rest & 127
        size.append(low | (128 if rest else 0))
        if not rest:
            return bytes((head,)) + bytes(size) + body
