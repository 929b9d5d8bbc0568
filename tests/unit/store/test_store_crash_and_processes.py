"""Ingest is killed in the middle of commits; web reads and commands from another process while ingest commits."""

import multiprocessing
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.alarms import AlarmEvent, AlarmKey, AlarmState, EventKind, Reason
from domain.errors import CaretakerError, ConflictError, IllegalTransitionError
from domain.records import AlarmFilter, TransitionFilter
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.contract.operational_stories import POINT, T0, WARM, batch, commit, event, one_batch

# One commit per line: entry n carries position n, and the n-th event of an alarm that goes on and off.
WORKER = """
import sys
from domain.alarms import EventKind
from domain.records import EntryKind, Position
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from pathlib import Path
from tests.contract.operational_stories import batch, commit, event

folder = Path(sys.argv[1])
store = OperationalStore(f"sqlite:///{folder}/operational.sqlite")
series = SqliteSeriesStore(folder / "series.sqlite")
epoch = store.acquire("school", "worker-1", int(sys.argv[2]), 1000)
n = store.journal_end("school")
while True:
    n += 1
    kind = EventKind.RAISE if n % 2 else EventKind.CLEAR
    news = event(kind, n, answer_required=False)
    content = batch(n * 10)
    done = store.commit(
        commit(epoch, entries=((EntryKind.BATCH, content),), positions=(Position("kitchen", "b1", n),), events=(news,))
    )
    assert done.n == n
    series.append(content)
    store.set_cursor("school", "series", n)
    print(n, flush=True)
"""


def run_until(folder: Path, lines: int, now: int) -> int:
    """Run the worker, kill it after so many lines; the last commit that it knew to be done."""
    command = [sys.executable, "-c", WORKER, str(folder), str(now)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as worker:
        assert worker.stdout is not None
        seen = 0
        for _ in range(lines):
            seen = int(worker.stdout.readline())
        worker.send_signal(signal.SIGKILL)
        for line in worker.stdout:
            seen = int(line) if line.endswith("\n") else seen
    return seen


def test_a_kill_in_the_middle_of_commits_leaves_one_consistent_story(tmp_path: Path) -> None:
    for round_, lines in enumerate((1, 7, 20)):
        told = run_until(tmp_path, lines, T0 + round_)
        store = OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite")
        series = SqliteSeriesStore(tmp_path / "series.sqlite")
        end = store.journal_end("school")
        assert end in (told, told + 1)  # at most the one commit whose end it could not tell any more
        assert [entry.n for entry in store.journal("school", 0, 10_000)] == list(range(1, end + 1))
        assert store.positions("school")["kitchen"].through == end
        transitions = store.transitions(TransitionFilter(), 10_000, newest_first=False)
        assert [row.at - T0 for row in transitions] == list(range(1, end + 1))
        assert [row.id for row in store.pending_notices(10_000)] == [row.id for row in transitions]
        alarm = store.alarm("school", WARM)
        assert alarm is not None
        assert (alarm.version, alarm.active) == (end, end % 2 == 1)
        assert len(store.excursions("school", None, 0, T0 * 2)) == (end + 1) // 2
        assert store.verify_audit("school") is None
        assert end - 1 <= store.cursor("school", "series") <= end
        for entry in store.journal("school", store.cursor("school", "series"), 10):
            series.append(batch(entry.n * 10))
        assert series.count("school") == end * 3
        store.close()
        series.close()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    place = f"sqlite:///{tmp_path}/operational.sqlite"
    store = OperationalStore(place)
    store.acquire("school", "worker-1", T0, 30_000)
    store.commit(commit(events=(event(EventKind.RAISE),)))
    yield place
    store.close()


def _acknowledge(url: str, number: int) -> int:
    """How many of the shelve/unshelve commands went through; another process does the same."""
    store = OperationalStore(url)
    through = 0
    for turn in range(10):
        kind = EventKind.SHELVE if turn % 2 == 0 else EventKind.UNSHELVE
        wanted = AlarmEvent(kind, WARM, Reason.BY_PERSON, T0, T0, by=f"person-{number}", note="repair", until=T0 + 99)
        try:
            store.command("school", wanted)
            through += 1
        except IllegalTransitionError:
            pass  # the other one was first
        assert store.alarms(AlarmFilter(), 10)[1] == 1
    store.close()
    return through


def test_ingest_commits_while_two_other_processes_read_and_command(url: str) -> None:
    ingest = OperationalStore(url)
    with multiprocessing.get_context("spawn").Pool(2) as web:
        others = [web.apply_async(_acknowledge, (url, number)) for number in range(2)]
        for number in range(40):
            ingest.commit(one_batch(start=number * 10))
        through = sum(other.get(60) for other in others)
    alarm = ingest.alarm("school", WARM)
    assert alarm is not None
    assert (ingest.journal_end("school"), alarm.version) == (40, 1 + through)
    assert len(ingest.transitions(TransitionFilter(), 100)) == 1 + through
    assert ingest.verify_audit("school") is None
    ingest.close()


def test_of_two_people_who_saw_the_same_version_one_wins(url: str) -> None:
    store = OperationalStore(url)
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def press(name: str) -> None:
        start.wait()
        try:
            store.command("school", event(EventKind.ACKNOWLEDGE, by=name), 1)
            outcomes.append("done")
        except ConflictError:
            outcomes.append("conflict")

    threads = [threading.Thread(target=press, args=(f"p{number}",), name=f"person-{number}") for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 3 + ["done"]
    store.close()


def test_two_processes_may_open_a_new_store_at_the_same_moment(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def open_both() -> None:
        start.wait()
        try:
            OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite").close()
            SqliteSeriesStore(tmp_path / "series.sqlite").close()
        except BaseException as error:  # noqa: BLE001 - a thread's failure is reported by the test
            failures.append(error)

    threads = [threading.Thread(target=open_both, name=f"starter-{number}") for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_two_ingest_processes_append_to_one_series_file(tmp_path: Path) -> None:
    first, second = SqliteSeriesStore(tmp_path / "s.sqlite"), SqliteSeriesStore(tmp_path / "s.sqlite")
    for number in range(5):
        first.append(batch(number * 10))
        assert second.append(batch(number * 10)).duplicates == 3
    second.append(batch(0, site="annex"))
    assert (first.count("school"), first.count("annex")) == (15, 3)
    assert [row.point for row in first.latest("annex")] == [POINT]
    first.close()
    second.close()


def test_a_closed_series_store_refuses_use(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "s.sqlite")
    store.close()
    store.close()
    for use in (lambda: store.count("school"), lambda: store.append(batch())):
        with pytest.raises(RuntimeError, match="is closed"):
            use()


def test_a_failed_append_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteSeriesStore(tmp_path / "s.sqlite")
    with monkeypatch.context() as broken:
        broken.setattr("store.series_sqlite.sql.ADD_COUNT", "INSERT INTO nowhere VALUES (?, ?)")
        with pytest.raises(Exception, match="nowhere"):
            store.append(batch())
    assert (store.count("school"), store.latest("school")) == (0, [])
    assert store.append(batch()).stored == 3  # the point's number was rolled back too, and is not remembered
    assert len(store.read("school", POINT, 0, T0 * 2).time) == 3
    store.close()


def test_a_series_file_of_a_newer_caretaker_is_refused(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "s.sqlite")
    store._writer.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(CaretakerError, match="format 99"):
        SqliteSeriesStore(tmp_path / "s.sqlite")


def test_an_alarm_that_is_normal_is_not_raised_by_reading_it(url: str) -> None:
    store = OperationalStore(url)
    assert store.alarm("school", AlarmKey("other", POINT)) is None
    assert store.alarms(AlarmFilter(states=(AlarmState.NORMAL,)), 9) == ([], 0)
    store.close()
