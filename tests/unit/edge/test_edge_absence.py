"""The time in which an agent did not run: a gap record of its sensors, never of what comes after all."""

import sqlite3
from pathlib import Path

import pytest

from edge.outbox_file import OutboxFile
from tests.unit.edge.agent_rig import T0, History, Rig, Sensor

INTERVAL = 10_000


def begun(folder: Path, *sources: Sensor, at: int = 0, stamped: bool = True) -> Rig:
    rig = Rig(folder, *sources, stamped=stamped)
    rig.clock.now = T0 + at
    return rig


def gaps(rig: Rig) -> list[tuple[int, int, int, str, tuple[str, ...]]]:
    return [
        (one.gap.start - T0, one.gap.end - T0, one.gap.count, one.gap.reason, one.gap.points)
        for one in rig.outbox.gaps()
    ]


def killed(rig: Rig) -> None:
    """SIGKILL: the file is as the last sync left it."""
    rig.outbox.close()


def test_a_killed_agent_tells_of_the_time_until_it_was_back(tmp_path: Path) -> None:
    rig = begun(tmp_path)
    for _ in range(3):
        rig.step()
        rig.clock.advance(INTERVAL)
    killed(rig)
    again = begun(tmp_path, at=65_000)
    assert gaps(again) == [], "what is missing is known when something is measured again"
    again.step()
    assert gaps(again) == [(20_001, 64_999, 0, "agent_restarted", ("fridge-1/temperature",))]
    times = [row.reading.time - T0 for row in again.outbox.peek(0, 99)]
    assert times == [0, 10_000, 20_000, 65_000], "no reading lies inside the gap"
    again.step(INTERVAL)
    assert len(gaps(again)) == 1
    killed(again)


def test_a_stop_in_good_order_says_so(tmp_path: Path) -> None:
    rig = begun(tmp_path)
    rig.step()
    rig.agent.finish()
    again = begun(tmp_path, at=3_600_000)
    again.step()
    assert [(start, end, reason) for start, end, _, reason, _ in gaps(again)] == [(1, 3_599_999, "agent_stopped")]
    killed(again)
    third = begun(tmp_path, at=3_700_000)
    third.step()
    assert [reason for _, _, _, reason, _ in gaps(third)] == ["agent_stopped", "agent_restarted"]
    killed(third)


@pytest.mark.parametrize("at", [1, 10_000, 15_000, -60_000])
def test_within_an_interval_or_with_a_clock_that_went_back_nothing_is_missing(tmp_path: Path, at: int) -> None:
    rig = begun(tmp_path)
    rig.step()
    killed(rig)
    again = begun(tmp_path, at=at)
    again.step()
    assert gaps(again) == []
    killed(again)


def test_what_remembers_its_own_readings_has_no_gap(tmp_path: Path) -> None:
    for source, stamped in ((History(5), True), (Sensor(), False)):
        folder = tmp_path / type(source).__name__
        rig = begun(folder, source, stamped=stamped)
        rig.step()
        killed(rig)
        again = begun(folder, source, at=600_000, stamped=stamped)
        again.step()
        assert gaps(again) == []
        killed(again)


def test_only_the_sensors_beside_a_history_are_named(tmp_path: Path) -> None:
    sensor = Sensor()
    sensor.names = ["fridge-2/temperature"]
    rig = begun(tmp_path, History(0), sensor)
    rig.step()
    killed(rig)
    again = begun(tmp_path, History(0), sensor, at=600_000)
    again.step()
    assert [points for *_, points in gaps(again)] == [("fridge-2/temperature",)]
    killed(again)


def test_a_disk_that_refuses_the_gap_gets_it_later_and_it_ends_where_readings_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = begun(tmp_path)
    rig.step()
    killed(rig)
    again = begun(tmp_path, at=60_000)
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr(again.outbox, "add_gap", full)
        again.step()
    again.step(INTERVAL)
    assert [(start, end) for start, end, *_ in gaps(again)] == [(1, 59_999)]
    killed(again)


def test_an_outbox_of_an_older_agent_is_taken_over(tmp_path: Path) -> None:
    rig = begun(tmp_path)
    rig.step()
    killed(rig)
    file = sqlite3.connect(tmp_path / "outbox.db")
    file.execute("DROP TABLE cycle")
    file.close()
    again = begun(tmp_path, at=60_000)
    again.step()
    assert gaps(again) == []
    assert len(again.outbox.peek(0, 9)) == 2
    killed(again)
    assert OutboxFile(tmp_path / "outbox.db").path.exists()
