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

from domain.times import parse_time
from tests.support import wait_until

SITE = Path(__file__).parents[2] / "examples" / "school" / "site.yaml"
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


Row = tuple[str, int, float | None]


def produced(run: Run) -> Counter[Row]:
    """What the simulators' own record says, written before anything was handed over."""
    rows: Counter[Row] = Counter()
    for path in run.data.glob("produced-*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            rows[(row["point"], row["time"], row["value"])] += 1
    return rows


def stored(run: Run) -> Counter[Row]:
    query = "SELECT p.asset || '/' || p.metric, r.time, r.value FROM readings r JOIN points p ON p.id = r.point"
    return Counter(run.rows("series.sqlite", query))  # type: ignore[arg-type]  # the columns are of these types


def check_the_history(run: Run) -> None:
    """Everything produced before going live is stored exactly once, and nothing else is."""
    live_at = json.loads((run.data / "control.json").read_text())["live_at"]
    before = Counter({row: count for row, count in produced(run).items() if row[1] < live_at})
    assert len({point for point, _, _ in before}) >= 30
    assert max(before.values()) == 1
    assert before - stored(run) == Counter(), "lost"
    assert Counter({row: count for row, count in stored(run).items() if row[1] < live_at}) - before == Counter(), (
        "doubled"
    )


def transitions(run: Run) -> list[tuple[object, ...]]:
    return run.rows(
        "operational.sqlite", "SELECT rule, point, source, target, reason, priority, at FROM transitions ORDER BY id"
    )


def check_the_history_s_transitions(run: Run) -> None:
    """What was judged while the history came in, through kills and repeats, is what a backtest of the record says."""
    live_at = json.loads((run.data / "control.json").read_text())["live_at"]
    rows = sorted((at, point, value) for point, at, value in produced(run) if at < live_at)
    recorded = run.data / "produced.csv"
    lines = (f"{at},{point},{'' if value is None else value}" for at, point, value in rows)
    recorded.write_text("time,point,value\n" + "\n".join(lines))
    words = [
        "--rules",
        "pack:cn-canteen",
        "--rules",
        "pack:facility-basic",
        "--site",
        str(SITE),
        "--readings",
        str(recorded),
    ]
    result = subprocess.run([CARETAKER, "backtest", *words], capture_output=True, text=True, check=True)
    said = [json.loads(line) for line in result.stdout.splitlines()]
    expected = {(row["rule"], row["point"], row["reason"], row["priority"], parse_time(row["at"])) for row in said}
    judged = [row for row in transitions(run) if int(str(row[6])) < live_at]
    assert {(row[0], row[1], row[4], row[5], row[6]) for row in judged} == expected
    assert len(judged) == len(expected) >= 4


def check_the_two_alarms(run: Run) -> None:
    """The cold-storage alarm about 30 s after going live, the boiler's beginning and end within the first minute."""
    rows = transitions(run)
    raised = [row for row in rows if row[0] == "cold-storage-high" and row[1] == "fridge-1/temperature"]
    assert [row[2:5] for row in raised[-1:]] == [("normal", "unacknowledged", "above_limit")], run.output
    control = json.loads((run.data / "control.json").read_text())
    after = (int(str(raised[-1][6])) - control["live_at"]) / 1000
    assert 20 <= after <= 40, f"the cold-storage alarm came {after} s after going live"
    boiler = [row for row in rows if row[0] == "boiler-fault" and int(str(row[6])) >= control["live_at"]]
    assert [row[2:4] for row in boiler] == [("normal", "unacknowledged"), ("unacknowledged", "returned-unacknowledged")]
    assert all(0 <= int(str(row[6])) - control["live_at"] <= 60_000 for row in boiler)


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_killing_ingest_during_the_history_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, "--days", "2", "--for", "45s")
    kills, pid = 0, None
    while not (run.data / "control.json").exists() and run.process.poll() is None:
        fresh = run.child_pid("ingest")
        if kills < 4 and fresh is not None and fresh != pid:
            time.sleep(1.0 + 0.37 * kills)
            pid = fresh
            os.kill(fresh, signal.SIGKILL)
            kills += 1
        time.sleep(0.05)
    assert run.wait(240) == 0, run.output
    assert kills >= 2, run.output
    check_the_history(run)
    check_the_history_s_transitions(run)
    rows = transitions(run)
    assert len(rows) == len(set(rows)), "a transition is doubled"
    check_the_two_alarms(run)
    assert "cold-storage-high" in run.output
    logs = "".join(path.read_text() for path in (run.data / "logs").glob("*.log"))
    assert "Traceback" not in run.output + logs
    asking = {row[0] for row in rows if row[3] not in ("normal", "acknowledged")}
    assert asking == {"cold-storage-high", "boiler-fault"}, "the history asks nothing of a newcomer"


@pytest.mark.acceptance
@pytest.mark.integration
@pytest.mark.timeout(240)
def test_the_same_over_a_real_mosquitto_in_its_default_configuration_until_ctrl_c(
    tmp_path: Path, mosquitto: int
) -> None:
    run = Run(tmp_path, "--days", "1", "--broker", f"mqtt://127.0.0.1:{mosquitto}")
    wait_until(lambda: "cold-storage-high of fridge-1/temperature: normal" in run.output, 180, "the alarm")
    wait_until(lambda: "-> returned-unacknowledged (state_left" in run.output, 60, "the boiler runs again")
    run.process.send_signal(signal.SIGINT)
    assert run.wait(40) == 0, run.output
    check_the_history(run)
    check_the_two_alarms(run)


@pytest.mark.acceptance
@pytest.mark.parametrize("phase", ["at once", "during the history"])
@pytest.mark.timeout(180)
def test_ctrl_c_stops_cleanly_in_any_phase(tmp_path: Path, phase: str) -> None:
    run = Run(tmp_path, "--days", "2")
    words = {"at once": "", "during the history": "history:"}[phase]
    wait_until(lambda: words in run.output and (run.data / "caretaker.toml").exists(), 120, f"{phase}")
    children = [run.child_pid(name) for name in ("broker", "ingest", "web", "notify", "edge-canteen", "edge-plant")]
    run.process.send_signal(signal.SIGINT)
    assert run.wait(40) == 0, run.output
    assert "Traceback" not in run.output
    for pid in children:
        assert pid is None or not Path(f"/proc/{pid}").exists()
