"""PostgreSQL goes away in the middle: every call says so in one word, and a commit tried again is written once."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.engine import make_url

from domain.alarms import EventKind
from domain.errors import CaretakerError, StoreUnavailableError
from domain.records import Commit, DeadLetter, DeadReason, EntryKind, Position, ProcessRow, TransitionFilter
from store.engine import Database
from store.operational.leases import LeaseClock
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0, batch, commit, event, one_batch
from tests.postgres import Server
from tests.support import free_port, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def store(postgres_url: str) -> Iterator[OperationalStore]:
    with closing(OperationalStore(postgres_url, LeaseClock.CALLER)) as made:
        assert made.acquire("school", "worker-1", T0, 30_000) == 1
        yield made


def whole(serial: int) -> Commit:
    kind = EventKind.RAISE if serial % 2 else EventKind.CLEAR
    return commit(
        entries=((EntryKind.BATCH, batch(serial)),),
        positions=(Position("kitchen", "b1", serial),),
        events=(event(kind, serial),),
        dead_letters=(DeadLetter("school", T0, "t", b"", DeadReason.BAD_VALUE, f"of {serial}"),),
        serial=serial,
    )


def assert_written_once(store: OperationalStore, commits: int) -> None:
    numbers = list(range(1, commits + 1))
    assert [entry.n for entry in store.journal("school", 0, 999)] == numbers
    assert store.positions("school")["kitchen"].through == commits
    transitions = store.transitions(TransitionFilter(), 999, newest_first=False)
    assert [transition.at - T0 for transition in transitions] == numbers
    assert [notice.id for notice in store.pending_notices(999)] == [transition.id for transition in transitions]
    assert [letter.detail for letter in store.dead_letters(None, 999)][::-1] == [f"of {n}" for n in numbers]
    assert store.verify_audit("school") is None


def keep_trying(store: OperationalStore, wanted: Commit) -> int:
    """Commit as ingest does: the very same again until it stands."""
    for _ in range(200):
        with suppress(StoreUnavailableError):
            return store.commit(wanted).n
        threading.Event().wait(0.05)  # the server is coming up again
    pytest.fail("the commit never stood")


@contextmanager
def at_statement(store: OperationalStore, number: int, act: Callable[[int], None]) -> Iterator[list[int]]:
    """`act(backend)` once, before the connection's statement of that number; -1 is the COMMIT. Yields what was done."""
    engine, seen, done = store._database.engine, [0], []

    def strike(connection: object) -> None:
        if not done:
            backend = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[attr-defined]
            done.append(backend)
            act(backend)

    def statement(connection: object, *_: object) -> None:
        seen[0] += 1
        if seen[0] == number:
            strike(connection)

    def ending(connection: object) -> None:
        if number == -1:
            strike(connection)

    sqlalchemy_event.listen(engine, "before_cursor_execute", statement)
    sqlalchemy_event.listen(engine, "commit", ending)
    try:
        yield done
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", statement)
        sqlalchemy_event.remove(engine, "commit", ending)


def test_a_connection_killed_before_any_statement_of_a_commit_is_written_once(
    store: OperationalStore, postgres_server: Server
) -> None:
    def kill(backend: int) -> None:
        with postgres_server.administer() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", [backend])
            gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            wait_until(lambda: connection.execute(gone, [backend]).fetchone() == (0,), 10, "the session ended")

    serial, struck = 0, 0
    for number in [*range(1, 100), -1]:
        serial += 1
        with at_statement(store, number, kill) as done:
            if not done:
                keep_trying(store, whole(serial))
        struck += len(done)
        if not done:
            break
    with at_statement(store, -1, kill) as done, pytest.raises(StoreUnavailableError):
        store.commit(whole(serial + 1))
    assert store.commit(whole(serial + 1)).n == serial + 1
    assert struck > 10
    assert len(done) == 1
    assert_written_once(store, serial + 1)


def test_a_server_process_that_crashes_at_commit_loses_and_doubles_nothing(
    store: OperationalStore, postgres_server: Server
) -> None:
    if postgres_server.restart is None:
        pytest.skip("only a server that the tests started may be crashed")
    store.commit(whole(1))
    with (
        at_statement(store, 5, lambda backend: os.kill(backend, signal.SIGKILL)) as done,
        pytest.raises(StoreUnavailableError, match="not available"),
    ):
        store.commit(whole(2))
    assert done
    assert keep_trying(store, whole(2)) == 2
    assert_written_once(store, 2)


def test_after_a_restart_of_the_server_the_next_call_works(store: OperationalStore, postgres_server: Server) -> None:
    if postgres_server.restart is None:
        pytest.skip("only a server that the tests started may be restarted")
    store.commit(whole(1))
    postgres_server.restart()
    assert [entry.n for entry in store.journal("school", 0, 9)] == [1]
    assert keep_trying(store, whole(2)) == 2
    store.beat(ProcessRow("ingest", 1, T0, T0))
    assert_written_once(store, 2)


class Wire:
    """A way to the server that can lose the answer to the next COMMIT: it arrives, and its answer never comes."""

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = self._target.set(port=self._listener.getsockname()[1]).render_as_string(hide_password=False)
        self.lose_next_commit = threading.Event()
        self.lost = 0
        self._threads = [threading.Thread(target=self._accept, name="wire", daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((self._target.host or "", self._target.port or 5432))
            cut = threading.Event()
            for source, target, outgoing in ((client, server, True), (server, client, False)):
                thread = threading.Thread(target=self._pump, args=(source, target, outgoing, cut), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, outgoing: bool, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if outgoing and self.lose_next_commit.is_set() and data.endswith(b"COMMIT\0"):
                    self.lose_next_commit.clear()
                    cut.set()
                elif not outgoing and cut.is_set():
                    self.lost += data.startswith(b"C\0\0\0\x0bCOMMIT\0")  # the server says that it is done
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


def test_a_commit_whose_answer_is_lost_took_place_and_is_found_when_tried_again(postgres_url: str) -> None:
    with closing(Wire(postgres_url)) as wire, closing(OperationalStore(wire.url, LeaseClock.CALLER)) as store:
        assert store.acquire("school", "worker-1", T0, 30_000) == 1
        for serial in range(1, 6):
            wire.lose_next_commit.set()
            with pytest.raises(StoreUnavailableError):
                store.commit(whole(serial))
            again = store.commit(whole(serial))
            assert (again.n, [transition.at - T0 for transition in again.transitions]) == (serial, [serial])
        assert wire.lost == 5
        assert_written_once(store, 5)


def test_without_its_serial_such_a_commit_would_be_doubled(postgres_url: str) -> None:
    """What the serial is for: it shows that the story above can fail."""
    with closing(Wire(postgres_url)) as wire, closing(OperationalStore(wire.url, LeaseClock.CALLER)) as store:
        store.acquire("school", "worker-1", T0, 30_000)
        wire.lose_next_commit.set()
        with pytest.raises(StoreUnavailableError):
            store.commit(replace(one_batch(), serial=0))
        assert store.commit(replace(one_batch(), serial=0)).n == 2


def test_a_server_that_is_not_there_is_said_without_the_password() -> None:
    url = f"postgresql://caretaker:s3cret@127.0.0.1:{free_port()}/caretaker"
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1") as refused:
        OperationalStore(url)
    assert "s3cret" not in str(refused.value)
    assert refused.value.remedy


@pytest.mark.parametrize("url", ["postgresql://u:s3cret@h:many/n", "mysql://u:s3cret@h/n", "s3cret"])
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(CaretakerError) as refused:
        Database(url)
    assert "s3cret" not in str(refused.value)
