"""Children are kept running: restarted with growing pauses, stopped in reverse order, shown by a state file."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from caretaker import supervisor as module
from caretaker.supervisor import ChildSpec, Supervisor, alive, claim_run_dir, own_command, running_supervisor
from domain.errors import CaretakerError

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


class Clock:
    """Time in seconds that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def script(text: str) -> list[str]:
    return [sys.executable, "-S", "-c", text]


def supervisor_in(folder: Path, clock: Clock | None = None) -> tuple[Supervisor, list[str]]:
    said: list[str] = []
    made = Supervisor(folder / "run", dict(os.environ), said.append, clock or time.monotonic)
    return made, said


def ended(pid: int | None) -> None:
    """Wait until that child has ended (it stays a zombie until its supervisor looks)."""
    assert pid is not None
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_killed_child_is_started_again_after_a_pause(tmp_path: Path) -> None:
    clock = Clock()
    keeper, said = supervisor_in(tmp_path, clock)
    keeper.add(ChildSpec("ingest", SLEEPER))
    first = keeper.pid("ingest")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    ended(first)
    keeper.tick()
    assert keeper.pid("ingest") is None
    assert "signal SIGKILL" in said[0]
    clock.now += module.FIRST_PAUSE / 2
    keeper.tick()
    assert keeper.pid("ingest") is None
    clock.now += module.FIRST_PAUSE
    keeper.tick()
    assert keeper.pid("ingest") not in (None, first)
    assert keeper.restarts("ingest") == 1
    keeper.stop()


def test_the_pause_doubles_up_to_a_bound_and_a_good_run_forgives(tmp_path: Path) -> None:
    clock = Clock()
    keeper, _ = supervisor_in(tmp_path, clock)
    keeper.add(ChildSpec("web", script("raise SystemExit(3)")))
    pauses = []
    for _ in range(8):
        ended(keeper.pid("web")) if keeper.pid("web") else None
        keeper.tick()
        child = keeper._children["web"]
        pauses.append(child.due - clock.now)
        clock.now = child.due
        keeper.tick()
    assert pauses[:4] == pytest.approx([0.5, 1.0, 2.0, 4.0])
    assert max(pauses) == module.LONGEST_PAUSE
    ended(keeper.pid("web")) if keeper.pid("web") else None
    clock.now += module.GOOD_RUN + 1
    keeper.tick()
    assert keeper._children["web"].due - clock.now == pytest.approx(module.FIRST_PAUSE)
    keeper.stop()


def test_a_child_that_ends_with_exit_code_0_is_started_again_too(tmp_path: Path) -> None:
    clock = Clock()
    keeper, said = supervisor_in(tmp_path, clock)
    keeper.add(ChildSpec("edge", script("pass")))
    pid = keeper.pid("edge")
    if pid is not None:
        ended(pid)
    keeper.tick()
    clock.now += 1000
    keeper.tick()
    assert keeper.restarts("edge") == 1
    assert "exit code 0" in said[0]
    keeper.stop()


def test_children_are_stopped_in_reverse_order_and_the_stubborn_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_PATIENCE", 0.3)
    order = tmp_path / "order"
    tell = (
        "import signal,sys,time\n"
        "def bye(*_):\n open({path!r},'a').write({name!r}+' '); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, bye); open({ready!r},'w').close(); time.sleep(60)"
    )
    keeper, said = supervisor_in(tmp_path)
    for name in ("broker", "ingest"):
        ready = tmp_path / f"{name}.ready"
        keeper.add(ChildSpec(name, script(tell.format(path=str(order), name=name, ready=str(ready)))))
        while not ready.exists():
            time.sleep(0.005)
    stubborn = tmp_path / "stubborn.ready"
    keeper.add(
        ChildSpec(
            "stubborn",
            script(
                "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
                f"open({str(stubborn)!r},'w').close(); time.sleep(60)"
            ),
        )
    )
    while not stubborn.exists():
        time.sleep(0.005)
    pids = [keeper.pid(name) for name in ("broker", "ingest", "stubborn")]
    keeper.stop()
    assert not any(alive(pid) for pid in pids if pid)
    assert set(order.read_text().split()) == {"broker", "ingest"}
    assert any("stubborn" in line for line in said)


def test_the_state_file_tells_who_runs(tmp_path: Path) -> None:
    keeper, _ = supervisor_in(tmp_path)
    keeper.add(ChildSpec("web", SLEEPER, tmp_path / "logs" / "web.log"))
    state = json.loads((tmp_path / "run" / "supervisor.json").read_text())
    assert state["pid"] == os.getpid()
    assert state["children"][0]["name"] == "web"
    assert state["children"][0]["pid"] == keeper.pid("web")
    assert running_supervisor(tmp_path / "run") == os.getpid()
    keeper.stop()


@pytest.mark.parametrize("content", [None, "", "{}", '{"pid": "x"}', "[]", '{"pid": 999999999}'])
def test_without_a_living_supervisor_nobody_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "supervisor.json").write_text(content)
    assert running_supervisor(tmp_path) is None
    claim_run_dir(tmp_path)


def test_two_installations_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "supervisor.json").write_text(json.dumps({"pid": os.getppid(), "children": []}))
    with pytest.raises(CaretakerError, match=str(os.getppid())):
        claim_run_dir(tmp_path)


def test_a_child_runs_this_same_program() -> None:
    assert own_command("web", "--config", "x") == [sys.executable, "-m", "caretaker", "web", "--config", "x"]
