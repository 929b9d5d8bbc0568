"""What is sent to which version, as whom, and what becomes of each answer; against a scripted server."""

import base64
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from domain.batch import batch_of
from domain.errors import CaretakerError, StoreRefusedError, StoreUnavailableError
from domain.readings import Reading
from store.influx.address import InfluxAddress
from store.influx.answers import parse_version, read_answer, words
from store.influx.connection import LINES_PER_WRITE, Connection
from store.influx.store import InfluxSeriesStore
from tests.influx_front import Front, influx_front
from tests.support import free_port

T0 = 1_767_225_600_000
LINE = "temperature,site=s value=1.0 1767225600000"


@pytest.fixture(params=["1.8.10", "v2.7.11", "3.0.1"])
def modern(request: pytest.FixtureRequest) -> Iterator[Front]:
    with influx_front(Front(request.param)) as front:
        yield front


@pytest.fixture
def second() -> Iterator[Front]:
    with influx_front(Front("v2.7.11")) as front:
        yield front


@pytest.fixture
def first() -> Iterator[Front]:
    with influx_front(Front("1.6.7~rc0")) as front:
        front.says["/write"] = [(204, b"")]
        yield front


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "major", "minor", "v2", "deletes"),
    [
        ("1.6.7~rc0", 1, 6, False, True),
        ("1.7.11", 1, 7, False, True),
        ("1.8.10", 1, 8, True, True),
        ("1.11.8", 1, 11, True, True),
        ("v2.7.11", 2, 7, True, True),
        ("2.0.0-rc.1", 2, 0, True, True),
        ("3.0.1", 3, 0, True, False),
    ],
)
def test_the_version_says_which_paths_there_are(header: str, major: int, minor: int, v2: bool, deletes: bool) -> None:
    version = parse_version(header)
    assert (version.major, version.minor) == (major, minor)
    assert (version.takes_v2_writes, version.deletes) == (v2, deletes)


@pytest.mark.parametrize("header", ["", "nginx", "x.y", "2"])
def test_what_is_no_influxdb_is_refused(header: str) -> None:
    with pytest.raises(StoreRefusedError, match="no InfluxDB"):
        parse_version(header)


def test_nothing_is_sent_before_the_first_use() -> None:
    connection = Connection(InfluxAddress("http", "127.0.0.1", free_port(), "canteen"))
    connection.close()


def test_newer_servers_get_ready_lines_over_the_v2_path(modern: Front) -> None:
    with closing(Connection(modern.address())) as connection:
        assert connection.write([LINE, LINE]) == []
        assert connection.write([LINE]) == []
    first, second = modern.of("/api/v2/write")
    assert first.body == f"{LINE}\n{LINE}".encode()
    assert first.query == {"org": ["school"], "bucket": ["canteen"], "precision": ["ms"]}
    assert first.headers["Authorization"] == ("Token :secret" if modern.version == "1.8.10" else "Token secret")
    assert first.headers.get("Content-Encoding", "identity") == "identity"
    assert first.peer == second.peer  # one connection, kept alive
    assert len(modern.of("/ping")) == 1


def test_an_old_server_gets_them_over_its_own_path(first: Front) -> None:
    with closing(Connection(first.address())) as connection:
        assert connection.write([LINE]) == []
    (asked,) = first.of("/write")
    assert (asked.body, asked.query) == (LINE.encode(), {"db": ["canteen"], "precision": ["ms"]})
    assert asked.headers["Authorization"] == basic("caretaker", "secret")
    assert [one.statement for one in first.of("/query")] == ['CREATE DATABASE "canteen"']


def test_queries_go_over_the_old_path_with_the_token_as_password(modern: Front) -> None:
    with closing(Connection(modern.address())) as connection:
        assert connection.query("SHOW MEASUREMENTS") == []
    asked = modern.of("/query")[-1]
    assert asked.statement == "SHOW MEASUREMENTS"
    assert asked.headers["Authorization"] == basic("caretaker", "secret")
    assert modern.of("/ping")[0].headers["Authorization"] == basic("caretaker", "secret")


def test_without_a_token_nobody_is_presented(first: Front) -> None:
    with closing(Connection(first.address(token=""))) as connection:
        connection.write([LINE])
    assert all("Authorization" not in asked.headers for asked in first.asked)


def test_the_third_version_makes_its_database_when_asked_and_the_second_is_left_alone(modern: Front) -> None:
    with closing(Connection(modern.address())) as connection:
        assert connection.version.words
    made = [asked.path for asked in modern.asked if asked.path != "/ping"]
    assert made == {"1": ["/query"], "v": [], "3": ["/api/v3/configure/database"]}[modern.version[0]]


def test_lines_leave_in_writes_of_five_thousand(second: Front) -> None:
    with closing(Connection(second.address())) as connection:
        connection.write([LINE] * (2 * LINES_PER_WRITE + 1))
    assert [asked.body.count(b"\n") + 1 for asked in second.of("/api/v2/write")] == [5000, 5000, 1]


def test_bad_lines_are_found_by_halving_and_all_others_are_stored(second: Front) -> None:
    second.writes_refuse = "bad"
    lines = [f"bad {number}" if number in (0, 37, 99) else f"good {number}" for number in range(100)]
    with closing(Connection(second.address())) as connection:
        refused = connection.write(lines)
    assert [index for index, _ in refused] == [0, 37, 99]
    assert refused[0][1] == "400 invalid: unable to parse 'bad'" or "unable to parse" in refused[0][1]
    taken = {
        line for asked in second.of("/api/v2/write") if b"bad" not in asked.body for line in asked.body.split(b"\n")
    }
    assert taken == {line.encode() for line in lines if line.startswith("good")}
    assert len(second.of("/api/v2/write")) < 60


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_line_that_is_refused_alone_comes_back_with_the_servers_words(first: Front, status: int) -> None:
    first.says["/write"] = [(status, b'{"error":"partial write: points beyond retention policy dropped=1"}\n')]
    with closing(Connection(first.address())) as connection:
        assert connection.write([LINE]) == [(0, f"{status} partial write: points beyond retention policy dropped=1")]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_server_in_trouble_is_worth_another_try(first: Front, second: Front, status: int) -> None:
    first.says["/write"] = second.says["/api/v2/write"] = [(status, b"overloaded")]
    for front in (first, second):
        with (
            closing(Connection(front.address())) as connection,
            pytest.raises(StoreUnavailableError, match=f"{status} overloaded"),
        ):
            connection.write([LINE, LINE])


@pytest.mark.parametrize(("status", "remedy"), [(401, "token"), (403, "right"), (404, "bucket")])
def test_what_a_person_must_mend_is_said_with_its_remedy(first: Front, second: Front, status: int, remedy: str) -> None:
    body = b'{"code":"unauthorized","message":"unauthorized access"}'
    first.says["/write"] = second.says["/api/v2/write"] = first.says["/query"] = [(status, body)]
    for front in (first, second):
        with closing(Connection(front.address())) as connection:
            with pytest.raises(StoreRefusedError, match="unauthorized access") as caught:
                connection.write([LINE, LINE])
            assert remedy in caught.value.remedy
            assert len(front.of("/write") + front.of("/api/v2/write")) == 1  # not halved: it is not about the lines


def test_a_server_that_is_away_is_worth_another_try_and_is_named_without_its_token() -> None:
    address = InfluxAddress("http", "127.0.0.1", free_port(), "canteen", "user", "secret")
    with closing(Connection(address)) as connection:
        for call in (lambda: connection.query("SHOW MEASUREMENTS"), lambda: connection.write([LINE])):
            with pytest.raises(StoreUnavailableError, match="does not answer") as caught:
                call()
            assert "secret" not in str(caught.value)
            assert f"127.0.0.1:{address.port}/canteen" in str(caught.value)


def test_a_server_that_goes_away_between_two_writes_is_worth_another_try() -> None:
    with influx_front(Front("v2.7.11")) as front:
        connection = Connection(front.address())
        connection.write([LINE])
    with closing(connection), pytest.raises(StoreUnavailableError):
        connection.write([LINE])


def test_a_server_that_does_not_answer_is_not_waited_for_without_end() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        address = InfluxAddress("http", "127.0.0.1", deaf.getsockname()[1], "canteen")
        with (
            closing(Connection(address, connect_seconds=0.2, read_seconds=0.2)) as connection,
            pytest.raises(StoreUnavailableError),
        ):
            connection.query("SHOW MEASUREMENTS")


def test_the_v2_writer_has_the_same_patience(monkeypatch: pytest.MonkeyPatch, second: Front) -> None:
    with closing(Connection(second.address(), connect_seconds=0.5, read_seconds=0.2)) as connection:
        assert connection.version.major == 2
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            elsewhere = InfluxAddress("http", "127.0.0.1", deaf.getsockname()[1], "canteen", "", "t", "o")
            monkeypatch.setattr(connection, "address", elsewhere)
            with pytest.raises(StoreUnavailableError):
                connection.write([LINE])


def test_the_second_version_deletes_by_predicate(second: Front) -> None:
    second.says["/api/v2/delete"] = [(204, b"")]
    with closing(Connection(second.address())) as connection:
        connection.delete("temperature", (("site", 'a"b'),), T0, T0 + 60_000)
    (asked,) = second.of("/api/v2/delete")
    assert asked.query == {"org": ["school"], "bucket": ["canteen"]}
    assert asked.body == (
        b'{"start":"2026-01-01T00:00:00.000Z","stop":"2026-01-01T00:00:59.999Z",'
        b'"predicate":"_measurement=\\"temperature\\" AND site=\\"a\\\\\\"b\\""}'
    )
    second.says["/api/v2/delete"] = [(400, b'{"message":"bad predicate"}')]
    with closing(Connection(second.address())) as connection, pytest.raises(StoreRefusedError, match="bad predicate"):
        connection.delete("temperature", (), T0, T0 + 1)


def test_the_third_version_cannot_delete_and_says_what_to_do() -> None:
    with influx_front(Front("3.0.1")) as front, closing(InfluxSeriesStore(front.address())) as store:
        front.says["/query"] = [(200, b'{"results":[{"series":[{"columns":["name"],"values":[["temperature"]]}]}]}')]
        with pytest.raises(StoreRefusedError, match="cannot delete") as caught:
            store.purge("school", T0)
        assert "retention period" in caught.value.remedy


def test_an_answer_is_read_by_the_names_of_its_columns() -> None:
    (table,) = read_answer(
        b'{"results":[{"statement_id":0,"series":[{"name":"temperature","tags":{"point":"a/b"},'
        b'"columns":["time","value","text"],"values":[[1767225600000,4.5,null],[1767225601000,5,"x"]]}]}]}'
    )
    assert table.tags == {"point": "a/b"}
    assert list(table.rows("text", "time", "other")) == [(None, T0, None), ("x", T0 + 1000, None)]
    assert read_answer(b'{"results":[{"statement_id":0}]}') == []
    assert read_answer(b'{"results":[]}') == []


def test_an_error_inside_of_an_answer_is_raised() -> None:
    with pytest.raises(StoreRefusedError, match="database not found: canteen"):
        read_answer(b'{"results":[{"statement_id":0,"error":"database not found: canteen"}]}')
    with pytest.raises(StoreUnavailableError, match="query-timeout"):
        read_answer(b'{"results":[{"error":"query-timeout limit exceeded"}]}')
    with pytest.raises(StoreUnavailableError, match="cannot be read"):
        read_answer(b"<html>")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error":"timeout"}', "timeout"),
        (b'{"code":"invalid","message":"unable to parse"}', "unable to parse"),
        (
            b'{"error":"partial write of line protocol occurred","data":[{"line_number":2,"error_message":"bad"}]}',
            "partial write of line protocol occurred: bad",
        ),
        (b"<h1>Bad\n  Gateway</h1>", "<h1>Bad Gateway</h1>"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
        (b"[1]", "[1]"),
        (b"x" * 5000, "x" * 500),
    ],
)
def test_the_servers_words_are_found_in_every_versions_errors(body: bytes, said: str) -> None:
    assert words(body) == said


def test_a_batch_with_a_line_that_the_server_refuses_is_stored_but_for_that(second: Front) -> None:
    second.writes_refuse = "freezer"
    rows = [Reading("fridge-1/temperature", T0, 1.0), Reading("freezer-1/temperature", T0, 2.0),
            Reading("fridge-1/temperature", T0 + 1, 3.0)]  # fmt: skip
    with closing(InfluxSeriesStore(second.address())) as store:
        done = store.append(batch_of("school", T0, rows))
    assert (done.stored, done.duplicates, done.collisions) == (2, 0, 0)
    ((row, said),) = [(one.row, one.detail) for one in done.refused]
    assert row == 1
    assert "unable to parse" in said


def test_every_store_error_is_one_that_a_person_can_mend() -> None:
    assert issubclass(StoreUnavailableError, CaretakerError)
    assert issubclass(StoreRefusedError, CaretakerError)
