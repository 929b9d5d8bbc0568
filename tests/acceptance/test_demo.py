"""The demonstration as a newcomer meets it, and with ingest killed under it: nothing lost, nothing doubled."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support import wait_until

CARETAKER = str(Path(sys.executable).with_name("caretaker"))


class Run:
    """One `caretaker demo` as a child process, its output collected in a file."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.data = folder / "demo"
        self._log = folder / "demo.txt"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [CARETAKER, "demo", "--data-dir", str(self.data), "--record", *words], stdout=log, stderr=log
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
            pytest.fail(f"the demonstration did not end:\n{self.output}")

    def child_pid(self, name: str) -> int | None:
        try:
            state = json.loads((self.data / "data" / "run" / "supervisor.json").read_text())
        except (OSError, ValueError):
            return None
        return next((row["pid"] for row in state["children"] if row["name"] == name), None)

    def rows(self, file: str, query: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(f"file:{self.data / 'data' / file}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


def produced(run: Run) -> Counter[tuple[str, int, float]]:
    """What the simulators' own record says, written before anything was handed over."""
    rows: Counter[tuple[str, int, float]] = Counter()
    for path in run.data.glob("produced-*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            rows[(row["point"], row["time"], row["value"])] += 1
    return rows


def stored(run: Run) -> Counter[tuple[str, int, float]]:
    query = "SELECT p.asset || '/' || p.metric, r.time, r.value FROM readings r JOIN points p ON p.id = r.point"
    return Counter(
        {(str(point), int(str(at)), float(str(value))): 1 for point, at, value in run.rows("series.sqlite", query)}
    )


def transitions(run: Run) -> list[tuple[object, ...]]:
    return run.rows(
        "operational.sqlite", "SELECT rule, point, source, target, reason, priority, at FROM transitions ORDER BY id"
    )


def check_the_two_alarms(run: Run) -> None:
    rows = transitions(run)
    raised = [row for row in rows if row[0] == "cold-storage-high" and row[1] == "fridge-1/temperature"]
    assert [row[2:5] for row in raised[-1:]] == [("normal", "unacknowledged", "above_limit")], run.output
    control = json.loads((run.data / "control.json").read_text())
    after = (int(str(raised[-1][6])) - control["live_at"]) / 1000
    assert 20 <= after <= 40, f"the cold-storage alarm came {after} s after going live"
    boiler = [row for row in rows if row[0] == "boiler-fault"]
    assert [row[2:4] for row in boiler] == [("normal", "unacknowledged"), ("unacknowledged", "returned-unacknowledged")]
    assert all(0 <= int(str(row[6])) - control["live_at"] <= 60_000 for row in boiler)


@pytest.mark.acceptance
@pytest.mark.timeout(240)
def test_the_demonstration_shows_both_alarms_and_ends_by_itself(tmp_path: Path) -> None:
    run = Run(tmp_path, "--days", "1", "--for", "75s")
    assert run.wait(220) == 0, run.output
    check_the_two_alarms(run)
    assert "cold-storage-high" in run.output
    assert "Traceback" not in run.output + "".join(path.read_text() for path in (run.data / "logs").glob("*.log"))
    missing = produced(run) - stored(run)
    late = [row for row in missing if row[1] < json.loads((run.data / "control.json").read_text())["live_at"]]
    assert late == []
    history = [row for row in transitions(run) if row[3] not in ("normal", "acknowledged")]
    assert {row[0] for row in history} == {"cold-storage-high", "boiler-fault"}, (
        "the history asks nothing of a newcomer"
    )


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_killing_ingest_during_the_history_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, "--days", "2", "--for", "45s")
    kills = 0
    pid = None
    deadline = time.monotonic() + 120
    while kills < 4 and not (run.data / "control.json").exists() and time.monotonic() < deadline:
        fresh = run.child_pid("ingest")
        if fresh is not None and fresh != pid:
            time.sleep(1.2 + 0.37 * kills)
            pid = fresh
            os.kill(fresh, signal.SIGKILL)
            kills += 1
        time.sleep(0.05)
    assert run.wait(240) == 0, run.output
    assert kills >= 2, run.output
    live_at = json.loads((run.data / "control.json").read_text())["live_at"]
    before = Counter({row: count for row, count in produced(run).items() if row[1] < live_at})
    assert max(before.values()) == 1
    assert before - stored(run) == Counter(), "lost"
    assert Counter({row: 1 for row in stored(run) if row[1] < live_at}) - before == Counter(), "invented or doubled"
    rows = transitions(run)
    assert len(rows) == len(set(rows)), "a transition is doubled"
    check_the_two_alarms(run)


@pytest.mark.acceptance
@pytest.mark.timeout(240)
def test_the_same_demonstration_over_a_real_mosquitto_in_its_default_configuration(
    tmp_path: Path, mosquitto: int
) -> None:
    run = Run(tmp_path, "--days", "1", "--for", "40s", "--broker", f"mqtt://127.0.0.1:{mosquitto}")
    assert run.wait(220) == 0, run.output
    rows = transitions(run)
    assert [row[2:4] for row in rows if row[0] == "boiler-fault"][:1] == [("normal", "unacknowledged")]
    live_at = json.loads((run.data / "control.json").read_text())["live_at"]
    before = Counter({row: count for row, count in produced(run).items() if row[1] < live_at})
    assert before - stored(run) == Counter()


@pytest.mark.acceptance
@pytest.mark.parametrize("phase", ["at once", "during the history", "live"])
@pytest.mark.timeout(180)
def test_ctrl_c_stops_cleanly_in_any_phase(tmp_path: Path, phase: str) -> None:
    run = Run(tmp_path, "--days", "1")
    words = {"at once": "", "during the history": "The board", "live": "Live: http"}[phase]
    wait_until(lambda: words in run.output and (run.data / "caretaker.toml").exists(), 120, f"{phase}\n{run.output}")
    children = [run.child_pid(name) for name in ("broker", "ingest", "web", "notify", "edge-canteen", "edge-plant")]
    run.process.send_signal(signal.SIGINT)
    assert run.wait(40) == 0, run.output
    assert "Traceback" not in run.output
    for pid in children:
        assert pid is None or not Path(f"/proc/{pid}").exists()
