"""Keeps a set of child processes running: starts them, restarts any that ends, stops them in reverse order.

It decides when to restart (back-off from half a second, doubling to 30 s, forgotten after a minute's good run) and
leaves a state file for `caretaker ps`. It knows nothing of what the children do.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import CaretakerError

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
GOOD_RUN = 60.0
STOP_PATIENCE = 8.0  # seconds from SIGTERM to SIGKILL
STATE_FILE = "supervisor.json"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run: a name for people, the command line, and where its output goes (None: ours)."""

    name: str
    command: Sequence[str]
    log: Path | None = None


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = 0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    last_exit: int | None = None
    stopped: bool = False


@dataclass
class Supervisor:
    """Runs children until `stop`; call `tick` often. `environment` is given to every child."""

    run_dir: Path
    environment: dict[str, str]
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _children: dict[str, _Child] = field(default_factory=dict)

    def add(self, spec: ChildSpec, *, start: bool = True) -> None:
        """Take a child in; it starts at once unless told otherwise."""
        self._children[spec.name] = child = _Child(spec)
        if start:
            self._start(child)
            self._write_state()

    def tick(self) -> None:
        """Notice ended children and start those whose pause is over."""
        changed = False
        for child in self._children.values():
            changed |= self._watch(child)
        if changed:
            self._write_state()

    def pid(self, name: str) -> int | None:
        """The process id of a running child."""
        process = self._children[name].process
        return process.pid if process is not None and process.poll() is None else None

    def restarts(self, name: str) -> int:
        """How often the child was started again."""
        return self._children[name].restarts

    def stop(self, names: Sequence[str] | None = None) -> None:
        """End the children one after the other, the last first: SIGTERM, and SIGKILL to one that stays."""
        chosen = [child for name, child in self._children.items() if names is None or name in names]
        for child in reversed(chosen):
            self._end(child)
        self._write_state()

    def _end(self, child: _Child) -> None:
        child.stopped = True
        process = child.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout=STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self.say(f"{child.spec.name} did not stop in {STOP_PATIENCE:.0f} s and is killed")
            process.kill()
            process.wait()

    def _start(self, child: _Child) -> None:
        log = child.spec.log
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("ab") if log is not None else None
        try:
            # A session of its own: Ctrl-C reaches only the supervisor, which stops the children in order.
            child.process = subprocess.Popen(  # noqa: S603 - the command line is our own
                list(child.spec.command), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=self.environment, start_new_session=True,
            )  # fmt: skip
        finally:
            if output is not None:
                output.close()
        child.started = self.clock()

    def _watch(self, child: _Child) -> bool:
        now = self.clock()
        if child.stopped:
            return False
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return False
            child.process, child.last_exit = None, code
            if now - child.started > GOOD_RUN:
                child.pause = FIRST_PAUSE
            child.due, child.pause = now + child.pause, min(child.pause * 2, LONGEST_PAUSE)
            self.say(f"{child.spec.name} ended with {_describe(code)}; it starts again in {child.due - now:.1f} s")
            return True
        if now >= child.due:
            child.restarts += 1
            self._start(child)
            return True
        return False

    def _write_state(self) -> None:
        rows: list[dict[str, object]] = [
            {
                "name": child.spec.name,
                "pid": child.process.pid if child.process else None,
                "restarts": child.restarts,
                "last_exit": child.last_exit,
                "command": list(child.spec.command),
            }
            for child in self._children.values()
        ]
        try:
            _write_state(self.run_dir, rows)
        except OSError as error:  # a full disk must not end the children too; only `ps` is out of date
            self.say(f"the state file in {self.run_dir} cannot be written: {error.strerror}")


def own_command(*words: str) -> list[str]:
    """The command line that runs this same program with other words."""
    return [sys.executable, "-m", "caretaker", *words]


def claim_run_dir(run_dir: Path) -> None:
    """Refuse to start twice on one data folder. CaretakerError names the process that runs already."""
    pid = running_supervisor(run_dir)
    if pid is None:
        try:
            _write_state(run_dir, [])
        except OSError as error:
            raise CaretakerError(
                f"{run_dir} cannot be written: {error.strerror}", "set data_dir to a writable folder"
            ) from None
    elif pid != os.getpid():
        raise CaretakerError(
            f"Caretaker runs on {run_dir.parent} already (process {pid})",
            "stop it first (Ctrl-C there), or use another data_dir and other ports",
        )


def running_supervisor(run_dir: Path) -> int | None:
    """The process id of the supervisor that owns the folder, when it is alive."""
    state = read_state(run_dir)
    try:
        pid = int(state["pid"])
    except (ValueError, KeyError, TypeError):
        return None
    # After a power cut the number may be another program's: it counts only with the moment that process began.
    if state.get("began") not in (None, _began(pid)):
        return None
    return pid if alive(pid) else None


def read_state(run_dir: Path) -> dict[str, Any]:
    """What the supervisor wrote last; empty when there is nothing readable."""
    try:
        state = json.loads((run_dir / STATE_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _write_state(run_dir: Path, rows: Sequence[dict[str, object]]) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    state = {"pid": os.getpid(), "began": _began(os.getpid()), "children": rows}
    temporary = run_dir / (STATE_FILE + ".new")
    temporary.write_text(json.dumps(state, indent=1))
    temporary.replace(run_dir / STATE_FILE)


def _began(pid: int) -> str | None:
    """Which start of the machine, and which moment after it, the process began in; None where Linux does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
    return f"{boot} {ticks}"


def alive(pid: int) -> bool:
    """Whether a process of that id runs (a zombie does not count)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
