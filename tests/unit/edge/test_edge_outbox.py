"""The durable queue: order, settlement, bounds, gap records, restarts, kills and damaged files."""

import math
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import CaretakerError
from domain.readings import Quality, Reading
from edge.outbox import MAX_GAP_POINTS, MAX_GAPS, GapReason, Outbox
from edge.outbox_file import SET_ASIDE_KEPT, OutboxCorruptError

T0 = 1_700_000_000_000
DAY = 86_400_000


def make(path: Path, max_bytes: int = 10_000_000, max_age: int = DAY, now: int = T0) -> Outbox:
    box = Outbox(path / "outbox.db", max_bytes, max_age)
    box.open(now)
    return box


def rows(*offsets: int, point: str = "fridge-1/temperature") -> list[tuple[Reading, int]]:
    return [(Reading(point, T0 + offset, float(offset)), T0 + offset) for offset in offsets]


def times(box: Outbox) -> list[int]:
    return [stored.reading.time - T0 for stored in box.peek(0, 10_000)]


def test_readings_come_out_in_the_order_they_went_in_whatever_their_times(tmp_path) -> None:
    box = make(tmp_path)
    box.append(rows(5, 3, 3, 9), T0)
    box.append([], T0)
    box.append(rows(1), T0)
    assert times(box) == [5, 3, 3, 9, 1]
    assert [stored.reading.time - T0 for stored in box.peek(2, 2)] == [3, 9]
    assert [stored.id for stored in box.rows(2, 3)] == [2, 3]
    box.close()


def test_every_part_of_a_reading_survives(tmp_path) -> None:
    box = make(tmp_path)
    readings = [
        Reading("a/b", T0, math.nan, Quality.BAD, "crc=4e NO"),
        Reading("a/b", T0, 85.0, Quality.BAD, "t=85000"),
        Reading("a/b", T0, 0.0, Quality.UNCERTAIN),
        Reading("a/b", T0, 1e-300, Quality.GOOD, "门开"),
    ]
    box.append([(reading, T0 + 7) for reading in readings], T0)
    box.close()
    box = make(tmp_path)
    found = box.peek(0, 10)
    assert [repr(stored.reading) for stored in found] == [repr(reading) for reading in readings]
    assert {stored.upto for stored in found} == {T0 + 7}
    box.close()


def test_what_is_settled_is_forgotten_and_its_numbers_are_not_used_again(tmp_path) -> None:
    box = make(tmp_path)
    box.append(rows(1, 2, 3), T0)
    box.settle(2)
    assert (times(box), box.held) == ([3], 1)
    box.settle(3)
    box.settle(3)
    assert (box.held, box.held_bytes) == (0, 0)
    box.append(rows(4), T0)
    assert box.peek(0, 1)[0].id == 4
    box.close()


def test_a_restart_finds_readings_and_figures_as_they_were(tmp_path) -> None:
    box = make(tmp_path)
    box.append(rows(1, 2), T0)
    before = (box.held, box.held_bytes)
    box.close()
    box = make(tmp_path)
    assert (box.held, box.held_bytes) == before
    assert times(box) == [1, 2]
    box.close()


def test_over_its_bytes_it_drops_the_oldest_and_says_which(tmp_path) -> None:
    box = make(tmp_path, max_bytes=1000)
    box.append(rows(*range(20)), T0)
    dropped = box.trim(T0)
    assert 0 < dropped < 20
    assert box.held_bytes <= 1000
    assert times(box) == list(range(dropped, 20))
    (held,) = box.gaps()
    gap = held.gap
    assert (gap.start, gap.end, gap.count) == (T0, T0 + dropped - 1, dropped)
    assert (gap.reason, gap.points) == ("outbox_full", ("fridge-1/temperature",))
    assert box.trim(T0) == 0
    box.close()


def test_what_waited_longer_than_the_age_is_dropped_however_old_its_event_is(tmp_path) -> None:
    box = make(tmp_path, max_age=DAY)
    history = [(Reading("a/b", T0 - 300 * DAY, 1.0), T0)]
    box.append(history, T0)
    box.append(rows(5), T0 + DAY)
    assert box.trim(T0 + DAY) == 0  # an old event that came in today is not old
    assert box.trim(T0 + DAY + 1) == 1
    assert times(box) == [5]
    assert box.gaps()[0].gap.reason == "outbox_age"
    box.close()


def test_drops_that_touch_become_one_gap(tmp_path) -> None:
    box = make(tmp_path, max_bytes=500)
    for number in range(50):
        box.append(rows(number, point=f"fridge-{number % 2}/temperature"), T0)
        box.trim(T0)
    (held,) = box.gaps()
    assert held.gap.count + box.held == 50
    assert held.gap.points == ("fridge-0/temperature", "fridge-1/temperature")
    box.close()


def test_drops_with_a_surviving_reading_between_them_are_two_gaps(tmp_path) -> None:
    box = make(tmp_path, max_bytes=340)
    box.append(rows(*range(6)), T0)
    box.protect(0)
    box.trim(T0)
    first = box.gaps()[0].gap
    box.protect(box.peek(0, 1)[0].id)  # the oldest survivor goes into a pack
    box.append(rows(*range(6, 10)), T0)
    box.trim(T0)
    found = [held.gap for held in box.gaps()]
    assert found[0] == first
    assert len(found) == 2
    assert sum(gap.count for gap in found) + box.held == 10
    box.close()


def test_drops_for_different_reasons_are_two_gaps(tmp_path) -> None:
    box = make(tmp_path, max_bytes=500, max_age=DAY)
    box.append(rows(*range(10)), T0)
    box.trim(T0)
    box.trim(T0 + DAY + 1)
    assert [held.gap.reason for held in box.gaps()] == ["outbox_full", "outbox_age"]
    assert box.held == 0
    box.close()


def test_a_gap_that_is_in_a_pack_grows_no_more_and_goes_with_its_receipt(tmp_path) -> None:
    box = make(tmp_path, max_bytes=500)
    box.append(rows(*range(10)), T0)
    box.trim(T0)
    (taken,) = box.take_gaps(5)
    assert box.take_gaps(5) == []
    box.append(rows(*range(10, 20)), T0)
    box.trim(T0)
    assert box.gaps()[0] == taken
    assert len(box.gaps()) == 2
    box.settle(0, [taken.id])
    assert [held.id for held in box.gaps()] == [held.id for held in box.take_gaps(5)] != []
    box.close()


def test_gaps_survive_a_restart_and_may_be_taken_again(tmp_path) -> None:
    box = make(tmp_path)
    box.add_gap(T0, T0 + 5, 3, GapReason.DISK_ERROR, ["a/b"])
    taken = box.take_gaps(5)
    box.close()
    box = make(tmp_path)
    assert box.take_gaps(5) == taken
    box.close()


def test_a_gap_of_very_many_points_is_said_of_all(tmp_path) -> None:
    box = make(tmp_path)
    box.add_gap(T0, T0, 1, GapReason.OUTBOX_FULL, [f"a-{n}/b" for n in range(MAX_GAP_POINTS + 1)])
    box.add_gap(T0, T0, 1, GapReason.OUTBOX_FULL, ["a/b"])
    (held,) = box.gaps()
    assert (held.gap.points, held.gap.count) == ((), 2)
    box.close()


def test_the_number_of_gaps_is_bounded(tmp_path) -> None:
    box = make(tmp_path)
    reasons = [GapReason.OUTBOX_FULL, GapReason.OUTBOX_AGE]
    for number in range(MAX_GAPS + 20):
        box.add_gap(T0 + number, T0 + number, 1, reasons[number % 2], ["a/b"])
    assert len(box.gaps()) == MAX_GAPS
    assert sum(held.gap.count for held in box.gaps()) == MAX_GAPS + 20
    box.close()


def test_rows_in_flight_are_never_dropped(tmp_path) -> None:
    box = make(tmp_path, max_bytes=500, max_age=DAY)
    box.append(rows(*range(20)), T0)
    box.protect(20)
    assert box.trim(T0 + 2 * DAY) == 0
    assert box.held == 20
    box.close()


def test_its_figure_of_bytes_is_about_what_the_file_takes(tmp_path) -> None:
    box = make(tmp_path)
    for start in range(0, 20_000, 1000):
        box.append(rows(*range(start, start + 1000)), T0)
    figure = box.held_bytes
    box.close()
    assert 0.6 < (tmp_path / "outbox.db").stat().st_size / figure < 1.3


def test_a_second_agent_on_the_same_folder_is_refused_with_a_remedy(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("edge.outbox_file.LOCK_WAIT_S", 0.05)
    box = make(tmp_path)
    box.append(rows(1), T0)
    with pytest.raises(CaretakerError, match="each agent its own data_dir"):
        make(tmp_path)
    box.close()


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CaretakerError, match="cannot be opened"):
        make(tmp_path / "file" / "below")


def test_a_file_of_a_newer_version_is_refused(tmp_path) -> None:
    make(tmp_path).close()
    with sqlite3.connect(tmp_path / "outbox.db") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(CaretakerError, match="newer version"):
        make(tmp_path)


@pytest.mark.parametrize("damage", ["not a database at all" * 100, ""])
def test_a_file_of_garbage_is_set_aside_and_the_gap_says_so(tmp_path, damage) -> None:
    make(tmp_path).close()
    (tmp_path / "outbox.db").write_text(damage)
    box = make(tmp_path, now=T0 + 5)
    if damage:
        (held,) = box.gaps()
        assert (held.gap.start, held.gap.end) == (T0 + 5 - DAY, T0 + 5)
        assert (held.gap.count, held.gap.reason, held.gap.points) == (0, "outbox_corrupt", ())
        assert (tmp_path / f"outbox.db.corrupt-{T0 + 5}").read_text() == damage
    box.append(rows(1), T0)
    assert times(box) == [1]
    box.close()


def test_a_file_damaged_in_the_middle_is_found_at_the_start(tmp_path) -> None:
    box = make(tmp_path)
    box.append(rows(*range(5000)), T0)
    box.close()
    path = tmp_path / "outbox.db"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(content)
    box = make(tmp_path, now=T0 + 10_000)
    assert box.held == 0
    assert box.gaps()[0].gap.reason == "outbox_corrupt"
    assert box.gaps()[0].gap.start <= T0
    box.close()


def test_damage_at_work_is_told_apart_from_a_full_disk(tmp_path) -> None:
    box = make(tmp_path)
    box.append(rows(*range(3000)), T0)
    box._file.execute("PRAGMA max_page_count=1")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        box.append(rows(*range(3000)), T0)
    assert box.held == 3000
    with pytest.raises(OutboxCorruptError):
        box._file.execute("INSERT INTO reading VALUES (NULL, NULL, 1, 1, 1, '', 1, 1)")
    box.start_anew(T0, "test")
    box.append(rows(1), T0)
    assert times(box) == [1]
    box.close()


def test_only_the_newest_damaged_files_are_kept(tmp_path) -> None:
    for number in range(SET_ASIDE_KEPT + 2):
        (tmp_path / "outbox.db").write_text("garbage" * 200)
        make(tmp_path, now=T0 + number).close()
    kept = sorted(path.name for path in tmp_path.glob("*.corrupt-*"))
    assert kept == [f"outbox.db.corrupt-{T0 + number}" for number in range(2, SET_ASIDE_KEPT + 2)]


_WRITER = """
import sys
from pathlib import Path
from domain.readings import Reading
from edge.outbox import Outbox
box = Outbox(Path(sys.argv[1]), 10**9, 10**12)
box.open(0)
number = 0
while True:
    number += 1
    box.append([(Reading("a/b", number * 10 + part, float(number)), 0) for part in range(10)], 0)
    print(number, flush=True)
    if number % 3 == 0:
        box.settle(number * 5)
"""


def test_a_kill_in_the_middle_of_writing_loses_no_reading_that_append_took(tmp_path) -> None:
    path = tmp_path / "outbox.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert writer.stdout is not None
    for _ in range(25):
        last = writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    last = (writer.stdout.read().splitlines() or [last])[-1]
    writer.wait()
    writer.stdout.close()
    box = Outbox(path, 10**9, 10**12)
    box.open(0)
    found = box.peek(0, 10**6)
    assert box.gaps() == []
    assert found[-1].id >= int(last) * 10
    assert found[-1].id % 10 == 0  # a cycle is there as a whole or not at all
    assert [stored.id for stored in found] == list(range(found[0].id, found[-1].id + 1))
    assert all(stored.reading.time == (stored.id - 1) // 10 * 10 + 10 + (stored.id - 1) % 10 for stored in found)
    box.close()
