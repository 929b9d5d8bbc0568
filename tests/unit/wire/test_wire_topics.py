"""Every topic of the contract is written, read back, and told apart from what only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reasons import DeadReason
from wire.rejection import Rejection, quote
from wire.topics import (
    LAST_SEQ,
    MOST_BEGINNINGS,
    Kind,
    Topic,
    TopicReader,
    agent_filter,
    alarm_topic,
    birth_topic,
    build_topic,
    ingest_filters,
    parse_topic,
    readings_topic,
    receipt_topic,
    status_topic,
    unsequenced_topic,
    watch_filters,
)

# Written by hand from the table of docs/wire.md, so that a slip in the builders is seen.
TABLE = [
    ("caretaker/1/school/agents/canteen/readings/b7f3/12", Topic(Kind.READINGS, "school", "canteen", "b7f3", 12)),
    ("caretaker/1/school/agents/canteen/readings", Topic(Kind.UNSEQUENCED, "school", "canteen")),
    ("caretaker/1/school/agents/canteen/receipt", Topic(Kind.RECEIPT, "school", "canteen")),
    ("caretaker/1/school/agents/canteen/birth", Topic(Kind.BIRTH, "school", "canteen")),
    ("caretaker/1/school/agents/canteen/status", Topic(Kind.STATUS, "school", "canteen")),
    (
        "caretaker/1/school/alarms/cold-high/fridge-1/temperature",
        Topic(Kind.ALARM, "school", rule="cold-high", point="fridge-1/temperature"),
    ),
]


@pytest.mark.parametrize(("text", "topic"), TABLE)
def test_a_topic_is_read_into_its_parts_and_written_back(text: str, topic: Topic) -> None:
    assert parse_topic(text) == topic
    assert build_topic(topic) == text
    assert str(topic) == text


def test_each_builder_writes_the_line_of_the_table() -> None:
    assert [
        readings_topic("school", "canteen", "b7f3", 12),
        unsequenced_topic("school", "canteen"),
        receipt_topic("school", "canteen"),
        birth_topic("school", "canteen"),
        status_topic("school", "canteen"),
        alarm_topic("school", "cold-high", "fridge-1/temperature"),
    ] == [text for text, _ in TABLE]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "caretaker/1",
        "caretaker/2/school/agents/canteen/readings",
        "caretaker/1/School/agents/canteen/readings",
        "caretaker/1/school/agents//readings",
        "caretaker/1/school/agents/canteen/readings/",
        "caretaker/1/school/agents/canteen/readings/b7f3",
        "caretaker/1/school/agents/canteen/readings/b7f3/0",
        "caretaker/1/school/agents/canteen/readings/b7f3/007",
        "caretaker/1/school/agents/canteen/readings/b7f3/-1",
        "caretaker/1/school/agents/canteen/readings/b7f3/1.5",
        "caretaker/1/school/agents/canteen/readings/b7f3/٣",
        f"caretaker/1/school/agents/canteen/readings/b7f3/{LAST_SEQ + 1}",
        "caretaker/1/school/agents/canteen/readings/b7f3/1/2",
        "caretaker/1/school/agents/canteen/reading",
        "caretaker/1/school/agents/canteen/status\n",
        "caretaker/1/school/agents/cant\0een/status",
        "caretaker/1/school/alarms/cold-high/fridge-1",
        "caretaker/1/school/alarms/cold-high/fridge-1/temperature/x",
        " caretaker/1/school/agents/canteen/readings",
        "x/caretaker/1/school/agents/canteen/readings",
        "caretaker/1/+/agents/+/readings/#",
        "caretaker/1/" + "a" * 64 + "/agents/canteen/status",
        "caretaker/1/" + "a" * 70_000,
    ],
)
def test_what_only_looks_like_a_topic_is_refused_by_name(text: str) -> None:
    refused = parse_topic(text)
    assert isinstance(refused, Rejection)
    assert refused.reason is DeadReason.BAD_TOPIC
    assert refused.detail.isprintable()
    assert len(refused.detail) < 200


def test_the_last_number_and_the_longest_ids_are_still_legal() -> None:
    long = "a" * 63
    text = readings_topic(long, long, long, LAST_SEQ)
    assert parse_topic(text) == Topic(Kind.READINGS, long, long, long, LAST_SEQ)
    alarm = alarm_topic(long, long, f"{long}/{long}")
    assert parse_topic(alarm) == Topic(Kind.ALARM, long, rule=long, point=f"{long}/{long}")


def test_a_builder_refuses_what_would_be_another_topic() -> None:
    with pytest.raises(ValueError, match="site"):
        birth_topic("sch/ool", "canteen")
    with pytest.raises(ValueError, match="agent"):
        status_topic("school", "#")
    with pytest.raises(ValueError, match="boot"):
        readings_topic("school", "canteen", "", 1)
    with pytest.raises(ValueError, match="1 or more"):
        readings_topic("school", "canteen", "b7f3", 0)
    with pytest.raises(ValueError, match="not a point"):
        alarm_topic("school", "cold-high", "temperature")
    with pytest.raises(ValueError, match="rule"):
        alarm_topic("school", "+", "fridge-1/temperature")


def matches(pattern: str, topic: str) -> bool:
    """MQTT's own rule (3.1.1, section 4.7), written out for the test."""
    levels, parts = pattern.split("/"), topic.split("/")
    for number, level in enumerate(levels):
        if level == "#":
            return True
        if number >= len(parts):
            return False
        if level not in ("+", parts[number]):
            return False
    return len(levels) == len(parts) or (len(levels) == len(parts) + 1 and levels[-1] == "#")


def test_ingest_hears_all_that_agents_say_and_nothing_that_it_says_itself() -> None:
    for site in (None, "school"):
        heard = {topic.kind for text, topic in TABLE if any(matches(pattern, text) for pattern in ingest_filters(site))}
        assert heard >= {Kind.READINGS, Kind.BIRTH, Kind.STATUS}
        assert not heard & {Kind.RECEIPT, Kind.ALARM}


def test_a_plain_device_is_heard_although_its_topic_is_the_parent_of_the_filter() -> None:
    # `readings/#` also matches `readings`; a filter per depth would be one more to forget.
    first = ingest_filters("school")[0]
    assert first.endswith("readings/#")
    assert "caretaker/1/school/agents/canteen/readings".startswith(first.replace("+", "canteen").removesuffix("/#"))


def test_malformed_numbers_reach_ingest_so_that_they_become_dead_letters() -> None:
    assert any(matches(p, "caretaker/1/school/agents/canteen/readings/b7f3/x") for p in ingest_filters())


def test_a_filter_for_one_site_leaves_the_others_alone() -> None:
    other = birth_topic("other", "canteen")
    assert not any(matches(pattern, other) for pattern in ingest_filters("school"))
    with pytest.raises(ValueError, match="site"):
        ingest_filters("+")


def test_the_watch_for_sites_that_nobody_described_hears_each_boot_once_and_no_simple_device() -> None:
    heard = [text for text, _ in TABLE if any(matches(pattern, text) for pattern in watch_filters())]
    assert {parse_topic(text).kind for text in heard} <= {Kind.READINGS, Kind.BIRTH, Kind.STATUS}
    first, second = readings_topic("x", "a", "b1", 1), readings_topic("x", "a", "b1", 2)
    assert [any(matches(pattern, text) for pattern in watch_filters()) for text in (first, second)] == [True, False]
    assert not any(matches(pattern, unsequenced_topic("x", "a")) for pattern in watch_filters())


def test_an_agent_hears_only_its_own_receipt() -> None:
    assert agent_filter("school", "canteen") == receipt_topic("school", "canteen")


def test_a_quote_is_printable_and_short() -> None:
    assert quote("\x1b[31mred\n") == "'\\x1b[31mred\\n'"
    assert len(quote("x" * 10_000)) == 80
    assert len(quote(b"\xff" * 10_000)) == 80
    assert quote(None) == "None"


TOPICS = st.builds(
    lambda begin, number: f"{begin}/{number}".encode(),
    st.sampled_from(
        ["caretaker/1/school/agents/canteen/readings/b7f3", "caretaker/1/school/agents/b/readings/b1", "a", "",
         "caretaker/1/school/agents/canteen/readings", "caretaker/1/school/agents/canteen/readings/b7f3/1"]
    ),
    st.sampled_from(["1", "12", "0", "01", "", "x", "-1", "+1", "1_0", " 1", "١", "9" * 18, "9" * 19, LAST_SEQ])
    | st.integers(1, 10**19).map(str),
) | st.binary(max_size=12)  # fmt: skip


@given(st.lists(TOPICS, max_size=12))
def test_a_reader_of_many_topics_says_of_each_what_it_means_by_itself(raws: list[bytes]) -> None:
    reader = TopicReader()
    for raw in raws:
        text, topic = reader.read(raw)
        try:
            expected = raw.decode()
        except UnicodeDecodeError:
            assert text == ""
            assert isinstance(topic, Rejection)
            assert topic.reason is DeadReason.BAD_TOPIC
            continue
        assert (text, topic) == (expected, parse_topic(expected))


def test_what_a_reader_remembers_is_bounded() -> None:
    reader = TopicReader()
    for number in range(MOST_BEGINNINGS + 2):
        reader.read(f"caretaker/1/school/agents/a/readings/b{number}/1".encode())
    assert 0 < len(reader._beginnings) <= MOST_BEGINNINGS
