"""Real processes that are started, killed by their own number, and stopped; nothing else is ever touched."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support import listens

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0


class TookTooLongError(Exception):
    """Something that must happen did not happen within its bound."""


def wait_for(condition: Callable[[], bool], seconds: float, what: str, pause: float = 0.05) -> None:
    """TookTooLongError with `what` when the condition does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TookTooLongError(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)


class Process:
    """One part of the installation; `argv` is fixed, its runs come and go. `kills` counts SIGKILLs of running ones."""

    def __init__(self, name: str, argv: Sequence[str], folder: Path) -> None:
        self.name, self.kills, self.starts = name, 0, 0
        self.argv, self._folder = list(argv), folder
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        return self._running is not None and self._running.poll() is None

    @property
    def log(self) -> Path:
        return self._folder / f"{self.name}.log"

    def start(self) -> None:
        assert not self.runs, f"{self.name} runs already"
        self.starts += 1
        environment = {**os.environ, "CARETAKER_SUPERVISED": "1", "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self.argv, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

    def kill(self) -> bool:
        """SIGKILL; whether it ran until then."""
        if self._running is None:
            return False
        ran = self.runs
        self._running.kill()
        self._running.wait()
        self._running = None
        self.kills += ran
        return ran

    def stop(self, seconds: float = PATIENCE) -> None:
        """SIGTERM and wait; TookTooLongError (after SIGKILL, not counted) when it does not end."""
        if self._running is None:
            return
        if self.runs:
            self._running.send_signal(signal.SIGTERM)
        try:
            self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
            raise TookTooLongError(f"{self.name} did not end within {seconds:.0f} s of SIGTERM") from None
        finally:
            self._running = None

    def pause(self) -> None:
        """SIGSTOP, when it runs."""
        if self._running is not None and self.runs:
            self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        if self._running is not None and self.runs:
            self._running.send_signal(signal.SIGCONT)

    def wait(self, seconds: float) -> int:
        """The exit code; TookTooLongError when it still runs."""
        assert self._running is not None
        try:
            return self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TookTooLongError(f"{self.name} still runs after {seconds:.0f} s") from None


def caretaker(name: str, folder: Path, *words: str) -> Process:
    return Process(name, [sys.executable, "-m", "caretaker", *words], folder)


def shifted_agent(name: str, folder: Path, shift: Path, *words: str) -> Process:
    """The agent with a wall clock that is off by the ms that stand in the file `shift`."""
    return Process(name, [sys.executable, "-m", "tests.faults.shifted_agent", str(shift), *words], folder)


def find_mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def mosquitto(folder: Path, port: int) -> Process:
    """Mosquitto in its default configuration: nothing is kept over a restart, queues of 1,000."""
    program = find_mosquitto()
    assert program is not None
    return Process("broker", [program, "-p", str(port)], folder)


def wait_until_it_listens(port: int, process: Process, seconds: float = PATIENCE) -> None:
    wait_for(lambda: listens(port) or not process.runs, seconds, f"{process.name} listens")
