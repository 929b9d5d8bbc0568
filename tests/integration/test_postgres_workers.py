"""Several workers on one PostgreSQL: leases by one clock, fencing, ids that become visible in order."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest

from domain.alarms import AlarmKey, EventKind
from domain.batch import ReadingBatch
from domain.errors import ConflictError, FencedError, IllegalTransitionError, StoreUnavailableError
from domain.records import Commit, EntryKind, TransitionFilter
from store.operational import audit, locks
from store.operational.leases import LeaseClock
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0, WARM, batch, commit, event
from tests.postgres import Server
from tests.support import wait_until

pytestmark = pytest.mark.integration
HOUR = 3_600_000
SITES = ("annex", "school", "north", "south")


@pytest.fixture
def store(postgres_url: str) -> Iterator[OperationalStore]:
    with closing(OperationalStore(postgres_url, LeaseClock.CALLER)) as made:
        for site in SITES:
            assert made.acquire(site, "worker-1", T0, 30_000) == 1
        yield made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def news(site: str, number: int = 1) -> Commit:
    kind = EventKind.RAISE if number % 2 else EventKind.CLEAR
    entry = (EntryKind.BATCH, batch(number, site=site))
    return commit(site=site, entries=(entry,), events=(event(kind, number),), serial=number)


def waits_for_a_lock(server: Server) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"
    with server.administer() as connection:
        return connection.execute(waiting).fetchone() != (0,)


class Gate:
    """Holds the first commit that has logged transitions, before it ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        real, first = audit.append_transitions, threading.Lock()

        def held(*arguments: object) -> None:
            real(*arguments)  # type: ignore[arg-type]  # whatever the store passes
            if first.acquire(blocking=False):
                self.reached.set()
                assert self.open.wait(8)

        monkeypatch.setattr(audit, "append_transitions", held)


def polled(store: OperationalStore, after: int = 0) -> list[int]:
    return [row.id for row in store.transitions(TransitionFilter(after=after), 999, newest_first=False)]


def test_a_reader_of_the_log_misses_nothing_of_a_commit_that_ends_late(
    store: OperationalStore, postgres_server: Server, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    slow = pool.submit(store.commit, news("annex"))
    assert gate.reached.wait(8)
    quick = pool.submit(store.commit, news("school"))
    wait_until(lambda: waits_for_a_lock(postgres_server) or quick.done(), 8, "the second commit waits its turn")
    seen = polled(store)
    gate.open.set()
    first, second = slow.result(), quick.result()
    seen += polled(store, after=max(seen, default=0))
    assert seen == [first.transitions[0].id, second.transitions[0].id]
    assert [row.id for row in store.pending_notices(9)] == seen


def test_without_the_logs_lock_that_reader_would_miss_one(
    store: OperationalStore, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the lock is for: it shows that the story above can fail."""
    monkeypatch.setattr(locks, "log", lambda connection: None)
    gate = Gate(monkeypatch)
    slow = pool.submit(store.commit, news("annex"))
    assert gate.reached.wait(8)
    pool.submit(store.commit, news("school")).result()
    seen = polled(store)
    gate.open.set()
    slow.result()
    assert [*seen, *polled(store, after=max(seen))] == [2]


def test_readings_without_news_wait_for_nobody_elses_commit(
    store: OperationalStore, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    slow = pool.submit(store.commit, news("annex"))
    assert gate.reached.wait(8)
    quiet = commit(site="school", entries=((EntryKind.BATCH, batch()),))
    assert pool.submit(store.commit, quiet).result(8).n == 1
    assert not slow.done()
    gate.open.set()
    slow.result()


def test_many_writers_and_a_reader_that_polls(store: OperationalStore, pool: ThreadPoolExecutor) -> None:
    def write(site: str) -> None:
        for number in range(1, 26):
            store.commit(news(site, number))

    writers = [pool.submit(write, site) for site in SITES]
    seen: list[int] = []
    while True:
        ended = all(writer.done() for writer in writers)  # asked first: what it ends with is polled after it
        seen += polled(store, after=max(seen, default=0))
        if ended:
            break
    for writer in writers:
        writer.result()
    everything = store.transitions(TransitionFilter(), 999, newest_first=False)
    assert seen == [row.id for row in everything]
    assert len(seen) == 100
    for site in SITES:
        assert [row.at - T0 for row in everything if row.site == site] == list(range(1, 26))
        assert store.verify_audit(site) is None


def test_people_and_ingest_write_one_chain_of_the_audit(store: OperationalStore, pool: ThreadPoolExecutor) -> None:
    store.commit(news("school"))

    def answer(by: str) -> int:
        done = 0
        for number in range(20):
            try:
                store.command("school", event(EventKind.SHELVE, number, by=by, note="repair", until=T0 + HOUR))
                store.command("school", event(EventKind.UNSHELVE, number, by=by))
                done += 1
            except (ConflictError, IllegalTransitionError):
                continue
        return done

    def go_on() -> None:
        for number in range(2, 32):
            store.commit(news("school", number))

    def note() -> None:
        for number in range(60):
            store.note("school", T0 + number, "li", "restore", {"number": number})

    work: list[Future[object]] = [
        pool.submit(go_on), pool.submit(note), pool.submit(note),
        pool.submit(answer, "li"), pool.submit(answer, "wang"),
    ]  # fmt: skip
    for future in work:
        future.result()
    assert store.verify_audit("school") is None
    alarm = store.alarm("school", WARM)
    assert alarm is not None
    assert alarm.version == len(store.transitions(TransitionFilter(site="school"), 999))


def test_trimming_beside_commits_keeps_the_count_of_bytes(store: OperationalStore, pool: ThreadPoolExecutor) -> None:
    writing = threading.Event()

    def write() -> None:
        for number in range(1, 61):
            store.commit(news("school", number))
            store.set_cursor("school", "series", number)
            store.save_snapshot("school", number, b"", T0)
            writing.set()

    def trim() -> int:
        writing.wait(8)
        return sum(store.trim("school", 999) for _ in range(15))

    trimmers = [pool.submit(trim) for _ in range(2)]
    pool.submit(write).result()
    deleted = sum(trimmer.result() for trimmer in trimmers)
    left = store.journal("school", 0, 999)
    assert len(left) + deleted == 60
    payload = store.journal_bytes("school")
    deleted += store.trim("school", 999)
    assert (store.journal_bytes("school"), deleted, store.journal_end("school")) == (0, 60, 60)
    assert (payload > 0) == bool(left)
    assert all(isinstance(entry.content, ReadingBatch) for entry in left)


# Leases


def test_leases_go_by_the_servers_clock_however_wrong_the_workers_are(postgres_url: str) -> None:
    with closing(OperationalStore(postgres_url)) as one, closing(OperationalStore(postgres_url)) as other:
        assert one.acquire("school", "worker-1", T0 - 999 * HOUR, HOUR) == 1
        assert other.acquire("school", "worker-2", T0 + 999 * HOUR, HOUR) is None
        assert one.acquire("school", "worker-1", 0, HOUR, epoch=1) == 1
        one.release("school", "worker-1", 1)
        assert other.acquire("school", "worker-2", 0, HOUR) == 2
        with pytest.raises(FencedError, match="worker-2"):
            one.commit(news("school"))
        assert (one.journal_end("school"), polled(one)) == (0, [])


def test_a_lease_that_is_not_renewed_runs_out_by_the_servers_clock(postgres_url: str) -> None:
    with closing(OperationalStore(postgres_url)) as store:
        assert store.acquire("school", "worker-1", 0, 300) == 1
        taken: list[int] = []

        def take() -> bool:
            epoch = store.acquire("school", "worker-2", 0, HOUR)
            taken.extend([] if epoch is None else [epoch])
            return bool(taken)

        wait_until(take, 8, "the lease ran out")
        assert taken == [2]


def test_of_workers_that_ask_for_a_new_site_at_once_one_gets_it(
    store: OperationalStore, pool: ThreadPoolExecutor
) -> None:
    for number in range(10):
        start = threading.Barrier(4)

        def ask(worker: str, site: str = f"new-{number}", start: threading.Barrier = start) -> int | None:
            start.wait(8)
            return store.acquire(site, worker, T0, 30_000)

        asked = [pool.submit(ask, f"worker-{letter}") for letter in "abcd"]
        assert sorted(granted for future in asked if (granted := future.result())) == [1]


def test_a_worker_that_stands_still_in_a_commit_is_cut_off_and_its_successor_goes_on(
    postgres_url: str, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = f"{postgres_url}?options=-c%20idle_in_transaction_session_timeout%3D300"
    with (
        closing(OperationalStore(impatient, LeaseClock.CALLER)) as paused,
        closing(OperationalStore(postgres_url, LeaseClock.CALLER)) as other,
    ):
        assert paused.acquire("school", "worker-1", T0, 1_000) == 1
        gate = Gate(monkeypatch)
        stuck = pool.submit(paused.commit, news("school"))
        assert gate.reached.wait(8)
        # It holds the site's lock; the successor waits for it, and gets the lease when the server has cut it off.
        assert other.acquire("school", "worker-2", T0 + 2_000, 30_000) == 2
        theirs = Commit("school", "worker-2", 2, T0 + 2_000, events=(event(EventKind.RAISE, 7),), serial=1)
        assert len(other.commit(theirs).transitions) == 1
        gate.open.set()
        with pytest.raises(StoreUnavailableError):
            stuck.result()
        with pytest.raises(FencedError):
            paused.commit(news("school"))
        assert [row.at - T0 for row in other.transitions(TransitionFilter(), 9)] == [7]
        assert other.journal_end("school") == 0


def test_who_waits_too_long_for_a_lock_is_told_to_try_again(
    postgres_url: str, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = f"{postgres_url}?options=-c%20lock_timeout%3D200"
    with (
        closing(OperationalStore(postgres_url, LeaseClock.CALLER)) as slow,
        closing(OperationalStore(impatient, LeaseClock.CALLER)) as other,
    ):
        assert slow.acquire("school", "worker-1", T0, 30_000) == 1
        gate = Gate(monkeypatch)
        holding = pool.submit(slow.commit, news("school"))
        assert gate.reached.wait(8)
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            other.commit(news("school"))
        gate.open.set()
        holding.result()
        assert other.commit(news("school")).transitions == holding.result().transitions


def test_commands_on_different_sites_do_not_meet(store: OperationalStore) -> None:
    key = AlarmKey("no-data", "x/y")
    for site in SITES:
        store.commit(commit(site=site, events=(event(EventKind.RAISE, key=key),)))

    def acknowledge(site: str) -> int:
        return store.command(site, event(EventKind.ACKNOWLEDGE, 5, key=key, by="li")).id

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(acknowledge, SITES))
    assert sorted(ids) == [5, 6, 7, 8]
