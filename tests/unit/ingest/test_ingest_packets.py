"""MQTT 3.1.1 in bytes: what is cut from a stream is what was put into it, however it is chopped."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import packets
from ingest.packets import MOST_KEPT, Packet, ProtocolError, Published, Reader, Type, number, publish, published

MESSAGES = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        st.binary(max_size=200) | st.integers(100, 40_000).map(lambda size: b"x" * size),
        st.integers(0, 1),
        st.integers(1, 65_535),
        st.booleans(),
    ),
    max_size=8,
)


def cut(stream: bytes, places: list[int]) -> list[Packet]:
    """The packets of the stream, fed in pieces that end at these places."""
    reader, found = Reader(), []
    edges = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})
    for start, end in pairwise(edges):
        reader.feed(stream[start:end])
        while (packet := reader.next()) is not None:
            found.append(packet)
    return found


@given(MESSAGES, st.lists(st.integers(0, 2000), max_size=30))
def test_messages_come_out_as_they_went_in(
    messages: list[tuple[str, bytes, int, int, bool]], places: list[int]
) -> None:
    stream = b"".join(publish(topic, body, qos, mid, retain=kept) for topic, body, qos, mid, kept in messages)
    found = [published(packet) for packet in cut(stream, places)]
    assert found == [
        Published(topic.encode(), body, len(body), qos, kept, mid if qos else 0)
        for topic, body, qos, mid, kept in messages
    ]


def cut_in_runs(stream: bytes, places: list[int], most: int) -> list[Published | Packet]:
    """As `cut`, with messages taken in runs of up to `most`, and what they leave one by one; with 0 all one by one."""
    reader, found = Reader(), list[Published | Packet]()
    edges = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})
    for start, end in pairwise(edges):
        reader.feed(stream[start:end])
        while True:
            run = reader.publishes(most)
            found += run
            if run and len(run) == most:
                continue
            packet = reader.next()
            if packet is None:
                break
            found.append(published(packet) if packet.type == Type.PUBLISH else packet)
    return found


MIXED = st.lists(
    st.binary(max_size=6)
    | st.just(packets.PINGREQ)
    | st.just(b"\x32\x80\x80\x80\x80")
    | st.sampled_from([b"\x34\x04\0\x01ab", b"\x32\x03\0\x01a", b"\x30\x01\0", b"\x30\x03\0\x02a"])
    | st.builds(
        publish, st.text(max_size=5), st.binary(max_size=200), st.integers(0, 1), st.just(7), retain=st.booleans()
    ),
    max_size=8,
).map(b"".join)


@given(MIXED, st.lists(st.integers(0, 400), max_size=10), st.integers(1, 3))
def test_taken_in_runs_messages_are_the_same_as_one_by_one(stream: bytes, places: list[int], most: int) -> None:
    def outcome(most: int) -> list[Published | Packet] | str:
        try:
            return cut_in_runs(stream, places, most)
        except ProtocolError as error:
            return str(error)

    assert outcome(most) == outcome(0)


def test_a_run_ends_where_asked_and_before_what_is_no_message() -> None:
    reader, message = Reader(), publish("a/b", b"x", 1, 7, retain=False)
    reader.feed(message * 3 + packets.PINGREQ + message)
    assert [len(reader.publishes(2)), len(reader.publishes(2)), len(reader.publishes(2))] == [2, 1, 0]
    packet = reader.next()
    assert packet is not None
    assert packet.type == Type.PINGREQ
    assert reader.publishes(2) == [Published(b"a/b", b"x", 1, 1, False, 7)]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_no_bytes_make_it_fail_otherwise_than_by_a_protocol_error(stream: bytes, places: list[int]) -> None:
    try:
        for packet in cut(stream, places):
            if packet.type == Type.PUBLISH:
                published(packet)
            number(packet)
    except ProtocolError:
        pass


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_pieces_do_not_matter(stream: bytes, places: list[int]) -> None:
    def outcome(pieces: list[int]) -> list[Packet] | str:
        try:
            return cut(stream, pieces)
        except ProtocolError as error:
            return str(error)

    whole, chopped = outcome([]), outcome(places)
    assert isinstance(whole, str) or whole == chopped


def test_every_byte_alone_is_enough() -> None:
    stream = publish("a/b", b"hello", 1, 7, retain=True) + packets.PINGREQ + packets.puback(9)
    found = cut(stream, list(range(len(stream))))
    assert [packet.type for packet in found] == [Type.PUBLISH, Type.PINGREQ, Type.PUBACK]
    assert number(found[2]) == 9


def test_a_packet_that_is_too_large_is_cut_its_size_is_known_and_the_next_one_is_whole() -> None:
    payload = b"x" * (MOST_KEPT + 100_000)
    stream = publish("big", payload, 1, 3, retain=False) + publish("next", b"y", 0, 0, retain=False)
    found = [published(packet) for packet in cut(stream, list(range(0, len(stream), 65_536)))]
    assert [(one.topic, one.size) for one in found] == [(b"big", len(payload)), (b"next", 1)]
    assert payload.startswith(found[0].payload)
    assert len(found[0].payload) < MOST_KEPT


def test_memory_stays_bounded_while_a_huge_packet_arrives() -> None:
    reader = Reader()
    reader.feed(b"\x30\xff\xff\xff\x7f\x00\x01a")  # 256 MiB announced
    most = 0
    for _ in range(64):
        reader.feed(b"x" * 65_536)
        reader.next()
        most = max(most, len(reader._rest))
    assert most <= MOST_KEPT + 2 * 65_536


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x30\x01\x00",  # no topic
        b"\x30\x04\x00\x09ab",  # a topic longer than the packet
        b"\x32\x03\x00\x01a",  # QoS 1 without an identifier
        b"\x34\x05\x00\x01a\x00\x01",  # QoS 2
        b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
    ],
)
def test_what_is_no_mqtt_is_refused(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        [published(packet) for packet in cut(stream, [])]


def test_an_acknowledgement_without_its_number_is_refused() -> None:
    with pytest.raises(ProtocolError):
        number(Packet(Type.PUBACK, 0, b"\x01", 1))


@pytest.mark.parametrize(("size", "head"), [(0, 2), (127 - 3, 2), (128 - 3, 3), (16_383 - 3, 3), (16_384 - 3, 4)])
def test_lengths_take_as_many_bytes_as_the_standard_says(size: int, head: int) -> None:
    assert len(publish("a", b"x" * size, 0, 0, retain=False)) == head + 3 + size


def test_what_is_sent_is_what_the_standard_shows() -> None:
    assert packets.connect("id", 30, "", "") == b"\x10\x0e\x00\x04MQTT\x04\x00\x00\x1e\x00\x02id"
    assert (
        packets.connect("id", 30, "me", "pw") == b"\x10\x16\x00\x04MQTT\x04\xc0\x00\x1e\x00\x02id\x00\x02me\x00\x02pw"
    )
    assert packets.subscribe(10, ["a/b"], 1) == b"\x82\x08\x00\x0a\x00\x03a/b\x01"
    assert packets.puback(258) == b"\x40\x02\x01\x02"
    with pytest.raises(ValueError, match="65,535"):
        packets.publish("x" * 65_536, b"", 0, 0, retain=False)
