"""A write on its way while the next one is prepared: nothing is asked, sent or remembered out of order."""

import threading
from collections.abc import Sequence

import pytest

from domain.batch import ReadingBatch, batch_of
from domain.errors import StoreUnavailableError
from domain.readings import Reading
from store.influx.address import parse_address
from store.influx.answers import Table
from store.influx.newest import TRUST_SECONDS
from store.influx.store import InfluxSeriesStore


class Server:
    """Stands in for the connection: notes what reaches it, and can refuse, fail or take its time."""

    def __init__(self, store: InfluxSeriesStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.noted: list[str] = []
        self.fails: list[Exception | None] = []
        self.refuses: list[list[tuple[int, str]]] = []
        self.threads: set[str] = set()
        self.slow = 0.0
        self.now = 0.0
        monkeypatch.setattr(store._connection, "write", self.write)
        monkeypatch.setattr(store._connection, "query", self.query)
        monkeypatch.setattr(store, "_monotonic", lambda: self.now)
        self._flight, self._land = store._flight, store._flight.land
        monkeypatch.setattr(store._flight, "land", self.land)

    def land(self) -> None:
        if self._flight._on_its_way is not None:
            self.now += self.slow
        self._land()

    def write(self, lines: Sequence[str]) -> list[tuple[int, str]]:
        self.threads.add(threading.current_thread().name)
        failure = self.fails.pop(0) if self.fails else None
        if failure is not None:
            raise failure
        self.noted.append(f"write {' '.join(line.rpartition(' ')[2] for line in lines)}")
        return self.refuses.pop(0) if self.refuses else []

    def query(self, text: str) -> list[Table]:
        self.noted.append("newest" if "last(" in text else "held")
        return []


@pytest.fixture
def store() -> InfluxSeriesStore:
    return InfluxSeriesStore(parse_address("http://127.0.0.1:1/bench"))


@pytest.fixture
def server(store: InfluxSeriesStore, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(store, monkeypatch)


def batch(*times: int) -> ReadingBatch:
    return batch_of("s", 0, [Reading("a/x", time, float(time)) for time in times])


def test_batches_are_sent_in_order_from_a_thread_of_their_own(store: InfluxSeriesStore, server: Server) -> None:
    done = store.append_all([batch(1, 2), batch(3), batch(), batch(4)])
    assert [one.stored for one in done] == [2, 1, 0, 1]
    assert server.noted == ["newest", "write 1 2", "write 3", "write 4"]
    assert threading.current_thread().name not in server.threads
    store.close()
    assert not any(thread.name.startswith("influxdb write") for thread in threading.enumerate())


def test_what_is_stored_is_asked_only_when_everything_sent_has_arrived(
    store: InfluxSeriesStore, server: Server
) -> None:
    store.append_all([batch(5), batch(3), batch(6)])
    assert server.noted == ["newest", "write 5", "held", "write 3", "write 6"]


def test_after_a_failure_nothing_more_is_sent_and_the_newest_times_are_learned_again(
    store: InfluxSeriesStore, server: Server
) -> None:
    server.fails = [None, StoreUnavailableError("it is away", "start it")]
    with pytest.raises(StoreUnavailableError, match="it is away"):
        store.append_all([batch(1), batch(2), batch(3), batch(4)])
    assert server.noted == ["newest", "write 1"]
    store.append_all([batch(1), batch(2)])
    assert server.noted[2:] == ["newest", "write 1", "write 2"]


def test_a_failure_while_the_next_is_prepared_leaves_nothing_on_its_way(
    store: InfluxSeriesStore, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[dict[str, str]] = [{}]

    def broken(_site: str) -> dict[str, str]:
        if not answers:
            raise RuntimeError("no areas")
        return answers.pop()

    monkeypatch.setattr(store, "_areas", broken)
    with pytest.raises(RuntimeError, match="no areas"):
        store.append_all([batch(1), batch(2)])
    monkeypatch.setattr(store, "_areas", lambda _site: {})
    assert [one.stored for one in store.append_all([batch(2)])] == [1]
    assert server.noted == ["newest", "write 1", "newest", "write 2"]


def test_lines_that_waited_long_for_the_write_before_them_are_made_again(
    store: InfluxSeriesStore, server: Server
) -> None:
    server.slow = TRUST_SECONDS + 1
    store.append_all([batch(1), batch(2)])
    assert server.noted == ["newest", "write 1", "newest", "write 2"]


def test_the_newest_times_are_remembered_over_a_pause_when_nothing_was_missed(
    store: InfluxSeriesStore, server: Server
) -> None:
    store.append_all([batch(1)])
    server.now += 3600
    server.slow = TRUST_SECONDS + 1
    store.append_all([batch(2), batch(3)], unbroken=True)
    assert server.noted == ["newest", "write 1", "write 2", "write 3"]
    server.now += 3600
    store.append_all([batch(4)])
    assert server.noted[4:] == ["newest", "write 4"]


def test_refused_lines_are_told_with_their_own_batch(store: InfluxSeriesStore, server: Server) -> None:
    server.refuses = [[], [(1, "400 bad line")]]
    first, second = store.append_all([batch(1, 2), batch(3, 4)])
    assert (first.stored, first.refused) == (2, ())
    assert (second.stored, [(one.row, one.detail) for one in second.refused]) == (1, [(1, "400 bad line")])
